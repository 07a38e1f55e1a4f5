/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: saturating sums, and moving values from tree to tree. */
#ifndef PROFILE_PROFILE_PRIVATE_H
#define PROFILE_PROFILE_PRIVATE_H

#include <stdint.h>

#include "profile/profile.h"

static inline int64_t sum_saturated(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

/*
 * Where each node of one tree went in another: an id there, MAP_NONE when it was left out, or with
 * MAP_CUT an ancestor because there was no room.  Nothing below a cut node gets deeper again:
 * hanging it under the ancestor would tell of a call that never was.
 */
#define MAP_CUT (1u << 31)
#define MAP_NONE UINT32_MAX

static inline uint32_t map_child(struct tree *tree, uint32_t parent, struct frame_id frame)
{
	struct node_id node;

	if (parent & MAP_CUT)
		return parent;
	if (!tree_try_child(tree, (struct node_id){parent}, frame, &node))
		return parent | MAP_CUT;
	return node.v;
}

/* The same of a child that is known not to be there. */
static inline uint32_t map_new_child(struct tree *tree, uint32_t parent, struct frame_id frame)
{
	struct node_id child;

	if (parent & MAP_CUT)
		return parent;
	child = tree_append_child(tree, (struct node_id){parent}, frame);
	return child.v == parent ? parent | MAP_CUT : child.v;
}

/* Add the values of one column, node by node along the map. */
void map_values(const struct profile *from, size_t from_column, const uint32_t *map,
		struct profile *into, size_t into_column);
/* The columns, period, times and counts of `from`, for an empty profile that shares the names. */
void profile_copy_head(struct profile *into, const struct profile *from);
/* Append a column even if there is one of its type (differences have two); room was checked. */
size_t profile_append_column(struct profile *profile, struct sample_type type);

#endif
