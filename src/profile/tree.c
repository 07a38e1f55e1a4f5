/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/tree.h"

#include <assert.h>
#include <stdlib.h>

#include "base/vec.h"
#include "profile/hash.h"

#define SLOTS_FIRST_CAP 64

struct tree_slot {
	uint32_t parent, frame;
	uint32_t node; /* 0: free, since the root is nobody's child */
};

/* Where the child is, or would be.  A table that is there has a free slot. */
static inline struct tree_slot *slot_of(const struct tree *tree, uint32_t parent, uint32_t frame)
{
	size_t mask = tree->slots_cap - 1;
	size_t i = hash_pair(tree->seed, parent, frame) & mask;

	while (tree->slots[i].node &&
	       (tree->slots[i].parent != parent || tree->slots[i].frame != frame))
		i = (i + 1) & mask;
	return &tree->slots[i];
}

/* Slots for `n` children, three quarters full at most. */
static void slots_grow(struct tree *tree, size_t n)
{
	struct tree_slot *old = tree->slots;
	size_t old_cap = tree->slots_cap, cap = old_cap ? old_cap : SLOTS_FIRST_CAP;

	while (cap / 4 * 3 < n)
		cap *= 2;
	if (cap == old_cap)
		return;
	tree->slots = xcalloc(cap, sizeof(*tree->slots));
	tree->slots_cap = cap;
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].node)
			*slot_of(tree, old[i].parent, old[i].frame) = old[i];
	free(old);
}

/* Its slot is the one that slot_of() found, unless the table has to grow. */
static void slot_add(struct tree *tree, struct tree_slot *slot, struct tree_slot child)
{
	if (tree->n_slots >= tree->slots_cap / 4 * 3) {
		slots_grow(tree, tree->n_slots + 1u);
		slot = slot_of(tree, child.parent, child.frame);
	}
	*slot = child;
	tree->n_slots++;
}

/* Slots for all nodes that were appended and need one. */
static void catch_up(struct tree *tree)
{
	for (; tree->n_found < tree->n; tree->n_found++) {
		struct tree_slot child = {tree->parent[tree->n_found], tree->frame[tree->n_found],
					  tree->n_found};

		if (child.parent + 1 != child.node)
			slot_add(tree,
				 tree->slots_cap ? slot_of(tree, child.parent, child.frame) : NULL,
				 child);
	}
}

/* The three arrays have one capacity. */
static void tree_grow(struct tree *tree, size_t need)
{
	size_t parent_cap = tree->cap, frame_cap = tree->cap, depth_cap = tree->cap;

	tree->parent = vec_grow_raw(tree->parent, &parent_cap, need, sizeof(*tree->parent));
	tree->frame = vec_grow_raw(tree->frame, &frame_cap, need, sizeof(*tree->frame));
	tree->depth = vec_grow_raw(tree->depth, &depth_cap, need, sizeof(*tree->depth));
	tree->cap = parent_cap;
}

void tree_init(struct tree *tree)
{
	*tree = (struct tree){.max_nodes = TREE_MAX_NODES, .seed = hash_seed()};
	tree_grow(tree, 1);
	tree->parent[0] = tree->frame[0] = tree->depth[0] = 0;
	tree->n = tree->n_found = 1;
}

void tree_done(struct tree *tree)
{
	free(tree->parent);
	free(tree->frame);
	free(tree->depth);
	free(tree->slots);
	*tree = (struct tree){0};
}

void tree_reserve(struct tree *tree, uint32_t n)
{
	n = min_of(n, min_of(tree->max_nodes, TREE_MAX_NODES));
	if (n > tree->cap)
		tree_grow(tree, n);
	slots_grow(tree, n / 4);
}

/* Of nodes that were appended, which have no slot yet. */
static uint32_t search(const struct tree *tree, struct node_id parent, struct frame_id frame)
{
	for (uint32_t node = tree->n_found; node < tree->n; node++)
		if (tree->parent[node] == parent.v && tree->frame[node] == frame.v)
			return node;
	return 0;
}

bool tree_find_child(const struct tree *tree, struct node_id parent, struct frame_id frame,
		     struct node_id *ret_child)
{
	uint32_t node = parent.v + 1;

	if (node >= tree->n)
		return false;
	if (tree->parent[node] != parent.v || tree->frame[node] != frame.v)
		node = tree->slots_cap ? slot_of(tree, parent.v, frame.v)->node : 0;
	if (!node)
		node = search(tree, parent, frame);
	if (node)
		*ret_child = (struct node_id){node};
	return node != 0;
}

static inline bool has_room(struct tree *tree, struct node_id parent)
{
	if (tree->n < tree->max_nodes && tree->n < TREE_MAX_NODES &&
	    tree->depth[parent.v] < TREE_MAX_DEPTH)
		return true;
	tree->over_limit++;
	return false;
}

static inline uint32_t add_node(struct tree *tree, struct node_id parent, struct frame_id frame)
{
	uint32_t id = tree->n++;

	if (tree->n > tree->cap)
		tree_grow(tree, tree->n);
	tree->parent[id] = parent.v;
	tree->frame[id] = frame.v;
	tree->depth[id] = (uint16_t)(tree->depth[parent.v] + 1);
	return id;
}

/* One that is not the next node: in the table, or new. */
static bool try_other_child(struct tree *tree, struct node_id parent, struct frame_id frame,
			    struct node_id *ret_child)
{
	struct tree_slot *slot = NULL;

	if (tree->n_found < tree->n)
		catch_up(tree);
	if (tree->slots_cap)
		slot = slot_of(tree, parent.v, frame.v);
	*ret_child = slot && slot->node ? (struct node_id){slot->node} : parent;
	if (slot && slot->node)
		return true;
	if (!has_room(tree, parent))
		return false;
	ret_child->v = add_node(tree, parent, frame);
	slot_add(tree, slot, (struct tree_slot){parent.v, frame.v, ret_child->v});
	tree->n_found = tree->n;
	return true;
}

/* tree_try_child(), inline for the walk along a path. */
static inline bool try_child(struct tree *tree, struct node_id parent, struct frame_id frame,
			     struct node_id *ret_child)
{
	uint32_t next = parent.v + 1;

	*ret_child = (struct node_id){next};
	if (next < tree->n)
		return (tree->parent[next] == parent.v && tree->frame[next] == frame.v) ||
		       try_other_child(tree, parent, frame, ret_child);
	/* Of the last node: it has no children. */
	*ret_child = parent;
	if (!has_room(tree, parent))
		return false;
	ret_child->v = add_node(tree, parent, frame);
	return true;
}

bool tree_try_child(struct tree *tree, struct node_id parent, struct frame_id frame,
		    struct node_id *ret_child)
{
	assert(parent.v < tree->n);
	return try_child(tree, parent, frame, ret_child);
}

void tree_descend(struct tree *tree, struct node_id at, const struct frame_id *frames, size_t n,
		  struct node_id *nodes)
{
	bool has_room = true;

	assert(at.v < tree->n);
	for (size_t i = 0; i < n; i++) {
		has_room = has_room && try_child(tree, at, frames[i], &at);
		nodes[i] = at;
	}
}

struct node_id tree_append_child(struct tree *tree, struct node_id parent, struct frame_id frame)
{
	assert(parent.v < tree->n);
	return has_room(tree, parent) ? (struct node_id){add_node(tree, parent, frame)} : parent;
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
