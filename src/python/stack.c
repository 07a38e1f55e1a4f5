/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks: of a thread that stands still (read once), of threads that nobody stopped (read twice, equal or not
 * given), and their frames as ids.
 */
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
	if (flags & PYTHON_NEEDS_RUNNING &&
	    (!track->spans[0].ok || !track_runs_python(python, track)))
		return PYTHON_NOT_RUNNING;
	return track_walk(python, track);
}

/* ---- read twice ---- */

static int read_together(struct python *python, const uint32_t *threads, size_t n)
{
	size_t total = 0;

	unit_begin(python, n);
	for (size_t i = 0; i < n; i++) {
		const struct track *track = python->tracks[threads[i]];

		python->spans = vec_grow(python->spans, &python->spans_cap, total + track->n_spans,
					 sizeof(*python->spans));
		memcpy(python->spans + total, track->spans, track->n_spans * sizeof(*track->spans));
		total += track->n_spans;
	}
	int r = unit_readv(python, python->spans, total);
	if (r < 0)
		return r;
	total = 0;
	for (size_t i = 0; i < n; i++) {
		struct track *track = python->tracks[threads[i]];

		memcpy(track->spans, python->spans + total, track->n_spans * sizeof(*track->spans));
		total += track->n_spans;
	}
	return 0;
}

static int walk_each(struct python *python, const uint32_t *threads, size_t n, unsigned flags,
		     uint8_t *outcomes)
{
	for (size_t i = 0; i < n; i++) {
		struct track *track = python->tracks[threads[i]];
		bool is_running = track_runs_python(python, track);
		int r = track_walk(python, track);

		if (r < 0)
			return r;
		if (r == PYTHON_INCOMPLETE || (is_running && !(flags & PYTHON_ANY)))
			r = PYTHON_TORN;
		/* Only a thread that was whole the first time can be whole twice. */
		if (outcomes[i] == PYTHON_COMPLETE)
			outcomes[i] = (uint8_t)r;
	}
	return 0;
}

static bool is_equal(const struct chain *a, const struct chain *b)
{
	if (a->n != b->n || a->is_cut != b->is_cut)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct raw_frame *x = &a->frames[i], *y = &b->frames[i];

		if (x->addr != y->addr || x->code != y->code || x->id != y->id ||
		    (x->code && x->instr != y->instr))
			return false;
	}
	return true;
}

int python_read_waiting(struct python *python, const uint32_t *threads, size_t n, unsigned flags,
			uint8_t *ret_outcomes)
{
	memset(ret_outcomes, PYTHON_COMPLETE, n);
	for (size_t i = 0; i < n; i++)
		if (threads[i] >= python->n_threads)
			return ERR_USAGE;
	for (int pass = 0; pass < 2; pass++) {
		int r = read_together(python, threads, n);

		if (r == 0)
			r = walk_each(python, threads, n, flags, ret_outcomes);
		if (r < 0) {
			memset(ret_outcomes, PYTHON_TORN, n);
			return r == ERR_LIMIT ? 0 : r;
		}
		for (size_t i = 0; i < n; i++)
			if (python->tracks[threads[i]]->is_dirty)
				track_learn(python, python->tracks[threads[i]]);
	}
	for (size_t i = 0; i < n; i++) {
		const struct track *track = python->tracks[threads[i]];

		if (ret_outcomes[i] == PYTHON_COMPLETE && !is_equal(&track->now, &track->last))
			ret_outcomes[i] = PYTHON_TORN;
	}
	return 0;
}

/* ---- as frame ids ---- */

static struct frame_id deeper(struct python *python)
{
	struct frame frame = {.name = names_cstr(python->names, DEEPER), .kind = FRAME_MARKER};

	return names_frame(python->names, &frame);
}

void python_stack(struct python *python, uint32_t thread, struct python_stack *ret_stack)
{
	struct track *track = python->tracks[thread];
	const struct chain *chain = &track->now;
	size_t n = 0;
	bool is_same = track->has_ids;

	track->ids = vec_grow(track->ids, &track->ids_cap, chain->n + 1, sizeof(*track->ids));
	for (size_t i = chain->is_cut ? chain->n + 1 : chain->n; i-- > 0;) {
		struct frame_id id;

		if (i == chain->n)
			id = deeper(python);
		else if (chain->frames[i].code)
			id = code_frame(&python->codes, chain->frames[i].id,
					chain->frames[i].offset);
		else
			continue;
		is_same = is_same && n < track->n_ids && track->ids[n].v == id.v;
		track->ids[n++] = id;
	}
	is_same = is_same && n == track->n_ids;
	track->n_ids = n;
	track->has_ids = true;
	*ret_stack = (struct python_stack){
		.frames = track->ids, .n = n, .is_same = is_same, .is_cut = chain->is_cut};
}
