/* SPDX-License-Identifier: Apache-2.0 */
#include "oracle.h"
#include "profile/table.h"

static int64_t expected_match(const struct names *names, const struct oracle *oracle,
			      const char *file)
{
	int64_t sum = 0;

	for (size_t i = 0; i < oracle->n; i++) {
		bool is_match = false;

		for (size_t j = 0; j < oracle->stacks[i].depth; j++) {
			const struct frame *frame =
				names_frame_get(names, oracle->stacks[i].frames[j]);

			is_match |= !strcmp(names_text(names, frame->file, NULL), file);
		}
		sum += is_match ? oracle->stacks[i].value : 0;
	}
	return sum;
}

static void overlapping_matches_count_once(void **state)
{
	uint64_t seed = 43;

	(void)state;
	for (int round = 0; round < 500; round++) {
		struct names *names = names_new();
		struct search_result result;
		struct profile profile;
		struct oracle oracle;
		struct arena arena;
		struct err err;

		arena_init(&arena);
		profile_init(&profile, names);
		oracle_fill(&seed, &profile, &oracle);
		assert_int_equal(profile_search(&profile, 0, "SRV/odd.py", &arena, &result, &err),
				 0);
		assert_int_equal(result.matched, expected_match(names, &oracle, "/srv/odd.py"));
		profile_done(&profile);
		names_free(names);
		arena_done(&arena);
	}
}

/*
 * "Main Thread", Service.run (/srv/a+b.py), read; and beside it only "read ära"; unused is worth
 * nothing.
 */
static void queries_find_as_the_table_says(void **state)
{
	static const struct {
		const char *query;
		size_t n_functions;
	} cases[] = {
		{"", 0},
		{"run", 1},
		{"RUN", 1},
		{"service.", 1},
		{"r", 4},
		{"a+b", 1},
		{"a.b", 0},
		{"/a.b/", 1},
		{"/^Re/", 0},
		{"/(?i)^Re/", 2},
		{"/^(run|read)$/", 2},
		{"/srv", 1},
		{"//", 0},
		{"main thread", 1},
		{"\xc3\x84ra", 1},
		{"\\", 0},
		{"unused", 0},
	};
	struct names *names = names_new();
	struct frame frames[] = {
		{.name = names_cstr(names, "Main Thread"), .kind = FRAME_MARKER},
		{.name = names_cstr(names, "run"),
		 .qualname = names_cstr(names, "Service.run"),
		 .file = names_cstr(names, "/srv/a+b.py"),
		 .kind = FRAME_PYTHON},
		{.name = names_cstr(names, "read \xc3\xa4ra"), .kind = FRAME_NATIVE},
		{.name = names_cstr(names, "read"), .kind = FRAME_NATIVE},
		{.name = names_cstr(names, "unused"), .kind = FRAME_NATIVE},
	};
	struct node_id node = {0};
	struct profile profile;
	struct arena arena;
	struct err err;

	(void)state;
	arena_init(&arena);
	profile_init(&profile, names);
	assert_int_equal(profile_column(&profile, "cpu", "nanoseconds", NULL), 0);
	for (size_t i = 0; i < 2; i++)
		node = tree_child(&profile.tree, node, names_frame(names, &frames[i]));
	profile_add(&profile, 0, tree_child(&profile.tree, node, names_frame(names, &frames[3])),
		    5);
	profile_add(&profile, 0,
		    tree_child(&profile.tree, (struct node_id){0}, names_frame(names, &frames[2])),
		    5);
	(void)tree_child(&profile.tree, node, names_frame(names, &frames[4]));
	for (size_t i = 0; i < array_len(cases); i++) {
		struct search_result result;
		size_t n = 0;

		assert_int_equal(profile_search(&profile, 0, cases[i].query, &arena, &result, &err),
				 0);
		for (uint32_t func = 0; func < names_func_count(names); func++)
			n += result.is_match[func];
		assert_int_equal(result.n_functions, n);
		if (n != cases[i].n_functions)
			fail_msg("%s: %zu", cases[i].query, n);
		assert_int_equal(result.matched != 0, n != 0);
	}
	profile_done(&profile);
	names_free(names);
	arena_done(&arena);
}

static void bad_expressions_are_refused(void **state)
{
	struct names *names = names_new();
	struct search_result result;
	struct profile profile;
	struct arena arena;
	struct err err;

	(void)state;
	arena_init(&arena);
	profile_init(&profile, names);
	assert_int_equal(profile_column(&profile, "cpu", "nanoseconds", NULL), 0);
	assert_int_equal(profile_search(&profile, 0, "/(/", &arena, &result, &err), ERR_USAGE);
	assert_non_null(strstr(err.text, "missing"));
	profile_done(&profile);
	names_free(names);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overlapping_matches_count_once),
		cmocka_unit_test(queries_find_as_the_table_says),
		cmocka_unit_test(bad_expressions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
