/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers and callees of one function.
 *
 * Both take one forward pass: a node's parent comes before it, so what holds for the path above is
 * known when the node is reached.
 */
#include <stdlib.h>

#include "profile/profile_private.h"
#include "profile/table.h"

static int edge_compare(const void *left, const void *right)
{
	const struct edge_row *a = left, *b = right;

	if (a->value != b->value)
		return a->value > b->value ? -1 : 1;
	return a->func.v < b->func.v ? -1 : a->func.v > b->func.v;
}

static size_t edges_sorted(const int64_t *sums, uint32_t n_funcs, struct arena *arena,
			   struct edge_row **ret_rows)
{
	struct edge_row *rows;
	size_t n = 0;

	for (uint32_t i = 0; i < n_funcs; i++)
		n += sums[i] != 0;
	rows = arena_array(arena, n, sizeof(*rows));
	n = 0;
	for (uint32_t i = 0; i < n_funcs; i++)
		if (sums[i])
			rows[n++] = (struct edge_row){{i}, sums[i]};
	qsort(rows, n, sizeof(*rows), edge_compare);
	*ret_rows = rows;
	return n;
}

static uint32_t func_of_node(const struct profile *profile, uint32_t node)
{
	return names_func_of(profile->names, (struct frame_id){profile->tree.frame[node]}).v;
}

size_t func_callers(const struct profile *profile, size_t column, struct func_id func,
		    struct arena *arena, struct edge_row **ret_rows)
{
	const struct tree *tree = &profile->tree;
	uint32_t n_funcs = names_func_count(profile->names);
	const int64_t *totals = profile_totals(profile, column, arena);
	int64_t *sums = arena_array(arena, n_funcs, sizeof(*sums));
	uint8_t *is_inside = arena_array(arena, tree->n, sizeof(*is_inside));

	for (uint32_t i = 1; i < tree->n; i++) {
		uint32_t parent = tree->parent[i], caller;

		is_inside[i] = is_inside[parent];
		if (is_inside[i] || func_of_node(profile, i) != func.v)
			continue;
		is_inside[i] = 1;
		caller = parent ? func_of_node(profile, parent) : 0;
		sums[caller] = sum_saturated(sums[caller], totals[i]);
	}
	return edges_sorted(sums, n_funcs, arena, ret_rows);
}

size_t func_callees(const struct profile *profile, size_t column, struct func_id func,
		    struct arena *arena, struct edge_row **ret_rows)
{
	enum {
		OUTSIDE = 0
	}; /* else the callee's function + 1; `func` itself stands for "on top" */
	const struct tree *tree = &profile->tree;
	uint32_t n_funcs = names_func_count(profile->names);
	int64_t *sums = arena_array(arena, n_funcs, sizeof(*sums));
	uint32_t *callee = arena_array(arena, tree->n, sizeof(*callee));

	for (uint32_t i = 1; i < tree->n; i++) {
		uint32_t mine = func_of_node(profile, i), above = callee[tree->parent[i]], row;

		/* Each occurrence of `func` starts anew, so the innermost one decides. */
		if (mine == func.v || above == func.v + 1)
			callee[i] = mine + 1;
		else
			callee[i] = above;
		if (callee[i] == OUTSIDE)
			continue;
		row = callee[i] - 1 == func.v ? 0 : callee[i] - 1;
		sums[row] = sum_saturated(sums[row],
					  profile_value(profile, column, (struct node_id){i}));
	}
	return edges_sorted(sums, n_funcs, arena, ret_rows);
}
