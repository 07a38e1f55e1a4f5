/* SPDX-License-Identifier: Apache-2.0 */
#include "format/stack.h"

#include <stdlib.h>

#include "base/vec.h"
#include "format/marker.h"

void stack_init(struct stack *stack, uint32_t max)
{
	*stack = (struct stack){.max = max_of(min_of(max, (uint32_t)TREE_MAX_DEPTH), 2u)};
	stack->kept = xcalloc(stack->max, sizeof(*stack->kept));
	/* One more for the marker in the middle. */
	stack->last_frames = xcalloc(stack->max + 1u, sizeof(*stack->last_frames));
	stack->last_nodes = xcalloc(stack->max + 1u, sizeof(*stack->last_nodes));
	stack->scratch = xcalloc(stack->max + 1u, sizeof(*stack->scratch));
}

void stack_done(struct stack *stack)
{
	free(stack->kept);
	free(stack->last_frames);
	free(stack->last_nodes);
	free(stack->scratch);
	*stack = (struct stack){0};
}

void stack_forget(struct stack *stack)
{
	stack->n_last = 0;
}

/* Past the maximum: both ends with the marker between them, into scratch; returns how many frames. */
static uint32_t unroll(struct stack *stack, struct names *names)
{
	uint32_t half = stack->max / 2, ring = stack->max - half, n = 0;

	for (; n < half; n++)
		stack->scratch[n] = stack->kept[n];
	stack->scratch[n++] = marker_frame(names, STACK_DEEPER_MARKER);
	for (uint32_t i = 0; i < ring; i++)
		stack->scratch[n++] = stack->kept[half + (stack->n - half + i) % ring];
	return n;
}

struct node_id stack_node(struct stack *stack, struct tree *tree, struct names *names,
			  struct node_id base, bool innermost_first)
{
	bool is_whole = stack->n <= stack->max;
	uint32_t n = is_whole ? (uint32_t)stack->n : unroll(stack, names), same = 0;
	const struct frame_id *frames = is_whole ? stack->kept : stack->scratch;
	struct frame_id *last = stack->last_frames;
	bool is_known = stack->last_base.v == base.v;

	for (uint32_t i = 0; i < n; i++) {
		struct frame_id frame = frames[innermost_first ? n - 1 - i : i];

		is_known = is_known && i < stack->n_last && last[i].v == frame.v;
		same += is_known;
		last[i] = frame;
	}
	tree_descend(tree, same ? stack->last_nodes[same - 1] : base, last + same, n - same,
		     stack->last_nodes + same);
	stack->last_base = base;
	stack->n_last = n;
	return n ? stack->last_nodes[n - 1] : base;
}
