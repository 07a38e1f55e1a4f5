/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of this very program's functions, through the stage. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sample/naming.h"

#define MOST 256

struct seen {
	struct fixture *f;
	char stacks[MOST][128];
	int64_t times[MOST];
	int n, locals, ends, stop_at;
};

struct fixture {
	struct names *names;
	struct tree tree;
	struct symbolizer *symbolizer;
	struct naming *naming;
	struct seen seen;
	char path[4096];
};

static int see_sample(void *ctx, const struct capture_sample *sample)
{
	struct seen *seen = ctx;
	struct frame_id frames[8];
	size_t n = tree_path(&seen->f->tree, sample->node, frames, 8), at = 0;

	for (size_t i = 0; i < n; i++) {
		const struct frame *frame = names_frame_get(seen->f->names, frames[i]);

		at += (size_t)snprintf(seen->stacks[seen->n] + at, 128 - at, "%s%s", i ? " " : "",
				       names_text(seen->f->names, frame->name, NULL));
	}
	seen->times[seen->n++] = sample->time_ns;
	return seen->n == seen->stop_at ? -EPIPE : 0;
}

static int see_local(void *ctx, const struct capture_local *local)
{
	struct seen *seen = ctx;

	(void)local;
	assert_true(seen->n > 0);
	seen->locals++;
	return 0;
}

static int see_end(void *ctx, const struct capture_end *end)
{
	(void)end;
	((struct seen *)ctx)->ends++;
	return 0;
}

static const struct capture_events see = {.sample = see_sample, .local = see_local, .end = see_end};

extern const char __executable_start[];

__attribute__((noinline)) static void landmark(void)
{
	__asm__ volatile("nop; nop; nop; nop");
}

static void set_up(struct fixture *f)
{
	struct symbolizer_config config = {.without_dwarf = true, .trusts_paths = true};
	const struct capture_thread thread = {.id = 1, .process = 3, .name = "t"};
	const struct capture_process process = {
		.id = 3, .pid = getpid(), .command = "c", .runtime = "r"};
	struct err err = {0};

	memset(f, 0, sizeof(*f));
	f->names = config.names = names_new();
	config.tree = &f->tree;
	tree_init(&f->tree);
	assert_int_equal(symbolizer_new(&config, &f->symbolizer, &err), 0);
	f->seen.f = f;
	f->naming = naming_new(f->symbolizer, &see, &f->seen);
	assert_true(readlink("/proc/self/exe", f->path, sizeof(f->path) - 1) > 0);
	assert_int_equal(naming_events()->process(f->naming, &process), 0);
	assert_int_equal(naming_events()->thread(f->naming, &thread), 0);
}

static void tear_down(struct fixture *f)
{
	naming_free(f->naming);
	symbolizer_free(f->symbolizer);
	tree_done(&f->tree);
	names_free(f->names);
}

static struct node_id node_of(struct fixture *f, enum frame_kind kind, const char *name,
			      uint64_t address)
{
	struct frame frame = {.kind = kind, .address = address};

	frame.name = names_cstr(f->names, name);
	if (kind == FRAME_NATIVE)
		frame.module = names_cstr(f->names, f->path);
	return tree_child(&f->tree, (struct node_id){0}, names_frame(f->names, &frame));
}

static int sample(struct fixture *f, struct node_id node, int64_t time_ns)
{
	const struct capture_sample one = {.thread = 1, .node = node, .time_ns = time_ns};

	return naming_events()->sample(f->naming, &one);
}

static uint64_t landmark_address(void)
{
	return (uint64_t)landmark - (uint64_t)__executable_start + 1;
}

static void naming_passes_python_at_once(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	assert_int_equal(sample(&f, node_of(&f, FRAME_PYTHON, "work", 0), 5), 0);
	assert_int_equal(f.seen.n, 1);
	assert_string_equal(f.seen.stacks[0], "work");
	assert_int_equal(naming_fd(f.naming), -1);
	tear_down(&f);
}

static void naming_holds_what_has_no_names_yet_and_keeps_the_order(void **state)
{
	struct node_id native, python;
	struct fixture f;

	(void)state;
	landmark();
	set_up(&f);
	native = node_of(&f, FRAME_NATIVE, "", landmark_address());
	python = node_of(&f, FRAME_PYTHON, "work", 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(sample(&f, i % 2 ? python : native, i), 0);
	for (int i = 0; i < 2000 && f.seen.n < 100; i++) {
		usleep(1000);
		assert_int_equal(naming_pump(f.naming), 0);
	}
	assert_int_equal(f.seen.n, 100);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(f.seen.times[i], i);
		assert_string_equal(f.seen.stacks[i], i % 2 ? "work" : "landmark");
	}
	assert_int_equal(naming_fd(f.naming), -1);
	tear_down(&f);
}

static void naming_lets_all_go_before_the_end(void **state)
{
	const struct capture_local local = {.thread = 1, .name = "x", .text = "1"};
	const struct capture_end end = {.text = ""};
	struct fixture f;

	(void)state;
	set_up(&f);
	assert_int_equal(sample(&f, node_of(&f, FRAME_NATIVE, "", landmark_address()), 1), 0);
	assert_int_equal(naming_events()->local(f.naming, &local), 0);
	assert_int_equal(f.seen.n, 1);
	assert_int_equal(f.seen.locals, 1);
	assert_string_equal(f.seen.stacks[0], "landmark");
	assert_int_equal(sample(&f, node_of(&f, FRAME_NATIVE, "", 1ull << 40), 2), 0);
	assert_int_equal(naming_events()->end(f.naming, &end), 0);
	assert_int_equal(f.seen.n, 2);
	assert_int_equal(f.seen.ends, 1);
	assert_non_null(strstr(f.seen.stacks[1], "+0x10000000000"));
	tear_down(&f);
}

static void naming_stops_with_the_error_of_an_event(void **state)
{
	struct fixture f;
	int r = 0;

	(void)state;
	set_up(&f);
	f.seen.stop_at = 1;
	r = sample(&f, node_of(&f, FRAME_NATIVE, "", landmark_address()), 1);
	for (int i = 0; i < 2000 && r == 0; i++) {
		usleep(1000);
		r = naming_pump(f.naming);
	}
	assert_int_equal(r, -EPIPE);
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(naming_passes_python_at_once),
		cmocka_unit_test(naming_holds_what_has_no_names_yet_and_keeps_the_order),
		cmocka_unit_test(naming_lets_all_go_before_the_end),
		cmocka_unit_test(naming_stops_with_the_error_of_an_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
