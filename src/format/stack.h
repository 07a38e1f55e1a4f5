/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stack that is put together frame by frame, however deep the source says it is.
 *
 * Past `max` frames it keeps both ends, the outermost and the innermost half, around one marker
 * "[deeper]": the entry points and what really ran stay visible, and the depth is bounded.  Frames may
 * be pushed outermost first or innermost first; stack_node() is told which.
 */
#ifndef FORMAT_STACK_H
#define FORMAT_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "profile/names.h"
#include "profile/tree.h"

#define STACK_DEEPER_MARKER "[deeper]"

struct stack {
	uint32_t max;	       /* frames kept, at least 2 */
	uint64_t n;	       /* frames pushed */
	struct frame_id *kept; /* max: the first half in order, the second a ring */
	/* What stack_node() interned last: the next stack mostly begins in the same way. */
	struct node_id last_base;
	uint32_t n_last;
	struct frame_id *last_frames; /* outermost first */
	struct node_id *last_nodes;
	struct frame_id *scratch;
};

void stack_init(struct stack *stack, uint32_t max);
void stack_done(struct stack *stack);

static inline void stack_reset(struct stack *stack)
{
	stack->n = 0;
}

static inline void stack_push(struct stack *stack, struct frame_id frame)
{
	uint32_t half = stack->max / 2;
	uint64_t at = stack->n++;

	if (at >= stack->max)
		at = half + (at - half) % (stack->max - half);
	stack->kept[at] = frame;
}

/*
 * The node of what was pushed since stack_reset(), below `base`.  One stack serves one tree: between two
 * trees call stack_forget().
 */
struct node_id stack_node(struct stack *stack, struct tree *tree, struct names *names,
			  struct node_id base, bool innermost_first);
void stack_forget(struct stack *stack);

#endif
