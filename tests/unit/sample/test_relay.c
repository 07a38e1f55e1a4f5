/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "base/clock.h"
#include "sample/relay.h"

/* What came out: the last of each kind, and how many. */
struct seen {
	struct capture_process process;
	struct capture_thread thread;
	struct capture_sample sample;
	struct capture_stats stats;
	struct capture_end end;
	int headers, ends;
};

static int see_header(void *ctx, const struct capture_header *header)
{
	(void)header;
	((struct seen *)ctx)->headers++;
	return 0;
}

static int see_process(void *ctx, const struct capture_process *process)
{
	((struct seen *)ctx)->process = *process;
	return 0;
}

static int see_thread(void *ctx, const struct capture_thread *thread)
{
	((struct seen *)ctx)->thread = *thread;
	return 0;
}

static int see_sample(void *ctx, const struct capture_sample *sample)
{
	((struct seen *)ctx)->sample = *sample;
	return 0;
}

static int see_stats(void *ctx, const struct capture_stats *stats)
{
	((struct seen *)ctx)->stats = *stats;
	return 0;
}

static int see_end(void *ctx, const struct capture_end *end)
{
	((struct seen *)ctx)->end = *end;
	((struct seen *)ctx)->ends++;
	return 0;
}

static const struct capture_events see = {
	.header = see_header,
	.process = see_process,
	.thread = see_thread,
	.sample = see_sample,
	.stats = see_stats,
	.end = see_end,
};

static int begin(struct relay_stream *stream, int64_t start_ns)
{
	struct capture_header header = {.start_monotonic_ns = start_ns};

	return relay_events()->header(stream, &header);
}

static int process(struct relay_stream *stream, uint32_t id, int32_t pid)
{
	struct capture_process process = {
		.id = id, .pid = pid, .start_ticks = 99, .runtime = "CPython"};

	return relay_events()->process(stream, &process);
}

static int thread(struct relay_stream *stream, uint32_t id, uint32_t process_id, int32_t tid)
{
	struct capture_thread thread = {.id = id, .process = process_id, .tid = tid, .name = "t"};

	return relay_events()->thread(stream, &thread);
}

static int sample(struct relay_stream *stream, uint32_t thread_id, int64_t time_ns)
{
	struct capture_sample sample = {.thread = thread_id, .time_ns = time_ns};

	return relay_events()->sample(stream, &sample);
}

static int stats(struct relay_stream *stream, uint64_t ticks, int64_t longest_ns)
{
	struct capture_stats stats = {
		.ticks = ticks,
		.pause_max_ns = longest_ns,
		.native = {[CAPTURE_NATIVE_MISMATCH] = ticks / 10},
	};

	return relay_events()->stats(stream, &stats);
}

static void relay_makes_one_recording_of_two_streams(void **state)
{
	struct seen seen = {.headers = 0};
	struct relay *relay = relay_new(&see, &seen);
	struct relay_stream *stream = relay_stream_new(relay);
	struct capture_end end = {.time_ns = 5 * NS_PER_S, .text = ""};

	(void)state;
	assert_int_equal(begin(stream, 100 * NS_PER_S), 0);
	assert_int_equal(process(stream, 1, 4711), 0);
	assert_int_equal(thread(stream, 1, 1, 4711), 0);
	assert_int_equal(thread(stream, 2, 1, 4712), 0);
	assert_int_equal(seen.thread.id, 2);
	assert_int_equal(sample(stream, 2, 3 * NS_PER_S), 0);
	assert_int_equal(stats(stream, 300, 70), 0);

	relay_stream_next(stream);
	assert_int_equal(begin(stream, 104 * NS_PER_S), 0);
	assert_int_equal(process(stream, 1, 4711), 0);
	assert_int_equal(seen.process.id, 1);
	/* Numbered the other way round, and one more. */
	assert_int_equal(thread(stream, 1, 1, 4712), 0);
	assert_int_equal(seen.thread.id, 2);
	assert_int_equal(thread(stream, 2, 1, 4713), 0);
	assert_int_equal(seen.thread.id, 3);
	assert_int_equal(sample(stream, 1, NS_PER_S), 0);
	assert_int_equal(seen.sample.thread, 2);
	assert_int_equal(seen.sample.time_ns, 5 * NS_PER_S);
	assert_int_equal(stats(stream, 50, 20), 0);
	assert_int_equal(seen.stats.ticks, 350);
	assert_int_equal(seen.stats.native[CAPTURE_NATIVE_MISMATCH], 35);
	assert_int_equal(seen.stats.pause_max_ns, 70);
	assert_int_equal(relay_lost_ns(relay), NS_PER_S);
	assert_int_equal(relay_events()->end(stream, &end), 0);
	assert_int_equal(relay_stream_end(stream)->time_ns, 9 * NS_PER_S);
	assert_int_equal(seen.ends, 0);
	assert_int_equal(relay_end(relay, relay_stream_end(stream)), 0);
	assert_int_equal(seen.end.time_ns, 9 * NS_PER_S);
	assert_int_equal(seen.headers, 1);
	relay_stream_free(stream);
	relay_free(relay);
}

static void relay_keeps_threads_apart_that_one_stream_tells_apart(void **state)
{
	struct seen seen = {.headers = 0};
	struct relay *relay = relay_new(&see, &seen);
	struct relay_stream *stream = relay_stream_new(relay);

	(void)state;
	assert_int_equal(begin(stream, 0), 0);
	assert_int_equal(process(stream, 1, 4711), 0);
	assert_int_equal(thread(stream, 5, 1, 4712), 0);
	assert_int_equal(seen.thread.id, 1);
	/* The kernel gave the tid out again: another thread. */
	assert_int_equal(thread(stream, 6, 1, 4712), 0);
	assert_int_equal(seen.thread.id, 2);
	/* The same one with a new name. */
	assert_int_equal(thread(stream, 5, 1, 4712), 0);
	assert_int_equal(seen.thread.id, 1);
	relay_stream_free(stream);
	relay_free(relay);
}

static void relay_refuses_what_makes_no_sense(void **state)
{
	struct seen seen = {.headers = 0};
	struct relay *relay = relay_new(&see, &seen);
	struct relay_stream *stream = relay_stream_new(relay);
	struct capture_end end = {.text = ""};

	(void)state;
	assert_int_equal(begin(stream, 50), 0);
	assert_int_equal(begin(stream, 50), ERR_CORRUPT);
	assert_int_equal(thread(stream, 1, 1, 1), ERR_CORRUPT);
	assert_int_equal(sample(stream, 1, 0), ERR_CORRUPT);
	relay_stream_next(stream);
	assert_int_equal(begin(stream, 49), ERR_CORRUPT);
	assert_int_equal(begin(stream, 50), 0);
	assert_int_equal(relay_events()->end(stream, &end), 0);
	assert_int_equal(relay_events()->end(stream, &end), ERR_CORRUPT);
	relay_stream_free(stream);
	relay_free(relay);
}

static void relay_survives_times_at_the_edge(void **state)
{
	struct seen seen = {.headers = 0};
	struct relay *relay = relay_new(&see, &seen);
	struct relay_stream *stream = relay_stream_new(relay);

	(void)state;
	assert_int_equal(begin(stream, 0), 0);
	assert_int_equal(process(stream, 1, 1), 0);
	assert_int_equal(thread(stream, 1, 1, 1), 0);
	relay_stream_next(stream);
	assert_int_equal(begin(stream, INT64_MAX), 0);
	assert_int_equal(process(stream, 1, 1), 0);
	assert_int_equal(thread(stream, 1, 1, 1), 0);
	assert_int_equal(sample(stream, 1, 0), 0);
	assert_int_equal(sample(stream, 1, INT64_MAX), ERR_CORRUPT);
	assert_int_equal(stats(stream, UINT64_MAX, INT64_MAX), 0);
	relay_stream_next(stream);
	assert_int_equal(stats(stream, UINT64_MAX, INT64_MAX), 0);
	relay_stream_free(stream);
	relay_free(relay);
}

/* Two processes at once: each stream counts from 1, both together like one. */
static void relay_merges_streams_that_run_side_by_side(void **state)
{
	struct seen seen = {.headers = 0};
	struct relay *relay = relay_new(&see, &seen);
	struct relay_stream *first = relay_stream_new(relay), *second = relay_stream_new(relay);
	struct capture_end end = {.time_ns = 0, .code = ERR_GONE, .text = "gone"};

	(void)state;
	assert_int_equal(begin(first, 100 * NS_PER_S), 0);
	assert_int_equal(seen.headers, 0); /* there is no process yet to begin with */
	assert_int_equal(process(first, 1, 10), 0);
	assert_int_equal(thread(first, 1, 1, 10), 0);
	assert_int_equal(begin(second, 103 * NS_PER_S), 0);
	assert_int_equal(process(second, 1, 20), 0);
	assert_int_equal(seen.process.id, 2);
	assert_int_equal(thread(second, 1, 1, 20), 0);
	assert_int_equal(seen.thread.id, 2);
	assert_int_equal(sample(second, 1, NS_PER_S), 0);
	assert_int_equal(seen.sample.thread, 2);
	assert_int_equal(seen.sample.time_ns, 4 * NS_PER_S);
	assert_int_equal(sample(first, 1, NS_PER_S), 0);
	assert_int_equal(seen.sample.thread, 1);
	assert_int_equal(seen.sample.time_ns, NS_PER_S);
	assert_int_equal(stats(first, 10, 5), 0);
	assert_int_equal(stats(second, 3, 9), 0);
	assert_int_equal(stats(first, 20, 5), 0);
	/* The end of one is not that of all. */
	assert_int_equal(relay_events()->end(first, &end), 0);
	assert_int_equal(sample(second, 1, 2 * NS_PER_S), 0);
	relay_stream_free(first);
	assert_int_equal(relay_end(relay, &(struct capture_end){.text = ""}), 0);
	assert_int_equal(seen.stats.ticks, 23);
	assert_int_equal(seen.stats.pause_max_ns, 9);
	assert_int_equal(seen.end.time_ns, 5 * NS_PER_S);
	assert_int_equal(seen.headers, 1);
	assert_int_equal(relay_processes(relay), 2);
	assert_int_equal(relay_lost_ns(relay), 0);
	relay_stream_free(second);
	relay_free(relay);
}

static int ancestor(struct relay_stream *stream, uint32_t id, int32_t pid)
{
	struct capture_process process = {.id = id, .pid = pid, .start_ticks = 99, .runtime = ""};

	return relay_events()->process(stream, &process);
}

static void relay_knows_a_process_that_is_named_as_an_ancestor(void **state)
{
	struct seen seen = {.headers = 0};
	struct relay *relay = relay_new(&see, &seen);
	struct relay_stream *child = relay_stream_new(relay), *parent = relay_stream_new(relay);

	(void)state;
	assert_int_equal(begin(child, 0), 0);
	assert_int_equal(ancestor(child, 1, 10), 0);
	assert_int_equal(process(child, 2, 20), 0);
	assert_int_equal(seen.process.id, 2);
	assert_int_equal(relay_processes(relay), 1);
	assert_int_equal(begin(parent, 0), 0);
	assert_int_equal(process(parent, 1, 10), 0);
	assert_int_equal(seen.process.id, 1);
	assert_string_equal(seen.process.runtime, "CPython");
	assert_int_equal(relay_processes(relay), 2);
	/* Named again, by one that knows less. */
	assert_int_equal(ancestor(child, 3, 10), 0);
	assert_string_equal(seen.process.runtime, "CPython");
	assert_int_equal(relay_processes(relay), 2);
	relay_stream_free(child);
	relay_stream_free(parent);
	relay_free(relay);
}

/* It would close the windows of an agent on all the others. */
static void relay_refuses_times_that_have_not_come_yet(void **state)
{
	struct seen seen = {.headers = 0};
	struct relay *relay = relay_new(&see, &seen);
	struct relay_stream *stream = relay_stream_new(relay), *other = relay_stream_new(relay);
	struct capture_stats late = {.time_ns = 60 * NS_PER_S};
	struct capture_end end = {.time_ns = INT64_MAX, .text = ""};

	(void)state;
	relay_set_now(relay, 110 * NS_PER_S);
	assert_int_equal(begin(stream, 100 * NS_PER_S), 0);
	assert_int_equal(process(stream, 1, 10), 0);
	assert_int_equal(thread(stream, 1, 1, 10), 0);
	assert_int_equal(sample(stream, 1, 10 * NS_PER_S), 0);
	assert_int_equal(sample(stream, 1, 20 * NS_PER_S), ERR_CORRUPT);
	assert_int_equal(sample(stream, 1, INT64_MAX), ERR_CORRUPT);
	assert_int_equal(relay_events()->stats(stream, &late), ERR_CORRUPT);
	assert_int_equal(relay_events()->end(stream, &end), ERR_CORRUPT);
	assert_int_equal(begin(other, 120 * NS_PER_S), ERR_CORRUPT);
	assert_int_equal(begin(other, -1), ERR_CORRUPT);
	assert_int_equal(relay_code(relay), 0);
	relay_stream_free(stream);
	relay_stream_free(other);
	relay_free(relay);
}

static int refuse(void *ctx, const struct capture_sample *sample)
{
	(void)ctx, (void)sample;
	return -ENOSPC;
}

static void relay_remembers_that_an_event_function_failed(void **state)
{
	static const struct capture_events events = {.sample = refuse};
	struct relay *relay = relay_new(&events, NULL);
	struct relay_stream *stream = relay_stream_new(relay);

	(void)state;
	assert_int_equal(begin(stream, 0), 0);
	assert_int_equal(process(stream, 1, 10), 0);
	assert_int_equal(sample(stream, 1, 0), ERR_CORRUPT);
	assert_int_equal(relay_code(relay), 0); /* the stream's fault */
	assert_int_equal(thread(stream, 1, 1, 10), 0);
	assert_int_equal(sample(stream, 1, 0), -ENOSPC);
	assert_int_equal(relay_code(relay), -ENOSPC);
	relay_stream_free(stream);
	relay_free(relay);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relay_makes_one_recording_of_two_streams),
		cmocka_unit_test(relay_merges_streams_that_run_side_by_side),
		cmocka_unit_test(relay_knows_a_process_that_is_named_as_an_ancestor),
		cmocka_unit_test(relay_refuses_times_that_have_not_come_yet),
		cmocka_unit_test(relay_remembers_that_an_event_function_failed),
		cmocka_unit_test(relay_keeps_threads_apart_that_one_stream_tells_apart),
		cmocka_unit_test(relay_refuses_what_makes_no_sense),
		cmocka_unit_test(relay_survives_times_at_the_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
