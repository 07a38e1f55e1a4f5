/* SPDX-License-Identifier: Apache-2.0 */
#include "format/chrometrace.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/vec.h"
#include "codec/json.h"
#include "format/frame_kind.h"

#define CATEGORY "pyrometer"
#define PIECE_BYTES (64u << 10)	    /* passed to the sink from here on */
#define PIECE_MAX_BYTES (64u << 20) /* two stacks of the longest names */

struct trace_thread {
	uint32_t process;
	int32_t pid, tid;
	const char *name; /* as last written; NULL: never */
	bool is_open;
	struct node_id node; /* what is open */
	uint64_t last_tick;  /* of its process */
	int64_t last_ns;
};

struct trace_process {
	const char *name; /* as last written; NULL: never */
	uint64_t tick;	  /* counted by threads that come again */
};

struct chrometrace {
	const struct names *names;
	const struct tree *tree;
	chrometrace_sink_fn *sink;
	void *ctx;
	struct buf piece;
	struct json_writer json;
	struct trace_thread *threads;
	struct trace_process *processes;
	size_t n_threads, threads_cap, n_processes, processes_cap;
	int64_t now_us; /* of the last event: invariant 1 */
	int code;	/* what the sink said */
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
	free(trace->processes);
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
	       one->module.v == other->module.v && one->line == other->line;
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

/* ---- samples ---- */

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

static void set_time(struct chrometrace *trace, int64_t time_ns)
{
	trace->now_us = max_of(trace->now_us, time_ns / NS_PER_US);
}

static struct trace_thread *thread_of(struct chrometrace *trace,
				      const struct chrometrace_sample *sample)
{
	struct trace_thread *thread;

	trace->threads = vec_grow(trace->threads, &trace->threads_cap, (size_t)sample->thread + 1,
				  sizeof(*trace->threads));
	trace->processes = vec_grow(trace->processes, &trace->processes_cap,
				    (size_t)sample->process + 1, sizeof(*trace->processes));
	trace->n_threads = max_of(trace->n_threads, (size_t)sample->thread + 1);
	trace->n_processes = max_of(trace->n_processes, (size_t)sample->process + 1);
	thread = &trace->threads[sample->thread];
	thread->process = sample->process;
	thread->pid = sample->pid;
	thread->tid = sample->tid;
	return thread;
}

static void name_thread(struct chrometrace *trace, struct trace_thread *thread,
			const struct chrometrace_sample *sample)
{
	struct trace_process *process = &trace->processes[thread->process];

	if (process->name != sample->process_name)
		put_name(trace, "process_name", sample->process_name, thread);
	if (thread->name != sample->thread_name)
		put_name(trace, "thread_name", sample->thread_name, thread);
	process->name = sample->process_name;
	thread->name = sample->thread_name;
}

/* Invariant 4. */
static void end_silent(struct chrometrace *trace, int64_t now_ns)
{
	for (size_t i = 0; i < trace->n_threads; i++) {
		struct trace_thread *thread = &trace->threads[i];
		uint64_t tick = trace->processes[thread->process].tick;

		if (thread->is_open && (tick > thread->last_tick + CHROMETRACE_MISSED ||
					now_ns - thread->last_ns > CHROMETRACE_SILENT_NS))
			change_stack(trace, thread, false, (struct node_id){0});
	}
}

int chrometrace_sample(struct chrometrace *trace, const struct chrometrace_sample *sample)
{
	struct trace_thread *thread = thread_of(trace, sample);
	struct trace_process *process = &trace->processes[sample->process];
	bool is_new_tick = thread->last_tick == process->tick;

	set_time(trace, sample->time_ns);
	process->tick += is_new_tick;
	thread->last_tick = process->tick;
	thread->last_ns = sample->time_ns;
	if (is_new_tick)
		end_silent(trace, sample->time_ns);
	if (sample->is_shown)
		name_thread(trace, thread, sample);
	if (thread->is_open != sample->is_shown ||
	    (sample->is_shown && thread->node.v != sample->node.v))
		change_stack(trace, thread, sample->is_shown, sample->node);
	return pass_on(trace, PIECE_BYTES);
}

int chrometrace_end(struct chrometrace *trace, int64_t time_ns)
{
	set_time(trace, time_ns);
	end_silent(trace, time_ns);
	for (size_t i = 0; i < trace->n_threads; i++) {
		if (trace->threads[i].is_open)
			change_stack(trace, &trace->threads[i], false, (struct node_id){0});
		if (pass_on(trace, PIECE_BYTES) < 0)
			return trace->code;
	}
	json_end(&trace->json);
	buf_putc(&trace->piece, '\n');
	return pass_on(trace, 0);
}
