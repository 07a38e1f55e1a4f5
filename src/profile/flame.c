/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout in passes over the tree, each linear:
 *
 *   1. totals and widths, from the leaves up;
 *   2. scores: what a node is worth drawing for; no less than those below it, so that the nodes
 *	over any score are closed under "parent of" (ties go to the smaller id, which parents have);
 *   3. the score that only max_nodes nodes reach, by counting bytes from the highest down;
 *   4. every node that stays gets a place, every other one goes to the nearest ancestor that stays;
 *   5. those that stay are sorted by name, then by parent, and laid out level by level.
 */
#include "profile/flame.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profile/profile_private.h"

#define CHANGE_WEIGHT 4 /* a box is worth this many times its change */

/* One unit of work: everything lives in the arena. */
struct layout {
	const struct profile *profile;
	const struct flame_opts *opts;
	struct arena *arena;
	double scale_b;
	uint32_t top; /* node of box 0 */
	bool is_plain;

	int64_t *total[2];
	int64_t *width;
	uint64_t *score; /* 0: without value, or outside of the zoomed box */

	uint32_t *place; /* per node: place of the nearest one that stays, itself included */
	uint32_t *stays; /* per place: node */
	uint32_t n_stays;
	uint32_t *child_start, *children; /* places, by parent and name */

	/* Per place, of what was cut right below it. */
	uint32_t *cut_nodes;
	int64_t *cut_total[2], *cut_width;
};

static int64_t value_b_scaled(const struct layout *layout, int64_t value)
{
	double scaled = (double)value * layout->scale_b;

	if (layout->scale_b == 1)
		return value;
	if (scaled >= (double)INT64_MAX)
		return INT64_MAX;
	return scaled <= (double)INT64_MIN ? INT64_MIN : llround(scaled);
}

static int64_t self_of(const struct layout *layout, uint32_t node, bool is_b)
{
	size_t column = is_b ? layout->opts->column_b : layout->opts->column;

	return profile_value(layout->profile, column, (struct node_id){node});
}

/* Room for a node's own part. */
static int64_t own_width(const struct layout *layout, uint32_t node)
{
	int64_t width = max_of(self_of(layout, node, false), 0);

	if (layout->opts->is_diff)
		width = max_of(width, value_b_scaled(layout, self_of(layout, node, true)));
	return width;
}

/* Nothing below 0, nothing to compare with: a node's width and what it is worth are its total. */
static bool is_plain(const struct layout *layout)
{
	const struct profile_column *column = &layout->profile->columns[layout->opts->column];
	size_t n = min_of((size_t)layout->profile->tree.n, column->cap);
	int64_t signs = 0;

	for (size_t i = 0; i < n; i++)
		signs |= column->values[i];
	return signs >= 0 && !layout->opts->is_diff;
}

static void widths_sum(struct layout *layout)
{
	const struct tree *tree = &layout->profile->tree;
	int64_t *width;

	layout->width = layout->total[0];
	if (layout->is_plain)
		return;
	width = arena_array(layout->arena, tree->n, sizeof(*width));
	for (uint32_t i = tree->n; i-- > 0;) {
		width[i] = sum_saturated(width[i], own_width(layout, i));
		if (i)
			width[tree->parent[i]] = sum_saturated(width[tree->parent[i]], width[i]);
	}
	layout->width = width;
}

static uint64_t distance(int64_t a, int64_t b)
{
	return a < b ? (uint64_t)b - (uint64_t)a : (uint64_t)a - (uint64_t)b;
}

static uint64_t own_score(const struct layout *layout, uint32_t node)
{
	uint64_t score = max_of((uint64_t)layout->width[node], distance(layout->total[0][node], 0));
	uint64_t change;

	if (!layout->opts->is_diff)
		return score;
	change = distance(layout->total[0][node], value_b_scaled(layout, layout->total[1][node]));
	score = max_of(score, (uint64_t)(distance(layout->total[1][node], 0) != 0));
	return max_of(score,
		      change > UINT64_MAX / CHANGE_WEIGHT ? UINT64_MAX : change * CHANGE_WEIGHT);
}

/* What is outside of the zoomed box is not drawn. */
static void outside_strike(struct layout *layout)
{
	const struct tree *tree = &layout->profile->tree;
	uint8_t *is_inside = arena_array(layout->arena, tree->n, sizeof(*is_inside));

	for (uint32_t i = 0; i < tree->n; i++) {
		is_inside[i] = i == layout->top || is_inside[tree->parent[i]];
		if (!is_inside[i])
			layout->score[i] = 0;
	}
}

/* From the leaves up. */
static void scores_sum(struct layout *layout)
{
	const struct tree *tree = &layout->profile->tree;
	uint64_t *score = arena_array(layout->arena, tree->n, sizeof(*score));

	layout->score = score;
	if (layout->is_plain)
		memcpy(score, layout->total[0], tree->n * sizeof(*score));
	for (uint32_t i = layout->is_plain ? 0 : tree->n; i-- > 0;) {
		score[i] = max_of(score[i], own_score(layout, i));
		score[tree->parent[i]] = max_of(score[tree->parent[i]], score[i]);
	}
	if (layout->top)
		outside_strike(layout);
	score[layout->top] = UINT64_MAX; /* always drawn */
}

/* The zoomed node, if the whole path is there. */
static bool top_find(struct layout *layout)
{
	struct node_id node = {0};

	for (size_t i = 0; i < layout->opts->root_len; i++)
		if (!tree_find_child(&layout->profile->tree, node, layout->opts->root_path[i],
				     &node))
			return false;
	layout->top = node.v;
	return true;
}

/*
 * The score of rank `n` among n_nodes > n of them, by counting: a round fixes one byte, and the next one looks only at
 * those that share it.  *ret_ties says how many of exactly that score are among the first n.  The node on top comes
 * first in any case, the bytes that no other one uses are skipped.
 */
static uint64_t score_of_rank(const struct layout *layout, uint32_t n_nodes, uint32_t n,
			      uint32_t *ret_ties)
{
	uint64_t *scores = arena_array(layout->arena, n_nodes, sizeof(*scores)), all = 0,
		 prefix = 0;
	uint32_t n_scores = 0, left = n - 1;

	for (uint32_t i = 0; i < layout->profile->tree.n; i++) {
		if (!layout->score[i] || i == layout->top)
			continue;
		all |= layout->score[i];
		scores[n_scores++] = layout->score[i];
	}
	*ret_ties = 1;
	if (!left)
		return UINT64_MAX;
	for (int shift = (63 - __builtin_clzll(all)) / 8 * 8; shift >= 0; shift -= 8) {
		uint32_t counts[256] = {0}, n_kept = 0;
		unsigned int byte = 255;

		for (uint32_t i = 0; i < n_scores; i++)
			counts[scores[i] >> shift & 255]++;
		while (counts[byte] < left)
			left -= counts[byte--];
		prefix |= (uint64_t)byte << shift;
		for (uint32_t i = 0; i < n_scores; i++)
			if ((scores[i] >> shift & 255) == byte)
				scores[n_kept++] = scores[i];
		n_scores = n_kept;
	}
	*ret_ties = left + (prefix == UINT64_MAX);
	return prefix;
}

static uint32_t nodes_count(const struct layout *layout)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < layout->profile->tree.n; i++)
		n += layout->score[i] != 0;
	return n;
}

static void node_cut(struct layout *layout, uint32_t node, uint32_t place, bool is_uppermost)
{
	layout->cut_nodes[place]++;
	if (!is_uppermost)
		return;
	layout->cut_width[place] = sum_saturated(layout->cut_width[place], layout->width[node]);
	for (size_t side = 0; side < 1u + layout->opts->is_diff; side++)
		layout->cut_total[side][place] =
			sum_saturated(layout->cut_total[side][place], layout->total[side][node]);
}

/* Pass 4.  `n_nodes` have a score, at most `max` stay. */
static void nodes_place(struct layout *layout, uint32_t n_nodes, uint32_t max)
{
	const struct tree *tree = &layout->profile->tree;
	uint32_t ties = 0, n_room = min_of(n_nodes, max);
	uint64_t least = n_nodes > max ? score_of_rank(layout, n_nodes, max, &ties) : 0;

	layout->place = arena_array(layout->arena, tree->n, sizeof(uint32_t));
	layout->stays = arena_array(layout->arena, n_room, sizeof(uint32_t));
	layout->cut_nodes = arena_array(layout->arena, n_room, sizeof(uint32_t));
	layout->cut_width = arena_array(layout->arena, n_room, sizeof(int64_t));
	layout->cut_total[0] = arena_array(layout->arena, n_room, sizeof(int64_t));
	layout->cut_total[1] = arena_array(layout->arena, n_room, sizeof(int64_t));
	for (uint32_t i = layout->top; i < tree->n; i++) {
		uint32_t parent = tree->parent[i];
		bool stays = layout->score[i] > least;

		if (!layout->score[i])
			continue;
		if (layout->score[i] == least && ties) {
			ties--;
			stays = true;
		}
		if (stays) {
			layout->place[i] = layout->n_stays;
			layout->stays[layout->n_stays++] = i;
			continue;
		}
		layout->place[i] = layout->place[parent];
		node_cut(layout, i, layout->place[i],
			 layout->stays[layout->place[parent]] == parent);
	}
}

/* ---- order of siblings ---- */

static int frame_compare(const void *left, const void *right, void *ctx)
{
	const struct names *names = ctx;
	struct frame_id a_id = {*(const uint32_t *)left}, b_id = {*(const uint32_t *)right};
	const struct frame *a = names_frame_get(names, a_id), *b = names_frame_get(names, b_id);
	int order = strcmp(names_text(names, a->name, NULL), names_text(names, b->name, NULL));

	if (!order)
		order = strcmp(names_text(names, a->file, NULL), names_text(names, b->file, NULL));
	if (!order)
		order = a->line < b->line ? -1 : a->line > b->line;
	return order ? order : a_id.v < b_id.v ? -1 : a_id.v > b_id.v;
}

/* Rank by name of every frame that is drawn, per frame id. */
static uint32_t *frames_rank(const struct layout *layout, uint32_t *ret_n)
{
	const struct tree *tree = &layout->profile->tree;
	struct names *names = layout->profile->names;
	uint32_t *rank = arena_array(layout->arena, names_frame_count(names), sizeof(*rank));
	uint32_t *frames = arena_array(layout->arena, layout->n_stays, sizeof(*frames)), n = 0;

	for (uint32_t i = 0; i < layout->n_stays; i++) {
		uint32_t frame = tree->frame[layout->stays[i]];

		if (!rank[frame]++)
			frames[n++] = frame;
	}
	qsort_r(frames, n, sizeof(*frames), frame_compare, names);
	for (uint32_t i = 0; i < n; i++)
		rank[frames[i]] = i;
	*ret_n = n;
	return rank;
}

/* Stable counting sort of `in` by key[]; start[k] is where the key's items begin (n_keys + 1). */
static void places_sort(const uint32_t *in, uint32_t n, const uint32_t *key, uint32_t n_keys,
			uint32_t *start, uint32_t *out)
{
	for (uint32_t i = 0; i < n; i++)
		start[key[in[i]] + 1]++;
	for (uint32_t k = 0; k < n_keys; k++)
		start[k + 1] += start[k];
	for (uint32_t i = n; i-- > 0;)
		out[--start[key[in[i]] + 1]] = in[i];
	memmove(start, start + 1, n_keys * sizeof(*start));
	start[n_keys] = n;
}

static void children_sort(struct layout *layout)
{
	const struct tree *tree = &layout->profile->tree;
	uint32_t n = layout->n_stays, n_ranks, *rank = frames_rank(layout, &n_ranks);
	uint32_t *places = arena_array(layout->arena, n, sizeof(*places));
	uint32_t *by_name = arena_array(layout->arena, n, sizeof(*by_name));
	uint32_t *key = arena_array(layout->arena, n, sizeof(*key));
	uint32_t *rank_start = arena_array(layout->arena, n_ranks + 1u, sizeof(*rank_start));

	layout->child_start = arena_array(layout->arena, n + 1u, sizeof(uint32_t));
	layout->children = arena_array(layout->arena, n, sizeof(uint32_t));
	for (uint32_t i = 1; i < n; i++) {
		places[i - 1] = i;
		key[i] = rank[tree->frame[layout->stays[i]]];
	}
	places_sort(places, n - 1, key, n_ranks, rank_start, by_name);
	for (uint32_t i = 1; i < n; i++)
		key[i] = layout->place[tree->parent[layout->stays[i]]];
	places_sort(by_name, n - 1, key, n, layout->child_start, layout->children);
}

/* ---- boxes ---- */

static void flame_alloc(struct flame *flame, struct arena *arena, uint32_t n, bool is_diff)
{
	flame->node = arena_array(arena, n, sizeof(*flame->node));
	flame->frame = arena_array(arena, n, sizeof(*flame->frame));
	flame->parent = arena_array(arena, n, sizeof(*flame->parent));
	flame->first_child = arena_array(arena, n + 1u, sizeof(*flame->first_child));
	flame->merged = arena_array(arena, n, sizeof(*flame->merged));
	flame->depth = arena_array(arena, n, sizeof(*flame->depth));
	flame->x = arena_array(arena, n, sizeof(*flame->x));
	flame->width = arena_array(arena, n, sizeof(*flame->width));
	flame->total = arena_array(arena, n, sizeof(*flame->total));
	flame->self = arena_array(arena, n, sizeof(*flame->self));
	if (is_diff) {
		flame->total_b = arena_array(arena, n, sizeof(*flame->total_b));
		flame->self_b = arena_array(arena, n, sizeof(*flame->self_b));
	}
}

/* The next box, behind what `parent` holds already; *at is the left edge and moves on. */
static uint32_t box_add(struct flame *flame, uint32_t parent, uint32_t node, int64_t width,
			int64_t *at)
{
	uint32_t box = flame->n++;

	flame->node[box] = node;
	flame->parent[box] = parent;
	flame->depth[box] = (uint16_t)(box ? flame->depth[parent] + 1 : 0);
	flame->x[box] = *at;
	flame->width[box] = width;
	*at = sum_saturated(*at, width);
	return box;
}

static void box_of_node(const struct layout *layout, struct flame *flame, uint32_t parent,
			uint32_t node, int64_t *at)
{
	uint32_t box = box_add(flame, parent, node, layout->width[node], at);

	flame->frame[box] = layout->profile->tree.frame[node];
	flame->total[box] = layout->total[0][node];
	flame->self[box] = self_of(layout, node, false);
	if (!layout->opts->is_diff)
		return;
	flame->total_b[box] = layout->total[1][node];
	flame->self_b[box] = self_of(layout, node, true);
}

static void box_of_rest(const struct layout *layout, struct flame *flame, uint32_t parent,
			uint32_t place, int64_t *at)
{
	uint32_t box = box_add(flame, parent, layout->stays[place], layout->cut_width[place], at);

	flame->merged[box] = layout->cut_nodes[place];
	flame->total[box] = flame->self[box] = layout->cut_total[0][place];
	flame->merged_total = sum_saturated(flame->merged_total, flame->total[box]);
	if (layout->opts->is_diff)
		flame->total_b[box] = flame->self_b[box] = layout->cut_total[1][place];
}

/* Level by level: a box's children are added when its turn comes, behind all that came before. */
static void boxes_lay(const struct layout *layout, struct flame *flame)
{
	int64_t at = 0;

	box_of_node(layout, flame, 0, layout->top, &at);
	for (uint32_t box = 0; box < flame->n; box++) {
		uint32_t place = layout->place[flame->node[box]];

		flame->first_child[box] = flame->n;
		if (flame->merged[box])
			continue;
		at = flame->x[box];
		for (uint32_t i = layout->child_start[place]; i < layout->child_start[place + 1];
		     i++)
			box_of_node(layout, flame, box, layout->stays[layout->children[i]], &at);
		if (layout->cut_nodes[place])
			box_of_rest(layout, flame, box, place, &at);
	}
	flame->first_child[flame->n] = flame->n;
}

void flame_layout(const struct profile *profile, const struct flame_opts *opts, struct arena *arena,
		  struct flame *ret_flame)
{
	struct layout layout = {
		.profile = profile,
		.opts = opts,
		.arena = arena,
		.scale_b = opts->scale_b > 0 ? opts->scale_b : 1,
	};
	struct flame flame = {.root_found = top_find(&layout)};
	uint32_t max = opts->max_nodes ? opts->max_nodes : FLAME_DEFAULT_NODES, n_rests = 0;

	layout.total[0] = profile_totals(profile, opts->column, arena);
	if (opts->is_diff)
		layout.total[1] = profile_totals(profile, opts->column_b, arena);
	layout.is_plain = is_plain(&layout);
	widths_sum(&layout);
	scores_sum(&layout);
	flame.tree_nodes = nodes_count(&layout);
	nodes_place(&layout, flame.tree_nodes, min_of(max, FLAME_MAX_NODES));
	children_sort(&layout);
	for (uint32_t i = 0; i < layout.n_stays; i++)
		n_rests += layout.cut_nodes[i] != 0;
	flame_alloc(&flame, arena, layout.n_stays + n_rests, opts->is_diff);
	boxes_lay(&layout, &flame);
	*ret_flame = flame;
}
