/* SPDX-License-Identifier: Apache-2.0 */
/* Samples into windows.  Moving the picture is in timeline_show.c. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "base/map.h"
#include "format/marker.h"
#include "format/timeline_private.h"

/* Stacks of threads that are remembered; past it they are looked up anew. */
#define MEMO_MAX (1u << 20)
/* A silence in a capture is at most so many windows. */
#define EMPTY_WINDOWS_MAX 1024
/* A tree of so many nodes is looked through for threads that have ended. */
#define CROWDED_NODES (TIMELINE_MAX_NODES / 4)
/* Times that we believe: no more than a hundred years. */
#define TIME_MAX_NS (100ll * 366 * 86400 * 1000000000ll)

static struct window *open_window(const struct timeline *timeline)
{
	return &timeline->windows[timeline->n_windows - 1];
}

static void add_window(struct timeline *timeline, int64_t from_ns)
{
	timeline->windows = vec_grow(timeline->windows, &timeline->windows_cap,
				     timeline->n_windows + 1, sizeof(*timeline->windows));
	timeline->windows[timeline->n_windows++] =
		(struct window){.from_ns = from_ns, .until_ns = from_ns};
}

struct timeline *timeline_new(struct names *names, const struct tree *tree,
			      const struct timeline_opts *opts)
{
	struct capture_fold_opts fold_opts = {
		.process_markers = opts->process_markers,
		.ancestor_markers = opts->process_markers,
		.thread_markers = true,
	};
	struct timeline *timeline = xcalloc(1, sizeof(*timeline));

	timeline->opts = *opts;
	timeline->names = names;
	timeline->fold = capture_fold_new(names, tree, &fold_opts);
	timeline->runtime = "";
	profile_init(&timeline->profile, names);
	timeline->profile.tree.max_nodes = TIMELINE_MAX_NODES;
	timeline->profile.n_profiles = 1;
	timeline->crowded_nodes = CROWDED_NODES;
	add_window(timeline, 0);
	return timeline;
}

void timeline_free(struct timeline *timeline)
{
	if (!timeline)
		return;
	for (size_t i = 0; i < timeline->n_windows; i++)
		free(timeline->windows[i].entries);
	free(timeline->windows);
	free(timeline->threads);
	free(timeline->processes);
	map64_done(&timeline->nodes);
	map64_done(&timeline->open_places);
	profile_done(&timeline->profile);
	capture_fold_free(timeline->fold);
	free(timeline);
}

/* ---- definitions ---- */

static const char *keep_text(struct timeline *timeline, const char *text)
{
	return names_text(timeline->names, names_cstr(timeline->names, text), NULL);
}

static int on_header(void *ctx, const struct capture_header *header)
{
	struct timeline *timeline = ctx;
	int r = capture_fold_events()->header(timeline->fold, header);
	const struct profile *profile = capture_fold_profile(timeline->fold);

	timeline->profile.period_type = profile->period_type;
	timeline->profile.period_unit = profile->period_unit;
	timeline->profile.period = profile->period;
	timeline->profile.start_ns = profile->start_ns;
	return r;
}

static int on_process(void *ctx, const struct capture_process *process)
{
	struct timeline *timeline = ctx;
	struct timeline_process *known;

	timeline->processes = vec_grow(timeline->processes, &timeline->processes_cap,
				       (size_t)process->id + 1, sizeof(*timeline->processes));
	known = &timeline->processes[process->id];
	known->pid = process->pid;
	known->command = keep_text(timeline, process->command);
	if (!timeline->first_process)
		timeline->first_process = process->id;
	if (process->id == timeline->first_process || !*timeline->runtime)
		timeline->runtime = keep_text(timeline, process->runtime);
	return capture_fold_events()->process(timeline->fold, process);
}

static int on_thread(void *ctx, const struct capture_thread *thread)
{
	struct timeline *timeline = ctx;
	struct timeline_thread *known;

	timeline->threads = vec_grow(timeline->threads, &timeline->threads_cap,
				     (size_t)thread->id + 1, sizeof(*timeline->threads));
	timeline->n_threads = max_of(timeline->n_threads, (size_t)thread->id + 1);
	known = &timeline->threads[thread->id];
	known->name = keep_text(timeline, thread->name);
	known->process = thread->process;
	known->tid = thread->tid;
	known->marker = marker_thread(timeline->names, thread->tid, thread->name);
	return capture_fold_events()->thread(timeline->fold, thread);
}

/* ---- windows ---- */

static void saw_time(struct timeline *timeline, int64_t time_ns)
{
	timeline->last_ns = max_of(timeline->last_ns, time_ns);
	open_window(timeline)->until_ns = timeline->last_ns;
}

static void close_window(struct timeline *timeline)
{
	struct window *window = open_window(timeline);

	for (size_t i = 0; i < window->n; i++) {
		struct timeline_thread *thread = &timeline->threads[window->entries[i].thread];

		window->entries[i].is_last = thread->last_entry == i + 1;
	}
	for (size_t i = 0; i < window->n; i++)
		timeline->threads[window->entries[i].thread].last_entry = 0;
	map64_reset(&timeline->open_places);
	add_window(timeline, window->until_ns);
	timeline_compact(timeline);
}

void timeline_cut(struct timeline *timeline)
{
	const struct window *window = open_window(timeline);

	if (window->until_ns > window->from_ns || window->n)
		close_window(timeline);
}

/*
 * Windows of even length by the times of the samples: the open one ends before `time_ns` belongs to it.  A
 * long silence is one window.
 */
static void cut_before(struct timeline *timeline, int64_t time_ns)
{
	int64_t length_ns = timeline->opts.window_ns;

	while (length_ns) {
		struct window *window = open_window(timeline);
		int64_t past = (time_ns - window->from_ns) / length_ns;

		if (past <= 0)
			return;
		window->until_ns =
			window->from_ns + (past > EMPTY_WINDOWS_MAX ? past : 1) * length_ns;
		close_window(timeline);
	}
}

/* ---- samples ---- */

/* Thread ids have 21 bits, nodes 24, states 3: no two keys are equal. */
static uint64_t place_key(const struct entry *entry)
{
	return (uint64_t)entry->thread << 32 | (uint64_t)entry->node << 4 | entry->state;
}

static struct node_id node_of(struct timeline *timeline, const struct capture_sample *sample)
{
	if (timeline->nodes.n > MEMO_MAX)
		map64_reset(&timeline->nodes);
	return capture_fold_node(timeline->fold, sample->thread, sample->node,
				 &timeline->profile.tree, &timeline->nodes);
}

static struct entry *entry_of(struct timeline *timeline, const struct entry *like)
{
	struct window *window = open_window(timeline);
	bool is_new;
	uint32_t *place = map64_put(&timeline->open_places, place_key(like), &is_new);

	if (is_new) {
		window->entries = vec_grow(window->entries, &window->cap, window->n + 1,
					   sizeof(*window->entries));
		*place = (uint32_t)window->n;
		window->entries[window->n++] = *like;
		timeline->n_entries++;
	}
	return &window->entries[*place];
}

static bool is_wanted(const struct timeline *timeline, const struct capture_sample *sample)
{
	uint32_t process = timeline->threads[sample->thread].process;

	if (timeline->opts.gil_only && !(sample->flags & SAMPLE_GIL))
		return false;
	return !timeline->opts.pid || timeline->processes[process].pid == timeline->opts.pid;
}

static int on_sample(void *ctx, const struct capture_sample *sample)
{
	struct timeline *timeline = ctx;
	struct entry like = {.thread = sample->thread, .state = sample->state};
	struct timeline_thread *thread = &timeline->threads[sample->thread];
	struct entry *entry;

	if (sample->time_ns > TIME_MAX_NS)
		return ERR_CORRUPT;
	cut_before(timeline, sample->time_ns);
	saw_time(timeline, sample->time_ns);
	if (!is_wanted(timeline, sample))
		return 0;
	like.node = node_of(timeline, sample).v;
	entry = entry_of(timeline, &like);
	/* What stands for no time gives CPU time to a moment that has passed. */
	if (sample->wall_ns > 0 || !thread->last_entry)
		thread->last_entry = (uint32_t)(entry - open_window(timeline)->entries) + 1;
	entry->wall_ns = timeline_sum(entry->wall_ns, sample->wall_ns);
	entry->cpu_ns = timeline_sum(entry->cpu_ns, sample->cpu_ns);
	entry->n_samples += 1 + (int64_t)sample->repeats;
	timeline->n_samples += 1 + (uint64_t)sample->repeats;
	return 0;
}

static int on_stats(void *ctx, const struct capture_stats *stats)
{
	struct timeline *timeline = ctx;

	if (stats->time_ns > TIME_MAX_NS)
		return ERR_CORRUPT;
	saw_time(timeline, stats->time_ns);
	return capture_fold_events()->stats(timeline->fold, stats);
}

static int on_end(void *ctx, const struct capture_end *end)
{
	struct timeline *timeline = ctx;

	return capture_fold_events()->end(timeline->fold, end);
}

const struct capture_events *timeline_events(void)
{
	static const struct capture_events events = {
		.header = on_header,
		.process = on_process,
		.thread = on_thread,
		.sample = on_sample,
		.stats = on_stats,
		.end = on_end,
	};

	return &events;
}

/* ---- what the stream said ---- */

const struct capture_facts *timeline_facts(const struct timeline *timeline)
{
	return capture_fold_facts(timeline->fold);
}

uint64_t timeline_samples(const struct timeline *timeline)
{
	return timeline->n_samples;
}

const char *timeline_command(const struct timeline *timeline)
{
	return timeline->first_process ? timeline->processes[timeline->first_process].command : "";
}

const char *timeline_runtime(const struct timeline *timeline)
{
	return timeline->runtime;
}

int32_t timeline_pid(const struct timeline *timeline)
{
	return timeline->first_process ? timeline->processes[timeline->first_process].pid : 0;
}
