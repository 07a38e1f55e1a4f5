/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes of a reading: a stack that the member has now, with its values, or a sample that is lost, and what
 * its thread's memory had wrong.
 */
#include "sample/tick_private.h"

#include "base/clock.h"
#include "base/vec.h"

/* Rule 5: 1, 2, 4 … 1,024 ms. */
#define FAULTS_BORNE 10
#define AVOID_FIRST_NS NS_PER_MS
#define AVOID_DOUBLINGS 10

/* ---- what is wrong with a thread's memory ---- */

static void count_fault(struct tick *tick, const struct member *member)
{
	static const enum capture_fault of[PYTHON_FAULTS] = {
		[PYTHON_CYCLE] = CAPTURE_FAULT_CYCLE,
		[PYTHON_WILD_FRAME] = CAPTURE_FAULT_WILD_FRAME,
		[PYTHON_NO_BASE] = CAPTURE_FAULT_NO_BASE,
		[PYTHON_BAD_CODE] = CAPTURE_FAULT_BAD_CODE,
		[PYTHON_TOO_MUCH] = CAPTURE_FAULT_TOO_MUCH,
	};

	if (member->fault == PYTHON_SOUND)
		return;
	tick->stats->errors++;
	tick->stats->faults[of[member->fault]]++;
}

/* Rule 5. */
static void note_fault(struct tick *tick, struct member *member)
{
	member->fault = (uint8_t)python_fault(tick->target->python, member->python);
	count_fault(tick, member);
	if (member->fault == PYTHON_SOUND)
		member->n_faults = 0;
	else if (member->n_faults < FAULTS_BORNE + AVOID_DOUBLINGS)
		member->n_faults++;
	if (member->n_faults >= FAULTS_BORNE)
		member->avoided_until_ns = clock_monotonic_ns() +
					   (AVOID_FIRST_NS << (member->n_faults - FAULTS_BORNE));
}

bool tick_avoids(struct tick *tick, struct member *member, int64_t now_ns)
{
	if (now_ns >= member->avoided_until_ns)
		return false;
	member->news = MEMBER_LOST;
	tick->stats->dropped++;
	count_fault(tick, member);
	return true;
}

/* ---- stacks and values ---- */

/* Callers mostly are what they were: their nodes need not be looked up again. */
static struct node_id find_node(struct tree *tree, struct node_path *path, size_t n_same,
				const struct python_stack *stack)
{
	struct node_id node = {0};

	path->n = min_of(path->n, n_same);
	if (path->n)
		node = path->nodes[path->n - 1];
	path->nodes = vec_grow(path->nodes, &path->cap, stack->n, sizeof(*path->nodes));
	while (path->n < stack->n) {
		if (!tree_try_child(tree, node, stack->frames[path->n], &node))
			break; /* the tree is full */
		path->nodes[path->n++] = node;
	}
	return node;
}

void tick_take(struct tick *tick, struct member *member, enum member_news news)
{
	struct python_stack stack;

	python_stack(tick->target->python, member->python, &stack);
	if (tick->native)
		member->node = tick_native_node(tick, member, &stack);
	else if (stack.n == 0)
		member->node = tick->native_node;
	else if (tick->locals->marker.v)
		member->node = locals_stack(tick->locals, tick->tree, &stack);
	else if (!stack.is_same || !member->has_stack)
		member->node = find_node(tick->tree, &member->path,
					 member->has_stack ? stack.n_same : 0, &stack);
	/* A node with values is not that of the next stack, which may have others. */
	member->has_stack = stack.n > 0 && !tick->locals->marker.v && !tick->native;
	tick->locals->marker = (struct frame_id){0};
	member->has_node = true;
	member->n_faults = 0;
	member->news = (uint8_t)news;
}

void tick_lose(struct tick *tick, struct member *member, bool is_torn)
{
	note_fault(tick, member);
	member->news = MEMBER_LOST;
	member->asleep_since_ns = 0; /* so that the next tick reads it whatever it does */
	tick->stats->dropped++;
	tick->stats->torn += is_torn;
}

int tick_read_values(struct tick *tick, const struct member *member, int outcome)
{
	if (outcome != PYTHON_COMPLETE || !locals_are_wanted(tick->locals))
		return outcome;
	int r = locals_read(tick->locals, member);
	return r < 0 ? r : PYTHON_COMPLETE;
}
