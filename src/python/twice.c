/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that nobody stopped: all that a stack hangs on is read in one call, and its inner part twice, in this order:
 *
 *	GIL, state · count of codes, proofs · inner frames · state · all frames · proofs, collector, count · GIL
 *
 * without the GIL and the first state where it does not matter, without the first count where it proves all codes
 * already, and without the first proofs where codes are numbered, or where the call before read them behind its
 * stack just now: at high rates each reading of proofs is the last of one sample and the first of the next, and they
 * lie no further apart than in a call that reads them twice.
 *
 * The kernel copies spans in order, so that between the two readings of the inner frames there is a moment T.
 *   1. What is equal in both readings had that value at T, unless it changed and changed back within the call.  The
 *      current frame is what the state, read at T, says.
 *   2. So each inner frame's code, caller and owner, and the instruction of each inner caller, were at T what the
 *      second reading shows; the instruction of the innermost frame, which moves all the time, was read while that
 *      frame was the innermost or about to be left.  The chain has to be whole like any other (walk.c).
 *   3. A caller does not change while what it called runs.  So the outer frames, which are callers of inner ones that
 *      stood for all of the call, need to be read only once.  To come back unseen to INNER_DEPTH equal frames a
 *      thread has to leave and make all of them again, and even then the copy of the outer ones, 100 ns long,
 *      has to fall into the change.  Up to 3.10 frames lie anywhere and are read one by one, which takes long
 *      enough for that: there all frames are inner ones.
 *   4. Its codes were the ones that we know: proofs were equal before and after it, or the count of code
 *      objects, read after it, is what it was when they were proven.  Only where the count was the same before
 *      the stack, too, does it tell of codes that are proven now.
 *      A stack may rest on proofs that one of the next readings brings, where those before it and those are equal
 *      and lie no further apart than such two ever do: it is HELD until then.
 *   5. To change and change back unseen a thread has to leave a frame and come back to it, within the time
 *      between two copies of the same bytes: 1 to 2 us.  And only what was mixed in the same way in both
 *      readings can show a stack that never was.  A call that took long (an interrupt, a page, a virtual
 *      CPU that was taken away) gives it more time: it is made again, whatever it has read.
 *   6. A frame that was left stays in memory until the next one of its depth is made, and below callers that are called
 *      in the meantime it shows a stack that never was.  Whether the innermost frame runs is told by what keeps its stack
 *      pointer: nobody needs it there while the frame runs, and leaving it puts it there (3.11+).  One that may have been
 *      left in either reading counts only where the current frame was the same before, between and behind the two
 *      readings, for which a second try asks.  So does a generator's frame, which lies in one place whoever its caller is,
 *      and a shim, which names no caller any more when it has just been left: the thread would seem to run no Python.
 *   7. What makes no sense was mostly read while it changed: it is the target's fault only in that case, too.
 * Who runs on is lost more often the faster it calls and returns; that bias is `--nonblocking`'s, and is said.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/vec.h"
#include "python/python_private.h"

#define MAX_TRIES 4 /* calls for one thread: too slow, or the prediction learnt something */

/*
 * What a call should take, in ns.  Which times are possible depends on the machine, and on what is near, so the best
 * ratio of late to that is remembered; a call that took no longer than it should is always quick enough.
 */
#define CALL_NS 1200
#define SPAN_NS 300
#define BYTES_A_NS 10
#define PROOFS_FRESH_NS (40 * NS_PER_US) /* no code dies, and comes back after another, as fast */
#define HOLDING_RELAX 256
#define BETWEEN_NS (4 * NS_PER_US) /* from one call's end to the next one's beginning */
#define PACE_ONE 65536		   /* fixed point of that ratio */
#define PACE_SLOW 2		   /* times the best: too slow */
/* The best is forgotten by these parts with each call, cold and hot: what is near is quick, and stays so. */
static const uint32_t pace_relax[] = {256, 16384};
#define HOT_NS (30 * NS_PER_US) /* since the call before */

/* While a batch is read its outcomes are also: */
enum { PENDING = 0xff };

/* ---- the call ---- */

/* `part` is the span of the track that this is a reading of: it is as good as all its readings. */
static void add_reading(struct python *python, size_t *n, struct mem_span *part, raddr_t addr,
			void *into, size_t len)
{
	python->spans[*n] = (struct mem_span){.addr = addr, .into = into, .len = len};
	python->parts[(*n)++] = part;
}

static void add_again(struct python *python, size_t *n, struct mem_span *part, void *into)
{
	add_reading(python, n, part, part->addr, into, part->len);
}

static void add_windows(struct python *python, size_t *n, struct track *track, size_t from,
			size_t to, bool is_again)
{
	for (size_t i = from; i < to; i++) {
		uint8_t *into = track->window_bytes + track->windows[i].at;

		add_again(python, n, &track->spans[track->first_window + i],
			  is_again ? into + track->n_bytes : into);
	}
}

static void add_inner(struct python *python, size_t *n, struct track *track)
{
	for (size_t i = 0; i < track->n_windows; i++) {
		const struct window *window = &track->windows[i];
		uint8_t *into = track->window_bytes + track->n_bytes + window->at;

		if (window->inner < window->len)
			add_reading(python, n, &track->spans[track->first_window + i],
				    window->addr + window->inner, into + window->inner,
				    window->len - window->inner);
	}
}

/* Where all frames are inner ones the first reading counts, between two of the state: that of the innermost is older. */
static bool begins_with_state(const struct python *python)
{
	return python->layout.chain == CHAIN_OBJECTS;
}

/* In an order in which what lies side by side follows each other (proc/memory.c reads it as one). */
static void add_state(struct python *python, size_t *n, struct track *track)
{
	struct mem_span *spans = track->spans;
	bool has_cframes = track->first_window > 2;
	bool is_before_first = has_cframes && spans[3].addr < spans[2].addr;

	add_again(python, n, &spans[1], spans[1].into);
	if (!has_cframes)
		return;
	add_again(python, n, &spans[2 + is_before_first], spans[2 + is_before_first].into);
	add_again(python, n, &spans[3 - is_before_first], spans[3 - is_before_first].into);
}

/* The outer windows first: some are beside the state. */
static void add_frames(struct python *python, size_t *n, struct track *track)
{
	for (int has_inner = 0; has_inner < 2; has_inner++)
		for (size_t i = 0; i < track->n_windows; i++)
			if ((track->windows[i].inner < track->windows[i].len) == has_inner)
				add_windows(python, n, track, i, i + 1, false);
}

static void add_stack(struct python *python, size_t *n, struct track *track)
{
	if (begins_with_state(python)) {
		add_again(python, n, &track->spans[1], track->state_again);
		add_windows(python, n, track, 0, track->n_windows, false);
	} else {
		add_inner(python, n, track);
	}
	add_state(python, n, track);
	if (begins_with_state(python))
		add_inner(python, n, track);
	else
		add_frames(python, n, track);
}

/* What names the current frame, where that is not the moment T of the state itself. */
static void add_head(struct python *python, size_t *n, struct track *track, bool is_behind)
{
	const struct layout *layout = &python->layout;
	bool is_in_state = layout->ts_cframe == NO_FIELD;
	struct mem_span *part = &track->spans[is_in_state ? 1 : 2];
	size_t at = is_in_state ? layout->ts_frame : layout->cframe_current;

	if (track->has_heads)
		add_reading(python, n, part, part->addr + at, &track->heads[is_behind],
			    sizeof(track->heads[0]));
}

static void add_count(struct python *python, size_t *n, struct track *track)
{
	bool proves_all = track->count && track->now.stamp == track->count;

	track->has_count_first = track_counter(python, track) && !proves_all;
	if (track->has_count_first)
		add_again(python, n, &track->spans[track->n_spans - 1], &track->count_first);
}

/*
 * May its codes be proven by the next reading?  Only those that the last one has shown.  Up to 3.10 a stack alone takes
 * 15-20 us, so that the next proofs would come too late for most.
 */
static bool may_be_held(const struct python *python, const struct track *track, int64_t now_ns)
{
	return python->layout.chain != CHAIN_OBJECTS && track->n_proofs && !track->is_numbered &&
	       !track_counter(python, track) && track->n_held < PYTHON_MAX_HELD &&
	       track->are_shown && track->now.is_expected &&
	       now_ns + min_of(track->holding_ns, track->proving_ns) + track->proving_ns +
			       BETWEEN_NS - track->proofs_ns <
		       PROOFS_FRESH_NS;
}

/* Around the stack, or behind it only; without any when a later reading proves its codes.  Invariant 4. */
static void add_proofs(struct python *python, size_t *n, struct track *track, bool is_first)
{
	size_t n_all = track->n_windows + track->n_proofs;
	bool needs_first = !track->is_numbered && !track->proofs_ns;

	if (track->is_held || (is_first && !needs_first))
		return;
	if (!is_first)
		track->has_proofs_again =
			needs_first || (!track->is_numbered && !track->has_proofs_again);
	track->shows[!is_first && track->has_proofs_again] = SHOWS_UNASKED;
	add_windows(python, n, track, track->n_windows, n_all,
		    !is_first && track->has_proofs_again);
}

static void add_track(struct python *python, size_t *n, struct track *track, unsigned flags,
		      int64_t now_ns)
{
	size_t behind = track->first_window + track->n_windows + track->n_proofs;
	size_t most = *n + 2 * track->n_spans + 6;
	bool with_gil = !(flags & PYTHON_ANY);

	python->spans = vec_grow(python->spans, &python->spans_cap, most, sizeof(*python->spans));
	python->parts = vec_grow(python->parts, &python->parts_cap, most, sizeof(*python->parts));
	if (with_gil) {
		add_again(python, n, &track->spans[0], track->gil_bytes);
		add_again(python, n, &track->spans[1], track->state_again);
	}
	add_count(python, n, track);
	if (now_ns - track->proofs_ns > PROOFS_FRESH_NS)
		track->proofs_ns = 0;
	/* A second try has its first proofs from the one before; the next reading may be far away. */
	track->is_held =
		!track->has_heads && flags & PYTHON_MAY_HOLD && may_be_held(python, track, now_ns);
	add_proofs(python, n, track, true);
	add_head(python, n, track, false);
	add_stack(python, n, track);
	add_head(python, n, track, true);
	add_proofs(python, n, track, false);
	for (size_t i = behind; i < track->n_spans; i++)
		add_again(python, n, &track->spans[i], track->spans[i].into);
	if (with_gil)
		add_again(python, n, &track->spans[0], track->gil_again);
}

/* The spans of a track are as good as all of their readings were. */
static void take_results(const struct python *python, size_t n)
{
	for (size_t i = 0; i < n; i++)
		python->parts[i]->ok = true;
	for (size_t i = 0; i < n; i++)
		python->parts[i]->ok &= python->spans[i].ok;
}

/*
 * Proofs that were read whole are the first ones of the next call.  Whatever this call's stack is worth, they tell of
 * those that were held.
 */
static void note_proofs(struct track *track, int64_t began_ns, int64_t ended_ns)
{
	size_t first = track->first_window + track->n_windows;

	if (track->is_held) {
		track->holding_ns = ended_ns - began_ns;
		return;
	}
	track->proving_ns = ended_ns - began_ns;
	track->holding_ns -=
		track->holding_ns / HOLDING_RELAX; /* or one late call forbids it for ever */
	track->proofs_ns = ended_ns;
	for (size_t i = first; i < first + track->n_proofs; i++)
		if (!track->spans[i].ok)
			track->proofs_ns = 0;
	if (track->n_held && track->proofs_ns && ended_ns - track->held_ns <= PROOFS_FRESH_NS &&
	    track_shows_codes(track, false) && track_shows_codes(track, true))
		track->proves_held = true;
}

/* Invariant 5. */
static bool is_swift(struct python *python, int64_t took_ns, size_t n_spans, bool is_hot)
{
	uint32_t *best = &python->best_pace[is_hot];
	uint64_t bytes = 0, should_ns;
	uint32_t pace;

	for (size_t i = 0; i < n_spans; i++)
		bytes += python->spans[i].len;
	should_ns = CALL_NS + n_spans * SPAN_NS + bytes / BYTES_A_NS;
	pace = (uint32_t)min_of((uint64_t)max_of(took_ns, (int64_t)1) * PACE_ONE / should_ns,
				(uint64_t)UINT32_MAX / PACE_SLOW);
	*best += *best / pace_relax[is_hot] + 1;
	if (pace < *best || *best == 1)
		*best = pace;
	return pace <= max_of((uint64_t)PACE_ONE, (uint64_t)PACE_SLOW * *best);
}

/* ---- what it has brought ---- */

static bool is_same_frame(const struct python *python, const struct track *track,
			  const struct raw_frame *frame, bool is_innermost)
{
	const struct layout *layout = &python->layout;
	const uint8_t *again = track->window_bytes + frame->at;
	const uint8_t *first = again + track->n_bytes;

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

/* Is all that was walked what the call has read?  Frames and cframes elsewhere were read later, and once. */
static bool is_whole_in_windows(const struct python *python, const struct track *track)
{
	const struct chain *chain = &track->now;
	size_t n = min_of(track_inner_depth(python), chain->n);

	if (track->first_window > 2 &&
	    (track->spans[2].addr != track->cframe || track->spans[3].addr != track->before))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!chain->frames[i].is_inner)
			return false;
	return chain->n_outside == 0;
}

static bool are_same_proofs(struct track *track)
{
	if (track->are_shown && track_shows_codes(track, true))
		return true;
	for (size_t i = track->n_windows; i < track->n_windows + track->n_proofs; i++) {
		const uint8_t *first = track->window_bytes + track->windows[i].at;

		if (memcmp(first, first + track->n_bytes, track->windows[i].len) != 0)
			return false;
	}
	return true;
}

static bool is_equal_twice(const struct python *python, struct track *track)
{
	const struct chain *chain = &track->now;

	/* Else the thread has ended, and its state is another's. */
	if (word_at(track->state_bytes, python->layout.ts_thread_id) != track->ident)
		return false;
	if (begins_with_state(python) &&
	    word_at(track->state_again, python->layout.ts_frame) !=
		    word_at(track->state_bytes, python->layout.ts_frame))
		return false;
	for (size_t i = 0; i < chain->n; i++)
		if (chain->frames[i].is_inner &&
		    !is_same_frame(python, track, &chain->frames[i], i == 0))
			return false;
	return track->is_numbered || are_same_proofs(track);
}

/* Codes that were read after the stack are those of the stack if the count still stands.  Invariant 4. */
static int has_same_count(struct python *python, const struct track *track)
{
	uint32_t count;
	int r;

	if (!track->n_resolved)
		return 1;
	if (!track->count || !track->has_count_first || track->count_first != track->count)
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

/* Invariant 6.  In between, about to run, or while a tracer in C is called, a frame that runs looks like that, too. */
static bool may_be_left(const struct layout *layout, const struct raw_frame *frame,
			const uint8_t *bytes)
{
	uint64_t stack = word_at(bytes, layout->frame_instr + sizeof(raddr_t));

	if (layout->version < 0x030e)
		return (int32_t)(uint32_t)stack >= 0; /* its depth, -1 while it runs */
	return stack == frame->addr + layout->frame_locals;
}

static bool needs_heads(const struct python *python, const struct track *track)
{
	const struct raw_frame *frame = track->now.frames;
	const uint8_t *again;

	if (python->layout.chain == CHAIN_OBJECTS || !track->now.n)
		return false;
	if (!frame->code)
		return frame->addr != track_base(python, track);
	if (frame->owner == OWNER_GENERATOR)
		return true;
	if (!frame->is_inner)
		return false;
	again = track->window_bytes + frame->at;
	return may_be_left(&python->layout, frame, again) ||
	       may_be_left(&python->layout, frame, again + track->n_bytes);
}

static bool is_same_head(const struct python *python, const struct track *track)
{
	const struct layout *layout = &python->layout;
	raddr_t head = layout->ts_cframe == NO_FIELD
			       ? word_at(track->state_bytes, layout->ts_frame)
			       : word_at(track->cframe_bytes, layout->cframe_current);

	return track->has_heads && track->heads[0] == head && track->heads[1] == head;
}

/* Invariant 7. */
static int why_not(const struct python *python, struct track *track)
{
	bool is_asked = track->fault != PYTHON_SOUND && track->fault != PYTHON_TOO_MUCH;

	if (is_asked && !is_same_head(python, track))
		track->fault = PYTHON_SOUND;
	return track->is_dirty || (is_asked && !track->has_heads) ? PENDING : PYTHON_TORN;
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
		return why_not(python, track);
	if (!is_whole_in_windows(python, track)) {
		track->is_dirty = true; /* inner ones lie where only outer ones were expected */
		return PENDING;
	}
	if (!is_equal_twice(python, track))
		return PYTHON_TORN;
	if (needs_heads(python, track) && !is_same_head(python, track))
		return track->has_heads ? PYTHON_TORN : PENDING;
	r = has_same_count(python, track);
	if (r < 0)
		return r;
	if (!r)
		return PENDING;
	return track->is_held ? PYTHON_HELD : PYTHON_COMPLETE;
}

bool python_proves_held(const struct python *python, uint32_t thread)
{
	return thread < python->n_threads && python->tracks[thread]->proves_held;
}

static void note_held(struct track *track, int outcome)
{
	if (outcome == PENDING)
		return;
	if (outcome != PYTHON_HELD) {
		track->n_held = 0;
		return;
	}
	if (track->n_held++ > 0)
		return;
	track->held_ns = track->proofs_ns;
	track->proves_held = false;
}

/* ---- several threads ---- */

/* One call for those of threads[from..to) that are still pending. */
static int read_pending(struct python *python, const uint32_t *threads, size_t from, size_t to,
			unsigned flags, bool is_again, uint8_t *outcomes)
{
	size_t n = 0;
	int64_t began_ns = clock_monotonic_ns(), ended_ns;
	bool swift, is_hot;
	int r;

	unit_begin(python, to - from);
	for (size_t i = from; i < to; i++) {
		if (outcomes[i] != PENDING)
			continue;
		python->tracks[threads[i]]->has_heads = is_again;
		add_track(python, &n, python->tracks[threads[i]], flags, began_ns);
	}
	if (n == 0)
		return 0;
	is_hot = began_ns - python->chased_ns < HOT_NS;
	r = unit_readv(python, python->spans, n);
	if (r < 0)
		return r;
	python->chased_ns = ended_ns = clock_monotonic_ns();
	swift = is_swift(python, ended_ns - began_ns, n, is_hot) || !(flags & PYTHON_ANY);
	take_results(python, n);
	for (size_t i = from; i < to; i++)
		if (outcomes[i] == PENDING)
			note_proofs(python->tracks[threads[i]], began_ns, ended_ns);
	for (size_t i = from; i < to && swift; i++) {
		struct track *track = python->tracks[threads[i]];

		if (outcomes[i] != PENDING)
			continue;
		r = judge(python, track, flags);
		if (r < 0)
			return r;
		/* What many threads together are too much for is less each time: they share codes. */
		outcomes[i] = r == PYTHON_OVER_BUDGET && to - from > 1 ? PENDING : (uint8_t)r;
		note_held(track, outcomes[i]);
		if (track->is_dirty && outcomes[i] != PYTHON_HELD)
			track_learn(python, track);
	}
	return 0;
}

static int read_until_judged(struct python *python, const uint32_t *threads, size_t from, size_t to,
			     unsigned flags, uint8_t *outcomes)
{
	for (int i = 0; i < MAX_TRIES; i++) {
		int r = read_pending(python, threads, from, to, flags, i > 0, outcomes);

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
