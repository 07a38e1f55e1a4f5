/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "agent/agent.h"
#include "agent/window.h"
#include "base/clock.h"
#include "profile/labels.h"

#define START_REAL_NS (1763800003ll * NS_PER_S + 250) /* 3 s and a bit behind a ten */
#define MAX_WINDOWS 64

struct seen {
	int64_t from_ns, until_ns, wall, cpu, samples;
	uint32_t nodes;
};

struct stream {
	struct names *names;
	struct tree tree;
	struct capture_fold *fold;
	struct window_cutter *cutter;
	struct seen windows[MAX_WINDOWS];
	size_t n;
};

static int on_window(void *ctx, struct profile *profile)
{
	struct stream *stream = ctx;
	struct seen *seen = &stream->windows[stream->n++];

	assert_in_range(stream->n, 1, MAX_WINDOWS - 1);
	seen->from_ns = profile->start_ns;
	seen->until_ns = profile->start_ns + profile->duration_ns;
	seen->samples = profile->n_samples;
	seen->nodes = profile->tree.n;
	for (size_t i = 0; i < profile->n_columns; i++) {
		const char *type = names_text(profile->names, profile->columns[i].type.type, NULL);

		*(type[0] == 'c' ? &seen->cpu : &seen->wall) += profile_sum(profile, i);
	}
	return 0;
}

static void stream_init(struct stream *stream)
{
	struct capture_fold_opts opts = {.process_markers = true, .thread_markers = true};
	struct capture_header header = {.start_real_ns = START_REAL_NS,
					.rate_hz = 100,
					.command = "",
					.host = "",
					.version = ""};
	struct capture_process process = {.id = 1, .pid = 12, .command = "app", .runtime = ""};
	const struct capture_events *events = capture_fold_events();

	*stream = (struct stream){.names = names_new()};
	tree_init(&stream->tree);
	stream->fold = capture_fold_new(stream->names, &stream->tree, &opts);
	stream->cutter = window_cutter_new(stream->names, stream->fold, on_window, stream);
	assert_int_equal(events->process(stream->fold, &process), 0);
	for (uint32_t id = 1; id <= 2; id++) {
		struct capture_thread thread = {
			.id = id, .process = 1, .tid = (int32_t)id, .name = "t"};

		assert_int_equal(events->thread(stream->fold, &thread), 0);
	}
	assert_int_equal(window_start(stream->cutter, &header), 0);
}

static void stream_done(struct stream *stream)
{
	window_cutter_free(stream->cutter);
	capture_fold_free(stream->fold);
	tree_done(&stream->tree);
	names_free(stream->names);
}

static void put_sample(struct stream *stream, int64_t time_ns, int64_t wall_ns, int64_t cpu_ns)
{
	struct frame frame = {.name = names_cstr(stream->names, "f")};
	struct capture_sample sample = {
		.time_ns = time_ns,
		.thread = 1,
		.node = tree_child(&stream->tree, (struct node_id){0},
				   names_frame(stream->names, &frame)),
		.state = STATE_RUNNING_GIL,
		.wall_ns = wall_ns,
		.cpu_ns = cpu_ns,
	};

	assert_int_equal(window_sample(stream->cutter, &sample), 0);
}

static void windows_adjoin_and_end_on_the_tens(void **state)
{
	struct stream stream;

	(void)state;
	stream_init(&stream);
	for (int64_t ms = 0; ms <= 35000; ms += 100)
		assert_int_equal(window_reached(stream.cutter, ms * NS_PER_MS), 0);
	assert_int_equal(window_finish(stream.cutter), 0);
	assert_int_equal(stream.windows[0].from_ns, START_REAL_NS);
	assert_int_equal(stream.windows[0].until_ns, START_REAL_NS + AGENT_FIRST_WINDOW_NS);
	for (size_t i = 1; i < stream.n; i++)
		assert_int_equal(stream.windows[i].from_ns, stream.windows[i - 1].until_ns);
	for (size_t i = 1; i + 1 < stream.n; i++)
		assert_int_equal(stream.windows[i].until_ns % AGENT_WINDOW_NS, 0);
	assert_int_equal(stream.windows[stream.n - 1].until_ns, START_REAL_NS + 35 * NS_PER_S);
	assert_int_equal(stream.n, 5);
	stream_done(&stream);
}

static void windows_share_a_sample_at_their_border(void **state)
{
	struct stream stream;

	(void)state;
	stream_init(&stream);
	put_sample(&stream, 1500 * NS_PER_MS, 500 * NS_PER_MS, 10);
	put_sample(&stream, 2100 * NS_PER_MS, 400 * NS_PER_MS, 41);
	put_sample(&stream, 2200 * NS_PER_MS, 100 * NS_PER_MS, 7);
	put_sample(&stream, 2300 * NS_PER_MS, 600 * NS_PER_MS, 6);
	assert_int_equal(stream.n, 0);
	put_sample(&stream, 2500 * NS_PER_MS, 0, 5);
	assert_int_equal(stream.n, 1);
	assert_int_equal(window_finish(stream.cutter), 0);
	assert_int_equal(stream.n, 2);
	assert_int_equal(stream.windows[0].wall, (500 + 300 + 300) * NS_PER_MS);
	assert_int_equal(stream.windows[0].cpu, 10 + 31 + 3);
	assert_int_equal(stream.windows[1].wall, (100 + 100 + 300) * NS_PER_MS);
	assert_int_equal(stream.windows[1].cpu, 10 + 7 + 3 + 5);
	stream_done(&stream);
}

static void windows_lose_nothing_of_a_random_stream(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 50; seed++) {
		int64_t time_ns = 0, wall = 0, cpu = 0, seen_wall = 0, seen_cpu = 0, samples = 0;
		uint32_t random = seed;
		struct stream stream;

		stream_init(&stream);
		while (time_ns < 100 * NS_PER_S) {
			int64_t wall_ns, cpu_ns;

			random = random * 1664525u + 1013904223u;
			time_ns += random >> 8;
			wall_ns = (random >> 4) % (3 * NS_PER_S);
			cpu_ns = wall_ns / 7;
			put_sample(&stream, time_ns, wall_ns, cpu_ns);
			wall += wall_ns;
			cpu += cpu_ns;
			samples++;
		}
		assert_int_equal(window_finish(stream.cutter), 0);
		for (size_t i = 0; i < stream.n; i++) {
			seen_wall += stream.windows[i].wall;
			seen_cpu += stream.windows[i].cpu;
			samples -= stream.windows[i].samples;
			/* root, process, thread, frame */
			assert_in_range(stream.windows[i].nodes, 1, 4);
		}
		assert_int_equal(seen_wall, wall);
		assert_int_equal(seen_cpu, cpu);
		assert_int_equal(samples, 0);
		stream_done(&stream);
	}
}

static void windows_skip_a_long_silence(void **state)
{
	struct stream stream;

	(void)state;
	stream_init(&stream);
	put_sample(&stream, NS_PER_S, NS_PER_S, 1);
	put_sample(&stream, 1000000 * NS_PER_S, NS_PER_S, 1);
	assert_int_equal(window_reached(stream.cutter, 1000004 * NS_PER_S), 0);
	assert_int_equal(window_finish(stream.cutter), 0);
	assert_in_range(stream.n, 2, 4);
	assert_int_equal(stream.windows[0].until_ns, START_REAL_NS + NS_PER_S);
	assert_true(stream.windows[1].from_ns >= START_REAL_NS + 999999 * NS_PER_S);
	stream_done(&stream);
}

static void windows_leave_out_a_last_moment_without_samples(void **state)
{
	struct stream stream;

	(void)state;
	stream_init(&stream);
	assert_int_equal(window_reached(stream.cutter, NS_PER_S / 2), 0);
	assert_int_equal(window_finish(stream.cutter), 0);
	assert_int_equal(stream.n, 0);
	put_sample(&stream, NS_PER_S / 2, 1, 1);
	assert_int_equal(window_finish(stream.cutter), 0);
	assert_int_equal(stream.n, 1);
	stream_done(&stream);
}

static void windows_refuse_times_that_no_clock_shows(void **state)
{
	struct capture_header header = {.start_real_ns = INT64_MAX};
	struct stream stream;

	(void)state;
	stream_init(&stream);
	assert_int_equal(window_reached(stream.cutter, INT64_MAX), ERR_CORRUPT);
	assert_int_equal(window_start(stream.cutter, &header), ERR_CORRUPT);
	stream_done(&stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_adjoin_and_end_on_the_tens),
		cmocka_unit_test(windows_share_a_sample_at_their_border),
		cmocka_unit_test(windows_lose_nothing_of_a_random_stream),
		cmocka_unit_test(windows_skip_a_long_silence),
		cmocka_unit_test(windows_leave_out_a_last_moment_without_samples),
		cmocka_unit_test(windows_refuse_times_that_no_clock_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
