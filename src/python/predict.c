/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the last stacks of a thread to the spans that will most likely hold the next one.
 *
 * All of this runs outside of pauses.  Windows cover the frames of the last two walks (a thread mostly goes on
 * near where it was), with some room for calls on top; others cover the proofs of their codes where the count of
 * code objects does not speak for them.  Windows are merged where they lie close: functions of a module do.  Codes
 * that were not met for some walks are no longer expected.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/vec.h"
#include "python/python_private.h"

#define MERGE_GAP 3072 /* a span costs about 0.4 us, even in the page of another; a KB 0.1 us */
#define HEADROOM 512   /* bytes above the innermost frame: a few calls */
#define INNER_DEPTH 12 /* twice.c */
#define PAGE 4096ull
#define KEEP_MISSED 4 /* walks that a code which is not met stays expected */
#define MAX_EXPECTED (PYTHON_MAX_DEPTH + 64)
#define THREAD_ATTACHED 1 /* _Py_THREAD_ATTACHED */

bool track_holds_gil(const struct python *python, const struct track *track)
{
	uint32_t locked;

	/* Before 3.7 the holder is NULL while the GIL is free. */
	if (python->layout.gil_locked == NO_FIELD)
		return word_at(track->gil_bytes, 0) == track->tstate;
	/* The span begins at the holder; see add_fixed(). */
	size_t at = python->layout.gil_locked - python->layout.gil_last_holder;

	__builtin_memcpy(&locked, track->gil_bytes + at, sizeof(locked));
	return locked == 1 && word_at(track->gil_bytes, 0) == track->tstate;
}

bool track_runs_python(const struct python *python, const struct track *track)
{
	uint32_t state;

	if (python->layout.ts_state == NO_FIELD)
		return track_holds_gil(python, track);
	__builtin_memcpy(&state, track->state_bytes + python->layout.ts_state, sizeof(state));
	return state == THREAD_ATTACHED;
}

raddr_t track_base(const struct python *python, const struct track *track)
{
	return python->layout.ts_base_frame == NO_FIELD
		       ? 0
		       : word_at(track->state_bytes, python->layout.ts_base_frame);
}

static void add_span(struct track *track, raddr_t addr, void *into, size_t len)
{
	track->spans = vec_grow(track->spans, &track->spans_cap, track->n_spans + 1,
				sizeof(*track->spans));
	track->spans[track->n_spans++] = (struct mem_span){.addr = addr, .into = into, .len = len};
}

static void add_fixed(const struct python *python, struct track *track)
{
	const struct layout *layout = &python->layout;

	track->n_spans = 0;
	add_span(track, track->gil + layout->gil_last_holder, track->gil_bytes,
		 sizeof(track->gil_bytes));
	add_span(track, track->tstate, track->state_bytes, python->state_bytes);
	if (layout->ts_cframe != NO_FIELD) {
		add_span(track, track->cframe, track->cframe_bytes, layout->cframe_size);
		add_span(track, track->before, track->before_bytes, layout->cframe_size);
	}
	track->first_window = track->n_spans;
}

/* Behind the stack, that what it says is of the same moment. */
static void add_collector(const struct python *python, struct track *track)
{
	size_t len;
	raddr_t addr = collector_flag(python, track, &len);

	track->collecting = 0;
	track->collecting_span = addr ? (uint32_t)track->n_spans : 0;
	if (addr)
		add_span(track, addr, &track->collecting, len);
}

/* Last: who reads it after the stack knows that the stack's codes are not younger. */
static void add_count(const struct python *python, struct track *track)
{
	raddr_t counter = track_counter(python, track);

	if (counter)
		add_span(track, counter, &track->count_read, sizeof(track->count_read));
}

/* ---- windows ---- */

static int by_addr(const void *a, const void *b)
{
	const struct window *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Windows are collected behind those of frames; `*n` counts them. */
static void add_window(struct track *track, size_t *n, raddr_t addr, uint32_t len)
{
	size_t at = track->n_windows + (*n)++;

	track->windows =
		vec_grow(track->windows, &track->windows_cap, at + 1, sizeof(*track->windows));
	track->windows[at] = (struct window){.addr = addr, .len = len};
}

static void add_chain(const struct python *python, struct track *track, size_t *n,
		      const struct chain *chain, const struct chain *but)
{
	for (size_t i = 0; i < chain->n; i++) {
		/* Counted from the base two chains of one thread mostly agree. */
		size_t depth = chain->n - i;

		if (but && depth <= but->n &&
		    but->frames[but->n - depth].addr == chain->frames[i].addr)
			continue;
		add_window(track, n, chain->frames[i].addr, python->frame_bytes);
	}
}

/* Sorts and joins the `n` collected ones; returns how many are left. */
static size_t merge_windows(struct track *track, size_t n)
{
	struct window *windows = track->windows + track->n_windows;
	uint64_t gap = track->has_holes ? 0 : MERGE_GAP;
	size_t kept = 0;

	if (n)
		qsort(windows, n, sizeof(*windows), by_addr);
	for (size_t i = 0; i < n; i++) {
		const struct window *next = &windows[i];
		struct window *open = kept ? &windows[kept - 1] : NULL;

		if (!open || next->addr > open->addr + open->len + gap ||
		    next->addr + next->len - open->addr > MEMORY_MAX_SPAN_BYTES - HEADROOM) {
			windows[kept++] = *next;
			continue;
		}
		if (next->addr + next->len > open->addr + open->len)
			open->len = (uint32_t)(next->addr + next->len - open->addr);
	}
	return kept;
}

/* Where the innermost frames of a chain lie: from there to the end of its window all is read twice. */
static void mark_inner(const struct python *python, struct track *track, const struct chain *chain)
{
	size_t n = min_of(track_inner_depth(python), chain->n);

	for (size_t i = 0; i < n; i++) {
		raddr_t addr = chain->frames[i].addr;

		for (size_t k = 0; k < track->n_windows; k++) {
			struct window *window = &track->windows[k];
			/* The rest of its page costs next to nothing. */
			raddr_t from = max_of(addr & ~(PAGE - 1), window->addr);

			if (addr >= window->addr && addr - window->addr < window->len)
				window->inner =
					min_of(window->inner, (uint32_t)(from - window->addr));
		}
	}
}

size_t track_inner_depth(const struct python *python)
{
	return python->layout.chain == CHAIN_OBJECTS ? PYTHON_MAX_DEPTH : INNER_DEPTH;
}

/* Room for calls that the next sample may find, without touching a page more. */
static void add_headroom(struct track *track)
{
	for (size_t i = 0; track->stack_end && i < track->n_windows; i++) {
		struct window *window = &track->windows[i];
		raddr_t end = window->addr + window->len;
		uint64_t room = (PAGE - end % PAGE) % PAGE;

		if (end >= track->stack_end && window->addr < track->stack_end)
			window->len += (uint32_t)min_of(room, (uint64_t)HEADROOM);
	}
}

/* Each has its own bytes (headroom may have made neighbours overlap), and those again for a second reading. */
static void place_windows(struct track *track)
{
	size_t n = track->n_windows + track->n_proofs, total = 0;

	for (size_t i = 0; i < n; i++) {
		track->windows[i].ok = true; /* until it was tried */
		track->windows[i].at = (uint32_t)total;
		total += track->windows[i].len;
	}
	track->n_bytes = total;
	track->window_bytes =
		vec_grow(track->window_bytes, &track->window_bytes_cap, 2 * total + 1, 1);
	for (size_t i = 0; i < n; i++)
		add_span(track, track->windows[i].addr, track->window_bytes + track->windows[i].at,
			 track->windows[i].len);
}

/* ---- codes ---- */

/* Marks codes in python->proven with a unit number of its own, which proves nothing. */
static void learn_codes(struct python *python, struct track *track)
{
	uint32_t met = ++python->unit;
	size_t kept = 0;

	if (track->epoch != python->codes.epoch) { /* their ids are void */
		track->n_codes = track->now.n = track->last.n = 0;
		track->held_ns = 0;
	}
	track->epoch = python->codes.epoch;
	for (size_t i = 0; i < track->now.n; i++)
		if (track->now.frames[i].code && track->now.frames[i].id < python->codes.n)
			python->proven[track->now.frames[i].id] = met;
	for (size_t i = 0; i < track->n_codes; i++) {
		struct expected_code *code = &track->codes[i];

		code->n_missed =
			python->proven[code->id] == met ? 0 : (uint8_t)(code->n_missed + 1);
		python->proven[code->id] = 0;
		if ((code->n_missed <= KEEP_MISSED || track->n_held) &&
		    code_find(&python->codes, code_get(&python->codes, code->id)->addr) == code->id)
			track->codes[kept++] = *code;
		else
			track->held_ns = 0; /* its proofs will not be read */
	}
	track->n_codes = kept;
	for (size_t i = 0; i < track->now.n && track->n_codes < MAX_EXPECTED; i++) {
		uint32_t id = track->now.frames[i].id;

		if (!track->now.frames[i].code || id >= python->codes.n ||
		    python->proven[id] != met)
			continue;
		python->proven[id] = 0;
		track->codes = vec_grow(track->codes, &track->codes_cap, track->n_codes + 1,
					sizeof(*track->codes));
		track->codes[track->n_codes++] = (struct expected_code){.id = id};
	}
}

/* What has to be equal for a code to be the one that it was; codes of one file share its name's proof. */
static void add_proofs(const struct python *python, struct track *track, size_t *n)
{
	for (size_t i = 0; i < track->n_codes; i++) {
		const struct code *code = code_get(&python->codes, track->codes[i].id);

		for (uint32_t k = 0; k < code->n_proofs; k++)
			add_window(track, n, code->proofs[k].addr, code->proofs[k].len);
	}
}

static int by_place(const void *a, const void *b)
{
	const struct check *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static bool is_same_check(const struct check *a, const struct check *b)
{
	return a->at == b->at && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static void add_check(struct track *track, const struct proof *proof)
{
	const struct window *window = windows_find(track->windows + track->n_windows,
						   track->n_proofs, proof->addr, proof->len);

	assert(window); /* made of all proofs */
	track->checks = vec_grow(track->checks, &track->checks_cap, track->n_checks + 1,
				 sizeof(*track->checks));
	track->checks[track->n_checks++] =
		(struct check){.at = window->at + (uint32_t)(proof->addr - window->addr),
			       .len = proof->len,
			       .bytes = proof->bytes};
}

/* After place_windows().  The functions of a file share its name. */
static void learn_checks(const struct python *python, struct track *track)
{
	size_t kept = 0;

	track->n_checks = 0;
	for (size_t i = 0; i < track->n_codes && track->n_proofs; i++) {
		const struct code *code = code_get(&python->codes, track->codes[i].id);

		for (uint32_t k = 0; k < code->n_proofs; k++)
			add_check(track, &code->proofs[k]);
	}
	if (track->n_checks)
		qsort(track->checks, track->n_checks, sizeof(*track->checks), by_place);
	for (size_t i = 0; i < track->n_checks; i++)
		if (!kept || !is_same_check(&track->checks[kept - 1], &track->checks[i]))
			track->checks[kept++] = track->checks[i];
	track->n_checks = kept;
	track->shows[0] = track->shows[1] = SHOWS_UNASKED;
}

/* Are all its codes ones that can be told from any other by a number? */
static bool has_numbers(const struct python *python, const struct track *track)
{
	for (size_t i = 0; i < track->n_codes; i++)
		if (code_get(&python->codes, track->codes[i].id)->n_proofs > 1)
			return false;
	return python->layout.co_version != NO_FIELD;
}

static void learn_windows(const struct python *python, struct track *track)
{
	size_t n_frames = 0, n_proofs = 0;
	bool with_proofs = !track->count || track->n_restless;

	track->n_windows = 0;
	add_chain(python, track, &n_frames, &track->now, NULL);
	add_chain(python, track, &n_frames, &track->last, &track->now);
	track->n_windows = merge_windows(track, n_frames);
	add_headroom(track);
	for (size_t i = 0; i < track->n_windows; i++)
		track->windows[i].inner =
			python->layout.chain == CHAIN_OBJECTS ? 0 : track->windows[i].len;
	if (python->layout.chain != CHAIN_OBJECTS) {
		mark_inner(python, track, &track->now);
		mark_inner(python, track, &track->last);
	}
	if (with_proofs)
		add_proofs(python, track, &n_proofs);
	track->is_numbered = with_proofs && has_numbers(python, track);
	track->n_proofs = merge_windows(track, n_proofs);
	place_windows(track);
	learn_checks(python, track);
}

void track_learn(struct python *python, struct track *track)
{
	python->proven = vec_grow(python->proven, &python->proven_cap, python->codes.n + 1,
				  sizeof(*python->proven));
	add_fixed(python, track);
	learn_codes(python, track);
	learn_windows(python, track);
	add_collector(python, track);
	add_count(python, track);
	track->n_changed = 0;
	track->has_places = false;
	track->proofs_ns = 0;
	track->is_dirty = false;
}

void track_prepare(struct python *python, struct track *track)
{
	add_fixed(python, track);
	add_collector(python, track);
	add_count(python, track);
}

void track_free(struct track *track)
{
	if (!track)
		return;
	free(track->windows);
	free(track->window_bytes);
	free(track->codes);
	free(track->checks);
	free(track->spans);
	free(track->now.frames);
	free(track->last.frames);
	free(track->ids);
	free(track->evals);
	free(track);
}
