/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles made from profiles: each computes where every node goes, then moves the values there. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "profile/profile_private.h"

static void columns_map(const struct profile *from, const uint32_t *map, struct profile *into)
{
	for (size_t i = 0; i < from->n_columns; i++)
		map_values(from, i, map, into, i);
}

static bool node_has_value(const struct profile *profile, struct node_id node)
{
	for (size_t i = 0; i < profile->n_columns; i++)
		if (profile_value(profile, i, node))
			return true;
	return false;
}

static bool node_is_marker(const struct profile *profile, uint32_t node)
{
	struct frame_id frame = {profile->tree.frame[node]};

	return names_frame_get(profile->names, frame)->kind == FRAME_MARKER;
}

void profile_drop_markers(const struct profile *from, struct profile *into)
{
	const struct tree *tree = &from->tree;
	cleanup_free uint32_t *map = xcalloc(tree->n, sizeof(*map));

	profile_copy_head(into, from);
	for (uint32_t i = 1; i < tree->n; i++) {
		uint32_t parent = map[tree->parent[i]];

		/* Only what went to the root has nothing but markers above it. */
		if (!parent && node_is_marker(from, i))
			continue;
		map[i] = map_child(&into->tree, parent, (struct frame_id){tree->frame[i]});
	}
	columns_map(from, map, into);
}

void profile_focus(const struct profile *from, struct func_id func, struct profile *into)
{
	const struct tree *tree = &from->tree;
	cleanup_free uint32_t *map = xcalloc(tree->n, sizeof(*map));

	profile_copy_head(into, from);
	map[0] = MAP_NONE;
	for (uint32_t i = 1; i < tree->n; i++) {
		struct frame_id frame = {tree->frame[i]};
		uint32_t parent = map[tree->parent[i]];

		if (parent == MAP_NONE && names_func_of(from->names, frame).v == func.v)
			parent = 0;
		map[i] = map_child(&into->tree, parent, frame);
	}
	columns_map(from, map, into);
}

/* Nodes that keep() refuses give their values up; paths without any value are not made. */
void profile_filter(const struct profile *from, profile_keep_fn *keep, void *ctx,
		    struct profile *into)
{
	const struct tree *tree = &from->tree;
	cleanup_free uint8_t *is_kept = xcalloc(tree->n, 1);
	cleanup_free uint8_t *is_needed = xcalloc(tree->n, 1);
	cleanup_free uint32_t *map = xcalloc(tree->n, sizeof(*map));

	profile_copy_head(into, from);
	for (uint32_t i = tree->n; i-- > 0;) {
		struct node_id node = {i};

		is_kept[i] = node_has_value(from, node) && keep(from, node, ctx);
		is_needed[i] |= is_kept[i];
		is_needed[tree->parent[i]] |= is_needed[i];
	}
	for (uint32_t i = 1; i < tree->n; i++) {
		struct frame_id frame = {tree->frame[i]};

		if (is_needed[i])
			map[i] = map_child(&into->tree, map[tree->parent[i]], frame);
	}
	for (uint32_t i = 0; i < tree->n; i++)
		if (!is_kept[i])
			map[i] = MAP_NONE;
	columns_map(from, map, into);
}

/* The path of a node walked upwards is the inverted path read downwards. */
static uint32_t inverted_node(const struct tree *tree, uint32_t node, struct tree *into)
{
	struct node_id at = {0};

	for (; node; node = tree->parent[node])
		if (!tree_try_child(into, at, (struct frame_id){tree->frame[node]}, &at))
			break;
	return at.v;
}

void profile_callers(const struct profile *from, struct func_id func, struct profile *into)
{
	const struct tree *tree = &from->tree;
	cleanup_free uint32_t *map = xcalloc(tree->n, sizeof(*map));

	profile_copy_head(into, from);
	map[0] = MAP_NONE;
	for (uint32_t i = 1; i < tree->n; i++) {
		struct frame_id frame = {tree->frame[i]};

		map[i] = map[tree->parent[i]];
		if (map[i] == MAP_NONE && names_func_of(from->names, frame).v == func.v)
			map[i] = inverted_node(tree, i, &into->tree);
	}
	columns_map(from, map, into);
}

void profile_invert(const struct profile *from, struct profile *into)
{
	const struct tree *tree = &from->tree;
	cleanup_free uint32_t *map = xcalloc(tree->n, sizeof(*map));

	profile_copy_head(into, from);
	for (uint32_t i = 1; i < tree->n; i++)
		if (node_has_value(from, (struct node_id){i}))
			map[i] = inverted_node(tree, i, &into->tree);
	columns_map(from, map, into);
}
