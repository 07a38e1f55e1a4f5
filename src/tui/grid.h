/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A screen as data: cells with a character and a style.
 *
 * Pages draw into a grid, a painter (tui/screen.h) shows it, tests compare it as text.  Everything that is
 * put goes through grid_put(): what is no printable character (control bytes, invalid UTF-8, characters that
 * turn the reading direction or take no room) becomes U+FFFD, a wide character takes two cells, marks join
 * the character before them, a text with letters that run right to left is fenced in by isolates, so that a
 * terminal that orders them does not move its neighbours.  Nothing is ever drawn outside of the grid.
 */
#ifndef TUI_GRID_H
#define TUI_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "tui/style.h"

#define GRID_MAX_ROWS 1000
#define GRID_MAX_COLUMNS 2000
#define GRID_MAX_MARKS 2 /* kept of the marks on one character */
#define GRID_CELL_MAX_CODES (1 + GRID_MAX_MARKS)

struct grid_cell {
	uint32_t code; /* 0: the right half of a wide character */
	uint32_t marks[GRID_MAX_MARKS];
	uint8_t style;	    /* enum tui_style */
	uint8_t attributes; /* STYLE_REVERSE …, on top of the style */
	bool begins_isolate, ends_isolate;
};

struct grid {
	int rows, columns;
	struct grid_cell *cells; /* rows * columns */
	size_t cap;
	bool is_ascii; /* ellipses and what pages draw; names stay as they are */
};

/* All-zero is an empty grid. */
void grid_done(struct grid *grid);
/* Blank, of that size (at least 1 x 1, at most the limits above). */
void grid_resize(struct grid *grid, int rows, int columns);
struct grid_cell *grid_at(struct grid *grid, int row, int column);

enum grid_cut {
	GRID_CUT_END,	/* "a long na…" */
	GRID_CUT_START, /* "…/long/path.py" */
	GRID_CUT_MIDDLE,
};

/* Where text goes: at most `room` columns from (row, column) on.  What does not fit is cut as said. */
struct grid_place {
	int row, column, room;
	enum grid_cut cut;
};

/* Returns the columns that were used. */
int grid_put(struct grid *grid, struct grid_place at, enum tui_style style, const char *text,
	     size_t len);
/* As grid_put(), of a text with a NUL at its end. */
int grid_puts(struct grid *grid, struct grid_place at, enum tui_style style, const char *text);
/* The same, right-aligned in the room; cut at its start. */
void grid_puts_right(struct grid *grid, struct grid_place at, enum tui_style style,
		     const char *text);
int grid_printf(struct grid *grid, struct grid_place at, enum tui_style style, const char *fmt, ...)
	printf_like(4, 5);
/* `room` times the same character (one column wide). */
void grid_fill(struct grid *grid, struct grid_place at, enum tui_style style, uint32_t code);
/* Lay attributes over cells, the selection for instance; or give them another style. */
void grid_mark(struct grid *grid, struct grid_place at, uint8_t attributes);
void grid_restyle(struct grid *grid, struct grid_place at, enum tui_style style);

/* The character and its marks; 0 for the right half of a wide one. */
size_t grid_cell_codes(const struct grid_cell *cell, uint32_t codes[GRID_CELL_MAX_CODES]);
/* As text, with the isolates: lines without blanks at their ends, '\n' after each. */
void grid_text(const struct grid *grid, struct buf *out);

#endif
