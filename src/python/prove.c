/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the code pointers of a chain to entries of the code cache that are true now; code.h says why that takes
 * proof.  Three ways, the cheap ones first:
 *   1. the interpreter's count of code objects is what it was when the entry was last seen in a whole stack,
 *   2. the entry's proofs were read together with the stack, and are equal,
 *   3. the proofs of all others are read at once; what is not equal is decoded.
 * The last reads after the stack, so that it holds for a thread that stands still; for others see twice.c.
 */
#include "base/vec.h"
#include "python/python_private.h"

#define RESTLESS_READS 16 /* with proofs, after the count has moved */

const struct window *windows_find(const struct window *windows, size_t n, raddr_t addr,
				  uint32_t len)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (windows[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return NULL;
	const struct window *window = &windows[low - 1];
	if (!window->ok || addr - window->addr > window->len ||
	    len > window->len - (addr - window->addr))
		return NULL;
	return window;
}

/* ---- 1 and 2: with what was read already ---- */

static bool is_shown(const struct track *track, const struct code *code)
{
	for (uint32_t i = 0; i < code->n_proofs; i++) {
		const struct proof *proof = &code->proofs[i];
		const struct window *window =
			windows_find(track->windows + track->n_windows, track->n_proofs,
				     proof->addr, proof->len);

		if (!window ||
		    memcmp(track->window_bytes + window->at + (proof->addr - window->addr),
			   proof->bytes, proof->len) != 0)
			return false;
	}
	return true;
}

static bool are_equal(const struct track *track, const uint8_t *bytes)
{
	for (size_t i = 0; i < track->n_checks; i++) {
		const struct check *check = &track->checks[i];

		if (memcmp(bytes + check->at, check->bytes, check->len) != 0)
			return false;
	}
	return true;
}

bool track_shows_codes(struct track *track, bool is_again)
{
	enum shows *shows = &track->shows[is_again];

	if (*shows == SHOWS_UNASKED)
		*shows = are_equal(track, track->window_bytes + (is_again ? track->n_bytes : 0))
				 ? SHOWS_CODES
				 : SHOWS_OTHERS;
	return *shows == SHOWS_CODES && !track->has_holes;
}

static void prove_expected(struct python *python, struct track *track)
{
	track->are_shown = false;
	if (!track->n_proofs || track->epoch != python->codes.epoch)
		return;
	track->are_shown = track_shows_codes(track, false);
	for (size_t i = 0; i < track->n_codes; i++) {
		uint32_t id = track->codes[i].id;

		if (track->are_shown || is_shown(track, code_get(&python->codes, id)))
			python->proven[id] = python->unit;
	}
}

static bool has_stamp(const struct python *python, const struct track *track, uint32_t id)
{
	const struct code *code = code_get(&python->codes, id);

	return track->count && code->count == track->count && code->interp == track->interp;
}

static bool is_proven(const struct python *python, const struct track *track, uint32_t id)
{
	return python->proven[id] == python->unit || has_stamp(python, track, id);
}

/* ---- 3: with further reads ---- */

static size_t add_proofs(struct python *python, const struct code *code, size_t *n_spans,
			 size_t n_bytes)
{
	for (uint32_t i = 0; i < code->n_proofs; i++) {
		python->spans = vec_grow(python->spans, &python->spans_cap, *n_spans + 1,
					 sizeof(*python->spans));
		python->spans[(*n_spans)++] =
			(struct mem_span){.addr = code->proofs[i].addr, .len = code->proofs[i].len};
		n_bytes += code->proofs[i].len;
	}
	return n_bytes;
}

static void place_proofs(struct python *python, size_t n_spans, size_t n_bytes)
{
	size_t at = 0;

	python->proof_bytes =
		vec_grow(python->proof_bytes, &python->proof_bytes_cap, n_bytes + 1, 1);
	for (size_t i = 0; i < n_spans; i++) {
		python->spans[i].into = python->proof_bytes + at;
		at += python->spans[i].len;
	}
}

static bool is_equal(const struct code *code, const struct mem_span *spans)
{
	for (uint32_t i = 0; i < code->n_proofs; i++)
		if (!spans[i].ok || memcmp(spans[i].into, code->proofs[i].bytes, spans[i].len) != 0)
			return false;
	return true;
}

/* Is this frame's entry known, but not proven?  Marks it as if it were, so that it is asked once. */
static bool takes_proof(struct python *python, const struct track *track,
			const struct raw_frame *frame)
{
	if (!frame->code || frame->id == CODE_NONE || is_proven(python, track, frame->id))
		return false;
	python->proven[frame->id] = python->unit;
	return true;
}

/* Frames that are neither as they were nor proven with those: all from the innermost up to here. */
static size_t n_open(const struct track *track)
{
	const struct chain *now = &track->now, *last = &track->last;
	bool is_proven =
		track->count ? last->stamp == track->count : last->is_expected && track->are_shown;

	return is_proven ? now->n - now->n_same : now->n;
}

static int prove_together(struct python *python, struct track *track)
{
	size_t n_spans = 0, n_bytes = 0, at = 0;
	uint32_t n = 0;

	size_t n_frames = n_open(track);

	for (size_t i = 0; i < n_frames; i++) {
		const struct raw_frame *frame = &track->now.frames[i];

		if (!takes_proof(python, track, frame))
			continue;
		python->asked =
			vec_grow(python->asked, &python->asked_cap, n + 1, sizeof(*python->asked));
		python->asked[n++] = frame->id;
		n_bytes =
			add_proofs(python, code_get(&python->codes, frame->id), &n_spans, n_bytes);
	}
	if (n == 0)
		return 0;
	track->n_resolved += n;
	place_proofs(python, n_spans, n_bytes);
	int r = unit_readv(python, python->spans, n_spans);
	for (uint32_t i = 0; i < n; i++) {
		const struct code *code = code_get(&python->codes, python->asked[i]);

		if (r < 0 || !is_equal(code, python->spans + at))
			python->proven[python->asked[i]] = 0;
		at += code->n_proofs;
	}
	return r;
}

static int resolve(struct python *python, struct track *track, struct raw_frame *frame)
{
	int r = code_resolve(&python->codes, python->memory, frame->code, &frame->id);

	if (r < 0)
		return r;
	python->proven = vec_grow(python->proven, &python->proven_cap, python->codes.n,
				  sizeof(*python->proven));
	track->n_resolved++;
	python->proven[frame->id] = python->unit;
	return 0;
}

/* ---- a chain ---- */

/* Counted from the base the chain mostly is what it was; what is equal need not be looked up again. */
static const struct raw_frame *frame_before(const struct python *python, const struct track *track,
					    size_t i)
{
	size_t depth = track->now.n - i;
	const struct raw_frame *before;

	if (depth > track->last.n || track->epoch != python->codes.epoch)
		return NULL;
	before = &track->last.frames[track->last.n - depth];
	return before->code == track->now.frames[i].code && before->id != CODE_NONE ? before : NULL;
}

static void guess_codes(struct python *python, struct track *track)
{
	for (size_t i = 0; i + track->now.n_same < track->now.n; i++) {
		struct raw_frame *frame = &track->now.frames[i];
		const struct raw_frame *before;

		if (!frame->code)
			continue;
		before = frame_before(python, track, i);
		frame->known = 0;
		frame->id = before ? before->id : code_find(&python->codes, frame->code);
		if (before && before->instr == frame->instr && before->copy == frame->copy) {
			frame->offset = before->offset;
			frame->known = before->known;
		}
	}
}

static int settle_code(struct python *python, struct track *track, struct raw_frame *frame)
{
	uint32_t guess = frame->id;

	/* What an outer frame has resolved meanwhile may be the same. */
	if (guess == CODE_NONE || !is_proven(python, track, guess))
		frame->id = code_find(&python->codes, frame->code);
	if (frame->id == CODE_NONE || !is_proven(python, track, frame->id)) {
		int r = resolve(python, track, frame);
		if (r < 0)
			return r;
	}
	if (frame->id == guess && frame->known)
		return 0;
	frame->known = 0;
	return code_offset(&python->codes, python->memory, frame->id, frame->instr, frame->copy,
			   &frame->offset);
}

raddr_t track_counter(const struct python *python, const struct track *track)
{
	if (python->layout.is_code_generation != NO_FIELD)
		return track->interp + python->layout.is_code_generation;
	return python->code_counter;
}

/* Where the count is known no proofs are read, unless it moves all the time. */
void track_take_count(const struct python *python, struct track *track)
{
	uint32_t count = track->spans[track->n_spans - 1].ok ? track->count_read : 0;

	if (!track_counter(python, track))
		return;
	if (track->count && count != track->count) {
		track->is_dirty |= track->n_restless == 0;
		track->n_restless = RESTLESS_READS;
	} else if (track->n_restless && --track->n_restless == 0) {
		track->is_dirty = true;
	}
	track->is_dirty |= !track->count != !count;
	track->count = count;
}

/* Does the count alone prove all codes of the chain? */
static bool is_stamped(const struct python *python, const struct track *track)
{
	for (size_t i = 0; i < n_open(track) && track->count; i++)
		if (track->now.frames[i].code && !has_stamp(python, track, track->now.frames[i].id))
			return false;
	return track->count != 0;
}

/* A frame that looks as it did runs another code, where its code's memory is another's now. */
static void part_with_strangers(struct chain *chain)
{
	for (size_t i = chain->n - chain->n_same; i < chain->n; i++)
		if (chain->frames[i].code && !chain->frames[i].known)
			chain->n_same = chain->n - 1 - i;
}

int track_find_codes(struct python *python, struct track *track)
{
	python->proven = vec_grow(python->proven, &python->proven_cap, python->codes.n + 1,
				  sizeof(*python->proven));
	track->n_resolved = 0;
	prove_expected(python, track);
	guess_codes(python, track);
	int r = prove_together(python, track);
	size_t n = n_open(track);
	for (size_t i = 0; i < n && r == 0; i++)
		if (track->now.frames[i].code)
			r = settle_code(python, track, &track->now.frames[i]);
	if (r < 0)
		return r;
	if (n == track->now.n)
		part_with_strangers(&track->now);
	track->now.has_codes = true;
	track->now.is_expected = !track->count && track->n_resolved == 0;
	if (is_stamped(python, track))
		track->now.stamp = track->count;
	return 0;
}

void track_stamp_codes(struct python *python, struct track *track)
{
	if (!track->count || track->now.stamp == track->count || !track->has_count_first ||
	    track->count_first != track->count)
		return;
	track->now.stamp = track->count;
	for (size_t i = 0; i < track->now.n; i++)
		if (track->now.frames[i].code)
			code_stamp(&python->codes, track->now.frames[i].id, track->interp,
				   track->count);
}
