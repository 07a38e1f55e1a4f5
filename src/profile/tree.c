/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/tree.h"

#include <assert.h>
#include <stdlib.h>

#include "base/vec.h"
#include "profile/hash.h"

struct child_key {
	uint32_t parent, frame;
};

static bool child_equal(const void *things, uint32_t id, const void *key)
{
	const struct tree *tree = things;
	const struct child_key *child = key;

	return tree->parent[id] == child->parent && tree->frame[id] == child->frame;
}

/* The three arrays have one capacity. */
static void tree_grow(struct tree *tree, size_t need)
{
	size_t parent_cap = tree->cap, frame_cap = tree->cap, depth_cap = tree->cap;

	if (need <= tree->cap)
		return;
	tree->parent = vec_grow(tree->parent, &parent_cap, need, sizeof(*tree->parent));
	tree->frame = vec_grow(tree->frame, &frame_cap, need, sizeof(*tree->frame));
	tree->depth = vec_grow(tree->depth, &depth_cap, need, sizeof(*tree->depth));
	tree->cap = parent_cap;
}

void tree_init(struct tree *tree)
{
	*tree = (struct tree){.max_nodes = TREE_MAX_NODES, .seed = hash_seed()};
	tree_grow(tree, 1);
	tree->n = 1;
}

void tree_done(struct tree *tree)
{
	free(tree->parent);
	free(tree->frame);
	free(tree->depth);
	idtab_done(&tree->children);
	*tree = (struct tree){0};
}

void tree_reserve(struct tree *tree, uint32_t n)
{
	n = min_of(n, min_of(tree->max_nodes, TREE_MAX_NODES));
	tree_grow(tree, n);
	idtab_reserve(&tree->children, n);
}

bool tree_find_child(const struct tree *tree, struct node_id parent, struct frame_id frame,
		     struct node_id *ret_child)
{
	struct child_key key = {.parent = parent.v, .frame = frame.v};
	uint64_t hash = hash_pair(tree->seed, parent.v, frame.v);
	uint32_t id = idtab_find(&tree->children, hash, child_equal, tree, &key);

	if (id != UINT32_MAX)
		*ret_child = (struct node_id){id};
	return id != UINT32_MAX;
}

bool tree_try_child(struct tree *tree, struct node_id parent, struct frame_id frame,
		    struct node_id *ret_child)
{
	uint32_t id;

	assert(parent.v < tree->n);
	if (tree_find_child(tree, parent, frame, ret_child))
		return true;
	if (tree->n >= min_of(tree->max_nodes, TREE_MAX_NODES) ||
	    tree->depth[parent.v] >= TREE_MAX_DEPTH) {
		tree->over_limit++;
		*ret_child = parent;
		return false;
	}
	id = tree->n++;
	tree_grow(tree, tree->n);
	tree->parent[id] = parent.v;
	tree->frame[id] = frame.v;
	tree->depth[id] = (uint16_t)(tree->depth[parent.v] + 1);
	idtab_add(&tree->children, hash_pair(tree->seed, parent.v, frame.v), id);
	*ret_child = (struct node_id){id};
	return true;
}

struct node_id tree_child(struct tree *tree, struct node_id parent, struct frame_id frame)
{
	struct node_id child;

	(void)!tree_try_child(tree, parent, frame, &child);
	return child;
}

struct node_id tree_stack(struct tree *tree, const struct frame_id *frames, size_t n)
{
	struct node_id node = {0};

	for (size_t i = 0; i < n; i++)
		if (!tree_try_child(tree, node, frames[i], &node))
			break;
	return node;
}

size_t tree_path(const struct tree *tree, struct node_id node, struct frame_id *out, size_t cap)
{
	size_t depth = tree->depth[node.v];

	for (size_t i = depth; i-- > 0; node.v = tree->parent[node.v])
		if (i < cap)
			out[i] = (struct frame_id){tree->frame[node.v]};
	return depth;
}

/* Counting sort: count per parent, running sums, then each node into its parent's next place. */
void tree_index(const struct tree *tree, struct arena *arena, struct tree_index *ret_index)
{
	uint32_t *start = arena_array(arena, tree->n + 1u, sizeof(*start));
	uint32_t *list = arena_array(arena, tree->n, sizeof(*list));

	for (uint32_t i = 1; i < tree->n; i++)
		start[tree->parent[i] + 1]++;
	for (uint32_t i = 0; i < tree->n; i++)
		start[i + 1] += start[i];
	/* Filling from the back leaves start[] where it was, with one array less. */
	for (uint32_t i = tree->n; i-- > 1;)
		list[--start[tree->parent[i] + 1]] = i;
	/* Each start[p + 1] now holds where p's children begin. */
	for (uint32_t i = 0; i < tree->n; i++)
		start[i] = start[i + 1];
	start[tree->n] = tree->n - 1;
	*ret_index = (struct tree_index){.start = start, .list = list};
}
