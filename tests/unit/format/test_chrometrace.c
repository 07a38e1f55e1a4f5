/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "codec/json.h"
#include "format/chrometrace.h"

struct scene {
	struct names *names;
	struct tree tree;
	struct buf file;
	struct chrometrace *trace;
	struct node_id main, main_next_line, work, deep;
	int sink_says;
};

static int take(void *ctx, const void *data, size_t len)
{
	struct scene *scene = ctx;

	buf_put(&scene->file, data, len);
	return scene->sink_says;
}

static struct node_id child(struct scene *scene, struct node_id parent, const char *name,
			    uint32_t line)
{
	struct frame frame = {.name = names_cstr(scene->names, name),
			      .file = names_cstr(scene->names, "/srv/app.py"),
			      .line = line,
			      .kind = FRAME_PYTHON};

	return tree_child(&scene->tree, parent, names_frame(scene->names, &frame));
}

static void scene_init(struct scene *scene)
{
	*scene = (struct scene){.names = names_new()};
	tree_init(&scene->tree);
	buf_init(&scene->file, 64u << 20);
	scene->main = child(scene, (struct node_id){0}, "main", 7);
	scene->main_next_line = child(scene, (struct node_id){0}, "main", 8);
	scene->work = child(scene, scene->main, "work", 3);
	scene->deep = child(scene, scene->work, "deep \"er\"", 0);
	scene->trace = chrometrace_new(scene->names, &scene->tree, take, scene);
}

static void scene_done(struct scene *scene)
{
	chrometrace_free(scene->trace);
	buf_done(&scene->file);
	tree_done(&scene->tree);
	names_free(scene->names);
}

static int show_slept(struct scene *scene, int64_t ms, uint32_t repeats, uint32_t thread,
		      struct node_id node)
{
	struct chrometrace_sample sample = {
		.time_ns = ms * NS_PER_MS,
		.wall_ns = (1 + (int64_t)repeats) * NS_PER_MS,
		.period_ns = NS_PER_MS,
		.repeats = repeats,
		.thread = thread,
		.pid = 5,
		.tid = 5 + (int32_t)thread,
		.process_name = "app",
		.thread_name = thread ? "worker" : "MainThread",
		.is_shown = node.v != 0,
		.node = node,
	};

	return chrometrace_sample(scene->trace, &sample);
}

static int show(struct scene *scene, int64_t ms, uint32_t thread, struct node_id node)
{
	return show_slept(scene, ms, 0, thread, node);
}

#define EVENT(ph, tid, name) "{\"ph\":\"" ph "\",\"pid\":5,\"tid\":" #tid ",\"name\":\"" name "\""
#define META(tid, what, name) EVENT("M", tid, what) ",\"args\":{\"name\":\"" name "\"}}"
#define END(tid, name, us) EVENT("E", tid, name) ",\"cat\":\"pyrometer\",\"ts\":" #us "}"
#define BEGIN(tid, name, us, line)                                                                 \
	EVENT("B", tid, name)                                                                      \
	",\"cat\":\"pyrometer\",\"ts\":" #us                                                       \
	",\"args\":{\"filename\":\"/srv/app.py\",\"line\":" #line "}}"

static void frames_that_stay_are_one_slice(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	assert_int_equal(show(&scene, 1, 0, scene.work), 0);
	assert_int_equal(show(&scene, 2, 0, scene.work), 0);
	assert_int_equal(show(&scene, 3, 0, scene.deep), 0);
	assert_int_equal(show(&scene, 4, 0, scene.main), 0);
	assert_int_equal(show(&scene, 5, 0, scene.main_next_line), 0);
	assert_int_equal(chrometrace_end(scene.trace, 6 * NS_PER_MS), 0);
	buf_putc(&scene.file, '\0');
	/* clang-format off */
	assert_string_equal(scene.file.data,
		"["
		"\n" META(5, "process_name", "app")
		"\n," META(5, "thread_name", "MainThread")
		"\n," BEGIN(5, "main", 1000, 7)
		"\n," BEGIN(5, "work", 1000, 3)
		"\n," BEGIN(5, "deep \\\"er\\\"", 3000, null)
		"\n," END(5, "deep \\\"er\\\"", 4000)
		"\n," END(5, "work", 4000)
		"\n," END(5, "main", 5000)
		"\n," BEGIN(5, "main", 5000, 8)
		"\n," END(5, "main", 6000)
		"]\n");
	/* clang-format on */
	scene_done(&scene);
}

/* ---- what holds for every trace, checked on the file ---- */

struct check {
	char phase;
	int64_t tid, us, last_us;
	int64_t depth[16];
	int64_t slices, open_us[16], total_us[16]; /* of outermost slices, by tid */
};

static void check_event(struct check *check)
{
	if (check->phase == 'M')
		return;
	assert_true(check->us >= check->last_us);
	check->last_us = check->us;
	if (check->phase == 'B' && check->depth[check->tid]++ == 0) {
		check->slices++;
		check->open_us[check->tid] = check->us;
	}
	if (check->phase == 'E' && --check->depth[check->tid] == 0)
		check->total_us[check->tid] += check->us - check->open_us[check->tid];
	assert_true(check->depth[check->tid] >= 0);
}

static int on_event(void *ctx, const struct json_event *event, struct err *err)
{
	struct check *check = ctx;

	(void)err;
	if (strcmp(event->path, "[].ph") == 0)
		check->phase = event->text[0];
	if (strcmp(event->path, "[].tid") == 0)
		return json_event_int(event, &check->tid);
	if (strcmp(event->path, "[].ts") == 0)
		return json_event_int(event, &check->us);
	if (strcmp(event->path, "[]") == 0 && event->kind == JSON_OBJECT_END)
		check_event(check);
	return 0;
}

static struct check check_file(struct scene *scene)
{
	static const struct json_limits limits = {64u << 20, 8};
	struct check check = {0};
	struct err err = {0};

	assert_int_equal(
		json_read(scene->file.data, scene->file.len, &limits, on_event, &check, &err), 0);
	for (size_t tid = 0; tid < array_len(check.depth); tid++)
		assert_int_equal(check.depth[tid], 0);
	return check;
}

static void a_thread_that_waits_shows_nothing(void **state)
{
	struct scene scene;
	struct check check;

	(void)state;
	scene_init(&scene);
	assert_int_equal(show(&scene, 1, 0, scene.work), 0);
	assert_int_equal(show(&scene, 2, 0, (struct node_id){0}), 0);
	assert_int_equal(show(&scene, 3, 0, (struct node_id){0}), 0);
	assert_int_equal(show(&scene, 9, 0, scene.work), 0);
	assert_int_equal(chrometrace_end(scene.trace, 10 * NS_PER_MS), 0);
	check = check_file(&scene);
	assert_int_equal(check.slices, 2);
	assert_int_equal(check.total_us[5], 2000);
	scene_done(&scene);
}

static void a_thread_that_ended_ends_a_tick_after_its_last_sample(void **state)
{
	struct scene scene;
	struct check check;

	(void)state;
	scene_init(&scene);
	for (int ms = 0; ms < 3000; ms++) {
		assert_int_equal(show(&scene, ms, 0, scene.main), 0);
		if (ms <= 100)
			assert_int_equal(show(&scene, ms, 1, scene.work), 0);
	}
	assert_int_equal(chrometrace_end(scene.trace, 3000 * NS_PER_MS), 0);
	check = check_file(&scene);
	assert_int_equal(check.total_us[5], 3000000);
	assert_int_equal(check.total_us[6], 101000);
	scene_done(&scene);
}

/* It worked for 100 ms, slept for 300, and one sample at its waking tells of that. */
static void a_sleep_begins_at_its_first_tick(void **state)
{
	struct scene scene;
	struct check check;

	(void)state;
	scene_init(&scene);
	for (int ms = 0; ms < 5000; ms++) {
		assert_int_equal(show(&scene, ms, 0, scene.main), 0);
		if (ms % 400 < 100)
			assert_int_equal(show(&scene, ms, 1, scene.work), 0);
		if (ms % 400 == 399)
			assert_int_equal(show_slept(&scene, ms, 299, 1, (struct node_id){0}), 0);
	}
	assert_int_equal(chrometrace_end(scene.trace, 5000 * NS_PER_MS), 0);
	check = check_file(&scene);
	assert_int_equal(check.slices, 1 + 13);
	assert_int_equal(check.total_us[6], 12 * 100000 + 100000 + 100000);
	scene_done(&scene);
}

static void nothing_is_known_of_a_time_without_samples(void **state)
{
	struct scene scene;
	struct check check;

	(void)state;
	scene_init(&scene);
	for (int tick = 0; tick < 200; tick++) {
		int64_t ms = tick < 100 ? tick : tick + 2000;

		assert_int_equal(show(&scene, ms, 0, scene.main), 0);
		assert_int_equal(show(&scene, ms, 1, scene.main), 0);
	}
	assert_int_equal(chrometrace_end(scene.trace, 2200 * NS_PER_MS), 0);
	check = check_file(&scene);
	assert_int_equal(check.slices, 4);
	assert_int_equal(check.total_us[5], 200000);
	assert_int_equal(check.total_us[6], 200000);
	scene_done(&scene);
}

static void rare_ticks_are_no_silence(void **state)
{
	struct scene scene;
	struct check check;

	(void)state;
	scene_init(&scene);
	for (int tick = 0; tick < 20; tick++) {
		struct chrometrace_sample sample = {
			.time_ns = tick * 10 * NS_PER_S,
			.wall_ns = 10 * NS_PER_S,
			.period_ns = 10 * NS_PER_S,
			.pid = 5,
			.tid = 5,
			.process_name = "app",
			.thread_name = "MainThread",
			.is_shown = true,
			.node = scene.main,
		};

		assert_int_equal(chrometrace_sample(scene.trace, &sample), 0);
	}
	assert_int_equal(chrometrace_end(scene.trace, 200 * NS_PER_S), 0);
	check = check_file(&scene);
	assert_int_equal(check.slices, 1);
	assert_int_equal(check.total_us[5], 200000000);
	scene_done(&scene);
}

static void times_never_fall_and_brackets_match_whatever_comes(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed < 40; seed++) {
		struct scene scene;
		uint32_t random = seed;

		scene_init(&scene);
		const struct node_id nodes[] = {
			{0}, scene.main, scene.main_next_line, scene.work, scene.deep};
		for (int i = 0; i < 400; i++) {
			random = random * 1664525 + 1013904223;
			/* Clocks of several readers are not quite one. */
			assert_int_equal(show_slept(&scene, i * 7 + (int64_t)(random >> 28),
						    random >> 12 & 31, random >> 20 & 7,
						    nodes[(random >> 8) % array_len(nodes)]),
					 0);
		}
		assert_int_equal(chrometrace_end(scene.trace, 0), 0);
		check_file(&scene);
		scene_done(&scene);
	}
}

static void nonsense_from_a_capture_does_no_harm(void **state)
{
	static const int64_t times[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
	struct scene scene;

	(void)state;
	scene_init(&scene);
	for (size_t i = 0; i < 5 * 5 * 5; i++) {
		struct chrometrace_sample sample = {
			.time_ns = times[i % 5],
			.wall_ns = times[i / 5 % 5],
			.period_ns = times[i / 25],
			.repeats = i % 3 ? UINT32_MAX : 1,
			.tid = 5,
			.process_name = "",
			.thread_name = "",
			.is_shown = i % 2,
			.node = scene.work,
		};

		assert_int_equal(chrometrace_sample(scene.trace, &sample), 0);
	}
	assert_int_equal(chrometrace_end(scene.trace, INT64_MIN), 0);
	check_file(&scene);
	scene_done(&scene);
}

static void what_the_sink_says_is_said_by_every_call(void **state)
{
	struct scene scene;
	int r = 0;

	(void)state;
	scene_init(&scene);
	scene.sink_says = -ENOSPC;
	for (int ms = 0; ms < 10000 && r == 0; ms++)
		r = show(&scene, ms, 0, ms % 2 ? scene.work : scene.main_next_line);
	assert_int_equal(r, -ENOSPC);
	scene.sink_says = 0;
	assert_int_equal(show(&scene, 10001, 0, scene.deep), -ENOSPC);
	assert_int_equal(chrometrace_end(scene.trace, 0), -ENOSPC);
	scene_done(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_that_stay_are_one_slice),
		cmocka_unit_test(a_thread_that_waits_shows_nothing),
		cmocka_unit_test(a_thread_that_ended_ends_a_tick_after_its_last_sample),
		cmocka_unit_test(a_sleep_begins_at_its_first_tick),
		cmocka_unit_test(nothing_is_known_of_a_time_without_samples),
		cmocka_unit_test(rare_ticks_are_no_silence),
		cmocka_unit_test(times_never_fall_and_brackets_match_whatever_comes),
		cmocka_unit_test(nonsense_from_a_capture_does_no_harm),
		cmocka_unit_test(what_the_sink_says_is_said_by_every_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
