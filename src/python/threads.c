/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interpreters and threads: two kinds of linked lists in a process that does not stand still.
 *
 * One vectored read brings all links that are known from last time; if they still chain up from the runtime's
 * head to NULL, the list was whole at some instant and is used.  Else the lists are walked anew (from the bytes
 * just read where possible: new threads come in at the head) and read again.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/vec.h"
#include "python/python_private.h"

#define TRIES 4
#define WARM_FOR_NS NS_PER_MS /* what was read within it still is near */
#define TID_TRIES                                                                                  \
	100 /* looks: a new thread sets its tid soon, or it is of a kind that we cannot tell */

void unit_begin(struct python *python, size_t n_threads)
{
	memory_budget_set(python->memory, (uint32_t)(PYTHON_MAX_READS + n_threads * 2),
			  PYTHON_MAX_READ_BYTES + n_threads * 65536ull);
	python->unit++;
	python->extra.n = 0;
	python->extra.n_bytes = 0;
	python->stats.reads++;
}

int unit_readv(struct python *python, struct mem_span *spans, size_t n)
{
	for (size_t at = 0; at < n; at += MEMORY_MAX_SPANS) {
		int r = memory_readv(python->memory, spans + at,
				     min_of(n - at, (size_t)MEMORY_MAX_SPANS));

		if (r < 0)
			return r;
	}
	return 0;
}

void threads_done(struct python *python)
{
	for (size_t i = 0; i < python->n_threads; i++)
		track_free(python->tracks[i]);
	free(python->tracks);
	free(python->threads);
	map64_done(&python->by_tstate);
}

/* ---- reading what is known ---- */

static void add_span(struct python *python, size_t *n, raddr_t addr, void *into, size_t len)
{
	python->spans = vec_grow(python->spans, &python->spans_cap, *n + 1, sizeof(*python->spans));
	python->spans[(*n)++] = (struct mem_span){.addr = addr, .into = into, .len = len};
}

static void add_interpreter(struct python *python, size_t *n, raddr_t addr,
			    struct interpreter *into)
{
	const struct layout *layout = &python->layout;

	add_span(python, n, addr + layout->is_next, &into->next, 8);
	add_span(python, n, addr + layout->is_threads_head, &into->threads_head, 8);
	if (layout->is_gil != NO_FIELD)
		add_span(python, n, addr + layout->is_gil, &into->gil, 8);
	if (layout->is_tlbc_generation != NO_FIELD)
		add_span(python, n, addr + layout->is_tlbc_generation, &into->tlbc_generation, 4);
}

/* The GIL is read once for all threads of an interpreter, so that no look has two holders of one. */
static bool shares_gil(const struct python *python, size_t i)
{
	return i > 0 && python->tracks[i]->gil == python->tracks[i - 1]->gil;
}

static void take_known(struct python *python, const struct mem_span *spans, size_t per_thread)
{
	size_t at = 0;

	for (size_t i = 0; i < python->n_threads; i++) {
		struct track *track = python->tracks[i];
		bool is_shared = shares_gil(python, i);

		if (is_shared) {
			memcpy(track->gil_bytes, python->tracks[i - 1]->gil_bytes,
			       sizeof(track->gil_bytes));
			track->spans[0].ok = python->tracks[i - 1]->spans[0].ok;
		}
		for (size_t k = is_shared; k < per_thread; k++)
			track->spans[k].ok = spans[at++].ok;
	}
}

/*
 * Read along what a thread that runs and is not stopped will be read twice by in a moment.  What comes of it does not
 * matter: the pages and what leads to them are near then, so that the twofold read is quick enough to prove something;
 * at 100 Hz it nearly never was at the first try.
 */
static void add_warming(struct python *python, size_t *n)
{
	if (clock_monotonic_ns() - python->chased_ns < WARM_FOR_NS)
		return;
	for (size_t i = 0; i < python->n_threads; i++) {
		struct track *track = python->tracks[i];

		if (!track->is_chased || track->has_holes)
			continue;
		track->shows[0] = SHOWS_UNASKED;
		for (size_t k = track->first_window; k < track->n_spans; k++) {
			const struct mem_span *span = &track->spans[k];
			add_span(python, n, span->addr, span->into, span->len);
		}
	}
}

/* Fixed spans of every thread: GIL, state, cframes (see struct track). */
static int read_known(struct python *python, raddr_t *ret_head)
{
	size_t n = 0;

	add_span(python, &n, python->runtime + python->layout.rt_interpreters_head, ret_head, 8);
	for (size_t i = 0; i < python->n_interps; i++)
		add_interpreter(python, &n, python->interps[i].addr, &python->interps[i]);
	if (python->old_gil.lock)
		add_span(python, &n, python->old_gil.lock, &python->old_lock, 8);
	size_t first = n;
	size_t per_thread = python->layout.ts_cframe != NO_FIELD ? 3 : 2;
	for (size_t i = 0; i < python->n_threads; i++)
		for (size_t k = shares_gil(python, i); k < per_thread; k++) {
			const struct mem_span *span = &python->tracks[i]->spans[k];
			add_span(python, &n, span->addr, span->into, span->len);
		}
	add_warming(python, &n);
	int r = unit_readv(python, python->spans, n);
	if (r < 0)
		return r;
	if (!python->spans[0].ok)
		return ERR_GONE; /* the runtime itself is not mapped any more: exec */
	take_known(python, python->spans + first, per_thread);
	for (size_t i = 1; i < first; i++)
		if (!python->spans[i].ok)
			return ERR_TORN;
	return 0;
}

/* ---- does it chain up? ---- */

static raddr_t gil_of(const struct python *python, const struct interpreter *interp)
{
	if (python->layout.rt_gil != NO_FIELD)
		return python->runtime + python->layout.rt_gil;
	return python->layout.is_gil != NO_FIELD ? interp->gil : python->old_gil.holder;
}

static bool is_interp_list(const struct python *python, raddr_t head)
{
	for (size_t i = 0; i < python->n_interps; i++) {
		if (python->interps[i].addr != head)
			return false;
		head = python->interps[i].next;
	}
	return head == 0 || python->n_interps == PYTHON_MAX_INTERPRETERS;
}

/* Threads of python->threads are in the order of their interpreters' lists. */
static bool is_thread_list(const struct python *python)
{
	const struct layout *layout = &python->layout;
	size_t at = 0;

	for (size_t i = 0; i < python->n_interps; i++) {
		const struct interpreter *interp = &python->interps[i];
		raddr_t next = interp->threads_head;

		for (; at < python->n_threads && python->threads[at].interp == interp->addr; at++) {
			const struct track *track = python->tracks[at];

			if (track->tstate != next || !track->spans[1].ok ||
			    word_at(track->state_bytes, layout->ts_interp) != interp->addr ||
			    word_at(track->state_bytes, layout->ts_thread_id) != track->ident ||
			    track->gil != gil_of(python, interp))
				return false;
			next = word_at(track->state_bytes, layout->ts_next);
		}
		if (next && python->n_threads < PYTHON_MAX_THREADS)
			return false;
	}
	return at == python->n_threads;
}

/* ---- walking the lists anew ---- */

static int list_interps(struct python *python, raddr_t head)
{
	struct interpreter interp;

	python->n_interps = 0;
	for (raddr_t at = head; at && python->n_interps < PYTHON_MAX_INTERPRETERS;
	     at = interp.next) {
		size_t n = 0;

		interp = (struct interpreter){.addr = at};
		add_interpreter(python, &n, at, &interp);
		int r = unit_readv(python, python->spans, n);
		if (r < 0)
			return r;
		for (size_t i = 0; i < n; i++)
			if (!python->spans[i].ok)
				return ERR_TORN;
		/* A list that meets itself again is not one. */
		for (size_t i = 0; i < python->n_interps; i++)
			if (python->interps[i].addr == at)
				return ERR_TORN;
		python->interps[python->n_interps++] = interp;
	}
	return 0;
}

struct listing {
	struct track **tracks;
	struct python_thread *threads;
	size_t n, tracks_cap, threads_cap;
	struct map64 by_tstate;
	uint32_t n_over_limit;
};

/* The track of a thread that was known before (taken over), or a new one whose state is read now. */
static int take_track(struct python *python, const struct interpreter *interp, raddr_t tstate,
		      struct track **ret_track)
{
	const uint32_t *known = map64_get(&python->by_tstate, tstate);
	struct track *track = known && *known ? python->tracks[*known - 1] : NULL;
	const struct layout *layout = &python->layout;
	uint8_t bytes[THREAD_STATE_MAX_BYTES];

	if (track && track->spans[1].ok) {
		memcpy(bytes, track->state_bytes, python->state_bytes);
	} else {
		int r = memory_read(python->memory, tstate, bytes, python->state_bytes);
		if (r < 0)
			return r == -EFAULT ? ERR_TORN : r;
	}
	if (word_at(bytes, layout->ts_interp) != interp->addr)
		return ERR_TORN;
	raddr_t gil = gil_of(python, interp);
	uint64_t ident = word_at(bytes, layout->ts_thread_id);
	bool is_new = !track || track->ident != ident || track->gil != gil;
	if (is_new) {
		track = xcalloc(1, sizeof(*track));
		track->tstate = tstate;
		track->interp = interp->addr;
		track->gil = gil;
		track->ident = ident;
		track->is_new = true;
		memcpy(track->state_bytes, bytes, python->state_bytes);
		if (layout->ts_cframe != NO_FIELD)
			track->cframe = track->before = word_at(bytes, layout->ts_cframe);
		track_prepare(python, track);
	} else {
		python->tracks[*known - 1] = NULL; /* taken over */
		*map64_put(&python->by_tstate, tstate, NULL) = 0;
	}
	*ret_track = track;
	return 0;
}

static int list_thread(struct python *python, struct listing *listing,
		       const struct interpreter *interp, raddr_t tstate, raddr_t *ret_next)
{
	struct track *track;
	bool is_first;

	map64_put(&listing->by_tstate, tstate, &is_first);
	if (!is_first)
		return ERR_TORN; /* a cycle */
	int r = take_track(python, interp, tstate, &track);
	if (r < 0)
		return r;
	size_t i = listing->n++;
	listing->tracks = vec_grow(listing->tracks, &listing->tracks_cap, listing->n,
				   sizeof(*listing->tracks));
	listing->threads = vec_grow(listing->threads, &listing->threads_cap, listing->n,
				    sizeof(*listing->threads));
	listing->tracks[i] = track;
	listing->threads[i] = (struct python_thread){
		.tstate = tstate,
		.interp = interp->addr,
		.ident = track->ident,
	};
	*map64_put(&listing->by_tstate, tstate, NULL) = (uint32_t)i + 1;
	*ret_next = word_at(track->state_bytes, python->layout.ts_next);
	return 0;
}

static int list_threads(struct python *python, struct listing *listing)
{
	for (size_t i = 0; i < python->n_interps; i++) {
		raddr_t at = python->interps[i].threads_head;

		while (at) {
			if (listing->n >= PYTHON_MAX_THREADS) {
				listing->n_over_limit++;
				break;
			}
			int r = list_thread(python, listing, &python->interps[i], at, &at);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Whatever came of the listing, what it has is what we know from now on; the next look checks it. */
static void adopt(struct python *python, struct listing *listing)
{
	threads_done(python);
	python->tracks = listing->tracks;
	python->threads = listing->threads;
	python->n_threads = listing->n;
	python->tracks_cap = listing->tracks_cap;
	python->threads_cap = listing->threads_cap;
	python->by_tstate = listing->by_tstate;
	python->n_over_limit = listing->n_over_limit;
}

static int list_anew(struct python *python, raddr_t head)
{
	struct listing listing = {0};
	int r = list_interps(python, head);

	if (r < 0)
		return r;
	r = list_threads(python, &listing);
	adopt(python, &listing);
	return r;
}

/* ---- the look ---- */

static pid_t own_tid(const struct python *python, const struct track *track)
{
	if (python->layout.ts_native_thread_id == NO_FIELD)
		return 0;
	uint64_t tid = word_at(track->state_bytes, python->layout.ts_native_thread_id);
	return tid <= INT32_MAX ? (pid_t)tid : 0;
}

/*
 * The C library's number first: the kernel writes it, also after a fork, which uWSGI does without telling Python (its
 * workers have the master's native_thread_id).
 */
static pid_t tid_of(struct python *python, const struct track *track)
{
	pid_t known = thread_tid(python, track->ident);

	return known ? known : own_tid(python, track);
}

static raddr_t head_of(const struct python *python, const struct track *track)
{
	const struct layout *layout = &python->layout;

	if (layout->ts_cframe == NO_FIELD)
		return word_at(track->state_bytes, layout->ts_frame);
	/* Where the _PyCFrame moved its address stands for the frame: both are new with every entry from C. */
	raddr_t cframe = word_at(track->state_bytes, layout->ts_cframe);
	if (!track->spans[2].ok || track->spans[2].addr != cframe)
		return cframe;
	return word_at(track->cframe_bytes, layout->cframe_current);
}

static void describe(struct python *python, size_t i, struct python_look *look)
{
	struct track *track = python->tracks[i];
	struct python_thread *thread = &python->threads[i];
	raddr_t head = head_of(python, track);

	if (!track->tid && track->n_tid_tries < TID_TRIES) {
		track->n_tid_tries++;
		track->tid = tid_of(python, track);
	}
	thread->tid = track->tid;
	thread->is_inherited = own_tid(python, track) != 0 && own_tid(python, track) != track->tid;
	thread->is_new = track->is_new;
	track->is_new = false;
	thread->holds_gil = track_holds_gil(python, track);
	thread->runs_python = track_runs_python(python, track);
	look->n_running += thread->runs_python;
	thread->is_changed = thread->is_new || head != track->head;
	thread->has_frames = head != 0 && head != track_base(python, track);
	track->head = head;
	if (thread->holds_gil && look->holder == PYTHON_NO_THREAD)
		look->holder = (uint32_t)i;
}

/* Make ready outside of the pause what the last walks taught. */
static void learn_all(struct python *python)
{
	code_cache_trim(&python->codes);
	for (size_t i = 0; i < python->n_threads; i++)
		if (python->tracks[i]->is_dirty ||
		    (python->tracks[i]->is_warm && python->tracks[i]->epoch != python->codes.epoch))
			track_learn(python, python->tracks[i]);
}

/* Threads of builds without a GIL run copies of the bytecode; a moved count says that some are others now. */
static void note_copies(struct python *python)
{
	uint32_t generation = 0;

	for (size_t i = 0; i < python->n_interps; i++)
		generation += python->interps[i].tlbc_generation;
	python->codes.copies_epoch = generation;
}

int python_look(struct python *python, struct python_look *ret_look)
{
	bool is_list_changed = false;
	struct python_look look = {.holder = PYTHON_NO_THREAD};
	raddr_t head = 0;

	learn_all(python);
	unit_begin(python, PYTHON_MAX_THREADS);
	python->stats.looks++;
	for (int tries = 0;; tries++) {
		int r = read_known(python, &head);
		if (r == 0 && is_interp_list(python, head) && is_thread_list(python))
			break;
		if (r < 0 && r != ERR_TORN)
			return r;
		if (tries >= TRIES)
			return ERR_TORN;
		r = list_anew(python, head);
		is_list_changed = true;
		if (r < 0 && r != ERR_TORN)
			return r;
	}
	note_copies(python);
	for (size_t i = 0; i < python->n_threads; i++)
		describe(python, i, &look);
	look.threads = python->threads;
	look.n = (uint32_t)python->n_threads;
	look.is_list_changed = is_list_changed;
	look.n_over_limit = python->n_over_limit + (python->n_interps == PYTHON_MAX_INTERPRETERS);
	*ret_look = look;
	return 0;
}

bool python_is_gil_futex(const struct python *python, raddr_t futex)
{
	for (size_t i = 0; i < python->n_interps; i++) {
		raddr_t gil = gil_of(python, &python->interps[i]);

		if (futex >= gil && futex - gil < python->layout.gil_size)
			return true;
	}
	return old_gil_has_futex(python, futex);
}
