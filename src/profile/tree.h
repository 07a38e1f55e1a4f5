/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks as a tree of ids.
 *
 * A stack is one node; the path from the root to it are its frames, outermost first.  Invariants:
 *   1. Node 0 is the root and has frame 0.
 *   2. parent[id] < id for every id > 0: one backward pass over the arrays sums subtrees, one
 *	forward pass pushes values down, and no walk ever needs recursion or a visited set.
 *   3. Siblings differ in their frame.
 * A tree has a ceiling of nodes; past it tree_child() gives the parent back, so that the time stays
 * at the deepest frame that there was room for, and `over_limit` counts it.  Depth is limited
 * likewise (TREE_MAX_DEPTH).  One thread owns a tree.
 *
 * Finding children: a child that was made right after its parent has the next number and is found there; stacks
 * are chains of such nodes.  Only the others, a tenth mostly, are in a hash table.  Memory: 10 bytes a
 * node, and 16 to 32 for each of those.
 */
#ifndef PROFILE_TREE_H
#define PROFILE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "profile/names.h"

#define TREE_MAX_NODES (16u << 20)
/*
 * The 4,096 innermost frames that a reader of live stacks keeps, and room above them: its marker for those left out,
 * process, thread, state.
 */
#define TREE_MAX_DEPTH 4352

struct node_id {
	uint32_t v;
};

struct tree {
	uint32_t *parent;
	uint32_t *frame;
	uint16_t *depth;
	uint32_t n; /* nodes, the root included */
	size_t cap;
	uint32_t max_nodes;
	uint64_t over_limit;
	uint64_t seed;
	/* (parent, frame) -> node.  Keys lie in the slots: looking one up touches one cache line. */
	struct tree_slot *slots;
	size_t slots_cap; /* power of two, 0 before the first that needs one */
	uint32_t n_slots;
	uint32_t n_found; /* nodes below this have their slot where they need one */
};

void tree_init(struct tree *tree);
void tree_done(struct tree *tree);
/* Room for `n` nodes without growing on the way, where their number can be guessed. */
void tree_reserve(struct tree *tree, uint32_t n);

/* The child of that frame, made when it is not there; past a ceiling the parent itself. */
struct node_id tree_child(struct tree *tree, struct node_id parent, struct frame_id frame);
/*
 * As tree_child(), but says so when there is no room: false, and *ret_child is the parent.  Who
 * builds a path frame by frame uses this and stops there; going on could hang the deeper frames
 * below a node that never called them.
 */
bool tree_try_child(struct tree *tree, struct node_id parent, struct frame_id frame,
		    struct node_id *ret_child) nodiscard;
/*
 * A child that is known not to be there yet, as when a whole tree is copied: cheaper, since nobody has
 * to look, and nodes get their slots when somebody does.  Past a ceiling the parent itself.
 */
struct node_id tree_append_child(struct tree *tree, struct node_id parent, struct frame_id frame);
/* The child of that frame if there is one; after appending each call may look at all nodes. */
bool tree_find_child(const struct tree *tree, struct node_id parent, struct frame_id frame,
		     struct node_id *ret_child) nodiscard;
/*
 * The nodes of a path below `at`, frame by frame, into nodes[n]; from the first frame without room on the node above it.
 */
void tree_descend(struct tree *tree, struct node_id at, const struct frame_id *frames, size_t n,
		  struct node_id *nodes);
/* Frames outermost first; stops at the first frame without room. */
struct node_id tree_stack(struct tree *tree, const struct frame_id *frames, size_t n);
/* Frames of a node outermost first into out[cap]; returns how many it has. */
size_t tree_path(const struct tree *tree, struct node_id node, struct frame_id *out, size_t cap);

/*
 * Children in compressed rows, built in one pass (counting sort by parent): the children of node i
 * are list[start[i] .. start[i+1]).  For walks from the root down.  Arrays live in the arena.
 */
struct tree_index {
	uint32_t *start; /* n + 1 */
	uint32_t *list;	 /* n - 1 */
};
void tree_index(const struct tree *tree, struct arena *arena, struct tree_index *ret_index);

#endif
