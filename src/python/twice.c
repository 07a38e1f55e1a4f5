/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that nobody stopped: everything that their stacks hang on is read twice, in one call, in this order:
 *
 *	GIL · count of codes, proofs · state, frames · state, frames · proofs, collector, count · GIL
 *
 * without the GIL where it does not matter, and without the first proofs where codes are numbered, or where the
 * call before read them behind its stack just now: at high rates each reading of proofs is the last of one sample
 * and the first of the next, and they lie no further apart than in a call that reads them twice.
 *
 * The kernel copies spans in order, so that between the two readings of the stack there is a moment T.
 *   1. What is equal in both readings had that value at T, unless it changed and changed back within the call.
 *   2. So the current frame and each frame's code, caller and owner, and the instruction of each caller, were at
 *      T what the first reading shows; the instruction of the innermost frame, which moves all the time, was
 *      read while that frame was the innermost.  The chain has to be whole like any other (walk.c).
 *   3. Its codes were the ones that we know: proofs were equal before and after it, or the count of code
 *      objects, read after it, is what it was when they were proven.  Only where the count was the same before
 *      the stack, too, does it tell of codes that are proven now.
 *   4. To change and change back unseen a thread has to leave a frame and come back to it, within the time
 *      between two copies of the same bytes: about 1 us.  And only what was mixed in the same way in both
 *      readings can show a stack that never was.  A call that took long (an interrupt, a page, a virtual
 *      CPU that was taken away) gives it more time: it is made again, whatever it has read.
 * Who runs on is lost more often the faster it calls and returns; that bias is `--nonblocking`'s, and is said.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/vec.h"
#include "python/python_private.h"

#define MAX_TRIES 4 /* calls for one thread: too slow, or the prediction learnt something */

/*
 * What a call should take, in ns.  Which times are possible depends on the machine, so the best ratio of late
 * to that is remembered; a call that took no longer than it should is always quick enough.
 */
#define CALL_NS 1200
#define SPAN_NS 300
#define BYTES_A_NS 10
#define PROOFS_FRESH_NS (30 * NS_PER_US) /* what a twofold read of 50 frames and codes may take */
#define PACE_ONE 256			 /* fixed point of that ratio */
#define PACE_SLOW 2			 /* times the best: too slow */
#define PACE_RELAX 1024			 /* the best is forgotten by this part with each call */

/* While a batch is read its outcomes are also: */
enum { PENDING = 0xff };

/* ---- the call ---- */

static void add_span(struct python *python, size_t *n, raddr_t addr, void *into, size_t len)
{
	python->spans = vec_grow(python->spans, &python->spans_cap, *n + 1, sizeof(*python->spans));
	python->spans[(*n)++] = (struct mem_span){.addr = addr, .into = into, .len = len};
}

static void add_again(struct python *python, size_t *n, const struct mem_span *span, void *into)
{
	add_span(python, n, span->addr, into, span->len);
}

static void add_windows(struct python *python, size_t *n, const struct track *track, size_t from,
			size_t to, bool is_again)
{
	for (size_t i = from; i < to; i++) {
		uint8_t *into = track->window_bytes + track->windows[i].at;

		add_again(python, n, &track->spans[track->first_window + i],
			  is_again ? into + track->n_bytes : into);
	}
}

static void add_stack(struct python *python, size_t *n, struct track *track, bool is_again)
{
	const struct mem_span *spans = track->spans;

	add_again(python, n, &spans[1], is_again ? track->state_again : track->state_bytes);
	if (track->first_window > 2) {
		add_again(python, n, &spans[2],
			  is_again ? track->cframe_again : track->cframe_bytes);
		add_again(python, n, &spans[3],
			  is_again ? track->before_again : track->before_bytes);
	}
	add_windows(python, n, track, 0, track->n_windows, is_again);
}

/* Do the proofs have to be read before the stack, too?  Asked once for each call: take_results() has to agree. */
static bool needs_first_proofs(const struct track *track)
{
	return !track->is_numbered && !track->proofs_ns;
}

static void add_track(struct python *python, size_t *n, struct track *track, bool with_gil,
		      int64_t now_ns)
{
	size_t n_all = track->n_windows + track->n_proofs;
	size_t behind = track->first_window + n_all;

	if (with_gil)
		add_again(python, n, &track->spans[0], track->gil_bytes);
	if (track_counter(python, track))
		add_again(python, n, &track->spans[track->n_spans - 1], &track->count_first);
	if (now_ns - track->proofs_ns > PROOFS_FRESH_NS)
		track->proofs_ns = 0;
	if (needs_first_proofs(track))
		add_windows(python, n, track, track->n_windows, n_all, false);
	track->has_proofs_again =
		needs_first_proofs(track) || (!track->is_numbered && !track->has_proofs_again);
	add_stack(python, n, track, false);
	add_stack(python, n, track, true);
	add_windows(python, n, track, track->n_windows, n_all, track->has_proofs_again);
	for (size_t i = behind; i < track->n_spans; i++)
		add_again(python, n, &track->spans[i], track->spans[i].into);
	if (with_gil)
		add_again(python, n, &track->spans[0], track->gil_again);
}

/* The spans of a track are as good as both of their readings were.  Returns how many it had together. */
static size_t take_results(const struct python *python, struct track *track,
			   const struct mem_span *spans, bool with_gil, int64_t ended_ns)
{
	size_t n_stack = track->first_window - 1 + track->n_windows;
	size_t n_proofs = track->n_proofs, at = 0;
	struct mem_span *stack = track->spans + 1, *proofs = stack + n_stack;
	bool gil_ok = with_gil && spans[at++].ok;
	bool first_ok = !track_counter(python, track) || spans[at++].ok, are_proofs_ok = true;

	for (size_t i = 0; i < n_proofs; i++)
		proofs[i].ok = !needs_first_proofs(track) || spans[at++].ok;
	for (size_t i = 0; i < n_stack; i++)
		stack[i].ok = spans[at++].ok;
	for (size_t i = 0; i < n_stack; i++)
		stack[i].ok &= spans[at++].ok;
	for (size_t i = 0; i < n_proofs; i++, at++) {
		are_proofs_ok = are_proofs_ok && spans[at].ok;
		proofs[i].ok &= spans[at].ok;
	}
	track->proofs_ns = are_proofs_ok ? ended_ns : 0;
	for (size_t i = 1 + n_stack + n_proofs; i < track->n_spans; i++)
		track->spans[i].ok = spans[at++].ok;
	track->spans[track->n_spans - 1].ok &= first_ok;
	if (with_gil)
		track->spans[0].ok = gil_ok & spans[at++].ok;
	return at;
}

/* Invariant 4. */
static bool is_swift(struct python *python, int64_t took_ns, size_t n_spans)
{
	uint64_t bytes = 0, should_ns;
	uint32_t pace;

	for (size_t i = 0; i < n_spans; i++)
		bytes += python->spans[i].len;
	should_ns = CALL_NS + n_spans * SPAN_NS + bytes / BYTES_A_NS;
	pace = (uint32_t)min_of((uint64_t)max_of(took_ns, (int64_t)1) * PACE_ONE / should_ns,
				(uint64_t)UINT32_MAX / PACE_SLOW);
	python->best_pace += python->best_pace / PACE_RELAX + 1;
	if (pace < python->best_pace || python->best_pace == 1)
		python->best_pace = pace;
	return pace <= max_of((uint32_t)PACE_ONE, PACE_SLOW * python->best_pace);
}

/* ---- what it has brought ---- */

static bool is_same_state(const struct python *python, const struct track *track)
{
	const struct layout *layout = &python->layout;
	const uint16_t words[] = {layout->ts_interp, layout->ts_thread_id, layout->ts_frame,
				  layout->ts_cframe};

	if (word_at(track->state_bytes, layout->ts_thread_id) != track->ident)
		return false; /* the thread has ended, and its state is another's */
	for (size_t i = 0; i < array_len(words); i++)
		if (words[i] != NO_FIELD &&
		    word_at(track->state_bytes, words[i]) != word_at(track->state_again, words[i]))
			return false;
	if (layout->ts_cframe == NO_FIELD)
		return true;
	return memcmp(track->cframe_bytes, track->cframe_again, layout->cframe_size) == 0 &&
	       memcmp(track->before_bytes, track->before_again, layout->cframe_size) == 0;
}

static bool is_same_frame(const struct python *python, const struct track *track,
			  const struct raw_frame *frame, bool is_innermost)
{
	const struct layout *layout = &python->layout;
	const uint8_t *first = track->window_bytes + frame->at;
	const uint8_t *again = first + track->n_bytes;

	if (word_at(first, layout->frame_code) != word_at(again, layout->frame_code) ||
	    word_at(first, layout->frame_previous) != word_at(again, layout->frame_previous))
		return false;
	if (layout->frame_owner != NO_FIELD &&
	    first[layout->frame_owner] != again[layout->frame_owner])
		return false;
	if (is_innermost)
		return true;
	return layout->instr_unit
		       ? memcmp(first + layout->frame_instr, again + layout->frame_instr, 4) == 0
		       : word_at(first, layout->frame_instr) == word_at(again, layout->frame_instr);
}

/* Frames and cframes that were read one by one were read once. */
static bool is_whole_in_windows(const struct track *track)
{
	if (track->first_window > 2 &&
	    (track->spans[2].addr != track->cframe || track->spans[3].addr != track->before))
		return false;
	for (size_t i = 0; i < track->now.n; i++)
		if (track->now.frames[i].at == NOT_IN_WINDOWS)
			return false;
	return true;
}

static bool is_equal_twice(const struct python *python, const struct track *track)
{
	const struct chain *chain = &track->now;

	if (!is_same_state(python, track))
		return false;
	for (size_t i = 0; i < chain->n; i++)
		if (!is_same_frame(python, track, &chain->frames[i], i == 0))
			return false;
	for (size_t i = track->n_windows;
	     !track->is_numbered && i < track->n_windows + track->n_proofs; i++) {
		const uint8_t *first = track->window_bytes + track->windows[i].at;

		if (memcmp(first, first + track->n_bytes, track->windows[i].len) != 0)
			return false;
	}
	return true;
}

/* Codes that were read after the stack are those of the stack if the count still stands.  Invariant 3. */
static int has_same_count(struct python *python, const struct track *track)
{
	uint32_t count;
	int r;

	if (!track->n_resolved)
		return 1;
	if (!track->count || track->count_first != track->count)
		return 0;
	r = memory_read(python->memory, track_counter(python, track), &count, sizeof(count));
	if (r < 0)
		return r == -EFAULT || r == ERR_LIMIT ? 0 : r;
	return count == track->count;
}

static bool was_running(const struct python *python, struct track *track)
{
	if (track_runs_python(python, track))
		return true;
	memcpy(track->gil_bytes, track->gil_again, sizeof(track->gil_bytes));
	memcpy(track->state_bytes, track->state_again, sizeof(track->state_bytes));
	return track_runs_python(python, track);
}

/* An outcome, PENDING when another try may know more, or negative. */
static int judge(struct python *python, struct track *track, unsigned flags)
{
	int r = track_walk(python, track);

	if (r < 0 || r == PYTHON_OVER_BUDGET)
		return r;
	if (!(flags & PYTHON_ANY) && was_running(python, track))
		return PYTHON_TORN;
	if (r != PYTHON_COMPLETE)
		return track->is_dirty ? PENDING : PYTHON_TORN;
	if (!is_whole_in_windows(track))
		return PENDING;
	if (!is_equal_twice(python, track))
		return PYTHON_TORN;
	r = has_same_count(python, track);
	if (r < 0)
		return r;
	return r ? PYTHON_COMPLETE : PENDING;
}

/* ---- several threads ---- */

/* One call for those of threads[from..to) that are still pending. */
static int read_pending(struct python *python, const uint32_t *threads, size_t from, size_t to,
			unsigned flags, uint8_t *outcomes)
{
	size_t n = 0, at = 0;
	int64_t began_ns = clock_monotonic_ns(), ended_ns;
	bool swift;
	int r;

	unit_begin(python, to - from);
	for (size_t i = from; i < to; i++)
		if (outcomes[i] == PENDING)
			add_track(python, &n, python->tracks[threads[i]], !(flags & PYTHON_ANY),
				  began_ns);
	if (n == 0)
		return 0;
	python->chased_ns = began_ns = clock_monotonic_ns();
	r = unit_readv(python, python->spans, n);
	if (r < 0)
		return r;
	ended_ns = clock_monotonic_ns();
	swift = is_swift(python, ended_ns - began_ns, n) || !(flags & PYTHON_ANY);
	for (size_t i = from; i < to; i++)
		if (outcomes[i] == PENDING)
			at += take_results(python, python->tracks[threads[i]], python->spans + at,
					   !(flags & PYTHON_ANY), ended_ns);
	for (size_t i = from; i < to && swift; i++) {
		struct track *track = python->tracks[threads[i]];

		if (outcomes[i] != PENDING)
			continue;
		r = judge(python, track, flags);
		if (r < 0)
			return r;
		/* What many threads together are too much for is less each time: they share codes. */
		outcomes[i] = r == PYTHON_OVER_BUDGET && to - from > 1 ? PENDING : (uint8_t)r;
		if (track->is_dirty)
			track_learn(python, track);
	}
	return 0;
}

static int read_until_judged(struct python *python, const uint32_t *threads, size_t from, size_t to,
			     unsigned flags, uint8_t *outcomes)
{
	for (int i = 0; i < MAX_TRIES; i++) {
		int r = read_pending(python, threads, from, to, flags, outcomes);

		if (r < 0)
			return r;
		if (to - from == 1 && outcomes[from] != PENDING)
			break;
	}
	return 0;
}

/* Threads that run are read by themselves: a longer call would give them more time to change.  */
static int read_all(struct python *python, const uint32_t *threads, size_t n, unsigned flags,
		    uint8_t *outcomes)
{
	for (size_t i = 0; i < n && flags & PYTHON_ANY; i++) {
		int r;

		python->tracks[threads[i]]->is_chased = python->threads[threads[i]].runs_python;
		if (!python->threads[threads[i]].runs_python)
			continue;
		r = read_until_judged(python, threads, i, i + 1, flags, outcomes);
		if (r < 0)
			return r;
		if (outcomes[i] == PENDING)
			outcomes[i] = PYTHON_TORN;
	}
	return read_until_judged(python, threads, 0, n, flags, outcomes);
}

int python_read_waiting(struct python *python, const uint32_t *threads, size_t n, unsigned flags,
			uint8_t *ret_outcomes)
{
	int r;

	for (size_t i = 0; i < n; i++)
		if (threads[i] >= python->n_threads)
			return ERR_USAGE;
	memset(ret_outcomes, PENDING, n);
	r = read_all(python, threads, n, flags, ret_outcomes);
	if (r < 0)
		memset(ret_outcomes, PYTHON_TORN, n);
	for (size_t i = 0; i < n; i++)
		if (ret_outcomes[i] == PENDING)
			ret_outcomes[i] = python_fault(python, threads[i]) == PYTHON_TOO_MUCH
						  ? PYTHON_OVER_BUDGET
						  : PYTHON_TORN;
	return r == ERR_LIMIT ? 0 : r;
}
