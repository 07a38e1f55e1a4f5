/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/flame.h"

#include <stdlib.h>

#include "oracle.h"
#include "profile/table.h"

static const char *box_name(const struct profile *profile, const struct flame *flame, uint32_t box)
{
	struct frame_id id = {flame->frame[box]};

	return names_text(profile->names, names_frame_get(profile->names, id)->name, NULL);
}

/* What flame.h promises of every layout. */
static void check_layout(const struct profile *profile, const struct flame *flame, bool is_diff)
{
	uint64_t stands_for = 0;
	int64_t merged_total = 0;

	assert_true(flame->n >= 1);
	assert_int_equal(flame->parent[0], 0);
	assert_int_equal(flame->first_child[flame->n], flame->n);
	for (uint32_t i = 0; i < flame->n; i++) {
		int64_t total = flame->self[i], total_b = is_diff ? flame->self_b[i] : 0;
		int64_t at = flame->x[i];

		stands_for += flame->merged[i] ? flame->merged[i] : 1;
		merged_total += flame->merged[i] ? flame->total[i] : 0;
		for (uint32_t c = flame->first_child[i]; c < flame->first_child[i + 1]; c++) {
			assert_int_equal(flame->parent[c], i);
			assert_int_equal(flame->depth[c], flame->depth[i] + 1);
			assert_int_equal(flame->x[c], at);
			at += flame->width[c];
			total += flame->total[c];
			total_b += is_diff ? flame->total_b[c] : 0;
			if (c + 1 < flame->first_child[i + 1] && !flame->merged[c + 1])
				assert_true(strcmp(box_name(profile, flame, c),
						   box_name(profile, flame, c + 1)) <= 0);
			/* a merged box is the last */
			assert_true(!flame->merged[c] || c + 1 == flame->first_child[i + 1]);
		}
		assert_true(at <= flame->x[i] + flame->width[i]);
		assert_int_equal(flame->total[i], total);
		if (is_diff)
			assert_int_equal(flame->total_b[i], total_b);
		else
			assert_int_equal(flame->width[i], flame->total[i]);
		if (i && flame->depth[i] == flame->depth[i - 1])
			assert_true(flame->x[i] >= flame->x[i - 1] + flame->width[i - 1]);
	}
	assert_int_equal(stands_for, flame->tree_nodes);
	assert_int_equal(merged_total, flame->merged_total);
}

static void every_layout_adds_up_however_much_is_cut(void **state)
{
	uint64_t seed = 47;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct names *names = names_new();
		struct flame_opts opts = {.max_nodes = 1 + (uint32_t)(oracle_random(&seed) % 60)};
		struct profile profile;
		struct oracle oracle;
		struct arena arena;
		struct flame flame;
		uint32_t kept = 0;

		arena_init(&arena);
		profile_init(&profile, names);
		oracle_fill(&seed, &profile, &oracle);
		flame_layout(&profile, &opts, &arena, &flame);
		check_layout(&profile, &flame, false);
		assert_int_equal(flame.total[0], oracle_sum(&oracle));
		assert_true(flame.root_found);
		for (uint32_t i = 0; i < flame.n; i++)
			kept += !flame.merged[i];
		assert_int_equal(kept, min_of(opts.max_nodes, flame.tree_nodes));
		profile_done(&profile);
		names_free(names);
		arena_done(&arena);
	}
}

/* No box that was cut is wider than one that stayed (but for those above wider ones). */
static void the_widest_boxes_stay(void **state)
{
	uint64_t seed = 53;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct names *names = names_new();
		struct flame_opts opts = {.max_nodes = 12};
		int64_t narrowest = INT64_MAX, widest_cut = 0;
		struct profile profile;
		struct oracle oracle;
		struct arena arena;
		struct flame flame;
		int64_t *totals;
		uint8_t *stays;

		arena_init(&arena);
		profile_init(&profile, names);
		oracle_fill(&seed, &profile, &oracle);
		flame_layout(&profile, &opts, &arena, &flame);
		totals = profile_totals(&profile, 0, &arena);
		stays = arena_alloc(&arena, profile.tree.n);
		for (uint32_t i = 0; i < flame.n; i++) {
			if (flame.merged[i])
				continue;
			stays[flame.node[i]] = 1;
			if (i)
				narrowest = min_of(narrowest, flame.total[i]);
		}
		for (uint32_t i = 1; i < profile.tree.n; i++)
			if (!stays[i])
				widest_cut = max_of(widest_cut, totals[i]);
		assert_true(widest_cut <= narrowest);
		profile_done(&profile);
		names_free(names);
		arena_done(&arena);
	}
}

static void differences_have_room_for_both_sides(void **state)
{
	uint64_t seed = 59;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		struct names *names = names_new();
		struct flame_opts opts = {.column = 0,
					  .column_b = 1,
					  .is_diff = true,
					  .scale_b = round % 3 ? 1 : 0.5,
					  .max_nodes = 1 + (uint32_t)(oracle_random(&seed) % 60)};
		struct profile a, b, diff;
		struct oracle oracle_a, oracle_b;
		struct arena arena;
		struct flame flame;

		arena_init(&arena);
		profile_init(&a, names);
		profile_init(&b, names);
		profile_init(&diff, names);
		oracle_fill(&seed, &a, &oracle_a);
		oracle_fill(&seed, &b, &oracle_b);
		assert_int_equal(profile_diff(&a, &b, 1, &diff), 0);
		flame_layout(&diff, &opts, &arena, &flame);
		check_layout(&diff, &flame, true);
		assert_int_equal(flame.total[0], oracle_sum(&oracle_a));
		assert_int_equal(flame.total_b[0], oracle_sum(&oracle_b));
		for (uint32_t i = 0; i < flame.n; i++) {
			assert_true(flame.width[i] >= flame.total[i]);
			/* scaled values are rounded node by node */
			assert_true((double)flame.width[i] + ORACLE_STACKS >=
				    (double)flame.total_b[i] * opts.scale_b);
		}
		profile_done(&a);
		profile_done(&b);
		profile_done(&diff);
		names_free(names);
		arena_done(&arena);
	}
}

/* 100 wide children, and a narrow one that went from 30 to nothing. */
static void a_small_box_with_a_large_change_stays(void **state)
{
	struct flame_opts opts = {.column_b = 1, .is_diff = true, .max_nodes = 3};
	struct names *names = names_new();
	struct profile profile;
	struct arena arena;
	struct flame flame;
	bool is_there = false;

	(void)state;
	arena_init(&arena);
	profile_init(&profile, names);
	assert_int_equal(profile_column(&profile, "cpu", "a", NULL), 0);
	assert_int_equal(profile_column(&profile, "cpu", "b", NULL), 1);
	for (uint32_t i = 0; i < 5; i++) {
		struct node_id node = tree_child(&profile.tree, (struct node_id){0},
						 oracle_frame(names, i + 2, 0));

		profile_add(&profile, 0, node, i == 3 ? 30 : 100);
		profile_add(&profile, 1, node, i == 3 ? 0 : 100);
	}
	flame_layout(&profile, &opts, &arena, &flame);
	for (uint32_t i = 1; i < flame.n; i++)
		is_there |= strcmp(box_name(&profile, &flame, i), "f") == 0;
	assert_true(is_there);
	profile_done(&profile);
	names_free(names);
	arena_done(&arena);
}

static void zooming_draws_what_lies_below_a_path(void **state)
{
	uint64_t seed = 61;
	int n_zoomed = 0;

	(void)state;
	for (int round = 0; round < 500; round++) {
		struct names *names = names_new();
		struct frame_id path[ORACLE_DEPTH];
		struct flame_opts opts = {.root_path = path, .max_nodes = 20};
		struct profile profile;
		struct oracle oracle;
		struct arena arena;
		struct flame flame;
		struct node_id node;

		arena_init(&arena);
		profile_init(&profile, names);
		oracle_fill(&seed, &profile, &oracle);
		node.v = (uint32_t)(oracle_random(&seed) % profile.tree.n);
		opts.root_len = tree_path(&profile.tree, node, path, ORACLE_DEPTH);
		flame_layout(&profile, &opts, &arena, &flame);
		check_layout(&profile, &flame, false);
		assert_true(flame.root_found);
		assert_int_equal(flame.node[0], node.v);
		assert_int_equal(flame.frame[0], profile.tree.frame[node.v]);
		assert_int_equal(flame.total[0], profile_totals(&profile, 0, &arena)[node.v]);
		n_zoomed += node.v && flame.n > 2;
		/* a path that is not there */
		path[0] = names_func_frame(names, (struct func_id){0});
		opts.root_len = 1;
		flame_layout(&profile, &opts, &arena, &flame);
		assert_false(flame.root_found);
		assert_int_equal(flame.total[0], oracle_sum(&oracle));
		profile_done(&profile);
		names_free(names);
		arena_done(&arena);
	}
	assert_true(n_zoomed > 100);
}

static void cutting_the_picture_changes_no_table_and_no_search(void **state)
{
	uint64_t seed = 67;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct names *names = names_new();
		struct flame_opts opts = {.max_nodes = 1 + (uint32_t)(oracle_random(&seed) % 5)};
		struct func_row *before, *after;
		struct search_result found, found_after;
		struct profile profile;
		struct oracle oracle;
		struct arena arena;
		struct flame flame;
		struct err err;
		size_t n;

		arena_init(&arena);
		profile_init(&profile, names);
		oracle_fill(&seed, &profile, &oracle);
		n = func_table(&profile, 0, FUNC_BY_SELF, &arena, &before);
		assert_int_equal(profile_search(&profile, 0, "c", &arena, &found, &err), 0);
		flame_layout(&profile, &opts, &arena, &flame);
		assert_int_equal(func_table(&profile, 0, FUNC_BY_SELF, &arena, &after), n);
		if (n)
			assert_memory_equal(before, after, n * sizeof(*before));
		assert_int_equal(profile_search(&profile, 0, "c", &arena, &found_after, &err), 0);
		assert_int_equal(found.matched, found_after.matched);
		profile_done(&profile);
		names_free(names);
		arena_done(&arena);
	}
}

static void hostile_values_neither_overflow_nor_draw_backwards(void **state)
{
	static const int64_t values[] = {INT64_MAX, INT64_MIN, -1, INT64_MAX, 0, INT64_MIN};
	struct names *names = names_new();
	struct profile profile;
	struct arena arena;
	struct flame flame;

	(void)state;
	arena_init(&arena);
	profile_init(&profile, names);
	assert_int_equal(profile_column(&profile, "cpu", "a", NULL), 0);
	assert_int_equal(profile_column(&profile, "cpu", "b", NULL), 1);
	for (uint32_t i = 0; i < array_len(values); i++) {
		struct node_id node = tree_child(&profile.tree, (struct node_id){i / 2},
						 oracle_frame(names, i, 0));

		profile_add(&profile, 0, node, values[i]);
		profile_add(&profile, 1, node, values[array_len(values) - 1 - i]);
	}
	for (uint32_t max = 1; max < 9; max++) {
		struct flame_opts opts = {
			.column_b = 1, .is_diff = max % 2, .scale_b = 1e9, .max_nodes = max};

		flame_layout(&profile, &opts, &arena, &flame);
		for (uint32_t i = 0; i < flame.n; i++) {
			assert_true(flame.width[i] >= 0);
			assert_true(flame.x[i] >= 0);
		}
	}
	profile_done(&profile);
	names_free(names);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout_adds_up_however_much_is_cut),
		cmocka_unit_test(the_widest_boxes_stay),
		cmocka_unit_test(differences_have_room_for_both_sides),
		cmocka_unit_test(a_small_box_with_a_large_change_stays),
		cmocka_unit_test(zooming_draws_what_lies_below_a_path),
		cmocka_unit_test(cutting_the_picture_changes_no_table_and_no_search),
		cmocka_unit_test(hostile_values_neither_overflow_nor_draw_backwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
