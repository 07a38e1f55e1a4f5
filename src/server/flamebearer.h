/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flame graph as Pyroscope's clients draw it: functions by name, in levels of numbers.
 *
 *	single	4 numbers a box: gap to the end of the box before, total, own, name
 *	double	7 numbers: gap, total and own before, gap, total and own after, name
 *
 * Name 0 is "total"; boxes too small to draw are one box "other".  Lines, threads and processes are left out.
 */
#ifndef SERVER_FLAMEBEARER_H
#define SERVER_FLAMEBEARER_H

#include "base/err.h"
#include "profile/flame.h"

#define FLAMEBEARER_NUMBERS 7 /* of a box, at most */

struct flamebearer {
	struct profile shown; /* what is drawn; owned */
	struct flame flame;
	bool is_double;
	const char **names;
	uint32_t n_names;
	uint32_t *name; /* by box */
	int64_t *x[2];	/* by box: left edge before, after; of a single one only the first */
	int64_t total[2];
	int64_t max_self;
};

/* Arrays live in the arena, names as long as the profiles'.  0 nodes: the default of flame.h. */
void flamebearer_init(struct flamebearer *flame, const struct profile *profile, int64_t max_nodes,
		      struct arena *arena);
int flamebearer_init_double(struct flamebearer *flame, const struct profile *before,
			    const struct profile *after, int64_t max_nodes, struct arena *arena,
			    struct err *err) nodiscard;
void flamebearer_done(struct flamebearer *flame);

/*
 * The numbers of the level that begins with box `from`: `numbers` has room for FLAMEBEARER_NUMBERS * flame.n.
 * Returns the first box of the next level; flame.n after the last.
 */
uint32_t flamebearer_level(const struct flamebearer *flame, uint32_t from, int64_t *numbers,
			   size_t *ret_n);

#endif
