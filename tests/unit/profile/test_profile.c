/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/profile.h"

#include <errno.h>

#include "oracle.h"

static void states_have_names_that_parse_back(void **state)
{
	enum thread_state parsed;

	(void)state;
	for (int i = 0; i < STATE_COUNT; i++) {
		assert_int_equal(
			thread_state_parse(thread_state_name((enum thread_state)i), &parsed), 0);
		assert_int_equal(parsed, i);
	}
	assert_null(thread_state_name(STATE_COUNT));
	assert_true(thread_state_parse("dancing", &parsed) < 0);
	assert_true(thread_state_is_idle(STATE_SLEEPING));
	assert_true(thread_state_is_idle(STATE_WAITING_GIL));
	assert_false(thread_state_is_idle(STATE_RUNNING_GIL));
	assert_false(thread_state_is_idle(STATE_UNKNOWN));
}

static void columns_are_found_by_type_unit_and_state(void **state)
{
	struct names *names = names_new();
	struct profile profile;

	(void)state;
	profile_init(&profile, names);
	assert_int_equal(profile_column(&profile, "cpu", "nanoseconds", NULL), 0);
	assert_int_equal(profile_column(&profile, "wall", "nanoseconds", "sleeping"), 1);
	assert_int_equal(profile_column(&profile, "wall", "nanoseconds", ""), 2);
	assert_int_equal(profile_column(&profile, "cpu", "nanoseconds", ""), 0);
	assert_int_equal(profile_find_column(&profile, "wall", NULL, NULL), 1);
	assert_int_equal(profile_find_column(&profile, "wall", "nanoseconds", ""), 2);
	assert_int_equal(profile_find_column(&profile, "wall", "bytes", NULL), -ENOENT);
	for (int i = 3; i < PROFILE_MAX_COLUMNS; i++)
		assert_int_equal(profile_column(&profile, "wall", "count", i % 2 ? "a" : "b"),
				 i < 5	 ? i
				 : i % 2 ? 3
					 : 4);
	profile_done(&profile);
	names_free(names);
}

static void too_many_columns_are_refused(void **state)
{
	struct names *names = names_new();
	struct profile profile;
	char type[2] = {0};

	(void)state;
	profile_init(&profile, names);
	for (int i = 0; i < PROFILE_MAX_COLUMNS; i++) {
		type[0] = (char)(' ' + i);
		assert_int_equal(profile_column(&profile, type, "x", NULL), i);
	}
	assert_int_equal(profile_column(&profile, "one more", "x", NULL), ERR_LIMIT);
	assert_int_equal(profile_column(&profile, type, "x", NULL), PROFILE_MAX_COLUMNS - 1);
	profile_done(&profile);
	names_free(names);
}

static void sums_stop_at_the_ends_of_int64(void **state)
{
	struct names *names = names_new();
	struct profile profile;
	struct arena arena;
	struct node_id a, b;

	(void)state;
	arena_init(&arena);
	profile_init(&profile, names);
	(void)!profile_column(&profile, "cpu", "nanoseconds", NULL);
	a = tree_child(&profile.tree, (struct node_id){0}, oracle_frame(names, 3, 1));
	b = tree_child(&profile.tree, a, oracle_frame(names, 4, 1));
	assert_int_equal(profile_value(&profile, 0, b), 0);
	profile_add(&profile, 0, a, INT64_MAX - 1);
	profile_add(&profile, 0, a, 5);
	profile_add(&profile, 0, b, 7);
	assert_true(profile_value(&profile, 0, a) == INT64_MAX);
	assert_true(profile_sum(&profile, 0) == INT64_MAX);
	assert_true(profile_totals(&profile, 0, &arena)[0] == INT64_MAX);
	profile_done(&profile);
	names_free(names);
	arena_done(&arena);
}

/* On random trees: parent = self + children, and the root has everything. */
static void totals_are_self_and_children(void **state)
{
	uint64_t seed = 11;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		struct names *names = names_new();
		struct tree_index index;
		struct profile profile;
		struct oracle oracle;
		struct arena arena;
		int64_t *totals;

		arena_init(&arena);
		profile_init(&profile, names);
		oracle_fill(&seed, &profile, &oracle);
		totals = profile_totals(&profile, 0, &arena);
		tree_index(&profile.tree, &arena, &index);
		assert_int_equal(totals[0], oracle_sum(&oracle));
		assert_int_equal(profile_sum(&profile, 0), oracle_sum(&oracle));
		for (uint32_t i = 0; i < profile.tree.n; i++) {
			int64_t sum = profile_value(&profile, 0, (struct node_id){i});

			for (uint32_t at = index.start[i]; at < index.start[i + 1]; at++)
				sum += totals[index.list[at]];
			assert_int_equal(totals[i], sum);
		}
		profile_done(&profile);
		names_free(names);
		arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_have_names_that_parse_back),
		cmocka_unit_test(columns_are_found_by_type_unit_and_state),
		cmocka_unit_test(too_many_columns_are_refused),
		cmocka_unit_test(sums_stop_at_the_ends_of_int64),
		cmocka_unit_test(totals_are_self_and_children),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
