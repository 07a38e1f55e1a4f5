/* SPDX-License-Identifier: Apache-2.0 */
#include "format/chrometrace.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/vec.h"
#include "codec/json.h"
#include "format/frame_kind.h"

#define CATEGORY "pyrometer"
#define TIME_MAX_NS INT64_C(3000000000000000000) /* 95 years: sums of a few do not overflow */
#define PERIOD_MAX_NS (3600 * NS_PER_S)		 /* of a capture that says nonsense */
#define PIECE_BYTES (64u << 10)			 /* passed to the sink from here on */
#define PIECE_MAX_BYTES (64u << 20)		 /* two stacks of the longest names */

struct trace_thread {
	int32_t pid, tid;
	const char *process_name, *name;
	bool is_named; /* as these two say */
	bool is_open;
	struct node_id node; /* what is open in the file */
	bool is_heard;	     /* a sample came: */
	bool will_show;	     /* what it shows by the last of them */
	struct node_id will_node;
	int64_t last_ns, step_ns; /* when, and the time from tick to tick */
};

/* Something that happened, not in the file yet. */
struct change {
	int64_t time_ns;
	uint32_t thread;
	bool is_shown;
	struct node_id node;
};

struct chrometrace {
	const struct names *names;
	const struct tree *tree;
	chrometrace_sink_fn *sink;
	void *ctx;
	struct buf piece;
	struct json_writer json;
	struct trace_thread *threads;
	size_t n_threads, threads_cap;
	struct change *held; /* by time: [first_held, n_held) */
	size_t first_held, n_held, held_cap;
	int64_t silent_ns, listened_ns; /* when silence was last looked for */
	int64_t now_us;			/* of the last event: invariant 1 */
	int code;			/* what the sink said */
};

struct chrometrace *chrometrace_new(const struct names *names, const struct tree *tree,
				    chrometrace_sink_fn *sink, void *ctx)
{
	struct chrometrace *trace = xcalloc(1, sizeof(*trace));

	trace->names = names;
	trace->tree = tree;
	trace->sink = sink;
	trace->ctx = ctx;
	buf_init(&trace->piece, PIECE_MAX_BYTES);
	json_writer_init(&trace->json, &trace->piece, 0);
	json_array(&trace->json);
	return trace;
}

void chrometrace_free(struct chrometrace *trace)
{
	if (!trace)
		return;
	buf_done(&trace->piece);
	free(trace->threads);
	free(trace->held);
	free(trace);
}

/* ---- events ---- */

static void begin_event(struct chrometrace *trace, const char *phase, const char *name,
			const struct trace_thread *thread)
{
	buf_putc(&trace->piece, '\n'); /* a line per event, for people and line tools */
	json_object(&trace->json);
	json_member_str(&trace->json, "ph", phase);
	json_member_int(&trace->json, "pid", thread->pid);
	json_member_int(&trace->json, "tid", thread->tid);
	json_member_str(&trace->json, "name", name);
}

static void put_name(struct chrometrace *trace, const char *what, const char *name,
		     const struct trace_thread *thread)
{
	begin_event(trace, "M", what, thread);
	json_key(&trace->json, "args");
	json_object(&trace->json);
	json_member_str(&trace->json, "name", name);
	json_end(&trace->json);
	json_end(&trace->json);
}

static void put_args(struct chrometrace *trace, const struct frame *frame)
{
	json_key(&trace->json, "args");
	json_object(&trace->json);
	json_member_str(&trace->json, "filename", frame_place(trace->names, frame));
	json_key(&trace->json, "line");
	if (frame->line)
		json_uint(&trace->json, frame->line);
	else
		json_null(&trace->json);
	if (frame->column)
		json_member_uint(&trace->json, "column", frame->column);
	json_end(&trace->json);
}

static void put_slice(struct chrometrace *trace, const char *phase, struct frame_id id,
		      const struct trace_thread *thread)
{
	const struct frame *frame = names_frame_get(trace->names, id);

	begin_event(trace, phase, names_text(trace->names, frame->name, NULL), thread);
	json_member_str(&trace->json, "cat", CATEGORY);
	json_member_int(&trace->json, "ts", trace->now_us);
	if (phase[0] == 'B')
		put_args(trace, frame);
	json_end(&trace->json);
}

/* Do two frames show the same? */
static bool is_same_slice(const struct names *names, struct frame_id a, struct frame_id b)
{
	const struct frame *one, *other;

	if (a.v == b.v)
		return true;
	one = names_frame_get(names, a);
	other = names_frame_get(names, b);
	return one->name.v == other->name.v && one->file.v == other->file.v &&
	       one->module.v == other->module.v && one->line == other->line &&
	       one->column == other->column;
}

/* From what is open to `node`: invariant 2. */
static void change_stack(struct chrometrace *trace, struct trace_thread *thread, bool is_shown,
			 struct node_id node)
{
	struct frame_id old[TREE_MAX_DEPTH], new[TREE_MAX_DEPTH];
	size_t n_old = 0, n_new = 0, same = 0;

	if (thread->is_open)
		n_old = tree_path(trace->tree, thread->node, old, TREE_MAX_DEPTH);
	if (is_shown)
		n_new = tree_path(trace->tree, node, new, TREE_MAX_DEPTH);
	while (same < n_old && same < n_new && is_same_slice(trace->names, old[same], new[same]))
		same++;
	for (size_t i = n_old; i > same; i--)
		put_slice(trace, "E", old[i - 1], thread);
	for (size_t i = same; i < n_new; i++)
		put_slice(trace, "B", new[i], thread);
	thread->is_open = is_shown;
	thread->node = node;
}

static void name_thread(struct chrometrace *trace, struct trace_thread *thread)
{
	if (thread->is_named)
		return;
	put_name(trace, "process_name", thread->process_name, thread);
	put_name(trace, "thread_name", thread->name, thread);
	thread->is_named = true;
}

static int pass_on(struct chrometrace *trace, size_t least)
{
	if (trace->piece.overflow && trace->code == 0)
		trace->code = ERR_LIMIT;
	if (trace->code == 0 && trace->piece.len > least)
		trace->code = trace->sink(trace->ctx, trace->piece.data, trace->piece.len);
	if (trace->piece.len > least)
		buf_reset(&trace->piece);
	return trace->code;
}

static int write_change(struct chrometrace *trace, const struct change *change)
{
	struct trace_thread *thread = &trace->threads[change->thread];

	trace->now_us = max_of(trace->now_us, change->time_ns / NS_PER_US);
	if (change->is_shown)
		name_thread(trace, thread);
	change_stack(trace, thread, change->is_shown, change->node);
	return pass_on(trace, PIECE_BYTES);
}

/* ---- what is held back: invariant 4 ---- */

/* Mostly the latest; what a sleeper tells of lies among the last few hundred milliseconds. */
static void hold(struct chrometrace *trace, const struct change *change)
{
	size_t at = trace->n_held;

	trace->held =
		vec_grow(trace->held, &trace->held_cap, trace->n_held + 1, sizeof(*trace->held));
	while (at > trace->first_held && trace->held[at - 1].time_ns > change->time_ns)
		at--;
	memmove(trace->held + at + 1, trace->held + at, (trace->n_held - at) * sizeof(*change));
	trace->held[at] = *change;
	trace->n_held++;
}

static int write_held(struct chrometrace *trace, int64_t until_ns)
{
	while (trace->first_held < trace->n_held &&
	       (trace->held[trace->first_held].time_ns <= until_ns ||
		trace->n_held - trace->first_held > CHROMETRACE_MAX_HELD))
		if (write_change(trace, &trace->held[trace->first_held++]) < 0)
			return trace->code;
	/* Moving the rest to the front costs no more than writing what stood there did. */
	if (trace->first_held > trace->n_held - trace->first_held) {
		trace->n_held -= trace->first_held;
		memmove(trace->held, trace->held + trace->first_held,
			trace->n_held * sizeof(*trace->held));
		trace->first_held = 0;
	}
	return trace->code;
}

/* From now on the thread shows this. */
static void will_show(struct chrometrace *trace, uint32_t number, int64_t time_ns, bool is_shown,
		      struct node_id node)
{
	struct trace_thread *thread = &trace->threads[number];
	struct change change = {
		.time_ns = time_ns, .thread = number, .is_shown = is_shown, .node = node};

	if (thread->will_show == is_shown && (!is_shown || thread->will_node.v == node.v))
		return;
	thread->will_show = is_shown;
	thread->will_node = node;
	hold(trace, &change);
}

static void end_if_silent(struct chrometrace *trace, uint32_t number, int64_t now_ns)
{
	struct trace_thread *thread = &trace->threads[number];

	if (thread->is_heard && now_ns - thread->last_ns > trace->silent_ns)
		will_show(trace, number,
			  thread->last_ns + min_of(thread->step_ns, trace->silent_ns), false,
			  (struct node_id){0});
}

/* Often enough that an end comes before what follows it is written. */
static void listen_to_all(struct chrometrace *trace, int64_t now_ns)
{
	if (now_ns - trace->listened_ns < trace->silent_ns / 4)
		return;
	trace->listened_ns = now_ns;
	for (uint32_t i = 0; i < trace->n_threads; i++)
		end_if_silent(trace, i, now_ns);
}

/* ---- samples ---- */

static struct trace_thread *thread_of(struct chrometrace *trace,
				      const struct chrometrace_sample *sample)
{
	struct trace_thread *thread;

	trace->threads = vec_grow(trace->threads, &trace->threads_cap, (size_t)sample->thread + 1,
				  sizeof(*trace->threads));
	trace->n_threads = max_of(trace->n_threads, (size_t)sample->thread + 1);
	thread = &trace->threads[sample->thread];
	if (thread->name != sample->thread_name || thread->process_name != sample->process_name)
		thread->is_named = false;
	thread->pid = sample->pid;
	thread->tid = sample->tid;
	thread->name = sample->thread_name;
	thread->process_name = sample->process_name;
	return thread;
}

/* A capture can say anything. */
static int64_t sane_time(int64_t time_ns)
{
	return max_of((int64_t)0, min_of(time_ns, TIME_MAX_NS));
}

int chrometrace_sample(struct chrometrace *trace, const struct chrometrace_sample *sample)
{
	struct trace_thread *thread = thread_of(trace, sample);
	int64_t time_ns = sane_time(sample->time_ns);
	int64_t step_ns = sane_time(sample->wall_ns) / ((int64_t)sample->repeats + 1);
	int64_t first_ns = time_ns - step_ns * sample->repeats;

	trace->silent_ns =
		max_of(CHROMETRACE_SILENT_NS,
		       CHROMETRACE_SILENT_TICKS * min_of(sample->period_ns, PERIOD_MAX_NS));
	end_if_silent(trace, sample->thread, first_ns);
	will_show(trace, sample->thread, first_ns, sample->is_shown, sample->node);
	thread->is_heard = true;
	thread->last_ns = time_ns;
	thread->step_ns = step_ns;
	listen_to_all(trace, time_ns);
	return write_held(trace, time_ns - 2 * trace->silent_ns);
}

int chrometrace_end(struct chrometrace *trace, int64_t end_ns)
{
	int64_t time_ns = sane_time(end_ns);

	trace->listened_ns = -TIME_MAX_NS;
	listen_to_all(trace, time_ns);
	if (write_held(trace, INT64_MAX) < 0)
		return trace->code;
	for (uint32_t i = 0; i < trace->n_threads; i++) {
		struct change end = {.time_ns = time_ns, .thread = i};

		if (trace->threads[i].is_open && write_change(trace, &end) < 0)
			return trace->code;
	}
	json_end(&trace->json);
	buf_putc(&trace->piece, '\n');
	return pass_on(trace, 0);
}
