/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers per function, per line and per search, always of the whole tree: what is drawn or cut
 * away elsewhere never changes them.  Results live in the caller's arena.  All are linear in the
 * number of nodes (plus one sort of the rows) and use no recursion.
 */
#ifndef PROFILE_TABLE_H
#define PROFILE_TABLE_H

#include "profile/profile.h"

struct func_row {
	struct func_id func;
	int64_t self;  /* while the function itself was on top */
	int64_t total; /* while it was on the stack; recursion counts once */
};

enum func_order { FUNC_BY_SELF, FUNC_BY_TOTAL };

/* Every function with a value other than 0, largest first, ties by id.  Markers are left out. */
size_t func_table(const struct profile *profile, size_t column, enum func_order order,
		  struct arena *arena, struct func_row **ret_rows);

/* Rows in another order. */
void func_table_sort(struct func_row *rows, size_t n, enum func_order order);

struct frame_row {
	struct frame_id frame;
	int64_t self, total; /* as of a function */
};

/* The same of every frame: by line, where frames are told apart by line. */
size_t frame_table(const struct profile *profile, size_t column, enum func_order order,
		   struct arena *arena, struct frame_row **ret_rows);

struct line_row {
	uint32_t line; /* 0: unknown */
	int64_t self;
	int64_t total; /* recursion counts once per line */
};

/* Lines of one function, by line number.  Their self values add up to the function's. */
size_t line_table(const struct profile *profile, size_t column, struct func_id func,
		  struct arena *arena, struct line_row **ret_rows);

struct edge_row {
	struct func_id
		func; /* the caller or callee; func 0: none (root, or the function itself on top) */
	int64_t value;
};

/*
 * Who called `func` and whom it called: values are of the time spent in `func` and below, split by
 * the frame next to its outermost (callers) and innermost (callees) occurrence.  Each list adds up
 * to the function's total.  Largest first.
 */
size_t func_callers(const struct profile *profile, size_t column, struct func_id func,
		    struct arena *arena, struct edge_row **ret_rows);
size_t func_callees(const struct profile *profile, size_t column, struct func_id func,
		    struct arena *arena, struct edge_row **ret_rows);

struct search_result {
	int64_t matched;    /* value of all stacks with a match anywhere; overlap counts once */
	size_t n_functions; /* functions that match */
	uint8_t *is_match;  /* per func_id */
};

/*
 * Find functions by name, qualified name or file: text without regard to case, or an expression
 * with regard to it when written /like this/.  Markers (thread names) are found too; "" finds
 * nothing. ERR_USAGE for a bad expression.
 */
int profile_search(const struct profile *profile, size_t column, const char *query,
		   struct arena *arena, struct search_result *ret_result,
		   struct err *err) nodiscard;

struct diff_row {
	struct func_id func;
	int64_t self_a, self_b, total_a, total_b;
};

/*
 * From a profile_diff() result: every function of column pair 2i, 2i+1; largest |self_b-self_a|
 * first.
 */
size_t func_diff_table(const struct profile *diff, size_t pair, struct arena *arena,
		       struct diff_row **ret_rows);

#endif
