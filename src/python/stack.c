/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks: of a thread that stands still, and of any thread as frame ids.  Those that run: twice.c. */
#include "base/vec.h"
#include "python/python_private.h"

#define DEEPER "[deeper]"

static int read_spans(struct python *python, struct track *track, struct mem_span *also)
{
	track->shows[0] = SHOWS_UNASKED;
	if (!also)
		return unit_readv(python, track->spans, track->n_spans);
	track->spans = vec_grow(track->spans, &track->spans_cap, track->n_spans + 1,
				sizeof(*track->spans));
	track->spans[track->n_spans] = *also;
	int r = unit_readv(python, track->spans, track->n_spans + 1);
	also->ok = r == 0 && track->spans[track->n_spans].ok;
	return r;
}

int python_read_paused(struct python *python, uint32_t thread, unsigned flags)
{
	return python_read_paused_with(python, thread, flags, NULL);
}

int python_read_paused_with(struct python *python, uint32_t thread, unsigned flags,
			    struct mem_span *also)
{
	if (thread >= python->n_threads)
		return PYTHON_TORN;
	struct track *track = python->tracks[thread];

	unit_begin(python, 1);
	int r = read_spans(python, track, also);
	if (r == ERR_LIMIT) {
		track->fault = PYTHON_TOO_MUCH;
		return PYTHON_OVER_BUDGET;
	}
	if (r < 0)
		return r;
	if (flags & PYTHON_NEEDS_RUNNING && !python->layout.is_free_threaded &&
	    (!track->spans[0].ok || !track_runs_python(python, track)))
		return PYTHON_NOT_RUNNING;
	track->count_first = track->count_read;
	track->has_count_first = true;
	return track_walk(python, track);
}

enum python_fault python_fault(const struct python *python, uint32_t thread)
{
	return thread < python->n_threads ? (enum python_fault)python->tracks[thread]->fault
					  : PYTHON_SOUND;
}

/* ---- as frame ids ---- */

static struct frame_id deeper(struct python *python)
{
	struct frame frame = {.name = names_cstr(python->names, DEEPER), .kind = FRAME_MARKER};

	return names_frame(python->names, &frame);
}

bool frame_is_shown(const struct python *python, const struct raw_frame *frame)
{
	return frame->code && !code_get(&python->codes, frame->id)->is_trampoline;
}

static struct frame_id frame_of(struct python *python, struct raw_frame *frame)
{
	if (!frame->known)
		frame->known = code_frame(&python->codes, frame->id, frame->offset).v;
	return (struct frame_id){frame->known};
}

static void add_id(struct track *track, struct python_stack *stack, struct frame_id id)
{
	size_t n = stack->n++;

	stack->n_same += stack->n_same == n && n < track->n_ids && track->ids[n].v == id.v;
	track->ids[n] = id;
}

/* Does a call of the evaluation function begin here?  From 3.12 on each links a shim of its own, 3.15 one more. */
static bool begins_eval(const struct python *python, const struct track *track,
			const struct raw_frame *frame)
{
	switch (python->layout.chain) {
	case CHAIN_ENTRIES:
		return frame->is_entry;
	case CHAIN_SHIMS:
		return !frame->code && frame->addr != track_base(python, track);
	default:
		return true;
	}
}

/* The outermost frames that are as they were have their ids already.  Returns how many frames are left. */
static size_t keep_ids(const struct track *track, struct python_stack *stack)
{
	const struct chain *chain = &track->now;
	bool has_markers = chain->is_cut || chain->is_collecting || track->has_markers;
	size_t n_left = has_markers ? chain->n : chain->n - track->n_kept;

	if (n_left < chain->n) {
		stack->n = stack->n_same = chain->frames[n_left].n_ids;
		stack->n_evals = chain->frames[n_left].n_evals;
	}
	return n_left;
}

static void add_frame(struct python *python, struct track *track, struct python_stack *stack,
		      struct raw_frame *frame)
{
	if (begins_eval(python, track, frame))
		track->evals[stack->n_evals++] = (uint32_t)stack->n;
	if (frame_is_shown(python, frame))
		add_id(track, stack, frame_of(python, frame));
	frame->n_ids = (uint32_t)stack->n;
	frame->n_evals = (uint32_t)stack->n_evals;
}

void python_stack(struct python *python, uint32_t thread, struct python_stack *ret_stack)
{
	struct track *track = python->tracks[thread];
	const struct chain *chain = &track->now;
	struct python_stack stack = {.is_cut = chain->is_cut};

	track_stamp_codes(python, track);
	track->ids = vec_grow(track->ids, &track->ids_cap, chain->n + 2, sizeof(*track->ids));
	track->evals =
		vec_grow(track->evals, &track->evals_cap, chain->n + 1, sizeof(*track->evals));
	if (chain->is_cut)
		add_id(track, &stack, deeper(python));
	for (size_t i = keep_ids(track, &stack); i-- > 0;) {
		add_frame(python, track, &stack, &chain->frames[i]);
		if (chain->is_collecting && chain->frames[i].addr == chain->collector)
			add_id(track, &stack, collector_frame(python));
	}
	if (chain->is_collecting && !chain->collector)
		add_id(track, &stack, collector_frame(python));
	stack.frames = track->ids;
	stack.evals = track->evals;
	stack.is_same = track->has_ids && stack.n_same == stack.n && stack.n == track->n_ids;
	track->n_ids = stack.n;
	track->n_kept = chain->n;
	track->has_markers = chain->is_cut || chain->is_collecting;
	track->has_ids = true;
	*ret_stack = stack;
}
