/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a flame graph draws: the tree cut down to what can be seen, with an honest remainder.
 *
 * Level order, structure of arrays: children of a box are contiguous and sorted (by name, so that
 * pictures of two ranges look alike), each level is sorted by x.  For every box
 *
 *	total == self + sum of the totals of its children
 *	width == sum of the widths of its children, and the room for its own part behind them
 *
 * where children too small to draw are one last child whose `merged` says how many nodes it stands
 * for.  Cutting changes no total: only which boxes stand for themselves.  The boxes that stay are
 * the widest ones; in a difference those that changed most count fourfold, so that a small box with
 * a large change is not lost.
 */
#ifndef PROFILE_FLAME_H
#define PROFILE_FLAME_H

#include "profile/profile.h"

#define FLAME_DEFAULT_NODES 8192
#define FLAME_MAX_NODES (1u << 20)

struct flame_opts {
	size_t column;
	size_t column_b; /* with is_diff: the "after" column */
	bool is_diff;
	double scale_b; /* multiplies b for widths and for what counts as change; 0: 1 */
	/* 0: FLAME_DEFAULT_NODES; merged boxes (at most one for each that stays) come on top */
	uint32_t max_nodes;
	const struct frame_id *root_path; /* zoomed: only below this path, or NULL */
	size_t root_len;
};

struct flame {
	uint32_t n;
	uint32_t *node;	       /* tree node; of a merged box: its parent's */
	uint32_t *frame;       /* frame id; 0 for the tree's root and merged boxes */
	uint32_t *parent;      /* index of a box; the first one's is 0 */
	uint32_t *first_child; /* index; first_child[i+1]-first_child[i] children (n+1 entries) */
	uint32_t *merged;      /* how many tree nodes a merged box stands for, else 0 */
	uint16_t *depth;
	int64_t *x; /* left edge, in the value's unit */
	int64_t *
		width; /* the total; of a difference the larger part, before or after, of each node */
	int64_t *total;
	int64_t *self;
	int64_t *total_b; /* is_diff only, else NULL */
	int64_t *self_b;
	uint32_t tree_nodes;  /* nodes with a value in the whole or zoomed tree, its root too */
	int64_t merged_total; /* value inside merged boxes */
	bool root_found;      /* false: root_path is not in this profile; the whole is drawn */
};

/*
 * Arrays live in the arena.  Box 0 is the root, or the zoomed box itself.  Linear in the tree (and
 * the length of root_path), n log n in the distinct frames that are drawn.
 */
void flame_layout(const struct profile *profile, const struct flame_opts *opts, struct arena *arena,
		  struct flame *ret_flame);

#endif
