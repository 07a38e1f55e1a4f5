/* SPDX-License-Identifier: Apache-2.0 */
#include "format/capture_profile.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/vec.h"
#include "format/marker.h"

#define ANCESTORS_MAX 64 /* of a process that are shown */

struct fold_process {
	bool is_defined;
	int32_t pid;
	uint32_t parent; /* its id; 0: none that the capture knows */
	struct frame_id marker;
	const char *command; /* of the names */
};

/* A capture of a few bytes can claim a million entries: past so many in all its repeats are not told apart. */
#define TIMED_MAX_REPEATS (8u << 20)

struct fold_thread {
	const char *name;     /* NULL: not defined */
	uint32_t process;     /* capture id */
	uint32_t timed_index; /* into timed_threads */
	uint32_t marker_key;  /* changes with the name: what the memo knows threads by */
	struct frame_id marker;
	bool is_wanted; /* by the filter */
};

struct capture_fold {
	struct names *names;
	const struct tree *tree; /* of the reader */
	struct capture_fold_opts opts;
	struct profile profile;
	int16_t columns[CAPTURE_SAMPLES + 1][STATE_COUNT]; /* index + 1 */
	struct map64 memo;
	struct map64 files; /* str id -> shown str id */

	struct fold_process *processes; /* by capture id */
	struct fold_thread *threads;
	size_t processes_cap, threads_cap;
	struct map64 process_of_pid; /* the last that had it */
	uint32_t last_marker_key;

	struct timed timed;
	uint64_t
		n_repeats; /* entries that are not samples of their own: they may be out of order */
	struct timed_sample *samples;
	struct timed_thread *timed_threads;
	size_t samples_cap, timed_threads_cap, n_timed_threads;
	struct capture_facts facts;
};

/* The column of a type and state, made when it is first needed. */
static size_t column_of(struct capture_fold *fold, enum capture_column column, uint8_t state)
{
	static const char *const types[][2] = {
		[CAPTURE_WALL] = {"wall", "nanoseconds"},
		[CAPTURE_CPU] = {"cpu", "nanoseconds"},
		[CAPTURE_SAMPLES] = {"samples", "count"},
	};
	bool is_split = fold->opts.split_states;
	int16_t *index = &fold->columns[column][is_split ? state : 0];

	if (!*index) {
		int made = profile_column(&fold->profile, types[column][0], types[column][1],
					  is_split ? thread_state_name((enum thread_state)state)
						   : NULL);

		/* Three types and eight states are fewer than a profile may have columns. */
		assert(made >= 0);
		*index = (int16_t)(made + 1);
	}
	return (size_t)(*index - 1);
}

struct capture_fold *capture_fold_new(struct names *names, const struct tree *tree,
				      const struct capture_fold_opts *opts)
{
	struct capture_fold *fold = xcalloc(1, sizeof(*fold));

	fold->names = names;
	fold->tree = tree;
	fold->opts = *opts;
	profile_init(&fold->profile, names);
	fold->profile.n_profiles = 1;
	if (!opts->split_states)
		for (int column = 0; column <= CAPTURE_SAMPLES; column++)
			column_of(fold, (enum capture_column)column, STATE_UNKNOWN);
	return fold;
}

void capture_fold_free(struct capture_fold *fold)
{
	if (!fold)
		return;
	profile_done(&fold->profile);
	map64_done(&fold->memo);
	map64_done(&fold->process_of_pid);
	map64_done(&fold->files);
	free(fold->processes);
	free(fold->threads);
	free(fold->samples);
	free(fold->timed_threads);
	free(fold);
}

/* Texts of events live as long as the callback; those of the names as long as the fold. */
static const char *keep_text(struct capture_fold *fold, const char *text)
{
	return names_text(fold->names, names_cstr(fold->names, text), NULL);
}

/* The profile covers what was sampled, cut to the filter's range. */
static void saw_time(struct capture_fold *fold, int64_t time_ns)
{
	const struct capture_filter *filter = &fold->opts.filter;
	int64_t until_ns;

	fold->facts.last_time_ns = max_of(fold->facts.last_time_ns, time_ns);
	until_ns = fold->facts.last_time_ns;
	if (filter->until_ns)
		until_ns = min_of(until_ns, filter->until_ns);
	fold->profile.duration_ns = max_of(until_ns - filter->from_ns, (int64_t)0);
}

/* ---- definitions ---- */

static int on_header(void *ctx, const struct capture_header *header)
{
	struct capture_fold *fold = ctx;

	fold->facts.has_header = true;
	fold->facts.header = *header;
	fold->facts.header.command = keep_text(fold, header->command);
	fold->facts.header.host = keep_text(fold, header->host);
	fold->facts.header.version = keep_text(fold, header->version);
	fold->profile.period_type = names_cstr(fold->names, "wall");
	fold->profile.period_unit = names_cstr(fold->names, "nanoseconds");
	if (__builtin_add_overflow(header->start_real_ns, fold->opts.filter.from_ns,
				   &fold->profile.start_ns))
		fold->profile.start_ns = 0;
	if (header->rate_hz >= 1e-3 && header->rate_hz <= 1e9)
		fold->profile.period = (int64_t)((double)NS_PER_S / header->rate_hz);
	return 0;
}

/* A stream defines ancestors first, where it knows them. */
static void find_parent(struct capture_fold *fold, const struct capture_process *process)
{
	const uint32_t *parent = map64_get(&fold->process_of_pid, (uint32_t)process->parent_pid);

	fold->processes[process->id].parent = parent ? *parent : 0;
	*map64_put(&fold->process_of_pid, (uint32_t)process->pid, NULL) = process->id;
}

static int on_process(void *ctx, const struct capture_process *process)
{
	struct capture_fold *fold = ctx;
	struct fold_process *known;

	fold->processes = vec_grow(fold->processes, &fold->processes_cap, (size_t)process->id + 1,
				   sizeof(*fold->processes));
	known = &fold->processes[process->id];
	fold->facts.n_processes += !known->is_defined;
	known->is_defined = true;
	known->pid = process->pid;
	known->command = keep_text(fold, process->command);
	if (fold->opts.process_markers)
		known->marker = marker_process(fold->names, process->pid, process->command);
	if (fold->opts.ancestor_markers)
		find_parent(fold, process);
	return 0;
}

static bool thread_is_wanted(const struct capture_filter *filter,
			     const struct capture_thread *thread, int32_t pid)
{
	char id[24];

	if (filter->pid && filter->pid != pid)
		return false;
	if (!filter->thread)
		return true;
	snprintf(id, sizeof(id), "%" PRId32, thread->tid);
	return strcmp(filter->thread, thread->name) == 0 || strcmp(filter->thread, id) == 0;
}

static void timed_thread_add(struct capture_fold *fold, struct fold_thread *thread)
{
	size_t n = fold->n_timed_threads;

	fold->timed_threads = vec_grow(fold->timed_threads, &fold->timed_threads_cap, n + 1,
				       sizeof(*fold->timed_threads));
	thread->timed_index = (uint32_t)fold->n_timed_threads++;
}

static int on_thread(void *ctx, const struct capture_thread *thread)
{
	struct capture_fold *fold = ctx;
	const struct fold_process *process = &fold->processes[thread->process];
	struct fold_thread *known;

	fold->threads = vec_grow(fold->threads, &fold->threads_cap, (size_t)thread->id + 1,
				 sizeof(*fold->threads));
	known = &fold->threads[thread->id];
	if (!known->name) {
		fold->facts.n_threads++;
		timed_thread_add(fold, known);
	}
	known->name = keep_text(fold, thread->name);
	known->process = thread->process;
	known->marker_key = ++fold->last_marker_key;
	if (fold->opts.thread_markers)
		known->marker = marker_thread(fold->names, thread->tid, thread->name);
	known->is_wanted = thread_is_wanted(&fold->opts.filter, thread, process->pid);
	fold->timed_threads[known->timed_index] = (struct timed_thread){
		.pid = process->pid,
		.tid = thread->tid,
		.name = known->name,
	};
	return 0;
}

/* ---- samples ---- */

static bool is_in_range(const struct capture_filter *filter, int64_t time_ns)
{
	return time_ns >= filter->from_ns && (!filter->until_ns || time_ns < filter->until_ns);
}

static bool sample_is_wanted(const struct capture_fold *fold, const struct capture_sample *sample)
{
	const struct capture_filter *filter = &fold->opts.filter;

	if (!fold->threads[sample->thread].is_wanted || !is_in_range(filter, sample->time_ns))
		return false;
	if (filter->hide_idle && thread_state_is_idle((enum thread_state)sample->state) &&
	    !(filter->keep_charged && sample->cpu_ns > 0))
		return false;
	return !filter->gil_only || (sample->flags & SAMPLE_GIL);
}

/* A file's name without what is cut off; asked once per file, since that may look at the disk. */
static struct str_id shown_file(struct capture_fold *fold, struct str_id file)
{
	bool is_new;
	uint32_t *known = map64_put(&fold->files, file.v, &is_new);

	if (is_new) {
		const char *text = names_text(fold->names, file, NULL);
		size_t cut = min_of(fold->opts.file_cut(text), strlen(text));

		*known = cut ? names_cstr(fold->names, text + cut).v : file.v;
	}
	return (struct str_id){*known};
}

static struct frame_id shown_frame(struct capture_fold *fold, struct frame_id id)
{
	struct frame frame;

	if (!fold->opts.by_function && !fold->opts.columns)
		id = names_line_frame(fold->names, id);
	if (!fold->opts.by_function && !fold->opts.file_cut)
		return id;
	if (fold->opts.by_function && !fold->opts.first_lines)
		id = names_func_frame(fold->names, names_func_of(fold->names, id));
	frame = *names_frame_get(fold->names, id);
	if (fold->opts.by_function && fold->opts.first_lines) {
		frame.line = frame.first_line;
		frame.column = 0;
		frame.address = 0;
	}
	if (fold->opts.file_cut)
		frame.file = shown_file(fold, frame.file);
	return names_frame(fold->names, &frame);
}

/* Outermost first.  A capture that makes a process its own ancestor gets a chain of bounded length. */
static struct node_id below_processes(const struct capture_fold *fold, uint32_t process,
				      struct tree *into)
{
	uint32_t chain[ANCESTORS_MAX];
	struct node_id at = {0};
	size_t n = 0;

	for (; process && n < ANCESTORS_MAX; process = fold->processes[process].parent)
		chain[n++] = process;
	while (n-- > 0)
		at = tree_child(into, at, fold->processes[chain[n]].marker);
	return at;
}

struct node_id capture_fold_node(struct capture_fold *fold, uint32_t thread, struct node_id node,
				 struct tree *into, struct map64 *memo)
{
	const struct fold_thread *known = &fold->threads[thread];
	bool has_markers = fold->opts.thread_markers || fold->opts.process_markers;
	uint64_t key = (has_markers ? (uint64_t)known->marker_key << 32 : 0) | node.v;
	struct frame_id path[TREE_MAX_DEPTH];
	struct node_id at = {0};
	size_t n;
	bool is_new;
	uint32_t *place = map64_put(memo, key, &is_new);

	if (!is_new)
		return (struct node_id){*place};
	if (fold->opts.process_markers)
		at = below_processes(fold, known->process, into);
	if (fold->opts.thread_markers && known->marker.v)
		at = tree_child(into, at, known->marker);
	n = min_of(tree_path(fold->tree, node, path, TREE_MAX_DEPTH), (size_t)TREE_MAX_DEPTH);
	for (size_t i = 0; i < n; i++)
		at = tree_child(into, at, shown_frame(fold, path[i]));
	*place = at.v;
	return at;
}

static void add_value(struct capture_fold *fold, enum capture_column column, uint8_t state,
		      struct node_id node, int64_t value)
{
	profile_add(&fold->profile, column_of(fold, column, state), node, value);
}

static void timed_add(struct capture_fold *fold, const struct capture_sample *sample,
		      struct node_id node)
{
	size_t n = fold->timed.n_samples;

	fold->samples = vec_grow(fold->samples, &fold->samples_cap, n + 1, sizeof(*fold->samples));
	fold->samples[fold->timed.n_samples++] = (struct timed_sample){
		.time_ns = sample->time_ns,
		.thread = fold->threads[sample->thread].timed_index,
		.node = node,
		.wall_ns = sample->wall_ns,
		.cpu_ns = sample->cpu_ns,
	};
}

/* Each tick of a sample that stands for several, evenly over its time: they lie among those of other threads. */
static void timed_add_all(struct capture_fold *fold, const struct capture_sample *sample,
			  struct node_id node)
{
	struct capture_sample one = *sample;
	int64_t rest_ns = sample->wall_ns;
	uint32_t left = sample->repeats;

	if (left > TIMED_MAX_REPEATS - fold->n_repeats)
		left = 0; /* it stays one long entry */
	fold->n_repeats += left;
	for (; left > 0; left--) {
		one.wall_ns = rest_ns / ((int64_t)left + 1);
		rest_ns -= one.wall_ns;
		one.time_ns = sample->time_ns - rest_ns;
		one.cpu_ns = 0;
		timed_add(fold, &one, node);
	}
	one = *sample;
	one.wall_ns = rest_ns;
	timed_add(fold, &one, node);
}

static int by_time(const void *a, const void *b)
{
	const struct timed_sample *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->thread < y->thread ? -1 : x->thread > y->thread;
}

static struct node_id fold_sample(struct capture_fold *fold, const struct capture_sample *sample)
{
	struct node_id node = capture_fold_node(fold, sample->thread, sample->node,
						&fold->profile.tree, &fold->memo);

	fold->facts.n_kept += 1 + (uint64_t)sample->repeats;
	add_value(fold, CAPTURE_WALL, sample->state, node, sample->wall_ns);
	add_value(fold, CAPTURE_CPU, sample->state, node, sample->cpu_ns);
	add_value(fold, CAPTURE_SAMPLES, sample->state, node, 1 + (int64_t)sample->repeats);
	fold->profile.n_samples += 1 + (int64_t)sample->repeats;
	if (fold->opts.keep_timed)
		timed_add_all(fold, sample, node);
	return node;
}

static int on_sample(void *ctx, const struct capture_sample *sample)
{
	struct capture_fold *fold = ctx;
	const struct fold_thread *thread = &fold->threads[sample->thread];
	struct capture_fold_sample folded = {
		.sample = sample,
		.who = &fold->timed_threads[thread->timed_index],
		.command = fold->processes[thread->process].command,
		.is_wanted = sample_is_wanted(fold, sample),
	};

	fold->facts.n_samples += 1 + (uint64_t)sample->repeats;
	saw_time(fold, sample->time_ns);
	if (folded.is_wanted)
		folded.node = fold_sample(fold, sample);
	if (!fold->opts.on_sample || !is_in_range(&fold->opts.filter, sample->time_ns))
		return 0;
	return fold->opts.on_sample(fold->opts.on_sample_ctx, &folded);
}

static int on_stats(void *ctx, const struct capture_stats *stats)
{
	struct capture_fold *fold = ctx;

	fold->facts.stats = *stats;
	saw_time(fold, stats->time_ns);
	return 0;
}

static int on_end(void *ctx, const struct capture_end *end)
{
	struct capture_fold *fold = ctx;

	fold->facts.has_end = true;
	fold->facts.end = *end;
	fold->facts.end.text = keep_text(fold, end->text);
	saw_time(fold, end->time_ns);
	return 0;
}

const struct capture_events *capture_fold_events(void)
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

const struct profile *capture_fold_profile(const struct capture_fold *fold)
{
	return &fold->profile;
}

const struct timed *capture_fold_timed(struct capture_fold *fold)
{
	if (fold->n_repeats && fold->opts.keep_timed)
		qsort(fold->samples, fold->timed.n_samples, sizeof(*fold->samples), by_time);
	fold->timed.samples = fold->samples;
	fold->timed.threads = fold->timed_threads;
	fold->timed.n_threads = fold->n_timed_threads;
	return fold->opts.keep_timed ? &fold->timed : NULL;
}

size_t capture_fold_column(const struct capture_fold *fold, enum capture_column column)
{
	for (size_t state = 0; state < STATE_COUNT; state++)
		if (fold->columns[column][state])
			return (size_t)(fold->columns[column][state] - 1);
	return 0;
}

const struct capture_facts *capture_fold_facts(const struct capture_fold *fold)
{
	return &fold->facts;
}
