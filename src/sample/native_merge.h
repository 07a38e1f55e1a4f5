/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native frames and Python's, in the order in which they called each other.
 *
 *	_start  main  Py_RunMain  [EVAL]  cfunction_call  zlib_compress  deflate
 *	                           main:7
 *	                           shrink:3
 *
 * Each activation of the evaluation function stands for the run of Python frames that it evaluates
 * (python_stack.evals), and is replaced by it.  Both sides have to have as many: else nobody knows which belongs to
 * which, and only Python's frames are true.
 *
 *   1. An activation at the leaf may have no frame yet, or none any more: Python links a frame after the function
 *	was entered, and unlinks it before it is left.
 *   2. A native stack that does not reach its base is matched from the leaf on, where that is certain.  Python's
 *	frames outside of it stay, and the marker `cut` stands between.
 *   3. What only carries an evaluation out is left out: functions of the interpreter's own that continue it
 *	(MERGE_HANDLER), and code made at run time that called it (the trampolines of `-X perf`).
 */
#ifndef SAMPLE_NATIVE_MERGE_H
#define SAMPLE_NATIVE_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profile/names.h"
#include "python/python.h"

enum merge_kind {
	MERGE_CODE,
	MERGE_EVAL,
	MERGE_HANDLER, /* python_eval_range.is_handler; code as any other where it is not on an activation */
	MERGE_MADE, /* code that is in no file */
};

struct merge_frame {
	struct frame_id id; /* but of MERGE_EVAL */
	uint8_t kind;	    /* enum merge_kind */
};

enum merge_outcome {
	MERGE_WHOLE,
	MERGE_INNER,	/* rule 2 */
	MERGE_MISMATCH, /* nothing was put out */
};

struct merge_input {
	const struct merge_frame *frames; /* the leaf first */
	size_t n;
	bool is_whole;	 /* to its base */
	bool is_waiting; /* asleep in the kernel: not in the middle of a push or pop */
	const struct python_stack *python;
	struct frame_id cut; /* the marker of rule 2 */
};

/* Outermost first; all-zero is empty, merged_done() releases it. */
struct merged {
	struct frame_id *frames;
	size_t n, cap;
};

enum merge_outcome native_merge(const struct merge_input *input, struct merged *merged);
void merged_done(struct merged *merged);

#endif
