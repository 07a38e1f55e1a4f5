/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/native_merge.h"

#include <stdlib.h>

#include "base/vec.h"

/*
 * Rule 1: so many native frames may lie on the activation that has no Python frame.  Some versions call a function
 * before they link the frame (the check of the recursion's depth) or after they unlinked it (that of the result).
 */
#define LEAF_FRAMES 3

void merged_done(struct merged *merged)
{
	free(merged->frames);
	*merged = (struct merged){0};
}

static void put(struct merged *merged, struct frame_id id)
{
	merged->frames =
		vec_grow(merged->frames, &merged->cap, merged->n + 1, sizeof(*merged->frames));
	merged->frames[merged->n++] = id;
}

static void put_python(struct merged *merged, const struct python_stack *python, size_t from,
		       size_t to)
{
	for (size_t i = from; i < to; i++)
		put(merged, python->frames[i]);
}

/* ---- activations ---- */

static bool is_eval(const struct merge_input *input, size_t i)
{
	return i < input->n && input->frames[i].kind == MERGE_EVAL;
}

/* Rule 3; `i` counts from the leaf, so that i + 1 called it. */
static bool is_carrier(const struct merge_input *input, size_t i)
{
	const struct merge_frame *frame = &input->frames[i];

	if (frame->kind == MERGE_HANDLER)
		return is_eval(input, i + 1);
	return frame->kind == MERGE_MADE && i > 0 && is_eval(input, i - 1);
}

static size_t count_evals(const struct merge_input *input, size_t *ret_innermost)
{
	size_t n = 0;

	*ret_innermost = input->n;
	for (size_t i = input->n; i-- > 0;) {
		if (!is_eval(input, i))
			continue;
		*ret_innermost = i;
		n++;
	}
	return n;
}

/* Frames that call number `i` of the evaluation function runs end here. */
static size_t run_end(const struct python_stack *python, size_t i)
{
	return i + 1 < python->n_evals ? python->evals[i + 1] : python->n;
}

/* From the outermost native frame on, whose first activation is Python's number `eval`. */
static void put_all(const struct merge_input *input, size_t eval, struct merged *merged)
{
	const struct python_stack *python = input->python;

	for (size_t i = input->n; i-- > 0;) {
		if (!is_eval(input, i)) {
			if (!is_carrier(input, i) && input->frames[i].id.v)
				put(merged, input->frames[i].id);
			continue;
		}
		if (eval < python->n_evals)
			put_python(merged, python, python->evals[eval], run_end(python, eval));
		eval++;
	}
}

/* ---- the two sides ---- */

static enum merge_outcome merge_whole(const struct merge_input *input, size_t n, size_t innermost,
				      struct merged *merged)
{
	const struct python_stack *python = input->python;
	bool is_leaf_bare = n == python->n_evals + 1 && innermost <= LEAF_FRAMES;

	if (n != python->n_evals && !is_leaf_bare)
		return MERGE_MISMATCH;
	/* What stands outside of all calls is "[deeper]", and then the numbers cannot be told from each other. */
	if (python->is_cut || (python->n_evals && python->evals[0] > 0))
		return MERGE_MISMATCH;
	put_all(input, 0, merged);
	return MERGE_WHOLE;
}

static enum merge_outcome merge_inner(const struct merge_input *input, size_t n, size_t innermost,
				      struct merged *merged)
{
	const struct python_stack *python = input->python;
	bool may_be_bare = n > 0 && innermost <= LEAF_FRAMES && !input->is_waiting;
	size_t first;

	if (n > python->n_evals || may_be_bare)
		return MERGE_MISMATCH;
	first = python->n_evals - n;
	put_python(merged, python, 0, n > 0 ? python->evals[first] : python->n);
	put(merged, input->cut);
	put_all(input, first, merged);
	return MERGE_INNER;
}

enum merge_outcome native_merge(const struct merge_input *input, struct merged *merged)
{
	size_t innermost, n = count_evals(input, &innermost);

	merged->n = 0;
	if (input->is_whole)
		return merge_whole(input, n, innermost, merged);
	return merge_inner(input, n, innermost, merged);
}
