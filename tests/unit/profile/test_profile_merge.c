/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "oracle.h"

/* Three random profiles, each with names of its own or all with the same. */
struct fixture {
	struct names *names[4];
	struct profile made[3];
	struct oracle oracles[3];
};

static void fixture_init(struct fixture *f, uint64_t *seed, bool shares_names)
{
	f->names[3] = names_new();
	for (int i = 0; i < 3; i++) {
		f->names[i] = shares_names ? f->names[3] : names_new();
		/* Other ids for the same texts. */
		for (uint64_t j = oracle_random(seed) % 4; j > 0; j--)
			(void)oracle_frame(f->names[i], (uint32_t)j, (uint32_t)j);
		profile_init(&f->made[i], f->names[i]);
		oracle_fill(seed, &f->made[i], &f->oracles[i]);
		if (oracle_random(seed) % 2) {
			int column = profile_column(&f->made[i], "wall", "nanoseconds", "sleeping");

			profile_add(&f->made[i], (size_t)column, (struct node_id){0}, 1 + i);
		}
	}
}

static void fixture_done(struct fixture *f)
{
	for (int i = 0; i < 3; i++) {
		profile_done(&f->made[i]);
		if (f->names[i] != f->names[3])
			names_free(f->names[i]);
	}
	names_free(f->names[3]);
}

static void merged(struct fixture *f, struct profile *into, int a, int b, int c)
{
	profile_init(into, f->names[3]);
	assert_int_equal(profile_merge(into, &f->made[a]), 0);
	assert_int_equal(profile_merge(into, &f->made[b]), 0);
	assert_int_equal(profile_merge(into, &f->made[c]), 0);
}

/* Numbers of the head in one line; columns by type, for their order depends on who came first. */
static char *head_as_text(const struct profile *profile)
{
	int wall = profile_find_column(profile, "wall", NULL, "sleeping");
	int cpu = profile_find_column(profile, "cpu", NULL, NULL);
	struct buf out;
	size_t len;

	buf_init(&out, 1 << 16);
	buf_printf(&out, "%lld %lld %lld %lld %lld %s cpu %lld wall %lld",
		   (long long)profile->n_profiles, (long long)profile->n_samples,
		   (long long)profile->start_ns, (long long)profile->duration_ns,
		   (long long)profile->period,
		   names_text(profile->names, profile->period_type, NULL),
		   cpu < 0 ? 0ll : (long long)profile_sum(profile, (size_t)cpu),
		   wall < 0 ? 0ll : (long long)profile_sum(profile, (size_t)wall));
	return buf_take(&out, &len);
}

/* Only column cpu on a copy, so that the order of columns does not show. */
static char *cpu_as_text(const struct profile *profile)
{
	struct profile only = *profile;

	only.columns[0] = profile->columns[profile_find_column(profile, "cpu", NULL, NULL)];
	only.n_columns = 1;
	return profile_as_text(&only);
}

static void assert_same(const struct profile *a, const struct profile *b)
{
	char *left = cpu_as_text(a), *right = cpu_as_text(b);

	assert_string_equal(left, right);
	free(left);
	free(right);
	left = head_as_text(a);
	right = head_as_text(b);
	assert_string_equal(left, right);
	free(left);
	free(right);
}

static void merge_is_associative_and_commutative(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		struct profile abc, cba, bca, bc;
		struct fixture f;

		fixture_init(&f, &seed, round % 2);
		merged(&f, &abc, 0, 1, 2);
		merged(&f, &cba, 2, 1, 0);
		assert_same(&abc, &cba);
		assert_int_equal(profile_sum(&abc, 0), oracle_sum(&f.oracles[0]) +
							       oracle_sum(&f.oracles[1]) +
							       oracle_sum(&f.oracles[2]));
		/* a + (b + c) */
		profile_init(&bc, f.names[1]);
		assert_int_equal(profile_merge(&bc, &f.made[1]), 0);
		assert_int_equal(profile_merge(&bc, &f.made[2]), 0);
		profile_init(&bca, f.names[3]);
		assert_int_equal(profile_merge(&bca, &f.made[0]), 0);
		assert_int_equal(profile_merge(&bca, &bc), 0);
		assert_same(&abc, &bca);
		profile_done(&abc);
		profile_done(&cba);
		profile_done(&bca);
		profile_done(&bc);
		fixture_done(&f);
	}
}

static void merge_refuses_too_many_columns_and_changes_nothing(void **state)
{
	struct names *names = names_new();
	struct profile full, other;
	struct oracle oracle;
	uint64_t seed = 5;
	char type[2] = {0};

	(void)state;
	profile_init(&full, names);
	profile_init(&other, names);
	for (int i = 0; i < PROFILE_MAX_COLUMNS; i++) {
		type[0] = (char)(' ' + i);
		assert_int_equal(profile_column(&full, type, "x", NULL), i);
	}
	oracle_fill(&seed, &other, &oracle);
	assert_int_equal(profile_merge(&full, &other), ERR_LIMIT);
	assert_int_equal(full.tree.n, 1);
	assert_int_equal(full.n_columns, PROFILE_MAX_COLUMNS);
	assert_int_equal(full.n_samples, 0);
	assert_int_equal(profile_diff(&full, &other, 1, &other), ERR_LIMIT);
	profile_done(&full);
	profile_done(&other);
	names_free(names);
}

/* a;b and a;c into a tree that has room for a only: everything is at a, nothing hangs wrongly. */
static void merge_into_a_full_tree_keeps_the_sum(void **state)
{
	uint64_t seed = 9;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct profile small, whole;
		struct fixture f;
		struct arena arena;
		int64_t *totals;

		fixture_init(&f, &seed, true);
		arena_init(&arena);
		merged(&f, &whole, 0, 1, 2);
		profile_init(&small, f.names[3]);
		small.tree.max_nodes = 2 + (uint32_t)(oracle_random(&seed) % 40);
		for (int i = 0; i < 3; i++)
			assert_int_equal(profile_merge(&small, &f.made[i]), 0);
		assert_true(small.tree.n <= small.tree.max_nodes);
		assert_int_equal(profile_sum(&small, 0), profile_sum(&whole, 0));
		assert_int_equal(small.tree.over_limit > 0, small.tree.n < whole.tree.n);
		/* No node has more than the same path of the whole tree. */
		totals = profile_totals(&whole, 0, &arena);
		for (uint32_t i = 0; i < small.tree.n; i++) {
			struct frame_id path[ORACLE_DEPTH];
			size_t depth =
				tree_path(&small.tree, (struct node_id){i}, path, ORACLE_DEPTH);
			struct node_id there = tree_stack(&whole.tree, path, depth);

			assert_true(profile_totals(&small, 0, &arena)[i] <= totals[there.v]);
		}
		profile_done(&small);
		profile_done(&whole);
		fixture_done(&f);
		arena_done(&arena);
	}
}

static void diff_of_equals_is_zero_and_sides_keep_their_numbers(void **state)
{
	uint64_t seed = 13;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct profile diff, twice;
		struct fixture f;

		fixture_init(&f, &seed, round % 2);
		profile_init(&diff, f.names[3]);
		assert_int_equal(profile_diff(&f.made[0], &f.made[0], 1, &diff), 0);
		for (uint32_t i = 0; i < diff.tree.n; i++)
			assert_int_equal(profile_value(&diff, 0, (struct node_id){i}),
					 profile_value(&diff, 1, (struct node_id){i}));
		assert_int_equal(profile_sum(&diff, 0), oracle_sum(&f.oracles[0]));
		profile_init(&twice, f.names[3]);
		assert_int_equal(profile_diff(&f.made[0], &f.made[1], 2, &twice), 0);
		assert_int_equal(profile_sum(&twice, 0), oracle_sum(&f.oracles[0]));
		assert_int_equal(profile_sum(&twice, 1), 2 * oracle_sum(&f.oracles[1]));
		assert_int_equal(twice.n_samples, f.made[0].n_samples);
		profile_done(&diff);
		profile_done(&twice);
		fixture_done(&f);
	}
}

static void diff_scales_large_values_without_overflow(void **state)
{
	struct names *names = names_new();
	struct profile a, b, diff;

	(void)state;
	profile_init(&a, names);
	profile_init(&b, names);
	profile_init(&diff, names);
	assert_int_equal(profile_column(&a, "cpu", "nanoseconds", NULL), 0);
	assert_int_equal(profile_column(&b, "wall", "nanoseconds", NULL), 0);
	profile_add(&b, 0, (struct node_id){0}, INT64_MAX / 2 + 2);
	assert_int_equal(profile_diff(&a, &b, 3.5, &diff), 0);
	assert_int_equal(diff.n_columns, 4);
	assert_int_equal(profile_sum(&diff, 2), 0);
	assert_true(profile_sum(&diff, 3) == INT64_MAX);
	profile_done(&diff);
	profile_init(&diff, names);
	/* Without scaling not a bit is lost, whatever a double can hold. */
	assert_int_equal(profile_diff(&a, &b, 1, &diff), 0);
	assert_true(profile_sum(&diff, 3) == INT64_MAX / 2 + 2);
	profile_done(&diff);
	profile_done(&a);
	profile_done(&b);
	names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merge_is_associative_and_commutative),
		cmocka_unit_test(merge_refuses_too_many_columns_and_changes_nothing),
		cmocka_unit_test(merge_into_a_full_tree_keeps_the_sum),
		cmocka_unit_test(diff_of_equals_is_zero_and_sides_keep_their_numbers),
		cmocka_unit_test(diff_scales_large_values_without_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
