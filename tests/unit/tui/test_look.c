/* SPDX-License-Identifier: Apache-2.0 */
/* The copy of a profile that goes on changing, and what is made of it. */
#include <stdlib.h>

#include "base/clock.h"
#include "tui/look.h"
#include "tui_scene.h"
#include "unit.h"

static void take(struct shot *shot, struct scene *scene)
{
	shot_take(shot, &scene->profile, scene->model.generation, scene->model.elapsed_ns);
}

static void look_at(struct look *look, struct look_request request)
{
	look_build(look, &request);
}

static void a_shot_knows_what_is_new_and_what_was_there_at_zero(void **state)
{
	struct scene scene;
	struct shot shot = {0};
	struct look look;

	(void)state;
	scene_init(&scene);
	look_init(&look);
	scene_a(&scene, 4);
	take(&shot, &scene);
	look_at(&look, (struct look_request){.shot = &shot, .measure = MEASURE_BUSY});
	assert_false(look.has_now);
	assert_int_equal(look.sum[LOOK_WHOLE], 4 * NS_PER_S);
	scene_a(&scene, 2);
	take(&shot, &scene);
	look_at(&look, (struct look_request){.shot = &shot, .measure = MEASURE_GIL});
	assert_true(look.has_now);
	assert_int_equal(look.sum[LOOK_WHOLE], 6 * NS_PER_S);
	assert_int_equal(look.sum[LOOK_NOW], 2 * NS_PER_S);
	assert_int_equal(look.elapsed[LOOK_NOW], 2 * NS_PER_S);
	/* no time has passed: what was new stays new */
	take(&shot, &scene);
	look_at(&look, (struct look_request){.shot = &shot, .measure = MEASURE_CPU});
	assert_int_equal(look.sum[LOOK_NOW], 2 * NS_PER_S);
	shot_set_zero(&shot);
	scene_a(&scene, 1);
	take(&shot, &scene);
	look_at(&look, (struct look_request){.shot = &shot, .measure = MEASURE_ALL});
	assert_int_equal(look.sum[LOOK_WHOLE], NS_PER_S);
	look_done(&look);
	shot_done(&shot);
	scene_done(&scene);
}

static void another_generation_begins_anew(void **state)
{
	struct scene scene;
	struct shot shot = {0};
	struct look look;

	(void)state;
	scene_init(&scene);
	look_init(&look);
	scene_a(&scene, 4);
	take(&shot, &scene);
	shot_set_zero(&shot);
	scene.model.generation++;
	scene.model.elapsed_ns += NS_PER_S;
	assert_true(
		shot_take(&shot, &scene.profile, scene.model.generation, scene.model.elapsed_ns));
	look_at(&look, (struct look_request){.shot = &shot, .measure = MEASURE_BUSY});
	assert_false(look.has_now);
	assert_int_equal(look.sum[LOOK_WHOLE], 4 * NS_PER_S);
	look_done(&look);
	shot_done(&shot);
	scene_done(&scene);
}

static void measures_count_the_states_that_they_should(void **state)
{
	static const int64_t wanted[MEASURE_COUNT] = {
		[MEASURE_BUSY] = 0, [MEASURE_ALL] = 18, [MEASURE_CPU] = 0, [MEASURE_GIL] = 0};
	struct scene scene;
	struct shot shot = {0};
	struct look look;

	(void)state;
	scene_init(&scene);
	look_init(&look);
	scene_b(&scene, 2);
	take(&shot, &scene);
	for (int i = 0; i < MEASURE_COUNT; i++) {
		look_at(&look, (struct look_request){.shot = &shot, .measure = (enum measure)i});
		assert_int_equal(look.sum[0] / NS_PER_S, wanted[i]);
	}
	assert_int_equal(shot.now.state_ns[STATE_WAITING_LOCK], 14 * NS_PER_S);
	assert_int_equal(shot.now.state_ns[STATE_WAITING_IO], 4 * NS_PER_S);
	look_done(&look);
	shot_done(&shot);
	scene_done(&scene);
}

static void one_marker_leaves_the_stacks_below_it(void **state)
{
	struct scene scene;
	struct shot shot = {0};
	struct look look;

	(void)state;
	scene_init(&scene);
	look_init(&look);
	scene_b(&scene, 2);
	take(&shot, &scene);
	look_at(&look, (struct look_request){.shot = &shot,
					     .measure = MEASURE_ALL,
					     .marker = scene.threads[3].marker});
	assert_int_equal(look.sum[0], 2 * NS_PER_S);
	/* all of them in one tree, without the markers: shared frames are one */
	assert_int_equal(profile_sum(look_merged(&look), 0), 2 * NS_PER_S);
	look_done(&look);
	shot_done(&shot);
	scene_done(&scene);
}

static void lines_become_functions_unless_asked_for(void **state)
{
	struct scene scene;
	struct shot shot = {0};
	struct look look;
	uint32_t n;

	(void)state;
	scene_init(&scene);
	look_init(&look);
	scene_a(&scene, 2);
	take(&shot, &scene);
	look_at(&look, (struct look_request){.shot = &shot});
	assert_int_equal(look_merged(&look)->tree.n, 1 + 4); /* <module>, work, foo, bar */
	look_at(&look, (struct look_request){.shot = &shot, .is_by_line = true});
	n = look_merged(&look)->tree.n;
	assert_int_equal(n, 1 + 6); /* work and foo at two lines each */
	look_done(&look);
	shot_done(&shot);
	scene_done(&scene);
}

static void a_comparison_scales_to_the_time_of_the_first(void **state)
{
	struct scene scene;
	struct shot shot = {0}, baseline = {0};
	struct look look;

	(void)state;
	scene_init(&scene);
	look_init(&look);
	scene_a(&scene, 10);
	take(&shot, &scene);
	shot_copy(&shot, &baseline);
	scene_a(&scene, 5);
	take(&shot, &scene);
	look_at(&look, (struct look_request){.shot = &shot, .baseline = &baseline, .rate_hz = 100});
	assert_true(look.is_diff);
	assert_int_equal(look.sum[LOOK_BEFORE], 10 * NS_PER_S);
	assert_int_equal(look.sum[LOOK_AFTER], 10 * NS_PER_S); /* 5 s, twice as fast */
	/* 1.96 * sqrt(1 s * 10 ms + 2 * 1 s * 10 ms) = 339 ms */
	assert_int_equal((int)(look_noise(&look, NS_PER_S, NS_PER_S) / 1e6), 339);
	look_done(&look);
	shot_done(&baseline);
	shot_done(&shot);
	scene_done(&scene);
}

static void a_comparison_holds_across_generations(void **state)
{
	struct scene scene;
	struct shot shot = {0}, baseline = {0};
	struct look look;

	(void)state;
	scene_init(&scene);
	look_init(&look);
	scene_a(&scene, 10);
	take(&shot, &scene);
	shot_copy(&shot, &baseline);
	/* Another range of a capture: a tree of its own, with the same names. */
	profile_done(&scene.profile);
	profile_init(&scene.profile, scene.names);
	scene.model.generation++;
	scene.model.elapsed_ns = 0;
	scene_a(&scene, 20);
	take(&shot, &scene);
	look_at(&look, (struct look_request){.shot = &shot, .baseline = &baseline});
	assert_int_equal(look.sum[LOOK_BEFORE], 10 * NS_PER_S);
	assert_int_equal(look.sum[LOOK_AFTER], 10 * NS_PER_S);
	look_done(&look);
	shot_done(&baseline);
	shot_done(&shot);
	scene_done(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shot_knows_what_is_new_and_what_was_there_at_zero),
		cmocka_unit_test(another_generation_begins_anew),
		cmocka_unit_test(measures_count_the_states_that_they_should),
		cmocka_unit_test(one_marker_leaves_the_stacks_below_it),
		cmocka_unit_test(lines_become_functions_unless_asked_for),
		cmocka_unit_test(a_comparison_scales_to_the_time_of_the_first),
		cmocka_unit_test(a_comparison_holds_across_generations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
