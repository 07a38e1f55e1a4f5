/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a window is the sum of: the one arithmetic of roll-ups, for the writer that makes windows and for
 * fsck that makes them again to compare.
 */
#ifndef STORE_SQLITE_ROLL_SUM_H
#define STORE_SQLITE_ROLL_SUM_H

#include "store/sqlite/accum.h"

struct roll_shape {
	struct store_range window;
	bool is_gauge;	     /* of a series: levels count whole, where they begin */
	bool is_of_profiles; /* of a series, from the finest level: what sticks out is divided */
	bool has_track; /* of a series, of no gauge, below a day: it keeps its profiles' totals */
};

/*
 * Add one block below the window, all of it or the part inside.  `cover`: what of the window it covers.
 * The block's counts of nodes and columns may be changed.
 */
void roll_sum_add(struct accum *accum, const struct roll_shape *shape, struct block *block,
		  const struct cover *cover);

#endif
