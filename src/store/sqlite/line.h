/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of a timeline: sums per step of some series each.  Only heads of blocks are read.
 *
 *	lines_begin	room for so many
 *	lines_plan	which series make up a line
 *	lines_read	all of them at once, since blocks of many series lie in the same files
 *	lines_end
 *
 * An object of one query.
 */
#ifndef STORE_SQLITE_LINE_H
#define STORE_SQLITE_LINE_H

#include "store/sqlite/query.h"

struct line_sums;

struct lines {
	struct query *query;
	const struct steps *steps;
	struct line_sums *sums;
	size_t n;
	struct plan plan;
	struct plan again; /* windows that lack their track: what lies below them */
};

void lines_begin(struct lines *lines, struct query *query, const struct steps *steps, size_t n,
		 struct arena *arena);
void lines_plan(struct lines *lines, size_t line, struct series *const *members, size_t n_members);
/* Points of each line into ret_lines[n], in the arena. */
int lines_read(struct lines *lines, struct store_line *ret_lines, struct err *err) nodiscard;
void lines_end(struct lines *lines);

#endif
