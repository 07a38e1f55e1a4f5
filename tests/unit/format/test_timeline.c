/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of samples, the picture that is moved over them, and the rows of threads. */
#include "format/timeline.h"

#include <stdio.h>

#include "unit.h"

#define MS 1000000ll
#define CELLS 8

/* One process, threads 1 and 2, and a few stacks. */
struct scene {
	struct names *names;
	struct tree tree;
	struct timeline *timeline;
	struct node_id foo, bar;
	struct arena arena;
};

static struct node_id stack(struct scene *scene, const char *function, uint32_t line)
{
	struct frame main = {.name = names_cstr(scene->names, "main"), .kind = FRAME_PYTHON};
	struct frame leaf = {
		.name = names_cstr(scene->names, function), .line = line, .kind = FRAME_PYTHON};
	struct node_id node =
		tree_child(&scene->tree, (struct node_id){0}, names_frame(scene->names, &main));

	return tree_child(&scene->tree, node, names_frame(scene->names, &leaf));
}

static void define_thread(struct scene *scene, uint32_t id, const char *name)
{
	struct capture_thread thread = {
		.id = id, .process = 1, .tid = 100 + (int32_t)id, .name = name};

	assert_int_equal(timeline_events()->thread(scene->timeline, &thread), 0);
}

static void begin(struct scene *scene, struct timeline_opts opts)
{
	struct capture_header header = {.rate_hz = 100, .command = "", .host = "", .version = ""};
	struct capture_process process = {
		.id = 1, .pid = 42, .command = "app.py", .runtime = "CPython 3.13.1"};

	*scene = (struct scene){.names = names_new()};
	tree_init(&scene->tree);
	arena_init(&scene->arena);
	scene->timeline = timeline_new(scene->names, &scene->tree, &opts);
	assert_int_equal(timeline_events()->header(scene->timeline, &header), 0);
	assert_int_equal(timeline_events()->process(scene->timeline, &process), 0);
	define_thread(scene, 1, "MainThread");
	define_thread(scene, 2, "worker");
	scene->foo = stack(scene, "foo", 3);
	scene->bar = stack(scene, "bar", 9);
}

static void end(struct scene *scene)
{
	timeline_free(scene->timeline);
	arena_done(&scene->arena);
	tree_done(&scene->tree);
	names_free(scene->names);
}

static int sample(struct scene *scene, int64_t time_ms, uint32_t thread, struct node_id node,
		  enum thread_state state)
{
	struct capture_sample one = {
		.time_ns = time_ms * MS,
		.thread = thread,
		.node = node,
		.state = (uint8_t)state,
		.flags = state == STATE_RUNNING_GIL ? SAMPLE_GIL : 0,
		.wall_ns = 10 * MS,
		.cpu_ns = state == STATE_RUNNING_GIL ? 9 * MS : 0,
	};

	return timeline_events()->sample(scene->timeline, &one);
}

/* `n` samples of each thread, 10 ms apart: the first runs, the second waits. */
static void run(struct scene *scene, int64_t *time_ms, int n, struct node_id node)
{
	for (int i = 0; i < n; i++) {
		*time_ms += 10;
		assert_int_equal(sample(scene, *time_ms, 1, node, STATE_RUNNING_GIL), 0);
		assert_int_equal(sample(scene, *time_ms, 2, scene->bar, STATE_WAITING_LOCK), 0);
	}
}

/* Sum over all stacks, in ms. */
static int64_t sum(const struct scene *scene, const char *type, enum thread_state state)
{
	const struct profile *profile = timeline_profile(scene->timeline);
	int column = profile_find_column(profile, type, "nanoseconds", thread_state_name(state));

	return column < 0 ? 0 : profile_sum(profile, (size_t)column) / MS;
}

static void live_sum_grows_by_what_came_and_stands_still_between(void **state)
{
	struct scene scene;
	int64_t now_ms = 0;

	(void)state;
	begin(&scene, (struct timeline_opts){.keep_ns = 1000 * MS});
	run(&scene, &now_ms, 50, scene.foo);
	assert_int_equal(sum(&scene, "wall", STATE_RUNNING_GIL), 0);
	timeline_cut(scene.timeline);
	timeline_show(scene.timeline, 0, TIMELINE_END);
	assert_int_equal(sum(&scene, "wall", STATE_RUNNING_GIL), 500);
	assert_int_equal(sum(&scene, "cpu", STATE_RUNNING_GIL), 450);
	assert_int_equal(sum(&scene, "wall", STATE_WAITING_LOCK), 500);
	run(&scene, &now_ms, 20, scene.bar);
	assert_int_equal(sum(&scene, "wall", STATE_RUNNING_GIL), 500);
	timeline_cut(scene.timeline);
	timeline_show(scene.timeline, 0, TIMELINE_END);
	assert_int_equal(sum(&scene, "wall", STATE_RUNNING_GIL), 700);
	assert_int_equal(timeline_profile(scene.timeline)->duration_ns, 700 * MS);
	assert_int_equal(timeline_generation(scene.timeline), 0);
	end(&scene);
}

static void live_sum_keeps_what_was_dropped(void **state)
{
	struct timeline_row *rows;
	struct scene scene;
	int64_t now_ms = 0;

	(void)state;
	begin(&scene, (struct timeline_opts){.keep_ns = 1000 * MS});
	for (int i = 0; i < 100; i++) {
		run(&scene, &now_ms, 50, scene.foo);
		timeline_cut(scene.timeline);
		timeline_show(scene.timeline, 0, TIMELINE_END);
	}
	assert_int_equal(sum(&scene, "wall", STATE_RUNNING_GIL), 50000);
	assert_int_equal(timeline_rows(scene.timeline, CELLS, &scene.arena, &rows), 2);
	assert_int_equal(rows[0].n_cells, 2);
	end(&scene);
}

static void every_range_of_a_capture_holds_its_own_samples(void **state)
{
	struct scene scene;
	int64_t now_ms = 0;

	(void)state;
	begin(&scene, (struct timeline_opts){.window_ns = 100 * MS});
	run(&scene, &now_ms, 200, scene.foo); /* two seconds of foo */
	run(&scene, &now_ms, 100, scene.bar); /* and one of bar */
	timeline_cut(scene.timeline);
	for (int64_t from = 0; from < 3000; from += 300)
		for (int64_t until = from; until <= 3000; until += 300) {
			int64_t from_ns, until_ns;

			timeline_show(scene.timeline, from * MS, until * MS);
			timeline_range(scene.timeline, &from_ns, &until_ns);
			assert_true(from_ns == from * MS || from == until);
			assert_int_equal(until_ns, until * MS);
			assert_in_range(sum(&scene, "wall", STATE_RUNNING_GIL),
					max_of(until - from - 10, (int64_t)0), until - from + 10);
		}
	timeline_show(scene.timeline, 0, TIMELINE_END);
	assert_int_equal(sum(&scene, "wall", STATE_RUNNING_GIL), 3000);
	assert_true(timeline_generation(scene.timeline) > 0);
	end(&scene);
}

static void a_row_says_where_a_thread_is_and_what_it_did(void **state)
{
	struct timeline_row *rows;
	struct scene scene;
	int64_t now_ms = 0;

	(void)state;
	begin(&scene, (struct timeline_opts){.window_ns = 100 * MS});
	run(&scene, &now_ms, 20, scene.foo);
	run(&scene, &now_ms, 10, scene.bar);
	timeline_cut(scene.timeline);
	timeline_show(scene.timeline, 0, TIMELINE_END);
	assert_int_equal(timeline_rows(scene.timeline, CELLS, &scene.arena, &rows), 2);
	assert_string_equal(rows[0].name, "MainThread");
	assert_string_equal(rows[0].command, "app.py");
	assert_int_equal(rows[0].pid, 42);
	assert_int_equal(rows[0].tid, 101);
	assert_int_equal(rows[0].state, STATE_RUNNING_GIL);
	assert_int_equal(rows[1].state, STATE_WAITING_LOCK);
	assert_false(rows[0].has_ended);
	assert_int_equal(rows[0].busy_ns, rows[0].wall_ns);
	assert_int_equal(rows[1].busy_ns, 0);
	for (size_t i = 0; i < rows[0].n_cells; i++) {
		assert_int_equal(rows[0].cells[i], STATE_RUNNING_GIL);
		assert_int_equal(rows[1].cells[i], STATE_WAITING_LOCK);
	}
	end(&scene);
}

static void a_sample_without_time_does_not_tell_what_a_thread_does(void **state)
{
	struct capture_sample settled = {
		.time_ns = 105 * MS, .thread = 2, .state = STATE_RUNNING, .cpu_ns = 3 * MS};
	struct timeline_row *rows;
	struct scene scene;
	int64_t now_ms = 0;

	(void)state;
	begin(&scene, (struct timeline_opts){.keep_ns = 1000 * MS});
	run(&scene, &now_ms, 10, scene.foo);
	settled.node = scene.bar;
	assert_int_equal(timeline_events()->sample(scene.timeline, &settled), 0);
	timeline_cut(scene.timeline);
	timeline_show(scene.timeline, 0, TIMELINE_END);
	assert_int_equal(timeline_rows(scene.timeline, CELLS, &scene.arena, &rows), 2);
	assert_int_equal(rows[1].state, STATE_WAITING_LOCK);
	assert_int_equal(rows[1].cpu_ns, 3 * MS);
	end(&scene);
}

static void a_thread_without_samples_has_ended_after_a_while(void **state)
{
	struct timeline_row *rows;
	struct scene scene;

	(void)state;
	begin(&scene, (struct timeline_opts){.window_ns = 500 * MS});
	for (int64_t ms = 10; ms <= 6000; ms += 10) {
		assert_int_equal(sample(&scene, ms, 1, scene.foo, STATE_RUNNING_GIL), 0);
		if (ms <= 1200)
			assert_int_equal(sample(&scene, ms, 2, scene.bar, STATE_SLEEPING), 0);
	}
	timeline_cut(scene.timeline);
	timeline_show(scene.timeline, 0, 2000 * MS);
	assert_int_equal(timeline_rows(scene.timeline, CELLS, &scene.arena, &rows), 2);
	assert_false(rows[1].has_ended);
	assert_int_equal(rows[1].cells[3], STATE_SLEEPING); /* nothing said, so it sleeps on */
	timeline_show(scene.timeline, 0, 5000 * MS);
	assert_int_equal(timeline_rows(scene.timeline, CELLS, &scene.arena, &rows), 2);
	assert_true(rows[1].has_ended);
	assert_int_equal(rows[1].cells[rows[1].n_cells - 1], TIMELINE_CELL_NONE);
	timeline_show(scene.timeline, 0, TIMELINE_END);
	assert_int_equal(timeline_rows(scene.timeline, 4, &scene.arena, &rows), 1);
	end(&scene);
}

static void many_windows_are_joined_without_losing_time(void **state)
{
	struct scene scene;
	int64_t n = 2 * TIMELINE_MAX_WINDOWS;

	(void)state;
	begin(&scene, (struct timeline_opts){.window_ns = 10 * MS});
	for (int64_t i = 1; i <= n; i++)
		assert_int_equal(
			sample(&scene, 10 * i, 1, i % 2 ? scene.foo : scene.bar, STATE_RUNNING_GIL),
			0);
	timeline_cut(scene.timeline);
	timeline_show(scene.timeline, 0, TIMELINE_END);
	assert_int_equal(sum(&scene, "wall", STATE_RUNNING_GIL), 10 * n);
	timeline_show(scene.timeline, 5 * n * MS, TIMELINE_END);
	assert_in_range(sum(&scene, "wall", STATE_RUNNING_GIL), 5 * n - 50, 5 * n + 50);
	end(&scene);
}

static void a_capture_of_a_year_in_two_samples_is_a_few_windows(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene, (struct timeline_opts){.window_ns = 10 * MS});
	assert_int_equal(sample(&scene, 10, 1, scene.foo, STATE_RUNNING_GIL), 0);
	assert_int_equal(sample(&scene, 365 * 86400000ll, 1, scene.foo, STATE_RUNNING_GIL), 0);
	assert_int_equal(sample(&scene, INT64_MAX / MS, 1, scene.foo, STATE_RUNNING_GIL),
			 ERR_CORRUPT);
	timeline_cut(scene.timeline);
	timeline_show(scene.timeline, 0, TIMELINE_END);
	assert_int_equal(sum(&scene, "wall", STATE_RUNNING_GIL), 20);
	end(&scene);
}

/* A server with a thread per request: the tree stays small, and no time is lost. */
static void threads_that_ended_become_one_when_there_are_many(void **state)
{
	const uint32_t n = 200000;
	struct scene scene;
	char name[32];

	(void)state;
	begin(&scene, (struct timeline_opts){.keep_ns = 1000 * MS});
	for (uint32_t i = 3; i < 3 + n; i++) {
		snprintf(name, sizeof(name), "request-%u", i);
		define_thread(&scene, i, name);
		assert_int_equal(sample(&scene, i, i, scene.foo, STATE_RUNNING_GIL), 0);
		if (i % 500 == 0) {
			timeline_cut(scene.timeline);
			timeline_show(scene.timeline, 0, TIMELINE_END);
		}
	}
	timeline_cut(scene.timeline);
	timeline_show(scene.timeline, 0, TIMELINE_END);
	assert_true(timeline_profile(scene.timeline)->tree.n < TIMELINE_MAX_NODES / 2);
	assert_true(timeline_generation(scene.timeline) > 0);
	assert_int_equal(sum(&scene, "wall", STATE_RUNNING_GIL), 10 * (int64_t)n);
	end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(live_sum_grows_by_what_came_and_stands_still_between),
		cmocka_unit_test(live_sum_keeps_what_was_dropped),
		cmocka_unit_test(every_range_of_a_capture_holds_its_own_samples),
		cmocka_unit_test(a_row_says_where_a_thread_is_and_what_it_did),
		cmocka_unit_test(a_sample_without_time_does_not_tell_what_a_thread_does),
		cmocka_unit_test(a_thread_without_samples_has_ended_after_a_while),
		cmocka_unit_test(many_windows_are_joined_without_losing_time),
		cmocka_unit_test(a_capture_of_a_year_in_two_samples_is_a_few_windows),
		cmocka_unit_test(threads_that_ended_become_one_when_there_are_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
