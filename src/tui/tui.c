/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds the pages together: the look, rebuilt when what it is made of has changed, the filter, and drawing.
 *
 * Invariants:
 *   1. version grows with every change of data or of the way it is shown; look_version only where the numbers
 *	change, and never without version.
 *   2. A page's rows belong to its own arena, and to the version that they were made of.
 */
#include "tui/tui.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/vec.h"
#include "tui/tui_private.h"

static struct arena *page_arena(struct tui *tui, size_t i)
{
	struct arena *const arenas[] = {&tui->functions.arena, &tui->threads.arena,
					&tui->tree.arena,      &tui->flame.arena,
					&tui->source.arena,    &tui->search_arena};

	return i < array_len(arenas) ? arenas[i] : NULL;
}

struct tui *tui_new(const struct tui_opts *opts)
{
	struct tui *tui = xcalloc(1, sizeof(*tui));
	struct arena *arena;

	tui->opts = *opts;
	tui->tab = opts->tab;
	tui->measure = opts->shows_idle ? MEASURE_ALL : MEASURE_BUSY;
	tui->version = tui->look_version = 1;
	tui->functions.order = ORDER_OWN;
	facts_init(&tui->facts);
	look_init(&tui->look);
	for (size_t i = 0; (arena = page_arena(tui, i)); i++)
		arena_init(arena);
	return tui;
}

void tui_free(struct tui *tui)
{
	struct arena *arena;

	if (!tui)
		return;
	for (size_t i = 0; (arena = page_arena(tui, i)); i++)
		arena_done(arena);
	map64_done(&tui->tree.opened);
	free(tui->flame.zoom);
	look_done(&tui->look);
	facts_done(&tui->facts);
	shot_done(&tui->shot);
	shot_done(&tui->baseline);
	free(tui);
}

void tui_touch(struct tui *tui)
{
	tui->version++;
}

void tui_touch_look(struct tui *tui)
{
	tui->version++;
	tui->look_version++;
}

/* ---- data ---- */

/* Everything that names ids of another table of names. */
static void forget_names(struct tui *tui)
{
	shot_done(&tui->baseline);
	tui->has_baseline = false;
	tui->only = (struct frame_id){0};
	tui->source.frame = (struct frame_id){0};
	tui->flame.n_zoom = 0;
	tui->functions.list.has_moved = tui->tree.list.has_moved = false;
	map64_reset(&tui->tree.opened);
}

static bool is_frozen(const struct tui *tui, const struct tui_model *model)
{
	return tui->is_paused && !model->slider && tui->shot.names == model->profile->names;
}

void tui_update(struct tui *tui, const struct tui_model *model)
{
	if (is_frozen(tui, model)) {
		tui->behind_ns = model->elapsed_ns - tui->facts.elapsed_ns;
		return;
	}
	tui->behind_ns = 0;
	if (tui->shot.names && tui->shot.names != model->profile->names)
		forget_names(tui);
	/* The range of a capture moves on by itself; one that the user just asked for is still to come. */
	facts_take(&tui->facts, model);
	if (model->slider) {
		tui->is_paused |= !tui->shot.names;
		tui->wanted = *model->slider;
	}
	shot_take(&tui->shot, model->profile, model->generation, model->elapsed_ns);
	tui_touch_look(tui);
}

struct look *tui_look(struct tui *tui)
{
	if (!tui->shot.names)
		return NULL;
	if (tui->look_made_of != tui->look_version) {
		look_build(&tui->look,
			   &(struct look_request){
				   .shot = &tui->shot,
				   .baseline = tui->has_baseline ? &tui->baseline : NULL,
				   .measure = tui->measure,
				   .marker = tui->only,
				   .is_by_line = tui->is_by_line,
				   .rate_hz = tui->facts.rate_hz,
			   });
		tui->look_made_of = tui->look_version;
	}
	return &tui->look;
}

const char *tui_measure_words(const struct tui *tui)
{
	static const char *const words[MEASURE_COUNT] = {
		[MEASURE_BUSY] = "busy time",
		[MEASURE_ALL] = "all time",
		[MEASURE_CPU] = "CPU time",
		[MEASURE_GIL] = "GIL time",
	};

	return words[tui->measure];
}

/* ---- the filter ---- */

const uint8_t *tui_matches(struct tui *tui)
{
	struct look *look = tui_look(tui);
	struct err err = {0};

	if (!*tui->filter || !look)
		return NULL;
	if (tui->search_made_of == tui->version)
		return tui->search.is_match;
	arena_reset(&tui->search_arena);
	tui->search = (struct search_result){0};
	tui->filter_err[0] = '\0';
	if (profile_search(&look->value, look->is_diff ? LOOK_AFTER : LOOK_WHOLE, tui->filter,
			   &tui->search_arena, &tui->search, &err) < 0)
		snprintf(tui->filter_err, sizeof(tui->filter_err), "%s", err.text);
	tui->search_made_of = tui->version;
	return tui->search.is_match;
}

bool tui_frame_matches(struct tui *tui, const uint8_t *matches, struct frame_id frame)
{
	uint32_t func = frame.v ? names_func_of(tui->shot.names, frame).v : 0;

	return matches && func && matches[func];
}

/* ---- pages ---- */

static const struct page *const pages[TUI_TABS] = {
	[TUI_FUNCTIONS] = &page_functions, [TUI_THREADS] = &page_threads, [TUI_TREE] = &page_tree,
	[TUI_FLAME] = &page_flame,	   [TUI_SOURCE] = &page_source,
};

const struct page *tui_page(const struct tui *tui)
{
	return pages[tui->tab];
}

const struct page *tui_page_at(enum tui_tab tab)
{
	return pages[tab];
}

void tui_set_tab(struct tui *tui, enum tui_tab tab)
{
	if (tab == TUI_SOURCE && tui->tab != TUI_SOURCE)
		tui->back_tab = tui->tab;
	tui->tab = tab;
}

void tui_open_source(struct tui *tui, struct frame_id frame)
{
	if (!frame.v || names_frame_get(tui->shot.names, frame)->kind == FRAME_MARKER)
		return;
	tui->source.frame = frame;
	tui->source.is_fresh = true;
	tui_touch(tui);
	tui_set_tab(tui, TUI_SOURCE);
}

uint64_t path_hash(uint64_t parent, uint32_t frame)
{
	uint64_t hash = (parent ^ frame) *
			0x9e3779b97f4a7c15ull; /* 2^64 / golden ratio: odd, and spreads bits */

	return hash ^ hash >> 29;
}

/* ---- drawing ---- */

void pane_say(const struct pane *pane, const char *text)
{
	int columns = (int)utf8_columns(text, strlen(text));
	int column = max_of(0, (pane->columns - columns) / 2);

	grid_puts(pane->grid, pane_at(pane, pane->rows / 3, column, pane->columns - column),
		  STYLE_FAINT, text);
}

void pane_right(const struct pane *pane, struct grid_place at, enum tui_style style,
		const char *const *wordings, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((int)utf8_columns(wordings[i], strlen(wordings[i])) <= at.room) {
			grid_puts_right(pane->grid, at, style, wordings[i]);
			return;
		}
	}
}

/* Eighths of a column tell values apart that whole ones do not. */
void pane_bar(const struct pane *pane, struct grid_place at, int64_t part, int64_t whole,
	      enum tui_style style)
{
	double share = whole > 0 ? (double)part / (double)whole : 0;
	int eighths = (int)(max_of(0.0, min_of(share, 1.0)) * at.room * 8 + 0.5);
	int full = eighths / 8, rest = eighths % 8;
	bool is_ascii = pane->grid->is_ascii;

	grid_fill(pane->grid, (struct grid_place){at.row, at.column, full, GRID_CUT_END}, style,
		  is_ascii ? '#' : 0x2588);
	if (rest && !is_ascii)
		grid_fill(pane->grid,
			  (struct grid_place){at.row, at.column + full, 1, GRID_CUT_END}, style,
			  0x2590u - (uint32_t)rest);
}

static void body_draw(struct tui *tui, const struct pane *pane)
{
	const struct page *page = tui_page(tui);

	if (pane->rows <= 0)
		return;
	if (tui->shows_help) {
		page_help_draw(tui, pane);
		return;
	}
	if (!tui_look(tui)) {
		pane_say(pane, "waiting for the first sample");
		return;
	}
	page->make(tui, pane);
	page->draw(tui, pane);
}

void tui_render(struct tui *tui, struct grid *grid)
{
	struct pane pane = {grid, 0, HEAD_ROWS, grid->columns};
	int foot;

	grid->is_ascii = tui->opts.is_ascii;
	grid_resize(grid, grid->rows, grid->columns);
	foot = page_foot_rows(tui);
	page_head_draw(tui, &pane);
	pane.row = HEAD_ROWS;
	pane.rows = grid->rows - HEAD_ROWS - foot;
	body_draw(tui, &pane);
	pane.row = max_of(grid->rows - foot, 0);
	pane.rows = foot;
	page_foot_draw(tui, &pane);
}
