/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of one function with their values, beside the text of its file.  Without the text the lines that have
 * values are all there is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/tui_private.h"

#define TAB_STOP 8
#define TEXT_LINES_MAX 65536u /* of one function */
#define LINE_BYTES 1024	      /* shown of one line */
#define CONTEXT_LINES 2u      /* above the first and below the last line of the function */

/* The function that takes most, where none was chosen. */
static struct frame_id busiest(const struct look *look, struct arena *arena)
{
	struct func_row *rows;
	size_t n = func_table(&look->value, look->is_diff ? LOOK_AFTER : LOOK_WHOLE, FUNC_BY_SELF,
			      arena, &rows);

	return n ? names_func_frame(look->names, rows[0].func) : (struct frame_id){0};
}

/* ---- text ---- */

/* Where `most` lines of a text from line `first` on begin and end; returns how many there are. */
static uint32_t lines_cut(const char *text, size_t len, uint32_t first, uint32_t most,
			  struct source_line *lines)
{
	const char *at = text, *end = text + len;
	uint32_t n = 0;

	for (uint32_t line = 1; at < end && n < most; line++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t line_len = (size_t)((stop ? stop : end) - at);

		if (line >= first)
			lines[n++] =
				(struct source_line){.line = line,
						     .text = at,
						     .len = min_of(line_len, (size_t)LINE_BYTES)};
		at = stop ? stop + 1 : end;
	}
	return n;
}

static void values_lay(struct source_line *lines, uint32_t n, const struct line_row *rows,
		       size_t n_rows)
{
	for (size_t i = 0; i < n_rows; i++) {
		if (rows[i].line < lines[0].line || rows[i].line > lines[n - 1].line)
			continue;
		lines[rows[i].line - lines[0].line].self = rows[i].self;
		lines[rows[i].line - lines[0].line].total = rows[i].total;
	}
}

/* A text from outside, copied: it is borrowed until the next one is asked for. */
static const char *text_get(struct tui *tui, const char *file, size_t *ret_len)
{
	struct source_page *page = &tui->source;
	const char *text;

	page->why = "there is no text of this file";
	if (!tui->opts.source || !*file)
		return NULL;
	text = tui->opts.source(tui->opts.source_ctx, file, ret_len, &page->why);
	if (page->why)
		page->why = arena_strndup(&page->arena, page->why, strlen(page->why));
	return text ? arena_strndup(&page->arena, text, *ret_len) : NULL;
}

/* The lines of the function as far as they are known, and some around them: numbers can be anything. */
static uint32_t lines_span(const struct frame *frame, const struct line_row *rows, size_t n_rows,
			   uint32_t *ret_first)
{
	uint32_t first = frame->first_line ? frame->first_line : UINT32_MAX, last = 0;

	for (size_t i = 0; i < n_rows; i++) {
		first = rows[i].line ? min_of(first, rows[i].line) : first;
		last = max_of(last, rows[i].line);
	}
	last = max_of(first, last);
	*ret_first = first - min_of(first - 1, CONTEXT_LINES);
	last = min_of(last, UINT32_MAX - CONTEXT_LINES) + CONTEXT_LINES;
	return min_of(last - *ret_first, TEXT_LINES_MAX - 1) + 1;
}

/* Is a line that has values behind the end of the text?  Then the file was changed. */
static bool ends_early(const struct source_page *page, uint32_t n, const struct line_row *rows,
		       size_t n_rows)
{
	return !n || (n_rows && rows[n_rows - 1].line > page->lines[n - 1].line);
}

static size_t lines_with_text(struct tui *tui, const struct line_row *rows, size_t n_rows)
{
	struct source_page *page = &tui->source;
	const struct frame *frame = names_frame_get(tui->shot.names, page->frame);
	size_t len = 0;
	const char *text = text_get(tui, names_text(tui->shot.names, frame->file, NULL), &len);
	uint32_t first, n;

	if (!text)
		return 0;
	n = lines_span(frame, rows, n_rows, &first);
	page->lines = arena_array(&page->arena, n + 1, sizeof(*page->lines));
	n = lines_cut(text, len, first, n, page->lines);
	if (ends_early(page, n, rows, n_rows)) {
		page->why = "the file has fewer lines than what ran: it was changed";
		return 0;
	}
	values_lay(page->lines, n, rows, n_rows);
	page->why = NULL;
	/* What is not known to be of any line stands below them all, so that the lines add up to the function. */
	if (n_rows && !rows[0].line)
		page->lines[n++] =
			(struct source_line){.self = rows[0].self, .total = rows[0].total};
	return n;
}

static size_t lines_alone(struct tui *tui, const struct line_row *rows, size_t n_rows)
{
	struct source_page *page = &tui->source;

	page->lines = arena_array(&page->arena, n_rows, sizeof(*page->lines));
	for (size_t i = 0; i < n_rows; i++)
		page->lines[i] = (struct source_line){
			.line = rows[i].line, .self = rows[i].self, .total = rows[i].total};
	return n_rows;
}

/* ---- rows ---- */

static uint64_t line_key(const void *rows, size_t i)
{
	return ((const struct source_line *)rows)[i].line;
}

static void go_to_hottest(struct source_page *page)
{
	size_t best = 0;

	for (size_t i = 1; i < page->list.n; i++) {
		const struct source_line *line = &page->lines[i], *most = &page->lines[best];

		if (line->self > most->self ||
		    (line->self == most->self && line->total > most->total))
			best = i;
	}
	list_choose(&page->list, best, page->lines, line_key);
	page->list.top = best;
	page->is_fresh = false;
}

static void totals_find(struct source_page *page, const struct look *look, size_t column)
{
	struct func_row *funcs;
	size_t n = func_table(&look->value, column, FUNC_BY_TOTAL, &page->arena, &funcs);

	page->self = page->total = 0;
	for (size_t i = 0; i < n; i++) {
		if (funcs[i].func.v == page->func.v) {
			page->self = funcs[i].self;
			page->total = funcs[i].total;
		}
	}
}

static void source_make(struct tui *tui, const struct pane *pane)
{
	struct source_page *page = &tui->source;
	const struct look *look = tui_look(tui);
	size_t column = look->is_diff ? LOOK_AFTER : LOOK_WHOLE, n_rows, n;
	struct line_row *rows;

	(void)pane;
	if (page->made_of == tui->version)
		return;
	page->made_of = tui->version;
	arena_reset(&page->arena);
	if (!page->frame.v) {
		page->frame = busiest(look, &page->arena);
		page->is_fresh = true;
	}
	page->list.n = 0;
	if (!page->frame.v)
		return;
	page->func = names_func_of(look->names, page->frame);
	n_rows = line_table(&look->value, column, page->func, &page->arena, &rows);
	totals_find(page, look, column);
	page->n_callers =
		func_callers(&look->value, column, page->func, &page->arena, &page->callers);
	page->n_callees =
		func_callees(&look->value, column, page->func, &page->arena, &page->callees);
	n = lines_with_text(tui, rows, n_rows);
	if (!n)
		n = lines_alone(tui, rows, n_rows);
	list_update(&page->list, page->lines, n, line_key);
	if (page->is_fresh)
		go_to_hottest(page);
}

/* ---- drawing ---- */

#define SHARE_WIDTH 7
#define NUMBER_WIDTH 7
#define BAR_COLUMNS 8
#define BAR_FROM_COLUMNS 80

static enum tui_style heat_of(int64_t value, int64_t whole)
{
	double share = whole > 0 ? (double)value / (double)whole : 0;

	return share >= 0.4    ? STYLE_HEAT_4
	       : share >= 0.15 ? STYLE_HEAT_3
	       : share >= 0.03 ? STYLE_HEAT_2
	       : share > 0     ? STYLE_HEAT_1
			       : STYLE_PLAIN;
}

/* Tabs as the columns that they stand for. */
static size_t tabs_expand(const char *text, size_t len, char out[LINE_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < LINE_BYTES - TAB_STOP; i++) {
		if (text[i] == '\r' && i + 1 == len)
			break;
		if (text[i] != '\t') {
			out[n++] = text[i];
			continue;
		}
		do
			out[n++] = ' ';
		while (n % TAB_STOP);
	}
	return n;
}

static void line_draw(struct tui *tui, const struct source_line *line, const struct pane *pane,
		      int row)
{
	const struct source_page *page = &tui->source;
	int64_t whole = tui->look.sum[tui->look.is_diff ? LOOK_AFTER : LOOK_WHOLE];
	char self[WORDS_MAX] = "", total[WORDS_MAX] = "", number[WORDS_MAX], text[LINE_BYTES];
	int column = 2 * SHARE_WIDTH + 1;

	if (line->self || line->total) {
		words_share(self, line->self, whole);
		words_share(total, line->total, whole);
	}
	snprintf(number, sizeof(number), "%u", line->line);
	grid_puts_right(pane->grid, pane_at(pane, row, 0, SHARE_WIDTH),
			heat_of(line->self, page->self), self);
	grid_puts_right(pane->grid, pane_at(pane, row, SHARE_WIDTH, SHARE_WIDTH), STYLE_FAINT,
			total);
	if (pane->columns >= BAR_FROM_COLUMNS) {
		pane_bar(pane, pane_at(pane, row, column, BAR_COLUMNS), line->self, page->self,
			 heat_of(line->self, page->self));
		column += BAR_COLUMNS;
	}
	grid_puts_right(pane->grid, pane_at(pane, row, column, NUMBER_WIDTH), STYLE_FAINT,
			line->line ? number : "?");
	column += NUMBER_WIDTH + 2;
	if (line->text)
		grid_put(pane->grid, pane_at(pane, row, column, max_of(pane->columns - column, 0)),
			 line->self ? STYLE_TITLE : STYLE_PLAIN, text,
			 tabs_expand(line->text, line->len, text));
}

static void title_draw(struct tui *tui, const struct pane *pane)
{
	const struct source_page *page = &tui->source;
	const struct frame *frame = names_frame_get(tui->shot.names, page->frame);
	int64_t whole = tui->look.sum[tui->look.is_diff ? LOOK_AFTER : LOOK_WHOLE];
	char name[WORDS_NAME_MAX], path[WORDS_NAME_MAX], self[WORDS_MAX], total[WORDS_MAX];
	struct frame shown = *frame;
	struct grid_place at = pane_at(pane, 0, 0, pane->columns / 2);

	shown.line = shown.first_line;
	words_frame(name, tui->shot.names, frame);
	words_path(path, tui->shot.names, &shown);
	words_share(self, page->self, whole);
	words_share(total, page->total, whole);
	at.column += grid_printf(pane->grid, at, STYLE_TITLE, "%s ", name);
	at.room = max_of(pane->columns - at.column, 0);
	at.column += grid_printf(pane->grid, at, STYLE_PLAIN, "own %s total %s  ", self, total);
	at.room = max_of(pane->columns - at.column, 0);
	at.cut = GRID_CUT_START;
	grid_puts(pane->grid, at, STYLE_FAINT, path);
}

static void heads_draw(const struct pane *pane, const char *why)
{
	int column = 2 * SHARE_WIDTH + 1 + (pane->columns >= BAR_FROM_COLUMNS ? BAR_COLUMNS : 0);

	grid_puts_right(pane->grid, pane_at(pane, 1, 0, SHARE_WIDTH), STYLE_HEAD, "%Own");
	grid_puts_right(pane->grid, pane_at(pane, 1, SHARE_WIDTH, SHARE_WIDTH), STYLE_HEAD,
			"%Total");
	grid_puts_right(pane->grid, pane_at(pane, 1, column, NUMBER_WIDTH), STYLE_HEAD, "Line");
	column += NUMBER_WIDTH + 2;
	if (why)
		grid_puts(pane->grid, pane_at(pane, 1, column, max_of(pane->columns - column, 0)),
			  STYLE_WARN, why);
}

/* The hottest line in the middle, with what stands around it. */
static void window_centre(struct list *list, int height)
{
	if (list->top == list->at && list->at > 0)
		list->top -= min_of(list->at, (size_t)max_of(height, 1) / 2);
	list_show(list, height);
}

#define EDGES_FROM_ROWS 14 /* of the pane: less is needed for lines */
#define EDGES_SHARE 4	   /* of a larger one that part is theirs */

/* The window of lines, and below it callers and callees where there is room for both. */
static int lines_end(const struct pane *pane)
{
	return pane->rows < EDGES_FROM_ROWS ? pane->rows : pane->rows - pane->rows / EDGES_SHARE;
}

static void source_draw(struct tui *tui, const struct pane *pane)
{
	struct source_page *page = &tui->source;
	struct pane edges = *pane;
	int end = lines_end(pane);

	if (!page->frame.v) {
		pane_say(pane, "no function yet: choose one and press Enter");
		return;
	}
	edges.row += end;
	edges.rows -= end;
	source_edges_draw(tui, &edges);
	title_draw(tui, pane);
	heads_draw(pane, page->why);
	window_centre(&page->list, end - 2);
	if (!page->list.n)
		pane_say(pane, "no samples of this function");
	for (int row = 2; row < end; row++) {
		size_t i = page->list.top + (size_t)row - 2;

		if (i >= page->list.n)
			break;
		line_draw(tui, &page->lines[i], pane, row);
		if (i == page->list.at)
			grid_mark(pane->grid, pane_at(pane, row, 0, pane->columns), STYLE_REVERSE);
	}
}

/* ---- keys ---- */

/* The next line with a value of its own. */
static void go_to_hot(struct source_page *page, bool is_back)
{
	size_t n = page->list.n;

	for (size_t step = 1; step <= n; step++) {
		size_t i = (page->list.at + (is_back ? n - step : step)) % n;

		if (page->lines[i].self) {
			list_choose(&page->list, i, page->lines, line_key);
			return;
		}
	}
}

static bool source_key(struct tui *tui, uint32_t key)
{
	struct source_page *page = &tui->source;

	if (list_move(&page->list, key, page->lines, line_key))
		return true;
	switch (key) {
	case 'n':
	case 'N':
		go_to_hot(page, key == 'N');
		return true;
	case 0x1b:
	case TUI_KEY_BACKSPACE:
	case TUI_KEY_LEFT:
	case 0x7f:
		tui_set_tab(tui, tui->back_tab);
		return true;
	default:
		return false;
	}
}

static const char *const source_keys[] = {"Esc", "back", "n", "next hot line", NULL};

const struct page page_source = {
	.name = "Source",
	.make = source_make,
	.draw = source_draw,
	.key = source_key,
	.keys = source_keys,
};
