/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the bytes of a thread to its chain of frames.
 *
 * A thread that was paused may stand anywhere, also inside the push or pop of a frame.  What tells:
 *   1. The chain ends at its version's base: <= 3.10 a frame without f_back; 3.11 a thread-owned entry frame
 *      without previous; 3.12+ a shim without previous, from 3.15 on the very one that the thread state names.
 *      A generator's frame has no previous while it is being resumed or suspended.
 *   2. 3.11 and 3.12 link a _PyCFrame on the C stack before they set its current_frame, so that for a few
 *      instructions it holds what an earlier call left in that place.  Then the first entry frame (3.11) or
 *      shim (3.12) does not lead to the current frame of the _PyCFrame before.
 *   3. The innermost frame on the data stack lies below datastack_top: above it is what has been popped.
 *   4. Every frame has a code object, and an instruction inside that code.
 * Whoever fails one of these is INCOMPLETE.  That an inner frame is pushed but not yet current is fine: what is
 * current is a true stack.
 */
#include <errno.h>

#include "base/vec.h"
#include "python/python_private.h"

#define PAGE 4096ull
#define EXTRA_MAX_CHUNK (64u << 10)
#define EXTRA_MAX_BYTES (16u << 20)
#define LEAST_ADDRESS 4096ull
#define PASSED_OVER 8	/* frames of the chain before that are gone, between two that are not */
#define SHRINK_AFTER 64 /* other chains; then windows follow from the last two of them again */

/* ---- bytes of one frame ---- */

/* Newest first: a walk that left the prediction mostly goes on where it read last. */
static const uint8_t *in_extra(const struct extra *extra, raddr_t addr, uint32_t len)
{
	for (size_t i = extra->n; i-- > 0;) {
		const struct window *window = &extra->windows[i];

		if (addr >= window->addr && addr - window->addr <= window->len &&
		    len <= window->len - (addr - window->addr))
			return extra->bytes + window->at + (addr - window->addr);
	}
	return NULL;
}

static int read_extra(struct python *python, raddr_t start, raddr_t end)
{
	struct extra *extra = &python->extra;
	uint32_t len = (uint32_t)(end - start);

	if (extra->n_bytes + len > EXTRA_MAX_BYTES)
		return ERR_LIMIT;
	extra->bytes = vec_grow(extra->bytes, &extra->bytes_cap, extra->n_bytes + len, 1);
	int r = memory_read(python->memory, start, extra->bytes + extra->n_bytes, len);
	if (r < 0)
		return r;
	extra->windows =
		vec_grow(extra->windows, &extra->cap, extra->n + 1, sizeof(*extra->windows));
	extra->windows[extra->n++] = (struct window){
		.addr = start, .len = len, .at = (uint32_t)extra->n_bytes, .ok = true};
	extra->n_bytes += len;
	return 0;
}

/*
 * Callers lie below their callees on the data stack, so all of its current chunk up to the frame is read.  Frames
 * elsewhere (older chunks, generators, shims on the C stack, frame objects up to 3.10) may have neighbours in
 * their page.
 */
static int fetch_frame(struct python *python, const struct track *track, raddr_t addr, uint32_t len)
{
	const struct layout *layout = &python->layout;
	raddr_t start = addr & ~(PAGE - 1);

	if (layout->ts_stack_chunk != NO_FIELD) {
		raddr_t chunk = word_at(track->state_bytes, layout->ts_stack_chunk);
		raddr_t top = word_at(track->state_bytes, layout->ts_stack_top);

		if (chunk < addr && addr < top && addr - chunk < EXTRA_MAX_CHUNK)
			start = min_of(chunk, start);
	}
	return read_extra(python, start, addr + len);
}

/* Outside of the windows. */
static int extra_bytes(struct python *python, const struct track *track, raddr_t addr,
		       const uint8_t **ret_bytes)
{
	uint32_t len = python->frame_bytes;

	*ret_bytes = in_extra(&python->extra, addr, len);
	if (*ret_bytes)
		return 0;
	int r = fetch_frame(python, track, addr, len);
	if (r < 0)
		return r;
	*ret_bytes = in_extra(&python->extra, addr, len);
	return *ret_bytes ? 0 : -EFAULT;
}

/* Where the frame's bytes are, and what that tells of it: `addr`, `at` and `is_inner`. */
static int frame_bytes(struct python *python, struct track *track, struct raw_frame *frame,
		       const uint8_t **ret_bytes)
{
	const struct window *window;
	uint32_t into;

	if (frame->addr & 7 || frame->addr < LEAST_ADDRESS || frame->addr > INT64_MAX)
		return -EFAULT;
	window = windows_find(track->windows, track->n_windows, frame->addr, python->frame_bytes);
	frame->at = NOT_IN_WINDOWS;
	if (!window) {
		track->now.n_outside++;
		return extra_bytes(python, track, frame->addr, ret_bytes);
	}
	into = (uint32_t)(frame->addr - window->addr);
	frame->at = window->at + into;
	frame->is_inner = into >= window->inner;
	*ret_bytes = track->window_bytes + frame->at;
	return 0;
}

static int broken(struct python *python, enum python_break why)
{
	python->stats.breaks[why]++;
	return PYTHON_INCOMPLETE;
}

/* ---- where the chain begins ---- */

struct walk {
	raddr_t at;	     /* next frame */
	raddr_t before;	     /* current frame of the _PyCFrame before (3.11, 3.12) */
	bool has_before;     /* rule 2 still has to be checked */
	bool has_seen_stack; /* rule 3 was checked */
	size_t met;	     /* frames of the chain before up to here were met, or passed over */
	size_t same; /* from this frame on (of this chain) all are as they were, one after the other */
	raddr_t marked; /* Brent: an address that a cycle must meet again */
	size_t marked_at;
};

static int read_cframe(struct python *python, raddr_t addr, raddr_t *expected, uint8_t *bytes,
		       const struct mem_span *span)
{
	if (span->ok && span->addr == addr)
		return 0;
	*expected = addr;
	return memory_read(python->memory, addr, bytes, python->layout.cframe_size);
}

static int begin_at_cframe(struct python *python, struct track *track, struct walk *walk)
{
	const struct layout *layout = &python->layout;
	raddr_t cframe = word_at(track->state_bytes, layout->ts_cframe);
	int r = read_cframe(python, cframe, &track->cframe, track->cframe_bytes, &track->spans[2]);

	if (r < 0)
		return r;
	walk->at = word_at(track->cframe_bytes, layout->cframe_current);
	raddr_t before = word_at(track->cframe_bytes, layout->cframe_previous);
	/* The thread state's own: no Python on the stack.  Any other without one before it is a popped one. */
	if (!before)
		return walk->at || cframe - track->tstate >= PAGE ? -EFAULT : 0;
	r = read_cframe(python, before, &track->before, track->before_bytes, &track->spans[3]);
	if (r < 0)
		return r;
	walk->before = word_at(track->before_bytes, layout->cframe_current);
	walk->has_before = true;
	return 0;
}

static int walk_begin(struct python *python, struct track *track, struct walk *walk)
{
	*walk = (struct walk){0};
	walk->met = track->has_places && !track->has_holes ? 0 : track->last.n;
	if (python->layout.ts_cframe != NO_FIELD)
		return begin_at_cframe(python, track, walk);
	walk->at = word_at(track->state_bytes, python->layout.ts_frame);
	return 0;
}

/* ---- one step ---- */

/* Rule 3. */
static bool is_popped(const struct python *python, struct track *track, raddr_t addr)
{
	raddr_t top = word_at(track->state_bytes, python->layout.ts_stack_top);
	raddr_t limit = word_at(track->state_bytes, python->layout.ts_stack_top + 8u);

	track->stack_end = addr + python->frame_bytes;
	return addr >= top && addr < limit;
}

static bool is_cycle(struct walk *walk, size_t depth)
{
	if (walk->at == walk->marked)
		return true;
	if (depth >= 2 * walk->marked_at) {
		walk->marked = walk->at;
		walk->marked_at = depth + 1;
	}
	return false;
}

static int take_interpreter_frame(struct python *python, struct track *track, struct walk *walk,
				  const uint8_t *bytes, struct raw_frame *frame)
{
	const struct layout *layout = &python->layout;
	uint8_t owner = bytes[layout->frame_owner];
	raddr_t previous = word_at(bytes, layout->frame_previous);
	bool is_entry = layout->frame_is_entry != NO_FIELD && bytes[layout->frame_is_entry];
	bool is_shim = layout->chain == CHAIN_SHIMS && owner >= OWNER_SHIM;

	if (owner == OWNER_FRAME_OBJECT || owner > 4 || (owner >= OWNER_SHIM && !is_shim))
		return broken(python, PYTHON_BREAK_FRAME);
	if (owner == OWNER_THREAD && !walk->has_seen_stack) {
		walk->has_seen_stack = true;
		if (is_popped(python, track, walk->at))
			return broken(python, PYTHON_BREAK_POPPED);
	}
	if (walk->has_before && (is_shim || is_entry)) {
		walk->has_before = false;
		if (previous != walk->before)
			return broken(python, PYTHON_BREAK_CFRAME); /* rule 2 */
	}
	if (is_shim)
		frame->code = 0;
	frame->is_entry = is_entry;
	frame->owner = owner;
	return PYTHON_COMPLETE;
}

/*
 * Where in the chain before the next frame is: callers mostly stay where they are, so that most frames need no search.
 * Not there: it was not met a little further out than the one before it.
 */
static bool meet(const struct track *track, const struct walk *walk, size_t *ret_i)
{
	size_t end = min_of(walk->met + PASSED_OVER, track->last.n);

	for (size_t i = walk->met; i < end; i++)
		if (track->last.frames[i].addr == walk->at) {
			*ret_i = i;
			return track->last.frames[i].at != NOT_IN_WINDOWS;
		}
	return false;
}

static void pass_over(const struct track *track, struct walk *walk, size_t i)
{
	if (i != walk->met)
		walk->same = track->now.n;
	walk->met = i + 1;
}

static void take_fields(const struct layout *layout, const uint8_t *bytes, struct raw_frame *frame)
{
	uint32_t offset;

	frame->code = word_at(bytes, layout->frame_code) & ~(raddr_t)layout->frame_code_tag;
	if (layout->frame_tlbc_index != NO_FIELD)
		__builtin_memcpy(&frame->copy, bytes + layout->frame_tlbc_index,
				 sizeof(frame->copy));
	if (layout->instr_unit) {
		__builtin_memcpy(&offset, bytes + layout->frame_instr, sizeof(offset));
		frame->instr = offset;
	} else {
		frame->instr = word_at(bytes, layout->frame_instr);
	}
}

/* What is known of a frame that is as it was goes on: which code, which line. */
static void compare_frame(struct track *track, struct walk *walk, const struct raw_frame *before,
			  struct raw_frame *frame)
{
	if (before && track->last.has_codes && before->code == frame->code &&
	    before->instr == frame->instr && before->copy == frame->copy &&
	    before->is_entry == frame->is_entry && before->owner == frame->owner)
		*frame = *before;
	else
		walk->same = track->now.n + 1;
}

static void add_frames(struct chain *chain, const struct raw_frame *frames, size_t n)
{
	chain->frames = vec_grow(chain->frames, &chain->cap, chain->n + n, sizeof(*chain->frames));
	memcpy(chain->frames + chain->n, frames, n * sizeof(*frames));
	chain->n += n;
}

static int take_frame(struct python *python, struct track *track, struct walk *walk)
{
	const struct layout *layout = &python->layout;
	const struct raw_frame *before = NULL;
	struct raw_frame frame = {.addr = walk->at, .id = CODE_NONE};
	const uint8_t *bytes;
	size_t i;

	if (meet(track, walk, &i)) {
		pass_over(track, walk, i);
		before = &track->last.frames[i];
		frame.at = before->at;
		frame.is_inner = before->is_inner;
		bytes = track->window_bytes + frame.at;
	} else {
		int r = frame_bytes(python, track, &frame, &bytes);
		if (r < 0)
			return track_outcome(python, r);
	}
	take_fields(layout, bytes, &frame);
	if (!frame.code)
		return broken(python, PYTHON_BREAK_FRAME);
	if (layout->chain != CHAIN_OBJECTS) {
		int r = take_interpreter_frame(python, track, walk, bytes, &frame);
		if (r != PYTHON_COMPLETE)
			return r;
	}
	compare_frame(track, walk, before, &frame);
	add_frames(&track->now, &frame, 1);
	walk->at = word_at(bytes, layout->frame_previous);
	return PYTHON_COMPLETE;
}

/* ---- many steps ---- */

/* Do the bytes say what they said of this frame?  A shim's code is no matter: its owner says that it is one. */
static bool is_as_it_was(const struct layout *layout, const uint8_t *bytes,
			 const struct raw_frame *frame)
{
	struct raw_frame now = {.copy = frame->copy};

	take_fields(layout, bytes, &now);
	if (now.instr != frame->instr || now.copy != frame->copy ||
	    (frame->code && now.code != frame->code))
		return false;
	if (layout->frame_owner == NO_FIELD)
		return true;
	return bytes[layout->frame_owner] == frame->owner &&
	       (layout->frame_is_entry == NO_FIELD ||
		!bytes[layout->frame_is_entry] == !frame->is_entry);
}

/* Has a rule to be applied when the walk comes by it? */
static bool is_ruled(const struct layout *layout, const struct walk *walk,
		     const struct raw_frame *frame)
{
	if (layout->chain == CHAIN_OBJECTS)
		return false;
	return (!walk->has_seen_stack && frame->owner == OWNER_THREAD) ||
	       (walk->has_before && (!frame->code || frame->is_entry));
}

/*
 * Frames that are as they were are taken over together.  Their chain was whole and without a cycle then, and leads
 * where it led.
 */
static void take_run(const struct python *python, struct track *track, struct walk *walk)
{
	const struct layout *layout = &python->layout;
	const struct chain *last = &track->last;
	size_t from, i, most = PYTHON_MAX_DEPTH - track->now.n;
	raddr_t at = walk->at;

	if (!last->has_codes || !meet(track, walk, &from))
		return;
	for (i = from; i < last->n && i - from < most; i++) {
		const struct raw_frame *frame = &last->frames[i];
		const uint8_t *bytes = track->window_bytes + frame->at;

		if (frame->addr != at || frame->at == NOT_IN_WINDOWS ||
		    is_ruled(layout, walk, frame) || !is_as_it_was(layout, bytes, frame))
			break;
		at = word_at(bytes, layout->frame_previous);
	}
	if (i == from)
		return;
	pass_over(track, walk, from);
	add_frames(&track->now, last->frames + from, i - from);
	walk->met = i;
	walk->at = at;
}

/* Rule 1. */
static bool is_base(const struct python *python, const struct track *track)
{
	const struct chain *chain = &track->now;
	raddr_t base = track_base(python, track);
	const struct raw_frame *last = chain->n ? &chain->frames[chain->n - 1] : NULL;

	if (!last || chain->is_cut)
		return true;
	switch (python->layout.chain) {
	case CHAIN_ENTRIES:
		return last->owner == OWNER_THREAD && last->is_entry;
	case CHAIN_SHIMS:
		return last->owner >= OWNER_SHIM && (!base || last->addr == base);
	default:
		return true;
	}
}

int track_outcome(struct python *python, int r)
{
	if (r == ERR_LIMIT)
		return PYTHON_OVER_BUDGET;
	if (r == -EFAULT || r == ERR_CORRUPT || r == ERR_TORN) {
		python->stats.bad_chains++;
		return broken(python, PYTHON_BREAK_FRAME);
	}
	return r;
}

static int walk_frames(struct python *python, struct track *track, struct walk *walk)
{
	struct chain *chain = &track->now;

	for (take_run(python, track, walk); walk->at; take_run(python, track, walk)) {
		if (chain->n >= PYTHON_MAX_DEPTH) {
			chain->is_cut = true;
			break;
		}
		if (is_cycle(walk, chain->n)) {
			/* Also seen in honest processes, under rule 2: what was left there leads anywhere. */
			python->stats.cycles++;
			track->fault = PYTHON_CYCLE;
			return broken(python, PYTHON_BREAK_CYCLE);
		}
		int r = take_frame(python, track, walk);
		if (r != PYTHON_COMPLETE)
			return r;
	}
	track->fault = PYTHON_NO_BASE;
	if (walk->has_before && !chain->is_cut)
		return broken(python, PYTHON_BREAK_CFRAME);
	return is_base(python, track) ? PYTHON_COMPLETE : broken(python, PYTHON_BREAK_BASE);
}

/* ---- all of it ---- */

static bool is_as_expected(const struct chain *a, const struct chain *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i + a->n_same < a->n; i++)
		if (a->frames[i].addr != b->frames[i].addr || a->frames[i].id != b->frames[i].id)
			return false;
	return true;
}

/* Returns false when the prediction named what is not there. */
static bool use_windows(struct track *track)
{
	const struct mem_span *spans = track->spans + track->first_window;
	bool is_good = true;

	for (size_t i = 0; i < track->n_windows + track->n_proofs; i++) {
		track->windows[i].ok = spans[i].ok;
		is_good = is_good && spans[i].ok;
	}
	return is_good;
}

static bool has_moved_cframe(const struct python *python, const struct track *track)
{
	return python->layout.ts_cframe != NO_FIELD &&
	       (track->spans[2].addr != track->cframe || track->spans[3].addr != track->before);
}

/* Has the prediction to be made anew?  A chain that merely differs mostly lies in the same windows. */
static bool needs_learning(const struct python *python, struct track *track)
{
	if (python->extra.n > 0 || has_moved_cframe(python, track))
		return true;
	if (is_as_expected(&track->now, &track->last))
		return false;
	if (track->n_proofs > 0 ? track->n_resolved > 0 : track->count == 0)
		return true; /* codes that nobody expected */
	return ++track->n_changed >= SHRINK_AFTER;
}

/* Rule 1 up to 3.10: a generator that is not being resumed has no f_back either, but is no base. */
static bool is_cut_at_generator(const struct python *python, const struct chain *chain)
{
	if (!chain->n || chain->is_cut || python->layout.chain != CHAIN_OBJECTS)
		return false;
	return code_get(&python->codes, chain->frames[chain->n - 1].id)->is_generator;
}

/* The chains have to end together, too. */
static size_t n_same(const struct track *track, const struct walk *walk)
{
	return walk->met == track->last.n ? track->now.n - walk->same : 0;
}

int track_walk(struct python *python, struct track *track)
{
	struct chain spare = track->last;
	struct walk walk;

	track->last = track->now;
	track->now = (struct chain){.frames = spare.frames, .cap = spare.cap};
	track->fault = PYTHON_SOUND;
	if (!track->spans[1].ok ||
	    word_at(track->state_bytes, python->layout.ts_interp) != track->interp)
		return PYTHON_TORN;
	track->has_holes = !use_windows(track);
	track->is_dirty |= track->has_holes;
	track_take_count(python, track);
	track->fault = PYTHON_WILD_FRAME;
	int r = walk_begin(python, track, &walk);
	if (r < 0)
		r = track_outcome(python, r);
	else
		r = walk_frames(python, track, &walk);
	track->has_places = true;
	if (r == PYTHON_COMPLETE) {
		track->now.n_same = n_same(track, &walk);
		track->fault = PYTHON_BAD_CODE;
		r = track_find_codes(python, track);
		if (r < 0)
			r = track_outcome(python, r);
		else if (is_cut_at_generator(python, &track->now))
			r = PYTHON_INCOMPLETE;
	}
	if (r == PYTHON_COMPLETE)
		collector_take(python, track);
	if (r == PYTHON_COMPLETE)
		track->fault = PYTHON_SOUND;
	else if (r == PYTHON_OVER_BUDGET)
		track->fault = PYTHON_TOO_MUCH;
	track->n_kept = min_of(track->n_kept, track->now.n_same);
	track->is_warm = true;
	track->is_dirty |= needs_learning(python, track);
	return r;
}
