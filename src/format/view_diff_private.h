/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before and after on one tree, while answers are made of it: the flame graph and table (view_diff_write.c), the
 * functions that changed most (view_changes.c).
 *
 *	view_diff_init(&diff, a, b, request, facts_a, facts_b);
 *	r = view_diff_make(&diff, &err);
 *	...
 *	view_diff_done(&diff);
 */
#ifndef FORMAT_VIEW_DIFF_PRIVATE_H
#define FORMAT_VIEW_DIFF_PRIVATE_H

#include "format/view_private.h"
#include "profile/table.h"

struct side {
	const struct profile *from;
	const struct view_facts *facts;
	struct profile value;
	double weight; /* of one sample, as noise counts; 0: unknown */
};

struct view_diff {
	const struct view_request *request;
	struct side a, b;
	struct arena arena;
	struct profile both; /* a's at column 0, b's at column 1 */
	struct view_stages stages;
	int64_t scale;
	double scale_b;	       /* a's wall time / b's */
	struct diff_row *rows; /* every function, largest change of self first */
	size_t n_rows;
	struct search_result found_a, found_b; /* where the request has a search */
};

/* All of it is borrowed until view_diff_done(). */
void view_diff_init(struct view_diff *diff, const struct profile *a, const struct profile *b,
		    const struct view_request *request, const struct view_facts *facts_a,
		    const struct view_facts *facts_b);
int view_diff_make(struct view_diff *diff, struct err *err) nodiscard;
void view_diff_done(struct view_diff *diff);

/* Half of the 95 % interval of b's value * scale_b - a's (view.h); 0: unknown. */
int64_t view_diff_noise(const struct view_diff *diff, int64_t a, int64_t b);
/* Members "unit" to "is_partial_b" of the answer, but "total" and "total_b". */
void view_diff_head_write(const struct view_diff *diff, struct json_writer *json);

#endif
