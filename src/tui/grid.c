/* SPDX-License-Identifier: Apache-2.0 */
#include "tui/grid.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/vec.h"

#define REPLACEMENT 0xfffdu
#define ELLIPSIS 0x2026u
#define FIRST_STRONG_ISOLATE 0x2068u
#define POP_ISOLATE 0x2069u
#define LINE_MAX_BYTES 1024 /* of what pages print themselves */

void grid_done(struct grid *grid)
{
	free(grid->cells);
	*grid = (struct grid){0};
}

void grid_resize(struct grid *grid, int rows, int columns)
{
	size_t n;

	grid->rows = max_of(1, min_of(rows, GRID_MAX_ROWS));
	grid->columns = max_of(1, min_of(columns, GRID_MAX_COLUMNS));
	n = (size_t)grid->rows * (size_t)grid->columns;
	grid->cells = vec_grow(grid->cells, &grid->cap, n, sizeof(*grid->cells));
	for (size_t i = 0; i < n; i++)
		grid->cells[i] = (struct grid_cell){.code = ' '};
}

struct grid_cell *grid_at(struct grid *grid, int row, int column)
{
	assert(row >= 0 && row < grid->rows && column >= 0 && column < grid->columns);
	return &grid->cells[(size_t)row * (size_t)grid->columns + (size_t)column];
}

/* The part of a place that lies in the grid; room 0: nothing does. */
static struct grid_place place_inside(const struct grid *grid, struct grid_place at)
{
	if (at.row < 0 || at.row >= grid->rows || at.column < 0 || at.column >= grid->columns)
		at.room = 0;
	else
		at.room = max_of(0, min_of(at.room, grid->columns - at.column));
	return at;
}

/* ---- characters ---- */

struct glyph {
	uint32_t code;
	int columns;
	size_t bytes;
};

static struct glyph glyph_next(const char *text, size_t len)
{
	struct glyph glyph;

	glyph.bytes = utf8_next(text, len, &glyph.code);
	if (!utf8_code_is_printable(glyph.code))
		glyph.code = REPLACEMENT;
	glyph.columns = utf8_code_columns(glyph.code);
	return glyph;
}

static int text_columns(const char *text, size_t len)
{
	size_t columns = 0;

	while (len) {
		struct glyph glyph = glyph_next(text, len);

		columns += (size_t)glyph.columns;
		text += glyph.bytes;
		len -= glyph.bytes;
	}
	return (int)min_of(columns, (size_t)INT32_MAX);
}

static bool text_runs_left(const char *text, size_t len)
{
	while (len) {
		struct glyph glyph = glyph_next(text, len);

		if (utf8_code_runs_left(glyph.code))
			return true;
		text += glyph.bytes;
		len -= glyph.bytes;
	}
	return false;
}

/* Bytes of the start of a text that is at least `columns` wide, marks of its last character included. */
static size_t text_skip(const char *text, size_t len, int columns)
{
	size_t at = 0;

	while (at < len) {
		struct glyph glyph = glyph_next(text + at, len - at);

		if (columns <= 0 && glyph.columns)
			break;
		columns -= glyph.columns;
		at += glyph.bytes;
	}
	return at;
}

/* ---- putting ---- */

/* A mark joins what stands before it in the same text; one without anything before it is dropped. */
static void cell_add_mark(struct grid_cell *cell, uint32_t mark)
{
	for (int i = 0; i < GRID_MAX_MARKS; i++) {
		if (!cell->marks[i]) {
			cell->marks[i] = mark;
			return;
		}
	}
}

/* Half of a wide character that something is drawn over would leave the other half behind. */
static void cell_clear(struct grid *grid, int row, int column)
{
	struct grid_cell *cell = grid_at(grid, row, column);

	if (!cell->code && column > 0)
		grid_at(grid, row, column - 1)->code = ' ';
	if (column + 1 < grid->columns && !grid_at(grid, row, column + 1)->code)
		grid_at(grid, row, column + 1)->code = ' ';
	*cell = (struct grid_cell){.code = ' '};
}

static void cell_put(struct grid *grid, struct grid_place at, enum tui_style style,
		     struct glyph glyph)
{
	cell_clear(grid, at.row, at.column);
	*grid_at(grid, at.row, at.column) =
		(struct grid_cell){.code = glyph.code, .style = (uint8_t)style};
	if (glyph.columns < 2)
		return;
	cell_clear(grid, at.row, at.column + 1);
	*grid_at(grid, at.row, at.column + 1) = (struct grid_cell){.style = (uint8_t)style};
}

/* As much of a text as there is room for; returns the columns. */
static int run_put(struct grid *grid, struct grid_place at, enum tui_style style, const char *text,
		   size_t len)
{
	int used = 0, last = -1;

	while (len) {
		struct glyph glyph = glyph_next(text, len);

		if (glyph.columns > at.room - used)
			break;
		if (glyph.columns) {
			last = at.column + used;
			cell_put(grid, (struct grid_place){at.row, last, 0, GRID_CUT_END}, style,
				 glyph);
		} else if (last >= 0) {
			cell_add_mark(grid_at(grid, at.row, last), glyph.code);
		}
		used += glyph.columns;
		text += glyph.bytes;
		len -= glyph.bytes;
	}
	return used;
}

static int ellipsis_put(struct grid *grid, struct grid_place at, enum tui_style style)
{
	cell_put(grid, at, style, (struct glyph){grid->is_ascii ? '~' : ELLIPSIS, 1, 0});
	return 1;
}

/* Head, ellipsis, tail: of a text that is wider than the room. */
static int cut_put(struct grid *grid, struct grid_place at, enum tui_style style, const char *text,
		   size_t len)
{
	int keep = at.room - 1, tail, used;
	int whole = text_columns(text, len);
	struct grid_place place = at;
	size_t skip;

	tail = at.cut == GRID_CUT_START ? keep : at.cut == GRID_CUT_MIDDLE ? keep / 2 : 0;
	skip = text_skip(text, len, whole - tail);
	place.room = keep - tail;
	used = run_put(grid, place, style, text, len);
	place.column = at.column + used;
	used += ellipsis_put(grid, place, style);
	if (!tail)
		return used;
	place.column = at.column + used;
	place.room = at.room - used;
	return used + run_put(grid, place, style, text + skip, len - skip);
}

int grid_put(struct grid *grid, struct grid_place at, enum tui_style style, const char *text,
	     size_t len)
{
	struct grid_cell *last;
	int used;

	at = place_inside(grid, at);
	if (!at.room || !len)
		return 0;
	/* What could never be seen is not measured either: names can be long, rows are many. */
	if (at.cut == GRID_CUT_END)
		len = min_of(len, (size_t)at.room * 16);
	if (text_columns(text, len) <= at.room)
		used = run_put(grid, at, style, text, len);
	else
		used = cut_put(grid, at, style, text, len);
	if (used && text_runs_left(text, len)) {
		grid_at(grid, at.row, at.column)->begins_isolate = true;
		last = grid_at(grid, at.row, at.column + used - 1);
		if (!last->code)
			last--;
		last->ends_isolate = true;
	}
	return used;
}

int grid_puts(struct grid *grid, struct grid_place at, enum tui_style style, const char *text)
{
	return grid_put(grid, at, style, text, strlen(text));
}

void grid_puts_right(struct grid *grid, struct grid_place at, enum tui_style style,
		     const char *text)
{
	int columns = text_columns(text, strlen(text));

	at = place_inside(grid, at);
	at.cut = GRID_CUT_START;
	if (columns < at.room) {
		at.column += at.room - columns;
		at.room = columns;
	}
	grid_puts(grid, at, style, text);
}

int grid_printf(struct grid *grid, struct grid_place at, enum tui_style style, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	return grid_puts(grid, at, style, line);
}

void grid_fill(struct grid *grid, struct grid_place at, enum tui_style style, uint32_t code)
{
	at = place_inside(grid, at);
	for (; at.room > 0; at.room--, at.column++)
		cell_put(grid, at, style, (struct glyph){code, 1, 0});
}

void grid_mark(struct grid *grid, struct grid_place at, uint8_t attributes)
{
	at = place_inside(grid, at);
	for (; at.room > 0; at.room--, at.column++)
		grid_at(grid, at.row, at.column)->attributes |= attributes;
}

void grid_restyle(struct grid *grid, struct grid_place at, enum tui_style style)
{
	at = place_inside(grid, at);
	for (; at.room > 0; at.room--, at.column++)
		grid_at(grid, at.row, at.column)->style = (uint8_t)style;
}

/* ---- as text ---- */

size_t grid_cell_codes(const struct grid_cell *cell, uint32_t codes[GRID_CELL_MAX_CODES])
{
	size_t n = 0;

	if (!cell->code)
		return 0;
	codes[n++] = cell->code;
	for (int i = 0; i < GRID_MAX_MARKS && cell->marks[i]; i++)
		codes[n++] = cell->marks[i];
	return n;
}

static void code_text(struct buf *out, uint32_t code)
{
	char bytes[4];

	buf_put(out, bytes, utf8_put(bytes, code));
}

static void row_text(const struct grid *grid, int row, struct buf *out)
{
	const struct grid_cell *cells = &grid->cells[(size_t)row * (size_t)grid->columns];
	uint32_t codes[GRID_CELL_MAX_CODES];
	int end = grid->columns;

	while (end > 0 && cells[end - 1].code == ' ' && !cells[end - 1].ends_isolate)
		end--;
	for (int i = 0; i < end; i++) {
		size_t n = grid_cell_codes(&cells[i], codes);

		if (cells[i].begins_isolate)
			code_text(out, FIRST_STRONG_ISOLATE);
		for (size_t k = 0; k < n; k++)
			code_text(out, codes[k]);
		if (cells[i].ends_isolate)
			code_text(out, POP_ISOLATE);
	}
	buf_putc(out, '\n');
}

void grid_text(const struct grid *grid, struct buf *out)
{
	for (int row = 0; row < grid->rows; row++)
		row_text(grid, row, out);
}
