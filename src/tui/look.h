/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profile as the user wants to see it: one measure, of all threads or of one, and for a comparison two ranges.
 *
 * It has two columns, whose meaning depends on whether two ranges are compared.  Built at once are the values, which
 * is all that tables need; the tree without markers is made when a page asks for it.
 */
#ifndef TUI_LOOK_H
#define TUI_LOOK_H

#include "tui/shot.h"

enum look_column {
	LOOK_WHOLE = 0,	 /* since the start, or zero */
	LOOK_NOW = 1,	 /* since the update before */
	LOOK_BEFORE = 0, /* of a comparison */
	LOOK_AFTER = 1,	 /* scaled as if it had been as long as the one before */
};

struct look_request {
	const struct shot *shot;
	const struct shot *baseline; /* NULL: nothing is compared */
	enum measure measure;
	struct frame_id marker; /* only stacks below this frame; 0: all */
	bool is_by_line;	/* lines of a function are told apart in look_merged() */
	double rate_hz;		/* for what chance may do to a difference; 0: unknown */
};

struct look {
	struct arena arena;
	struct names *names;
	bool is_diff;
	bool has_now; /* LOOK_NOW means something */
	struct profile value;
	struct profile merged; /* made when asked for */
	bool is_value_made, is_merged_made, is_by_line;
	int64_t sum[2];	    /* of each column */
	int64_t elapsed[2]; /* that the columns cover; of a comparison both LOOK_BEFORE's */
	double scale, period_ns;
};

void look_init(struct look *look);
void look_done(struct look *look);
void look_build(struct look *look, const struct look_request *request);
/* Without the marker frames of processes and threads, and by function unless lines were asked for. */
const struct profile *look_merged(struct look *look);
/*
 * Half of the 95 % interval of a difference between two values of the columns of a comparison (format/view.h has
 * the formula); 0: unknown.
 */
double look_noise(const struct look *look, int64_t before, int64_t after);

#endif
