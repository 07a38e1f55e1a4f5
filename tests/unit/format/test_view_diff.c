/* SPDX-License-Identifier: Apache-2.0 */
/* Differences of two views: scene A before and after its fix. */
#include "format/view.h"

#include <math.h>

#include "view_scene.h"

static void scene_a_before_and_after(void **state)
{
	struct scene a, b;
	int foo, bar;

	(void)state;
	scene_init(&a, 12, 75);
	scene_init(&b, 12, 9);
	assert_int_equal(view_write_diff(&a.profile, &b.profile, &a.request, &a.facts, &b.facts,
					 &a.out, &a.err),
			 0);
	foo = row_of(&a.out, "foo");
	bar = row_of(&a.out, "bar");
	assert_int_equal(foo, 0);
	assert_int_equal(int_at(&a.out, "total"), 100);
	assert_int_equal(int_at(&a.out, "total_b"), 34);
	assert_int_equal(cell(&a.out, "table.self[]", foo), 75);
	assert_int_equal(cell(&a.out, "table.self_b[]", foo), 9);
	assert_int_equal(cell(&a.out, "table.self[]", bar), 25);
	assert_int_equal(cell(&a.out, "table.self_b[]", bar), 25);
	/* 1.96 * sqrt(25 * 1 + 25 * 1) = 13.86; 1.96 * sqrt(75 + 9) = 17.96 */
	assert_int_equal(cell(&a.out, "table.noise[]", bar), 14);
	assert_int_equal(cell(&a.out, "table.noise[]", foo), 18);
	assert_int_equal(cell(&a.out, "flame.width[]", 3), 75);
	assert_int_equal(cell(&a.out, "flame.total_b[]", 3), 9);
	scene_done(&a);
	scene_done(&b);
}

static void noise_takes_unlike_walls_and_unknown_periods_into_account(void **state)
{
	struct scene a, b;

	(void)state;
	scene_init(&a, 12, 75);
	scene_init(&b, 12, 75);
	b.facts.wall_ms = 40000; /* b counts for a quarter */
	a.profile.period = 4;
	b.profile.period = 0;
	b.profile.n_samples = 50; /* 100 / 50 = 2 a sample */
	assert_int_equal(view_write_diff(&a.profile, &b.profile, &a.request, &a.facts, &b.facts,
					 &a.out, &a.err),
			 0);
	assert_int_equal(cell(&a.out, "table.noise[]", row_of(&a.out, "foo")),
			 llround(1.96 * sqrt(75 * 4 + 75 * 2 / 16.0)));
	assert_int_equal(cell(&a.out, "table.self_b[]", row_of(&a.out, "foo")), 75);
	assert_int_equal(int_at(&a.out, "wall_b_ms"), 40000);
	/* nothing known: no interval */
	a.profile.period = 0;
	a.profile.n_samples = b.profile.n_samples = 0;
	buf_reset(&a.out);
	assert_int_equal(view_write_diff(&a.profile, &b.profile, &a.request, &a.facts, &b.facts,
					 &a.out, &a.err),
			 0);
	assert_int_equal(cell(&a.out, "table.noise[]", 0), 0);
	scene_done(&a);
	scene_done(&b);
}

static void a_function_that_moved_is_one_row(void **state)
{
	struct scene a, b;

	(void)state;
	scene_init(&a, 12, 75);
	scene_init(&b, 17, 9);
	assert_int_equal(view_write_diff(&a.profile, &b.profile, &a.request, &a.facts, &b.facts,
					 &a.out, &a.err),
			 0);
	assert_int_equal(int_at(&a.out, "table.rows"), 3);
	assert_int_equal(cell(&a.out, "table.self_b[]", row_of(&a.out, "foo")), 9);
	assert_int_equal(int_at(&a.out, "flame.tree_nodes"), 4);
	scene_done(&a);
	scene_done(&b);
	/* Two of that name on one side: nobody can say which is which. */
	scene_init(&a, 12, 75);
	scene_init(&b, 17, 9);
	scene_add(&b, scene_frame(&b, "foo", 50, 51), 4);
	assert_int_equal(view_write_diff(&a.profile, &b.profile, &a.request, &a.facts, &b.facts,
					 &a.out, &a.err),
			 0);
	assert_int_equal(int_at(&a.out, "table.rows"), 5);
	scene_done(&a);
	scene_done(&b);
}

static void focus_and_search_of_a_difference_see_both_sides(void **state)
{
	struct view_key key;
	struct scene a, b;

	(void)state;
	scene_init(&a, 12, 75);
	scene_init(&b, 12, 9);
	scene_add(&b, scene_frame(&b, "new", 60, 61), 40);
	key = view_key_of(b.names, scene_frame(&b, "new", 60, 0));
	a.request.focus = key.text;
	a.request.search = "new";
	assert_int_equal(view_write_diff(&a.profile, &b.profile, &a.request, &a.facts, &b.facts,
					 &a.out, &a.err),
			 0);
	assert_int_equal(int_at(&a.out, "total"), 0);
	assert_int_equal(int_at(&a.out, "total_b"), 40);
	assert_int_equal(int_at(&a.out, "search.matched"), 0);
	assert_int_equal(int_at(&a.out, "search.matched_b"), 40);
	scene_done(&a);
	scene_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scene_a_before_and_after),
		cmocka_unit_test(noise_takes_unlike_walls_and_unknown_periods_into_account),
		cmocka_unit_test(a_function_that_moved_is_one_row),
		cmocka_unit_test(focus_and_search_of_a_difference_see_both_sides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
