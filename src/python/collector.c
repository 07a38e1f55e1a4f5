/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The collector of garbage: while it runs, the thread that runs Python is shown with the marker frame "[GC]".
 *
 * The interpreter (up to 3.8 the runtime) has a flag; whoever runs Python while it is set is taken for the one that
 * collects, and the marker is its innermost frame.  That is so nearly always: finalizers that give the GIL away
 * in the middle of a collection are the exception.  From 3.15 on the frame in which the collection began is
 * known: only the thread that has it on its stack collects, the marker stands behind that frame, and finalizers
 * that the collector calls stand behind the marker.  Before 3.7 nothing leads to the flag: there is no marker.
 */
#include "python/python_private.h"

#define COLLECTOR "[GC]"

raddr_t collector_flag(const struct python *python, const struct track *track, size_t *ret_len)
{
	const struct layout *layout = &python->layout;

	*ret_len = sizeof(uint32_t);
	if (!python->with_collector)
		return 0;
	if (layout->is_gc_frame != NO_FIELD) {
		*ret_len = sizeof(raddr_t);
		return track->interp + layout->is_gc_frame;
	}
	if (layout->is_gc_collecting != NO_FIELD)
		return track->interp + layout->is_gc_collecting;
	return layout->rt_gc_collecting != NO_FIELD ? python->runtime + layout->rt_gc_collecting
						    : 0;
}

static bool has_frame(const struct chain *chain, raddr_t addr)
{
	for (size_t i = 0; i < chain->n; i++)
		if (chain->frames[i].addr == addr)
			return true;
	return false;
}

void collector_take(const struct python *python, struct track *track)
{
	struct chain *chain = &track->now;
	bool is_known = track->collecting_span && track->spans[track->collecting_span].ok;

	chain->collector = 0;
	if (!is_known || !track->collecting || !track_runs_python(python, track))
		return;
	if (python->layout.is_gc_frame == NO_FIELD) {
		chain->is_collecting = true;
		return;
	}
	chain->collector = track->collecting;
	chain->is_collecting = has_frame(chain, chain->collector);
}

struct frame_id collector_frame(struct python *python)
{
	struct frame frame = {.name = names_cstr(python->names, COLLECTOR), .kind = FRAME_MARKER};

	return names_frame(python->names, &frame);
}
