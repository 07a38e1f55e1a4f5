/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks: of a thread that stands still, and of any thread as frame ids.  Those that run: twice.c. */
#include "base/vec.h"
#include "python/python_private.h"

#define DEEPER "[deeper]"

int python_read_paused(struct python *python, uint32_t thread, unsigned flags)
{
	if (thread >= python->n_threads)
		return PYTHON_TORN;
	struct track *track = python->tracks[thread];

	unit_begin(python, 1);
	int r = unit_readv(python, track->spans, track->n_spans);
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

void python_stack(struct python *python, uint32_t thread, struct python_stack *ret_stack)
{
	struct track *track = python->tracks[thread];
	const struct chain *chain = &track->now;
	struct python_stack stack = {.is_cut = chain->is_cut};

	track_stamp_codes(python, track);
	track->ids = vec_grow(track->ids, &track->ids_cap, chain->n + 2, sizeof(*track->ids));
	if (chain->is_cut)
		add_id(track, &stack, deeper(python));
	for (size_t i = chain->n; i-- > 0;) {
		if (frame_is_shown(python, &chain->frames[i]))
			add_id(track, &stack, frame_of(python, &chain->frames[i]));
		if (chain->is_collecting && chain->frames[i].addr == chain->collector)
			add_id(track, &stack, collector_frame(python));
	}
	if (chain->is_collecting && !chain->collector)
		add_id(track, &stack, collector_frame(python));
	stack.frames = track->ids;
	stack.is_same = track->has_ids && stack.n_same == stack.n && stack.n == track->n_ids;
	track->n_ids = stack.n;
	track->has_ids = true;
	*ret_stack = stack;
}
