/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flame graph as text: root on top, one line a level.  Boxes begin and end at rounded columns, so that those of one
 * level never overlap; what is narrower than a column is not drawn, and the last line says how much that is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "tui/tui_private.h"

#define BOXES_PER_CELL 4 /* laid out for each column of a level that could be seen */
#define LEVELS_LAID_OUT 64
#define ZOOM_MAX 512

/* ---- layout ---- */

static void paths_make(struct flame_page *page)
{
	const struct flame *flame = &page->flame;

	page->paths = arena_array(&page->arena, flame->n, sizeof(*page->paths));
	page->deepest = 0;
	for (uint32_t i = 1; i < flame->n; i++) {
		page->paths[i] = path_hash(page->paths[flame->parent[i]],
					   flame->merged[i] ? UINT32_MAX : flame->frame[i]);
		page->deepest = max_of(page->deepest, (uint32_t)flame->depth[i]);
	}
}

static void choice_find(struct flame_page *page)
{
	for (uint32_t i = 0; i < page->flame.n; i++) {
		if (page->paths[i] == page->path) {
			page->at = i;
			return;
		}
	}
	page->at = 0;
	page->path = 0;
}

static void layout(struct tui *tui, int columns)
{
	struct flame_page *page = &tui->flame;
	struct look *look = tui_look(tui);
	struct flame_opts opts = {
		.column = LOOK_WHOLE,
		.column_b = LOOK_AFTER,
		.is_diff = look->is_diff,
		.max_nodes = (uint32_t)columns * BOXES_PER_CELL * LEVELS_LAID_OUT,
		.root_path = page->n_zoom ? page->zoom : NULL,
		.root_len = page->n_zoom,
	};

	flame_layout(look_merged(look), &opts, &page->arena, &page->flame);
	if (!page->flame.root_found)
		page->n_zoom = 0;
	paths_make(page);
	choice_find(page);
}

static void flame_make(struct tui *tui, const struct pane *pane)
{
	struct flame_page *page = &tui->flame;
	int columns = pane->columns ? pane->columns : max_of(page->made_columns, 1);

	if (page->made_of == tui->version && page->made_columns == columns)
		return;
	arena_reset(&page->arena);
	layout(tui, columns);
	page->made_columns = columns;
	page->made_of = tui->version;
}

/* ---- drawing ---- */

static int column_of(const struct flame_page *page, int64_t x)
{
	int64_t whole = page->flame.width[0];

	return whole > 0
		       ? (int)((double)(x - page->flame.x[0]) / (double)whole * page->made_columns +
			       0.5)
		       : 0;
}

struct box {
	uint32_t at;
	int column, width;
};

static struct box box_of(const struct flame_page *page, uint32_t i)
{
	int left = column_of(page, page->flame.x[i]);
	int right = column_of(page, page->flame.x[i] + page->flame.width[i]);

	return (struct box){i, left, right - left};
}

static enum tui_style style_of_change(const struct look *look, const struct flame *flame,
				      uint32_t i)
{
	int64_t before = flame->total[i], after = flame->total_b[i];
	double noise = look_noise(look, before, after);

	if ((double)after - (double)before > noise)
		return STYLE_BOX_MORE;
	return (double)before - (double)after > noise ? STYLE_BOX_LESS : STYLE_BOX_SAME;
}

static enum tui_style style_of_box(const struct tui *tui, uint32_t i)
{
	const struct flame *flame = &tui->flame.flame;
	struct frame_id frame = {flame->frame[i]};

	if (flame->merged[i] || !frame.v)
		return STYLE_BOX_MARKER;
	if (tui->look.is_diff)
		return style_of_change(&tui->look, flame, i);
	return style_box_of_frame(tui->shot.names, names_frame_get(tui->shot.names, frame));
}

/* Signs for what colours say: of a difference, of the kind of code (in its name). */
static const char *sign_of_box(enum tui_style style)
{
	return style == STYLE_BOX_MORE ? "+" : style == STYLE_BOX_LESS ? "-" : "";
}

static void box_words(const struct tui *tui, uint32_t i, enum tui_style style,
		      char out[WORDS_NAME_MAX])
{
	const struct flame *flame = &tui->flame.flame;
	char name[WORDS_NAME_MAX], share[WORDS_MAX];
	int64_t total =
		tui->look.is_diff ? max_of(flame->total[i], flame->total_b[i]) : flame->total[i];

	words_share(share, total, tui->look.sum[0]);
	if (flame->merged[i])
		snprintf(name, sizeof(name), "(%u more)", flame->merged[i]);
	else if (!flame->frame[i])
		snprintf(name, sizeof(name), "all");
	else
		words_frame(name, tui->shot.names,
			    names_frame_get(tui->shot.names, (struct frame_id){flame->frame[i]}));
	snprintf(out, WORDS_NAME_MAX, "%s%.400s %s", sign_of_box(style), name, share);
}

/* Its first column is a border, so that neighbours of one kind stay two. */
static void box_draw(struct tui *tui, const struct box *box, const struct pane *pane, int line)
{
	const uint8_t *matches = tui_matches(tui);
	struct frame_id frame = {tui->flame.flame.frame[box->at]};
	enum tui_style style = style_of_box(tui, box->at);
	struct grid_place at = pane_at(pane, line, box->column, box->width);
	char text[WORDS_NAME_MAX];

	grid_fill(pane->grid, at, style, ' ');
	at.room = 1;
	grid_fill(pane->grid, at, style, pane->grid->is_ascii ? '|' : 0x258f);
	at.column++;
	at.room = box->width - 1;
	box_words(tui, box->at, style, text);
	grid_puts(pane->grid, at, style, text);
	at = pane_at(pane, line, box->column, box->width);
	if (tui_frame_matches(tui, matches, frame))
		grid_mark(pane->grid, at, STYLE_BOLD | STYLE_UNDERLINE);
	if (box->at == tui->flame.at)
		grid_mark(pane->grid, at, STYLE_REVERSE);
}

/* What the chosen box is, in full. */
static void chosen_draw(struct tui *tui, const struct pane *pane, int64_t hidden)
{
	const struct flame_page *page = &tui->flame;
	struct frame_id id = {page->flame.frame[page->at]};
	char name[WORDS_NAME_MAX] = "all", total[WORDS_MAX], self[WORDS_MAX], share[WORDS_MAX],
	     time[WORDS_MAX], more[2 * WORDS_MAX] = "";
	struct grid_place at = pane_at(pane, pane->rows - 1, 0, pane->columns);

	if (id.v)
		words_both(name, tui->shot.names, names_frame_get(tui->shot.names, id));
	words_share(total, page->flame.total[page->at], tui->look.sum[0]);
	words_share(self, page->flame.self[page->at], tui->look.sum[0]);
	words_time(time, page->flame.total[page->at]);
	if (hidden > 0) {
		words_share(share, hidden, tui->look.sum[0]);
		snprintf(more, sizeof(more), "; %s too narrow to draw", share);
	}
	at.column += grid_printf(pane->grid, at, STYLE_TITLE, "%s ", name);
	at.room = max_of(pane->columns - at.column, 0);
	grid_printf(pane->grid, at, STYLE_FAINT, "total %s (%s), own %s%s", total, time, self,
		    more);
}

static void scroll(struct flame_page *page, int levels)
{
	int depth = page->flame.depth[page->at];

	if (depth < page->top)
		page->top = depth;
	if (depth >= page->top + levels)
		page->top = depth - levels + 1;
	page->top = max_of(0, min_of(page->top, (int)page->deepest + 1 - levels));
}

static void flame_draw(struct tui *tui, const struct pane *pane)
{
	struct flame_page *page = &tui->flame;
	int levels = max_of(pane->rows - 1, 1);
	int64_t hidden = 0;

	if (!page->flame.width[0]) {
		pane_say(pane, "nothing to count here yet: z shows idle time, too");
		return;
	}
	page->made_rows = levels;
	scroll(page, levels);
	for (uint32_t i = 0; i < page->flame.n; i++) {
		int line = page->flame.depth[i] - page->top;
		struct box box = box_of(page, i);

		if (line < 0 || line >= levels)
			continue;
		if (box.width > 0)
			box_draw(tui, &box, pane, line);
		else if (box_of(page, page->flame.parent[i]).width > 0)
			hidden += page->flame.total[i];
	}
	chosen_draw(tui, pane, hidden);
}

/* ---- keys ---- */

static void choose(struct flame_page *page, uint32_t i)
{
	page->at = i;
	page->path = page->paths[i];
}

/* The widest child that is drawn. */
static void go_down(struct flame_page *page)
{
	const struct flame *flame = &page->flame;
	uint32_t best = 0;

	for (uint32_t i = flame->first_child[page->at]; i < flame->first_child[page->at + 1]; i++)
		if (box_of(page, i).width > 0 && (!best || flame->width[i] > flame->width[best]))
			best = i;
	if (best)
		choose(page, best);
}

/* The next box of the level in that direction that is drawn. */
static void go_aside(struct flame_page *page, int by)
{
	const struct flame *flame = &page->flame;
	int64_t i = page->at;

	for (i += by; i > 0 && i < flame->n && flame->depth[i] == flame->depth[page->at]; i += by) {
		if (box_of(page, (uint32_t)i).width > 0) {
			choose(page, (uint32_t)i);
			return;
		}
	}
}

/* The path to the chosen box, below what is zoomed into already. */
static void zoom_in(struct tui *tui)
{
	struct flame_page *page = &tui->flame;
	const struct flame *flame = &page->flame;
	size_t levels = flame->depth[page->at] - flame->depth[0], n = page->n_zoom + levels;

	if (!levels || n > ZOOM_MAX || flame->merged[page->at])
		return;
	page->zoom = vec_grow(page->zoom, &page->zoom_cap, n, sizeof(*page->zoom));
	for (uint32_t i = page->at; levels--; i = flame->parent[i])
		page->zoom[page->n_zoom + levels].v = flame->frame[i];
	page->n_zoom = n;
	page->path = 0;
	page->top = 0;
	tui_touch(tui);
}

static void zoom_out(struct tui *tui, size_t n)
{
	struct flame_page *page = &tui->flame;

	page->path = 0;
	page->n_zoom = n;
	page->top = 0;
	tui_touch(tui);
}

static void go_to_match(struct tui *tui, bool is_back)
{
	struct flame_page *page = &tui->flame;
	const uint8_t *matches = tui_matches(tui);
	uint32_t n = page->flame.n;

	for (uint32_t step = 1; matches && step <= n; step++) {
		uint32_t i = (page->at + (is_back ? n - step : step)) % n;

		if (box_of(page, i).width > 0 &&
		    tui_frame_matches(tui, matches, (struct frame_id){page->flame.frame[i]})) {
			choose(page, i);
			return;
		}
	}
}

static bool flame_key(struct tui *tui, uint32_t key)
{
	struct flame_page *page = &tui->flame;
	bool is_zoomed = page->n_zoom > 0;

	switch (key) {
	case TUI_KEY_UP:
		choose(page, page->flame.parent[page->at]);
		return true;
	case TUI_KEY_DOWN:
		go_down(page);
		return true;
	case TUI_KEY_LEFT:
	case TUI_KEY_RIGHT:
		go_aside(page, key == TUI_KEY_RIGHT ? 1 : -1);
		return true;
	case TUI_KEY_HOME:
		choose(page, 0);
		return true;
	case TUI_KEY_PAGE_DOWN:
	case TUI_KEY_END:
		for (int i = key == TUI_KEY_END ? UINT16_MAX : page->made_rows; i > 0; i--)
			go_down(page);
		return true;
	case TUI_KEY_PAGE_UP:
		for (int i = page->made_rows; i > 0; i--)
			choose(page, page->flame.parent[page->at]);
		return true;
	case '\r':
		zoom_in(tui);
		return true;
	case 'n':
	case 'N':
		go_to_match(tui, key == 'N');
		return true;
	case 'o':
		tui_open_source(tui, (struct frame_id){page->flame.frame[page->at]});
		return true;
	case '0':
		zoom_out(tui, 0);
		return true;
	case 0x1b:
	case TUI_KEY_BACKSPACE:
	case 0x7f:
		if (is_zoomed)
			zoom_out(tui, page->n_zoom - 1);
		return is_zoomed;
	default:
		return false;
	}
}

static const char *const flame_keys[] = {
	"Enter", "zoom", "Esc", "out", "o", "source", "/", "find", "b", "baseline", NULL,
};

const struct page page_flame = {
	.name = "Flame",
	.make = flame_make,
	.draw = flame_draw,
	.key = flame_key,
	.keys = flame_keys,
};
