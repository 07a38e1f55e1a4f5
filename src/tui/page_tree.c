/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The call tree: open and shut.  What takes a fair part of the time is open from the start, so that the way to where
 * the time goes shows without a key.
 */
#include <stdlib.h>

#include "tui/tui_private.h"

#define OPEN_SHARE 5 /* a node with at least 1/5 of the time is open */
#define ROWS_MAX (1u << 17)
#define HAND_MAX (1u << 16) /* nodes opened and shut by hand that are remembered */
#define INDENT 2
#define CHAIN_INDENT_SHARE 3 /* deep rows are shifted so that names keep 1/3 of the room */

enum { BY_HAND_OPEN = 1, BY_HAND_SHUT };

/* One making of the rows. */
struct making {
	struct tui *tui;
	const struct profile *profile;
	struct tree_index index;
	const int64_t *totals[2];
	const uint64_t *paths;
	bool is_diff;
	size_t n, cap;
};

static uint64_t *paths_of(const struct tree *tree, struct arena *arena)
{
	uint64_t *paths = arena_array(arena, tree->n, sizeof(*paths));

	for (uint32_t i = 1; i < tree->n; i++)
		paths[i] = path_hash(paths[tree->parent[i]], tree->frame[i]);
	return paths;
}

/* What children are ordered by: the larger of both sides of a comparison. */
static int64_t weight(const struct making *making, uint32_t node)
{
	int64_t value = making->totals[0][node];

	return making->is_diff ? max_of(value, making->totals[1][node]) : value;
}

static int child_compare(const void *left, const void *right, void *ctx)
{
	const uint32_t *a = left, *b = right;
	int64_t weight_a = weight(ctx, *a), weight_b = weight(ctx, *b);

	if (weight_a != weight_b)
		return weight_a > weight_b ? -1 : 1;
	return *a < *b ? -1 : *a > *b;
}

static bool is_open(const struct making *making, uint32_t node)
{
	const uint32_t *hand = map64_get(&making->tui->tree.opened, making->paths[node]);

	if (hand)
		return *hand == BY_HAND_OPEN;
	return weight(making, node) >= weight(making, 0) / OPEN_SHARE;
}

static bool is_shown(const struct making *making, uint32_t node)
{
	return weight(making, node) > 0;
}

static bool has_children(const struct making *making, uint32_t node)
{
	for (uint32_t i = making->index.start[node]; i < making->index.start[node + 1]; i++)
		if (is_shown(making, making->index.list[i]))
			return true;
	return false;
}

static void row_add(struct making *making, uint32_t node)
{
	struct tree_page *page = &making->tui->tree;
	bool has = has_children(making, node);

	page->rows[making->n++] = (struct tree_row){
		.node = node,
		.path = making->paths[node],
		.depth = (uint16_t)(making->profile->tree.depth[node] - 1),
		.has_children = has,
		.is_open = has && is_open(making, node),
	};
}

/* Depth first without recursion; children are sorted when their parent is opened, the largest ends on top of the pile. */
static void rows_fill(struct making *making, struct arena *arena)
{
	uint32_t *pile = arena_array(arena, making->profile->tree.n, sizeof(*pile));
	const uint32_t *start = making->index.start;
	size_t n = 1; /* the root */

	while (n && making->n < making->cap) {
		uint32_t node = pile[--n];
		uint32_t *children = making->index.list + start[node];
		size_t n_children = start[node + 1] - start[node];

		if (node)
			row_add(making, node);
		if (node && !making->tui->tree.rows[making->n - 1].is_open)
			continue;
		qsort_r(children, n_children, sizeof(*children), child_compare, making);
		for (size_t i = n_children; i-- > 0;)
			if (is_shown(making, children[i]))
				pile[n++] = children[i];
	}
}

static uint64_t row_key(const void *rows, size_t i)
{
	return ((const struct tree_row *)rows)[i].path;
}

static void tree_make(struct tui *tui, const struct pane *pane)
{
	struct tree_page *page = &tui->tree;
	struct look *look = tui_look(tui);
	const struct profile *profile = look_merged(look);
	struct making making = {.tui = tui, .profile = profile, .is_diff = look->is_diff};

	(void)pane;
	if (page->made_of == tui->version)
		return;
	arena_reset(&page->arena);
	tree_index(&profile->tree, &page->arena, &making.index);
	for (size_t i = 0; i < 2; i++)
		making.totals[i] = page->totals[i] = profile_totals(profile, i, &page->arena);
	making.paths = paths_of(&profile->tree, &page->arena);
	making.cap = min_of(profile->tree.n, ROWS_MAX);
	page->rows = arena_array(&page->arena, making.cap, sizeof(*page->rows));
	rows_fill(&making, &page->arena);
	list_update(&page->list, page->rows, making.n, row_key);
	page->made_of = tui->version;
}

/* ---- drawing ---- */

#define SHARE_WIDTH 7

static int numbers_draw(struct tui *tui, const struct tree_row *row, const struct pane *pane,
			int line)
{
	const struct tree_page *page = &tui->tree;
	const struct look *look = &tui->look;
	char text[WORDS_MAX];

	words_share(text, page->totals[0][row->node], look->sum[0]);
	grid_puts_right(pane->grid, pane_at(pane, line, 0, SHARE_WIDTH), STYLE_PLAIN, text);
	if (look->is_diff)
		words_share(text, page->totals[1][row->node], look->sum[0]);
	else
		words_share(text,
			    profile_value(look_merged(&tui->look), LOOK_WHOLE,
					  (struct node_id){row->node}),
			    look->sum[0]);
	grid_puts_right(pane->grid, pane_at(pane, line, SHARE_WIDTH, SHARE_WIDTH), STYLE_PLAIN,
			text);
	return 2 * SHARE_WIDTH + 1;
}

static void name_draw(struct tui *tui, const struct tree_row *row, const struct pane *pane,
		      int line, int column)
{
	struct frame_id id = {look_merged(&tui->look)->tree.frame[row->node]};
	const struct frame *frame = names_frame_get(tui->shot.names, id);
	const uint8_t *matches = tui_matches(tui);
	bool is_ascii = pane->grid->is_ascii;
	char name[WORDS_NAME_MAX], place[WORDS_NAME_MAX];
	struct grid_place at = pane_at(pane, line, column, max_of(pane->columns - column, 0));
	int used;

	if (row->has_children)
		grid_fill(pane->grid, pane_at(pane, line, column, 1), STYLE_KEY,
			  row->is_open ? is_ascii ? '-' : 0x25be
			  : is_ascii   ? '+'
				       : 0x25b8);
	words_frame(name, tui->shot.names, frame);
	words_place(place, tui->shot.names, frame);
	at.column += 2;
	at.room = max_of(at.room - 2, 0);
	used = grid_puts(pane->grid, at,
			 tui_frame_matches(tui, matches, id)
				 ? STYLE_MATCH
				 : style_of_frame(tui->shot.names, frame),
			 name);
	at.column += used + 1;
	at.room = max_of(at.room - used - 1, 0);
	grid_puts(pane->grid, at, STYLE_FAINT, place);
}

/* How far rows are shifted to the left, so that the chosen one can be read however deep it is. */
static int shift_of(const struct tree_page *page, int room)
{
	int indent = page->list.n ? page->rows[page->list.at].depth * INDENT : 0;

	return max_of(0, indent - room / CHAIN_INDENT_SHARE);
}

static void row_draw(struct tui *tui, size_t i, const struct pane *pane, int line, int shift)
{
	const struct tree_row *row = &tui->tree.rows[i];
	int column = numbers_draw(tui, row, pane, line);
	int indent = row->depth * INDENT - shift;

	if (indent < 0)
		grid_fill(pane->grid, pane_at(pane, line, column - 1, 1), STYLE_FAINT, '<');
	name_draw(tui, row, pane, line, column + max_of(indent, 0));
	if (i == tui->tree.list.at)
		grid_mark(pane->grid, pane_at(pane, line, 0, pane->columns), STYLE_REVERSE);
}

static void tree_draw(struct tui *tui, const struct pane *pane)
{
	struct tree_page *page = &tui->tree;
	int shift = shift_of(page, pane->columns - 2 * SHARE_WIDTH);

	grid_puts_right(pane->grid, pane_at(pane, 0, 0, SHARE_WIDTH), STYLE_HEAD,
			tui->look.is_diff ? "before" : "Total");
	grid_puts_right(pane->grid, pane_at(pane, 0, SHARE_WIDTH, SHARE_WIDTH), STYLE_HEAD,
			tui->look.is_diff ? "after" : "Own");
	grid_puts(pane->grid, pane_at(pane, 0, 2 * SHARE_WIDTH + 3, pane->columns), STYLE_HEAD,
		  "Function");
	list_show(&page->list, pane->rows - 1);
	if (!page->list.n)
		pane_say(pane, "nothing to count here yet: z shows idle time, too");
	for (int line = 1; line < pane->rows; line++)
		if (page->list.top + (size_t)line - 1 < page->list.n)
			row_draw(tui, page->list.top + (size_t)line - 1, pane, line, shift);
}

/* ---- keys ---- */

static void hand_set(struct tui *tui, const struct tree_row *row, uint32_t how)
{
	if (tui->tree.opened.n >= HAND_MAX)
		map64_reset(&tui->tree.opened);
	*map64_put(&tui->tree.opened, row->path, NULL) = how;
	tui->tree.list.has_moved = true;
	tui_touch(tui);
}

/* The row of the parent stands somewhere above. */
static void go_to_parent(struct tree_page *page)
{
	uint16_t depth = page->rows[page->list.at].depth;

	for (size_t i = page->list.at; i-- > 0;) {
		if (page->rows[i].depth < depth) {
			list_choose(&page->list, i, page->rows, row_key);
			return;
		}
	}
}

static void go_right(struct tui *tui, const struct tree_row *row)
{
	struct tree_page *page = &tui->tree;

	if (row->has_children && !row->is_open)
		hand_set(tui, row, BY_HAND_OPEN);
	else if (row->is_open)
		list_choose(&page->list, page->list.at + 1, page->rows, row_key);
}

/* To the next match, around the end. */
static void go_to_match(struct tui *tui, bool is_back)
{
	struct tree_page *page = &tui->tree;
	const uint8_t *matches = tui_matches(tui);
	const struct tree *tree = &look_merged(&tui->look)->tree;

	for (size_t step = 1; matches && step <= page->list.n; step++) {
		size_t i = (page->list.at + (is_back ? page->list.n - step : step)) % page->list.n;
		struct frame_id frame = {tree->frame[page->rows[i].node]};

		if (tui_frame_matches(tui, matches, frame)) {
			list_choose(&page->list, i, page->rows, row_key);
			return;
		}
	}
}

static bool tree_key(struct tui *tui, uint32_t key)
{
	struct tree_page *page = &tui->tree;
	const struct tree_row *row = page->list.n ? &page->rows[page->list.at] : NULL;

	if (list_move(&page->list, key, page->rows, row_key))
		return true;
	if (!row)
		return false;
	switch (key) {
	case '\r':
		if (row->has_children)
			hand_set(tui, row, row->is_open ? BY_HAND_SHUT : BY_HAND_OPEN);
		return true;
	case TUI_KEY_RIGHT:
		go_right(tui, row);
		return true;
	case TUI_KEY_LEFT:
		if (row->is_open)
			hand_set(tui, row, BY_HAND_SHUT);
		else
			go_to_parent(page);
		return true;
	case 'n':
	case 'N':
		go_to_match(tui, key == 'N');
		return true;
	case 'o':
		tui_open_source(tui,
				(struct frame_id){look_merged(&tui->look)->tree.frame[row->node]});
		return true;
	default:
		return false;
	}
}

static const char *const tree_keys[] = {
	"Enter", "open/shut", "o", "source", "/", "find", "n", "next", "b", "baseline", NULL,
};

const struct page page_tree = {
	.name = "Tree",
	.make = tree_make,
	.draw = tree_draw,
	.key = tree_key,
	.keys = tree_keys,
};
