/* SPDX-License-Identifier: Apache-2.0 */
#include "tui/term.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"

#define TERM_MAX_COLUMNS 1000
#define CELL_MAX_BYTES (8 * TERM_MAX_COLUMNS)

int term_when_parse(const char *text, enum term_when *ret_when)
{
	static const char *const words[] = {"auto", "always", "never"};

	for (size_t i = 0; i < array_len(words); i++) {
		if (!strcmp(text, words[i])) {
			*ret_when = (enum term_when)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* ---- judging ---- */

static bool is_set(const char *value)
{
	return value && *value;
}

/* The locale of characters as the C library picks it: the first that is not empty. */
static bool locale_is_utf8(const struct term_surroundings *around)
{
	const char *name = is_set(around->lc_all)     ? around->lc_all
			   : is_set(around->lc_ctype) ? around->lc_ctype
			   : is_set(around->lang)     ? around->lang
						      : "C";

	/* Nobody chose "C": terminals have spoken UTF-8 for long, and Python thinks so, too (PEP 538). */
	return strcasestr(name, "utf-8") || strcasestr(name, "utf8") || !strcmp(name, "C") ||
	       !strcmp(name, "POSIX");
}

static enum tui_colours colours_of(const struct term_surroundings *around)
{
	if (is_set(around->colorterm) || (around->term && strstr(around->term, "256")))
		return TUI_COLOURS_256;
	return TUI_COLOURS_16;
}

static bool wants_colours(const struct term_surroundings *around, enum term_when when,
			  bool is_terminal)
{
	if (when != TERM_AUTO)
		return when == TERM_ALWAYS;
	if (is_set(around->no_color))
		return false;
	if (is_set(around->clicolor_force) && strcmp(around->clicolor_force, "0") != 0)
		return true;
	return is_terminal;
}

struct term term_judge(const struct term_surroundings *around, enum term_when when)
{
	bool is_dumb = !is_set(around->term) || !strcmp(around->term, "dumb");
	struct term term = {
		.is_terminal = around->is_tty && !is_dumb,
		.has_unicode = locale_is_utf8(around),
		.rows = around->rows > 0 ? around->rows : TERM_FALLBACK_ROWS,
		.columns = around->columns > 0 ? min_of(around->columns, TERM_MAX_COLUMNS)
					       : TERM_FALLBACK_COLUMNS,
	};

	if (wants_colours(around, when, term.is_terminal))
		term.colours = colours_of(around);
	return term;
}

struct term term_look(int fd, enum term_when when)
{
	struct winsize size = {0};
	struct term_surroundings around = {
		.is_tty = isatty(fd),
		.term = getenv("TERM"),
		.colorterm = getenv("COLORTERM"),
		.no_color = getenv("NO_COLOR"),
		.clicolor_force = getenv("CLICOLOR_FORCE"),
		.lc_all = getenv("LC_ALL"),
		.lc_ctype = getenv("LC_CTYPE"),
		.lang = getenv("LANG"),
	};

	if (!ioctl(fd, TIOCGWINSZ, &size)) {
		around.rows = size.ws_row;
		around.columns = size.ws_col;
	}
	return term_judge(&around, when);
}

/* ---- drawing ---- */

/* As utf8_printable(), and what the terminal's locale lacks becomes '?'. */
static void clean_put(struct buf *out, const struct term *term, const char *text, size_t len)
{
	char clean[CELL_MAX_BYTES];
	size_t n = utf8_printable(clean, sizeof(clean), text, len);

	for (size_t at = 0, step; at < n; at += step) {
		uint32_t code;

		step = utf8_next(clean + at, n - at, &code);
		if (term->has_unicode || code < 0x80)
			buf_put(out, clean + at, step);
		else
			buf_putc(out, '?');
	}
}

void term_puts(struct buf *out, const struct term *term, enum tui_style style, const char *text)
{
	style_begin(out, style, term->colours);
	clean_put(out, term, text, strlen(text));
	style_end(out, style, term->colours);
}

/* Bytes of the start of a printable text that fit into `room` columns; *ret_used of them are taken. */
static size_t fitting(const char *text, size_t len, int room, int *ret_used)
{
	size_t at = 0;
	int used = 0;

	while (at < len) {
		uint32_t code;
		size_t step = utf8_next(text + at, len - at, &code);
		int columns = utf8_code_columns(code);

		if (used + columns > room)
			break;
		used += columns;
		at += step;
	}
	*ret_used = used;
	return at;
}

static void spaces_put(struct buf *out, int n)
{
	for (; n > 0; n--)
		buf_putc(out, ' ');
}

/* A cell's text without its filling. */
static int cell_put(struct buf *out, const struct term *term, const char *text, size_t len,
		    int columns)
{
	const char *dots = term->has_unicode ? "\xe2\x80\xa6" : "~";
	int used;
	size_t fits = fitting(text, len, columns, &used);

	if (fits == len) {
		buf_put(out, text, len);
		return used;
	}
	fits = fitting(text, len, columns - 1, &used);
	buf_put(out, text, fits);
	buf_puts(out, dots);
	return used + 1;
}

void term_cell(struct buf *out, const struct term *term, enum tui_style style, const char *text,
	       int columns, enum term_align align)
{
	struct buf clean, cell;
	int used;

	if (columns <= 0)
		return;
	buf_init(&clean, CELL_MAX_BYTES);
	buf_init(&cell, CELL_MAX_BYTES);
	clean_put(&clean, term, text, min_of(strlen(text), (size_t)CELL_MAX_BYTES / 8));
	used = cell_put(&cell, term, clean.data ? clean.data : "", clean.len, columns);
	if (align == TERM_RIGHT)
		spaces_put(out, columns - used);
	style_begin(out, style, term->colours);
	buf_put(out, cell.data, cell.len);
	style_end(out, style, term->colours);
	if (align == TERM_LEFT)
		spaces_put(out, columns - used);
	buf_done(&clean);
	buf_done(&cell);
}

void term_bar(struct buf *out, const struct term *term, int64_t part, int64_t whole, int columns)
{
	double share = whole > 0 ? (double)part / (double)whole : 0;
	int full = (int)((double)columns * (share < 0 ? 0 : share > 1 ? 1 : share) + 0.5);

	style_begin(out, STYLE_BAR, term->colours);
	for (int i = 0; i < columns; i++)
		buf_puts(out, i < full		  ? term->has_unicode ? "\xe2\x96\x88" : "#"
			      : term->has_unicode ? "\xe2\x96\x91"
						  : "-");
	style_end(out, STYLE_BAR, term->colours);
}
