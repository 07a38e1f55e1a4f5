/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a ground-truth program says of itself, and whether a stack agrees with it.
 *
 * Such a program (tests/targets/truth.py) announces, on one line of JSON, every function that it can be in, by whom
 * and from which line it is called, and on which lines its innermost frame can stand; and functions among which
 * its time is divided.  Here that line is read and stacks are judged by it:
 *
 *	truth_read(&truth, line, len, &err);
 *	for each sample: verdict = truth_judge(&truth, frames, n, &class);
 *	truth_distance(counts, seconds, n) against truth_floor(n_samples, seconds, n)
 *
 * Names are compared by what stands behind their last dot and files by what stands behind their last slash, since
 * versions differ in qualified names, and paths are the machine's.
 */
#ifndef CMD_TRUTH_H
#define CMD_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define TRUTH_MAX_CLASSES 20
#define TRUTH_MAX_NODES 65536
#define TRUTH_MAX_BYTES (8u << 20) /* of the announcement */

struct truth_node {
	int32_t parent;	    /* -1: outermost */
	uint32_t call_line; /* of the parent; 0: any */
	const char *name, *file;
	uint32_t *lines; /* rising */
	size_t n_lines, lines_cap;
	int32_t first_kid, next_kid; /* -1: none */
};

/* Texts live in the arena; all ends with truth_done(). */
struct truth {
	struct arena arena;
	struct truth_node *nodes;
	size_t n, cap;
	int32_t first_root;
	const char *classes[TRUTH_MAX_CLASSES];
	size_t n_classes;
	int32_t *ends, *next; /* scratch of a judgement */
};

struct truth_frame {
	const char *name, *file;
	uint32_t line;
};

enum truth_verdict {
	TRUTH_POSSIBLE,
	TRUTH_WRONG_LINE, /* such a stack there is, but not on these lines */
	TRUTH_IMPOSSIBLE,
};

/* ERR_CORRUPT when the line is none of ours, ERR_LIMIT. */
int truth_read(struct truth *truth, const char *line, size_t len, struct err *err) nodiscard;
void truth_done(struct truth *truth); /* all-zero is fine */

/* `frames` are outermost first.  *ret_class: the outermost class on the stack, n_classes without one. */
enum truth_verdict truth_judge(struct truth *truth, const struct truth_frame *frames, size_t n,
			       size_t *ret_class);

/* Seconds of each class, as the program tells them; classes that it leaves out are 0. */
int truth_read_seconds(const struct truth *truth, const char *line, size_t len,
		       double ret_seconds[TRUTH_MAX_CLASSES], struct err *err) nodiscard;

/* Total-variation distance of what was counted from what was spent; 0 when either is nothing. */
double truth_distance(const uint64_t *counts, const double *seconds, size_t n);
/* What the distance of so many honest samples is below in 99.9 % of cases: drawn from the truth itself. */
double truth_floor(uint64_t n_samples, const double *seconds, size_t n);

#endif
