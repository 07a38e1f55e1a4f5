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

static int show(struct scene *scene, int64_t ms, uint32_t thread, struct node_id node)
{
	struct chrometrace_sample sample = {
		.time_ns = ms * NS_PER_MS,
		.thread = thread,
		.process = 1,
		.pid = 5,
		.tid = 5 + (int32_t)thread,
		.process_name = "app",
		.thread_name = thread ? "worker" : "MainThread",
		.is_shown = node.v != 0,
		.node = node,
	};

	return chrometrace_sample(scene->trace, &sample);
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

static void a_thread_that_ended_ends_soon_after(void **state)
{
	struct scene scene;
	struct check check;

	(void)state;
	scene_init(&scene);
	for (int ms = 0; ms < 500; ms++) {
		assert_int_equal(show(&scene, ms, 0, scene.main), 0);
		if (ms <= 100)
			assert_int_equal(show(&scene, ms, 1, scene.work), 0);
	}
	assert_int_equal(chrometrace_end(scene.trace, 500 * NS_PER_MS), 0);
	check = check_file(&scene);
	assert_int_equal(check.total_us[5], 500000);
	assert_int_equal(check.total_us[6], 100000 + 1000 * (CHROMETRACE_MISSED + 1));
	scene_done(&scene);
}

static void a_pause_of_the_whole_machine_ends_nothing_but_itself(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	for (int tick = 0; tick < 100; tick++) {
		int64_t ms = tick < 50 ? tick : tick + 900;

		assert_int_equal(show(&scene, ms, 0, scene.main), 0);
		assert_int_equal(show(&scene, ms, 1, scene.main), 0);
	}
	assert_int_equal(chrometrace_end(scene.trace, 1000 * NS_PER_MS), 0);
	assert_int_equal(check_file(&scene).slices, 2);
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
			assert_int_equal(show(&scene, i * 7 + (int64_t)(random >> 28),
					      random >> 20 & 7,
					      nodes[(random >> 8) % array_len(nodes)]),
					 0);
		}
		assert_int_equal(chrometrace_end(scene.trace, 0), 0);
		check_file(&scene);
		scene_done(&scene);
	}
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
		cmocka_unit_test(a_thread_that_ended_ends_soon_after),
		cmocka_unit_test(a_pause_of_the_whole_machine_ends_nothing_but_itself),
		cmocka_unit_test(times_never_fall_and_brackets_match_whatever_comes),
		cmocka_unit_test(what_the_sink_says_is_said_by_every_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
