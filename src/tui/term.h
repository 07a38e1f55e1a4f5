/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What commands that print lines need to know of a terminal, and the few things they draw on one.
 *
 * A stream that is no terminal gets no escape sequence, whatever happens; NO_COLOR (not empty), TERM=dumb and
 * TERM unset mean none either, CLICOLOR_FORCE (not empty, not "0") and --color=always mean colours wherever it
 * goes.  Sequences are SGR only.  Texts may be hostile: all but sequences of our own is made printable.
 */
#ifndef TUI_TERM_H
#define TUI_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "tui/style.h"

#define TERM_FALLBACK_COLUMNS 80
#define TERM_FALLBACK_ROWS 24

enum term_when { TERM_AUTO, TERM_ALWAYS, TERM_NEVER };

struct term {
	bool is_terminal; /* and not a dumb one: lines may be drawn over */
	bool has_unicode; /* by its locale: else bars and ellipses are ASCII, and so are names */
	int rows, columns;
	enum tui_colours colours;
};

/* "auto", "always" or "never". */
int term_when_parse(const char *text, enum term_when *ret_when) nodiscard;
struct term term_look(int fd, enum term_when when);

/* What term_look() judges by; NULL: not set. */
struct term_surroundings {
	bool is_tty;
	int rows, columns; /* 0: unknown */
	const char *term, *colorterm, *no_color, *clicolor_force;
	const char *lc_all, *lc_ctype, *lang;
};
struct term term_judge(const struct term_surroundings *around, enum term_when when);

/* Text that came from outside, printable, in that style. */
void term_puts(struct buf *out, const struct term *term, enum tui_style style, const char *text);

enum term_align { TERM_LEFT, TERM_RIGHT };
/* As a cell of a table: cut to `columns` (with an ellipsis) or filled up to them. */
void term_cell(struct buf *out, const struct term *term, enum tui_style style, const char *text,
	       int columns, enum term_align align);
/* A bar of that many columns, part / whole of it full. */
void term_bar(struct buf *out, const struct term *term, int64_t part, int64_t whole, int columns);

#endif
