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
	if (r < 0)
		return r == ERR_LIMIT ? PYTHON_OVER_BUDGET : r;
	if (flags & PYTHON_NEEDS_RUNNING && !python->layout.is_free_threaded &&
	    (!track->spans[0].ok || !track_runs_python(python, track)))
		return PYTHON_NOT_RUNNING;
	return track_walk(python, track);
}

/* ---- as frame ids ---- */

static struct frame_id deeper(struct python *python)
{
	struct frame frame = {.name = names_cstr(python->names, DEEPER), .kind = FRAME_MARKER};

	return names_frame(python->names, &frame);
}

/* Neither a shim nor a trampoline: a frame of the program. */
static bool is_shown(const struct python *python, const struct raw_frame *frame)
{
	return frame->code && !code_get(&python->codes, frame->id)->is_trampoline;
}

static struct frame_id frame_of(struct python *python, struct raw_frame *frame)
{
	if (!frame->known)
		frame->known = code_frame(&python->codes, frame->id, frame->offset).v;
	return (struct frame_id){frame->known};
}

void python_stack(struct python *python, uint32_t thread, struct python_stack *ret_stack)
{
	struct track *track = python->tracks[thread];
	const struct chain *chain = &track->now;
	size_t n = 0, n_same = 0;

	track->ids = vec_grow(track->ids, &track->ids_cap, chain->n + 1, sizeof(*track->ids));
	for (size_t i = chain->is_cut ? chain->n + 1 : chain->n; i-- > 0;) {
		struct frame_id id;

		if (i == chain->n)
			id = deeper(python);
		else if (is_shown(python, &chain->frames[i]))
			id = frame_of(python, &chain->frames[i]);
		else
			continue;
		n_same += n_same == n && n < track->n_ids && track->ids[n].v == id.v;
		track->ids[n++] = id;
	}
	*ret_stack = (struct python_stack){
		.frames = track->ids,
		.n = n,
		.n_same = n_same,
		.is_same = track->has_ids && n_same == n && n == track->n_ids,
		.is_cut = chain->is_cut,
	};
	track->n_ids = n;
	track->has_ids = true;
}
