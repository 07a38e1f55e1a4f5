/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/vec.h"
#include "sample/roster.h"

#define HEADER_TEXT_MAX 512
#define AHEAD_MAX_NS NS_PER_S /* of now: what was sampled while the last call was on its way */

/* The header, until there is a process to begin with. */
struct kept_header {
	struct capture_header header;
	char command[HEADER_TEXT_MAX], host[HEADER_TEXT_MAX], version[HEADER_TEXT_MAX];
};

struct relay {
	const struct capture_events *events;
	void *ctx;
	int code; /* first error of an event function */
	bool has_begun, has_unsent_stats;
	struct kept_header header;
	int64_t start_ns;  /* monotonic: t = 0 */
	int64_t latest_ns; /* monotonic: nothing can have happened later */
	int64_t last_ns;
	int64_t lost_ns; /* between the last event of a broken stream and the start of the next */
	uint32_t n_streams;
	struct capture_stats total;
	int64_t stats_ns;   /* of those that were passed on last */
	uint64_t median_of; /* pauses of the stream whose median is shown */
	struct roster roster;
};

struct relay_stream {
	struct relay *relay;
	uint32_t number; /* of all streams; 0: no header yet */
	bool has_ended;
	int64_t start_ns;	  /* monotonic, as its header says */
	int64_t last_ns;	  /* in the recording's time */
	struct capture_stats now; /* its own latest */
	struct capture_end end;
	char end_text[ERR_TEXT_MAX];
	struct map64 process_ids, thread_ids; /* the stream's -> ours */
};

struct relay *relay_new(const struct capture_events *events, void *ctx)
{
	struct relay *relay = xcalloc(1, sizeof(*relay));

	relay->events = events;
	relay->ctx = ctx;
	relay->latest_ns = INT64_MAX;
	return relay;
}

void relay_set_now(struct relay *relay, int64_t now_ns)
{
	relay->latest_ns = now_ns + AHEAD_MAX_NS;
}

void relay_free(struct relay *relay)
{
	if (!relay)
		return;
	roster_done(&relay->roster);
	free(relay);
}

struct relay_stream *relay_stream_new(struct relay *relay)
{
	struct relay_stream *stream = xcalloc(1, sizeof(*stream));

	stream->relay = relay;
	return stream;
}

void relay_stream_free(struct relay_stream *stream)
{
	if (!stream)
		return;
	map64_done(&stream->process_ids);
	map64_done(&stream->thread_ids);
	free(stream);
}

void relay_stream_next(struct relay_stream *stream)
{
	stream->now = (struct capture_stats){0};
	map64_reset(&stream->process_ids);
	map64_reset(&stream->thread_ids);
	stream->number = 0;
}

/* Every result of an event function goes through here. */
static int passed(struct relay *relay, int r)
{
	if (r < 0 && relay->code == 0)
		relay->code = r;
	return r;
}

/* ---- the header ---- */

static void keep_header(struct relay *relay, const struct capture_header *header)
{
	struct kept_header *kept = &relay->header;

	kept->header = *header;
	snprintf(kept->command, sizeof(kept->command), "%s", header->command);
	snprintf(kept->host, sizeof(kept->host), "%s", header->host);
	snprintf(kept->version, sizeof(kept->version), "%s", header->version);
	relay->start_ns = header->start_monotonic_ns;
}

static int begin(struct relay *relay)
{
	struct capture_header header = relay->header.header;

	if (relay->has_begun)
		return 0;
	relay->has_begun = true;
	header.command = relay->header.command;
	header.host = relay->header.host;
	header.version = relay->header.version;
	return relay->events->header ? passed(relay, relay->events->header(relay->ctx, &header))
				     : 0;
}

/* A stream that lies about time shall not take the others along into its future. */
static bool is_ahead(const struct relay_stream *stream, int64_t time_ns)
{
	int64_t monotonic_ns;

	return __builtin_add_overflow(stream->start_ns, time_ns, &monotonic_ns) ||
	       monotonic_ns > stream->relay->latest_ns;
}

/* Into the recording's time. */
static int64_t shifted(const struct relay_stream *stream, int64_t time_ns)
{
	const struct relay *relay = stream->relay;
	int64_t shift_ns, ours_ns;

	if (__builtin_sub_overflow(stream->start_ns, relay->start_ns, &shift_ns) ||
	    __builtin_add_overflow(time_ns, shift_ns, &ours_ns))
		return relay->last_ns;
	return max_of(ours_ns, (int64_t)0);
}

static int64_t saw_time(struct relay_stream *stream, int64_t time_ns)
{
	int64_t ours_ns = shifted(stream, time_ns);

	stream->last_ns = max_of(stream->last_ns, ours_ns);
	stream->relay->last_ns = max_of(stream->relay->last_ns, ours_ns);
	return ours_ns;
}

/* Unsigned sums: what a lying stream makes of them is wrong but defined. */
static int64_t sum(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int on_header(void *ctx, const struct capture_header *header)
{
	struct relay_stream *stream = ctx;
	struct relay *relay = stream->relay;
	bool is_successor = stream->start_ns != 0, was_broken = is_successor && !stream->has_ended;

	if (stream->number)
		return ERR_CORRUPT;
	if (is_successor && header->start_monotonic_ns < stream->start_ns)
		return ERR_CORRUPT;
	if (header->start_monotonic_ns < 0 || header->start_monotonic_ns > relay->latest_ns)
		return ERR_CORRUPT;
	if (!relay->has_begun)
		keep_header(relay, header);
	stream->number = ++relay->n_streams;
	stream->start_ns = header->start_monotonic_ns;
	stream->has_ended = false;
	if (was_broken)
		relay->lost_ns = sum(relay->lost_ns,
				     max_of(shifted(stream, 0) - stream->last_ns, (int64_t)0));
	return 0;
}

/* ---- processes and threads ---- */

static int on_process(void *ctx, const struct capture_process *process)
{
	struct relay_stream *stream = ctx;
	struct relay *relay = stream->relay;
	struct capture_process ours = *process;
	int r = begin(relay);

	if (r == 0)
		r = roster_process(&relay->roster, process, &ours.id);
	if (r < 0)
		return r;
	*map64_put(&stream->process_ids, process->id, NULL) = ours.id;
	if (r == 0 || !relay->events->process)
		return 0;
	return passed(relay, relay->events->process(relay->ctx, &ours));
}

static int on_thread(void *ctx, const struct capture_thread *thread)
{
	struct relay_stream *stream = ctx;
	struct relay *relay = stream->relay;
	const uint32_t *process = map64_get(&stream->process_ids, thread->process);
	const uint32_t *known = map64_get(&stream->thread_ids, thread->id);
	struct capture_thread ours = *thread;

	if (!process)
		return ERR_CORRUPT;
	ours.process = *process;
	if (known) { /* defined again: it has a new name */
		ours.id = *known;
	} else {
		int r = roster_thread(&relay->roster, *process, thread, stream->number, &ours.id);

		if (r < 0)
			return r;
		*map64_put(&stream->thread_ids, thread->id, NULL) = ours.id;
	}
	return relay->events->thread ? passed(relay, relay->events->thread(relay->ctx, &ours)) : 0;
}

static int on_sample(void *ctx, const struct capture_sample *sample)
{
	struct relay_stream *stream = ctx;
	struct relay *relay = stream->relay;
	const uint32_t *thread = map64_get(&stream->thread_ids, sample->thread);
	struct capture_sample ours = *sample;

	if (!thread || is_ahead(stream, sample->time_ns))
		return ERR_CORRUPT;
	ours.thread = *thread;
	ours.time_ns = saw_time(stream, sample->time_ns);
	return relay->events->sample ? passed(relay, relay->events->sample(relay->ctx, &ours)) : 0;
}

static int on_local(void *ctx, const struct capture_local *local)
{
	struct relay_stream *stream = ctx;
	struct relay *relay = stream->relay;
	const uint32_t *thread = map64_get(&stream->thread_ids, local->thread);
	struct capture_local ours = *local;

	if (!thread)
		return ERR_CORRUPT;
	ours.thread = *thread;
	return relay->events->local ? passed(relay, relay->events->local(relay->ctx, &ours)) : 0;
}

static int on_source(void *ctx, const struct capture_source *source)
{
	struct relay_stream *stream = ctx;
	struct relay *relay = stream->relay;
	const uint32_t *process = map64_get(&stream->process_ids, source->process);
	struct capture_source ours = *source;

	if (!process)
		return ERR_CORRUPT;
	ours.process = *process;
	return relay->events->source ? passed(relay, relay->events->source(relay->ctx, &ours)) : 0;
}

/* ---- statistics ---- */

static void replace_stats(struct capture_stats *total, const struct capture_stats *old,
			  const struct capture_stats *new)
{
	total->ticks += new->ticks - old->ticks;
	total->late_ticks += new->late_ticks - old->late_ticks;
	total->missed_ticks += new->missed_ticks - old->missed_ticks;
	total->samples += new->samples - old->samples;
	total->proven += new->proven - old->proven;
	total->paused += new->paused - old->paused;
	total->stepped += new->stepped - old->stepped;
	total->dropped += new->dropped - old->dropped;
	total->torn += new->torn - old->torn;
	total->errors += new->errors - old->errors;
	total->signals_passed += new->signals_passed - old->signals_passed;
	total->eintr_repaired += new->eintr_repaired - old->eintr_repaired;
	total->bytes_read += new->bytes_read - old->bytes_read;
	total->read_calls += new->read_calls - old->read_calls;
	total->traced += new->traced - old->traced;
	for (size_t i = 0; i < CAPTURE_FAULTS; i++)
		total->faults[i] += new->faults[i] - old->faults[i];
	total->left_out += new->left_out - old->left_out;
	for (int i = 0; i < CAPTURE_NATIVES; i++)
		total->native[i] += new->native[i] - old->native[i];
	total->native_bytes += new->native_bytes - old->native_bytes;
	total->native_outer += new->native_outer - old->native_outer;
	total->reader_cpu_ns = sum(total->reader_cpu_ns, new->reader_cpu_ns - old->reader_cpu_ns);
	total->pause_total_ns =
		sum(total->pause_total_ns, new->pause_total_ns - old->pause_total_ns);
	total->pause_max_ns = max_of(total->pause_max_ns, new->pause_max_ns);
}

static int pass_stats(struct relay *relay)
{
	relay->has_unsent_stats = false;
	relay->stats_ns = relay->total.time_ns;
	return relay->events->stats ? passed(relay, relay->events->stats(relay->ctx, &relay->total))
				    : 0;
}

static int on_stats(void *ctx, const struct capture_stats *stats)
{
	struct relay_stream *stream = ctx;
	struct relay *relay = stream->relay;

	if (is_ahead(stream, stats->time_ns))
		return ERR_CORRUPT;
	replace_stats(&relay->total, &stream->now, stats);
	stream->now = *stats;
	/* Medians have no sum: that of the process that was paused most stands for all. */
	if (stats->paused >= relay->median_of) {
		relay->median_of = stats->paused;
		relay->total.pause_median_ns = stats->pause_median_ns;
		relay->total.pause_p99_ns = stats->pause_p99_ns;
	}
	relay->total.time_ns = max_of(relay->total.time_ns, saw_time(stream, stats->time_ns));
	relay->has_unsent_stats = true;
	if (!relay->has_begun || relay->total.time_ns - relay->stats_ns < RELAY_STATS_NS)
		return 0;
	return pass_stats(relay);
}

/* ---- ends ---- */

static int on_end(void *ctx, const struct capture_end *end)
{
	struct relay_stream *stream = ctx;

	if (stream->has_ended || is_ahead(stream, end->time_ns))
		return ERR_CORRUPT;
	stream->has_ended = true;
	stream->end = *end;
	stream->end.time_ns = saw_time(stream, end->time_ns);
	snprintf(stream->end_text, sizeof(stream->end_text), "%s", end->text);
	stream->end.text = stream->end_text;
	return 0;
}

const struct capture_events *relay_events(void)
{
	static const struct capture_events events = {
		.header = on_header,
		.process = on_process,
		.thread = on_thread,
		.sample = on_sample,
		.stats = on_stats,
		.local = on_local,
		.source = on_source,
		.end = on_end,
	};

	return &events;
}

const struct capture_end *relay_stream_end(const struct relay_stream *stream)
{
	return stream->has_ended ? &stream->end : NULL;
}

int relay_end(struct relay *relay, const struct capture_end *end)
{
	struct capture_end ours = *end;
	int r = begin(relay);

	if (r == 0 && relay->has_unsent_stats)
		r = pass_stats(relay);
	ours.time_ns = relay->last_ns;
	if (r == 0 && relay->events->end)
		r = passed(relay, relay->events->end(relay->ctx, &ours));
	return r;
}

int relay_code(const struct relay *relay)
{
	return relay->code;
}

uint32_t relay_processes(const struct relay *relay)
{
	return relay->roster.n_read;
}

int64_t relay_lost_ns(const struct relay *relay)
{
	return relay->lost_ns;
}
