/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One recording out of the streams of many readers.
 *
 * Every process of a recording has a reader of its own, and a reader that was killed is started again:
 * each begins a stream of its own, in which ids count from 1, times from its own start, statistics from
 * 0.  The relay passes events on as if there had been one reader:
 *
 *   1. Processes and threads that were known keep their ids, whichever stream speaks of them.  A process
 *      without a runtime is an ancestor: it is passed on where nobody knew it before.
 *   2. Times count from the start of the first stream that has a process; none is negative, and none lies
 *      ahead of relay_set_now(): a stream that says so is refused, before it spoils those of others.
 *      Between streams they differ by what readers and wire hold back (docs/CAPTURE.md).
 *   3. Statistics are sums over all streams, and are passed on at most every RELAY_STATS_NS.
 *   4. One header comes first, before the first process, and one end last, from relay_end().
 *
 *	stream = relay_stream_new(relay)				for each reader's place
 *	capture_reader_new(names, tree, relay_events(), stream)		for each stream
 *	relay_stream_next(stream)					before another of that place
 *
 * What a stream says is checked as far as the relay relies on it; the rest is the decoder's work.
 */
#ifndef SAMPLE_RELAY_H
#define SAMPLE_RELAY_H

#include <stdbool.h>

#include "format/capture.h"

#define RELAY_STATS_NS (50 * 1000000ll)

struct relay;
struct relay_stream;

/* Events go to `events` with `ctx`; both are borrowed. */
struct relay *relay_new(const struct capture_events *events, void *ctx) nodiscard;
void relay_free(struct relay *relay);

/* What time it is (CLOCK_MONOTONIC), when a while has passed; until the first call any time is believed. */
void relay_set_now(struct relay *relay, int64_t now_ns);

/* All streams are freed before their relay; what they counted stays in its sums. */
struct relay_stream *relay_stream_new(struct relay *relay) nodiscard;
void relay_stream_free(struct relay_stream *stream);
void relay_stream_next(struct relay_stream *stream);

/* For capture_reader_new(), with a stream as ctx. */
const struct capture_events *relay_events(void);

/* How a stream ended by its own word; NULL while it has not.  Lives until the stream's next. */
const struct capture_end *relay_stream_end(const struct relay_stream *stream);

/*
 * Pass the end of the recording on, with the header and the last statistics where they have not been.
 * `end->time_ns` is filled in here.
 */
int relay_end(struct relay *relay, const struct capture_end *end) nodiscard;

/* 0, or the first error that an event function returned: the recording cannot go on. */
int relay_code(const struct relay *relay);
uint32_t relay_processes(const struct relay *relay); /* that were read so far */
int64_t relay_lost_ns(const struct relay *relay);    /* between streams: nobody was there */

#endif
