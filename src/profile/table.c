/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting recursion once: a stack counts for a row when the row is somewhere on it, however often.
 *
 * The walk goes through the tree in depth-first order, which is made beforehand, so that no depth of stack can
 * exhaust ours.  For every row it knows how often the row is on the path; a node adds its total to the row only
 * where it is the first.
 */
#include "profile/table.h"

#include <stdlib.h>
#include <string.h>

#include "profile/profile_private.h"

#define NO_ROW UINT32_MAX

/* Sums of one column per row; a row is whatever row_of says frames belong to. */
struct row_sums {
	const struct profile *profile;
	const uint32_t *row_of; /* per frame id, or NO_ROW */
	int64_t *self, *total;	/* per row, the caller's, zeroed */
};

/*
 * All nodes in depth-first order.  Since parents come first, a pass backward counts what lies below each, and a pass
 * forward gives each its place: nothing jumps about in a tree that does not fit the caches.
 */
static uint32_t *depth_first(const struct tree *tree, struct arena *arena)
{
	uint32_t *order = arena_array(arena, tree->n, sizeof(*order));
	/* Nodes below and itself, until its turn comes; from then on the place of its next child. */
	uint32_t *next = arena_array(arena, tree->n, sizeof(*next));

	for (uint32_t i = tree->n; i-- > 1;)
		next[tree->parent[i]] += ++next[i];
	next[0] = 1;
	for (uint32_t i = 1; i < tree->n; i++) {
		uint32_t *parent = &next[tree->parent[i]], place = *parent;

		*parent += next[i];
		next[i] = place + 1;
		order[place] = i;
	}
	return order;
}

/* Rows of the path that the walk stands on, by depth. */
struct row_path {
	uint32_t rows[TREE_MAX_DEPTH + 1], depth;
	uint32_t *times; /* per row: how often it is on the path */
};

static void path_go(struct row_path *path, uint32_t depth, uint32_t row)
{
	for (; path->depth >= depth; path->depth--)
		if (path->rows[path->depth] != NO_ROW)
			path->times[path->rows[path->depth]]--;
	path->rows[++path->depth] = row;
}

static void rows_sum(const struct row_sums *sums, size_t column, uint32_t n_rows,
		     struct arena *arena)
{
	const struct tree *tree = &sums->profile->tree;
	const int64_t *totals = profile_totals(sums->profile, column, arena);
	const uint32_t *order = depth_first(tree, arena);
	struct row_path path = {.times = arena_array(arena, n_rows, sizeof(uint32_t))};

	for (uint32_t at = 1; at < tree->n; at++) {
		uint32_t node = order[at], row = sums->row_of[tree->frame[node]];

		path_go(&path, tree->depth[node], row);
		if (row == NO_ROW)
			continue;
		if (!path.times[row]++)
			sums->total[row] = sum_saturated(sums->total[row], totals[node]);
		sums->self[row] =
			sum_saturated(sums->self[row],
				      profile_value(sums->profile, column, (struct node_id){node}));
	}
}

/* Every function but the markers is a row. */
static uint32_t *rows_of_funcs(const struct names *names, struct arena *arena)
{
	uint32_t n = names_frame_count(names);
	uint32_t *row_of = arena_array(arena, n, sizeof(*row_of));

	for (uint32_t i = 0; i < n; i++) {
		struct frame_id frame = {i};

		if (!i || names_frame_get(names, frame)->kind == FRAME_MARKER)
			row_of[i] = NO_ROW;
		else
			row_of[i] = names_func_of(names, frame).v;
	}
	return row_of;
}

/* ---- functions ---- */

/* |b - a|, which always fits without a sign. */
static uint64_t distance(int64_t a, int64_t b)
{
	return a < b ? (uint64_t)b - (uint64_t)a : (uint64_t)a - (uint64_t)b;
}

static int order_of(int64_t a, int64_t b)
{
	return a > b ? -1 : a < b;
}

static int ids_compare(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int func_compare_self(const void *left, const void *right)
{
	const struct func_row *a = left, *b = right;
	int order = order_of(a->self, b->self);

	if (!order)
		order = order_of(a->total, b->total);
	return order ? order : ids_compare(a->func.v, b->func.v);
}

static int func_compare_total(const void *left, const void *right)
{
	const struct func_row *a = left, *b = right;
	int order = order_of(a->total, b->total);

	if (!order)
		order = order_of(a->self, b->self);
	return order ? order : ids_compare(a->func.v, b->func.v);
}

void func_table_sort(struct func_row *rows, size_t n, enum func_order order)
{
	qsort(rows, n, sizeof(*rows),
	      order == FUNC_BY_SELF ? func_compare_self : func_compare_total);
}

size_t func_table(const struct profile *profile, size_t column, enum func_order order,
		  struct arena *arena, struct func_row **ret_rows)
{
	uint32_t n_funcs = names_func_count(profile->names);
	struct row_sums sums = {
		.profile = profile,
		.row_of = rows_of_funcs(profile->names, arena),
		.self = arena_array(arena, n_funcs, sizeof(*sums.self)),
		.total = arena_array(arena, n_funcs, sizeof(*sums.total)),
	};
	struct func_row *rows = arena_array(arena, n_funcs, sizeof(*rows));
	size_t n = 0;

	rows_sum(&sums, column, n_funcs, arena);
	for (uint32_t i = 1; i < n_funcs; i++)
		if (sums.self[i] || sums.total[i])
			rows[n++] = (struct func_row){{i}, sums.self[i], sums.total[i]};
	func_table_sort(rows, n, order);
	*ret_rows = rows;
	return n;
}

static int frame_compare_self(const void *left, const void *right)
{
	const struct frame_row *a = left, *b = right;
	int order = order_of(a->self, b->self);

	if (!order)
		order = order_of(a->total, b->total);
	return order ? order : ids_compare(a->frame.v, b->frame.v);
}

static int frame_compare_total(const void *left, const void *right)
{
	const struct frame_row *a = left, *b = right;
	int order = order_of(a->total, b->total);

	if (!order)
		order = order_of(a->self, b->self);
	return order ? order : ids_compare(a->frame.v, b->frame.v);
}

size_t frame_table(const struct profile *profile, size_t column, enum func_order order,
		   struct arena *arena, struct frame_row **ret_rows)
{
	uint32_t n_frames = names_frame_count(profile->names);
	uint32_t *row_of = arena_array(arena, n_frames, sizeof(*row_of));
	struct row_sums sums = {
		.profile = profile,
		.row_of = row_of,
		.self = arena_array(arena, n_frames, sizeof(*sums.self)),
		.total = arena_array(arena, n_frames, sizeof(*sums.total)),
	};
	struct frame_row *rows = arena_array(arena, n_frames, sizeof(*rows));
	size_t n = 0;

	for (uint32_t i = 0; i < n_frames; i++)
		row_of[i] =
			names_frame_get(profile->names, (struct frame_id){i})->kind == FRAME_MARKER
				? NO_ROW
				: i;
	row_of[0] = NO_ROW;
	rows_sum(&sums, column, n_frames, arena);
	for (uint32_t i = 1; i < n_frames; i++)
		if (sums.self[i] || sums.total[i])
			rows[n++] = (struct frame_row){{i}, sums.self[i], sums.total[i]};
	qsort(rows, n, sizeof(*rows),
	      order == FUNC_BY_SELF ? frame_compare_self : frame_compare_total);
	*ret_rows = rows;
	return n;
}

static int diff_compare(const void *left, const void *right)
{
	const struct diff_row *a = left, *b = right;
	uint64_t change_a = distance(a->self_a, a->self_b),
		 change_b = distance(b->self_a, b->self_b);

	if (change_a != change_b)
		return change_a > change_b ? -1 : 1;
	return ids_compare(a->func.v, b->func.v);
}

size_t func_diff_table(const struct profile *diff, size_t pair, struct arena *arena,
		       struct diff_row **ret_rows)
{
	uint32_t n_funcs = names_func_count(diff->names);
	const uint32_t *row_of = rows_of_funcs(diff->names, arena);
	struct diff_row *rows = arena_array(arena, n_funcs, sizeof(*rows));
	struct row_sums sums[2];
	size_t n = 0;

	for (size_t side = 0; side < 2; side++) {
		sums[side] = (struct row_sums){
			.profile = diff,
			.row_of = row_of,
			.self = arena_array(arena, n_funcs, sizeof(int64_t)),
			.total = arena_array(arena, n_funcs, sizeof(int64_t)),
		};
		rows_sum(&sums[side], 2 * pair + side, n_funcs, arena);
	}
	for (uint32_t i = 1; i < n_funcs; i++) {
		struct diff_row row = {
			{i}, sums[0].self[i], sums[1].self[i], sums[0].total[i], sums[1].total[i]};

		if (row.self_a || row.self_b || row.total_a || row.total_b)
			rows[n++] = row;
	}
	qsort(rows, n, sizeof(*rows), diff_compare);
	*ret_rows = rows;
	return n;
}

/* ---- lines ---- */

static int line_compare(const void *left, const void *right)
{
	const struct line_row *a = left, *b = right;

	return ids_compare(a->line, b->line);
}

/* One row per line of `func` that any frame names, sorted; row_of[frame] finds it. */
static size_t rows_of_lines(const struct names *names, struct func_id func, struct arena *arena,
			    uint32_t *row_of, struct line_row **ret_rows)
{
	uint32_t n_frames = names_frame_count(names);
	struct line_row *rows, *found;
	size_t n = 0, n_lines = 0;

	for (uint32_t i = 0; i < n_frames; i++)
		n += names_func_of(names, (struct frame_id){i}).v == func.v;
	rows = arena_array(arena, n, sizeof(*rows));
	n = 0;
	for (uint32_t i = 0; i < n_frames; i++)
		if (names_func_of(names, (struct frame_id){i}).v == func.v)
			rows[n++].line = names_frame_get(names, (struct frame_id){i})->line;
	qsort(rows, n, sizeof(*rows), line_compare);
	for (size_t i = 0; i < n; i++)
		if (!i || rows[i].line != rows[n_lines - 1].line)
			rows[n_lines++] = rows[i];
	for (uint32_t i = 0; i < n_frames; i++) {
		struct line_row key = {.line = names_frame_get(names, (struct frame_id){i})->line};

		row_of[i] = NO_ROW;
		if (names_func_of(names, (struct frame_id){i}).v != func.v)
			continue;
		found = bsearch(&key, rows, n_lines, sizeof(*rows), line_compare);
		row_of[i] = (uint32_t)(found - rows);
	}
	*ret_rows = rows;
	return n_lines;
}

size_t line_table(const struct profile *profile, size_t column, struct func_id func,
		  struct arena *arena, struct line_row **ret_rows)
{
	uint32_t *row_of = arena_array(arena, names_frame_count(profile->names), sizeof(*row_of));
	struct row_sums sums = {.profile = profile, .row_of = row_of};
	struct line_row *rows;
	size_t n_lines = rows_of_lines(profile->names, func, arena, row_of, &rows), n = 0;

	sums.self = arena_array(arena, n_lines, sizeof(*sums.self));
	sums.total = arena_array(arena, n_lines, sizeof(*sums.total));
	rows_sum(&sums, column, (uint32_t)n_lines, arena);
	for (size_t i = 0; i < n_lines; i++)
		if (sums.self[i] || sums.total[i])
			rows[n++] = (struct line_row){rows[i].line, sums.self[i], sums.total[i]};
	*ret_rows = rows;
	return n;
}
