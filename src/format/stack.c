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

/* What was pushed, in the order of pushing, into scratch; returns how many frames. */
static uint32_t unroll(struct stack *stack, struct names *names)
{
	uint32_t half = stack->max / 2, ring = stack->max - half, n = 0;

	if (stack->n <= stack->max) {
		for (; n < stack->n; n++)
			stack->scratch[n] = stack->kept[n];
		return n;
	}
	for (; n < half; n++)
		stack->scratch[n] = stack->kept[n];
	stack->scratch[n++] = marker_frame(names, STACK_DEEPER_MARKER);
	for (uint32_t i = 0; i < ring; i++)
		stack->scratch[n++] = stack->kept[half + (stack->n - half + i) % ring];
	return n;
}

static void reverse(struct frame_id *frames, uint32_t n)
{
	for (uint32_t i = 0; i < n / 2; i++) {
		struct frame_id frame = frames[i];

		frames[i] = frames[n - 1 - i];
		frames[n - 1 - i] = frame;
	}
}

struct node_id stack_node(struct stack *stack, struct tree *tree, struct names *names,
			  struct node_id base, bool innermost_first)
{
	uint32_t n = unroll(stack, names), same = 0;
	struct node_id at = base;

	if (innermost_first)
		reverse(stack->scratch, n);
	if (stack->last_base.v == base.v)
		while (same < n && same < stack->n_last &&
		       stack->scratch[same].v == stack->last_frames[same].v)
			at = stack->last_nodes[same++];
	for (; same < n; same++) {
		at = tree_child(tree, at, stack->scratch[same]);
		stack->last_frames[same] = stack->scratch[same];
		stack->last_nodes[same] = at;
	}
	stack->last_base = base;
	stack->n_last = n;
	return at;
}
