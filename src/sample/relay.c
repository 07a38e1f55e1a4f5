/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/relay.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/vec.h"

#define RELAY_MAX_THREADS (1u << 20) /* threads of all streams together; a bound, not a goal */

struct known_process {
	int32_t pid;
	int64_t start_ticks;
};

struct known_thread {
	uint32_t process;
	int32_t tid;
	uint64_t ident;
};

struct relay {
	const struct capture_events *events;
	void *ctx;
	bool has_begun, has_ended, stream_has_begun;
	int64_t first_start_ns; /* monotonic start of the first stream */
	int64_t shift_ns;	/* from the times of this stream to those of the first */
	int64_t last_ns;
	int64_t lost_ns; /* between the last event of a stream and the start of the next */
	struct capture_stats before, now; /* of earlier streams; of this one */
	struct known_process *processes;  /* id - 1 */
	size_t n_processes, processes_cap;
	struct known_thread *threads; /* id - 1 */
	size_t n_threads, threads_cap;
	struct map64 process_ids, thread_ids; /* of this stream -> ours */
};

struct relay *relay_new(const struct capture_events *events, void *ctx)
{
	struct relay *relay = xcalloc(1, sizeof(*relay));

	relay->events = events;
	relay->ctx = ctx;
	return relay;
}

void relay_free(struct relay *relay)
{
	if (!relay)
		return;
	map64_done(&relay->process_ids);
	map64_done(&relay->thread_ids);
	free(relay->processes);
	free(relay->threads);
	free(relay);
}

/* Unsigned sums: what a lying stream makes of them is wrong but defined. */
static int64_t sum(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int on_header(void *ctx, const struct capture_header *header)
{
	struct relay *relay = ctx;

	if (relay->stream_has_begun)
		return ERR_CORRUPT;
	relay->stream_has_begun = true;
	if (relay->has_begun) {
		if (__builtin_sub_overflow(header->start_monotonic_ns, relay->first_start_ns,
					   &relay->shift_ns) ||
		    relay->shift_ns < 0)
			return ERR_CORRUPT;
		relay->lost_ns =
			sum(relay->lost_ns, max_of(relay->shift_ns - relay->last_ns, (int64_t)0));
		return 0;
	}
	relay->has_begun = true;
	relay->first_start_ns = header->start_monotonic_ns;
	return relay->events->header ? relay->events->header(relay->ctx, header) : 0;
}

static uint32_t process_id(struct relay *relay, const struct capture_process *process)
{
	for (size_t i = 0; i < relay->n_processes; i++)
		if (relay->processes[i].pid == process->pid &&
		    relay->processes[i].start_ticks == process->start_ticks)
			return (uint32_t)i + 1;
	relay->processes = vec_grow(relay->processes, &relay->processes_cap, relay->n_processes + 1,
				    sizeof(*relay->processes));
	relay->processes[relay->n_processes++] =
		(struct known_process){process->pid, process->start_ticks};
	return (uint32_t)relay->n_processes;
}

static int on_process(void *ctx, const struct capture_process *process)
{
	struct relay *relay = ctx;
	struct capture_process ours = *process;

	if (relay->n_processes >= RELAY_MAX_THREADS)
		return ERR_LIMIT;
	ours.id = process_id(relay, process);
	*map64_put(&relay->process_ids, process->id, NULL) = ours.id;
	return relay->events->process ? relay->events->process(relay->ctx, &ours) : 0;
}

/* Newest first: a thread id that the kernel gave out again belongs to its last owner. */
static uint32_t find_thread(const struct relay *relay, const struct known_thread *thread)
{
	for (size_t i = relay->n_threads; i > 0; i--)
		if (relay->threads[i - 1].process == thread->process &&
		    relay->threads[i - 1].tid == thread->tid &&
		    relay->threads[i - 1].ident == thread->ident)
			return (uint32_t)i;
	return 0;
}

static uint32_t add_thread(struct relay *relay, const struct known_thread *thread)
{
	relay->threads = vec_grow(relay->threads, &relay->threads_cap, relay->n_threads + 1,
				  sizeof(*relay->threads));
	relay->threads[relay->n_threads++] = *thread;
	return (uint32_t)relay->n_threads;
}

static int on_thread(void *ctx, const struct capture_thread *thread)
{
	struct relay *relay = ctx;
	const uint32_t *process = map64_get(&relay->process_ids, thread->process);
	uint32_t *id = map64_get(&relay->thread_ids, thread->id);
	struct capture_thread ours = *thread;
	struct known_thread known;

	if (!process)
		return ERR_CORRUPT;
	if (relay->n_threads >= RELAY_MAX_THREADS)
		return ERR_LIMIT;
	known = (struct known_thread){*process, thread->tid, thread->python_ident};
	ours.process = *process;
	if (id) { /* defined again: it has a new name */
		ours.id = *id;
	} else {
		/* Only a later stream can mean a thread that an earlier one knew. */
		ours.id = relay->shift_ns > 0 ? find_thread(relay, &known) : 0;
		if (ours.id == 0)
			ours.id = add_thread(relay, &known);
		*map64_put(&relay->thread_ids, thread->id, NULL) = ours.id;
	}
	return relay->events->thread ? relay->events->thread(relay->ctx, &ours) : 0;
}

static int64_t shifted(struct relay *relay, int64_t time_ns)
{
	int64_t ours;

	/* A stream that lies about time shall not overflow it. */
	if (__builtin_add_overflow(time_ns, relay->shift_ns, &ours))
		ours = relay->last_ns;
	relay->last_ns = max_of(relay->last_ns, ours);
	return ours;
}

static int on_sample(void *ctx, const struct capture_sample *sample)
{
	struct relay *relay = ctx;
	const uint32_t *thread = map64_get(&relay->thread_ids, sample->thread);
	struct capture_sample ours = *sample;

	if (!thread)
		return ERR_CORRUPT;
	ours.thread = *thread;
	ours.time_ns = shifted(relay, sample->time_ns);
	return relay->events->sample ? relay->events->sample(relay->ctx, &ours) : 0;
}

static void add_stats(struct capture_stats *to, const struct capture_stats *from)
{
	to->ticks += from->ticks;
	to->late_ticks += from->late_ticks;
	to->missed_ticks += from->missed_ticks;
	to->samples += from->samples;
	to->proven += from->proven;
	to->paused += from->paused;
	to->stepped += from->stepped;
	to->dropped += from->dropped;
	to->torn += from->torn;
	to->errors += from->errors;
	to->signals_passed += from->signals_passed;
	to->eintr_repaired += from->eintr_repaired;
	to->reader_cpu_ns = sum(to->reader_cpu_ns, from->reader_cpu_ns);
	to->pause_total_ns = sum(to->pause_total_ns, from->pause_total_ns);
	to->pause_max_ns = max_of(to->pause_max_ns, from->pause_max_ns);
	to->bytes_read += from->bytes_read;
	to->read_calls += from->read_calls;
}

static int on_stats(void *ctx, const struct capture_stats *stats)
{
	struct relay *relay = ctx;
	struct capture_stats ours = *stats;

	relay->now = *stats;
	add_stats(&ours, &relay->before);
	ours.time_ns = shifted(relay, stats->time_ns);
	return relay->events->stats ? relay->events->stats(relay->ctx, &ours) : 0;
}

static int on_source(void *ctx, const struct capture_source *source)
{
	struct relay *relay = ctx;
	const uint32_t *process = map64_get(&relay->process_ids, source->process);
	struct capture_source ours = *source;

	if (!process)
		return ERR_CORRUPT;
	ours.process = *process;
	return relay->events->source ? relay->events->source(relay->ctx, &ours) : 0;
}

static int on_end(void *ctx, const struct capture_end *end)
{
	struct relay *relay = ctx;
	struct capture_end ours = *end;

	if (relay->has_ended)
		return ERR_CORRUPT;
	relay->has_ended = true;
	ours.time_ns = shifted(relay, end->time_ns);
	return relay->events->end ? relay->events->end(relay->ctx, &ours) : 0;
}

const struct capture_events *relay_events(void)
{
	static const struct capture_events events = {
		.header = on_header,
		.process = on_process,
		.thread = on_thread,
		.sample = on_sample,
		.stats = on_stats,
		.source = on_source,
		.end = on_end,
	};

	return &events;
}

void relay_next_stream(struct relay *relay)
{
	relay->stream_has_begun = false;
	add_stats(&relay->before, &relay->now);
	relay->now = (struct capture_stats){0};
	map64_reset(&relay->process_ids);
	map64_reset(&relay->thread_ids);
}

bool relay_has_ended(const struct relay *relay)
{
	return relay->has_ended;
}

int64_t relay_last_ns(const struct relay *relay)
{
	return relay->last_ns;
}

int64_t relay_lost_ns(const struct relay *relay)
{
	return relay->lost_ns;
}
