/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The painter: the one file that knows ncurses.
 *
 * ncurses counts columns with wcwidth().  Where that disagrees with the grid a character would push its neighbours
 * aside, so it is painted as U+FFFD.  An isolate that begins before a cell hangs on the cell to its left, since ncurses
 * takes what has no width only behind a character.
 */
#include "tui/screen.h"

#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS 1

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "tui/tui.h"

#define REPLACEMENT 0xfffd
#define FIRST_STRONG_ISOLATE 0x2068
#define POP_ISOLATE 0x2069
#define ESCAPE_DELAY_MS 25 /* keys of a terminal arrive in one piece; Esc alone waits so long */
#define RESCUE_MAX_BYTES 256

struct screen {
	SCREEN *curses;
	FILE *in, *out;
	int out_fd;
	bool has_unicode;
	int rows, columns;
	enum tui_colours colours;
	struct grid shown; /* what was painted last */
	cchar_t *line;	   /* one row of it */
	size_t line_cap;
	struct termios termios; /* as it was */
	char rescue[RESCUE_MAX_BYTES];
	size_t rescue_len;
};

/* For screen_rescue() alone, which a signal handler calls: it has no other way to know. */
static struct screen *volatile open_screen;

/* ---- opening ---- */

/* UTF-8 where nobody asked for something else: "C" is the default of containers and of ssh, no choice. */
static bool locale_set(void)
{
	const char *name = setlocale(LC_CTYPE, "");

	if (!name || !strcmp(name, "C") || !strcmp(name, "POSIX"))
		name = setlocale(LC_CTYPE, "C.UTF-8");
	return name && !strcmp(nl_langinfo(CODESET), "UTF-8");
}

static const int own_signals[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};

/* newterm() puts handlers of its own where there are none. */
static SCREEN *newterm_quietly(FILE *out, FILE *in)
{
	struct sigaction was[array_len(own_signals)];
	SCREEN *curses;

	for (size_t i = 0; i < array_len(own_signals); i++)
		sigaction(own_signals[i], NULL, &was[i]);
	curses = newterm(NULL, out, in);
	for (size_t i = 0; i < array_len(own_signals); i++)
		sigaction(own_signals[i], &was[i], NULL);
	return curses;
}

static void rescue_add(struct screen *screen, const char *capability)
{
	const char *text = tigetstr(capability);
	size_t len = text && text != (const char *)-1 ? strlen(text) : 0;

	if (screen->rescue_len + len > sizeof(screen->rescue))
		return;
	memcpy(screen->rescue + screen->rescue_len, text, len);
	screen->rescue_len += len;
}

static void rescue_prepare(struct screen *screen)
{
	static const char *const capabilities[] = {"sgr0", "rmkx", "cnorm", "rmcup"};

	for (size_t i = 0; i < array_len(capabilities); i++)
		rescue_add(screen, capabilities[i]);
}

static void colours_prepare(struct screen *screen, enum tui_colours wanted)
{
	screen->colours = TUI_COLOURS_NONE;
	if (wanted == TUI_COLOURS_NONE || !has_colors() || start_color() == ERR)
		return;
	use_default_colors();
	screen->colours = COLORS >= 256 ? wanted : TUI_COLOURS_16;
	for (int i = 0; i < STYLE_COUNT; i++) {
		struct style_look look = style_look((enum tui_style)i, screen->colours);

		init_pair((short)(i + 1), look.ink, look.paper);
	}
}

static FILE *stream_on(int fd, const char *mode)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	FILE *file = own >= 0 ? fdopen(own, mode) : NULL;

	if (!file && own >= 0)
		close(own);
	return file;
}

static void screen_free(struct screen *screen)
{
	if (screen->in)
		fclose(screen->in);
	if (screen->out)
		fclose(screen->out);
	grid_done(&screen->shown);
	free(screen->line);
	free(screen);
}

static void modes_set(void)
{
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	meta(stdscr, TRUE);
	curs_set(0);
	typeahead(-1);
	set_escdelay(ESCAPE_DELAY_MS);
}

int screen_open(int in, int out, enum term_when colour, struct screen **ret_screen, struct err *err)
{
	struct term term = term_look(out, colour);
	struct screen *screen;

	if (!isatty(in) || !isatty(out))
		return err_set(err, -ENOTTY, "this is no terminal");
	if (!term.is_terminal)
		return err_set(err, ERR_UNSUPPORTED,
			       "this terminal cannot be drawn on: set TERM to what it is");
	screen = xcalloc(1, sizeof(*screen));
	screen->out_fd = out;
	tcgetattr(out, &screen->termios);
	screen->has_unicode = locale_set() && term.has_unicode;
	screen->in = stream_on(in, "r");
	screen->out = stream_on(out, "w");
	if (screen->in && screen->out)
		screen->curses = newterm_quietly(screen->out, screen->in);
	if (!screen->curses) {
		screen_free(screen);
		return err_set(err, ERR_UNSUPPORTED,
			       "terminal \"%s\" is unknown here: try TERM=xterm", getenv("TERM"));
	}
	rescue_prepare(screen);
	open_screen = screen;
	modes_set();
	colours_prepare(screen, term.colours);
	screen_resize(screen);
	*ret_screen = screen;
	return 0;
}

void screen_close(struct screen *screen)
{
	if (!screen)
		return;
	endwin();
	open_screen = NULL;
	tcsetattr(screen->out_fd, TCSADRAIN, &screen->termios);
	delscreen(screen->curses);
	screen_free(screen);
}

void screen_rescue(void)
{
	struct screen *screen = open_screen;
	int saved = errno;

	if (!screen)
		return;
	open_screen = NULL;
	if (write(screen->out_fd, screen->rescue, screen->rescue_len) < 0)
		errno = saved; /* nobody is left to be told */
	tcsetattr(screen->out_fd, TCSANOW, &screen->termios);
	errno = saved;
}

/* ---- size ---- */

bool screen_has_unicode(const struct screen *screen)
{
	return screen->has_unicode;
}

void screen_size(const struct screen *screen, int *ret_rows, int *ret_columns)
{
	*ret_rows = screen->rows;
	*ret_columns = screen->columns;
}

/* What was on it is of another size: paint all of it. */
static void forget_shown(struct screen *screen)
{
	screen->shown.rows = screen->shown.columns = 0;
	clearok(stdscr, TRUE);
}

void screen_resize(struct screen *screen)
{
	struct term term = term_look(screen->out_fd, TERM_AUTO);

	screen->rows = min_of(term.rows, GRID_MAX_ROWS);
	screen->columns = term.columns;
	resize_term(screen->rows, screen->columns);
	forget_shown(screen);
}

void screen_suspend(struct screen *screen)
{
	(void)screen;
	def_prog_mode();
	endwin();
}

void screen_resume(struct screen *screen)
{
	reset_prog_mode();
	screen_resize(screen);
	wrefresh(stdscr);
}

/* ---- painting ---- */

static attr_t attributes_of(uint8_t attributes)
{
	return (attributes & STYLE_BOLD ? A_BOLD : 0u) | (attributes & STYLE_DIM ? A_DIM : 0u) |
	       (attributes & STYLE_UNDERLINE ? A_UNDERLINE : 0u) |
	       (attributes & STYLE_REVERSE ? A_REVERSE : 0u);
}

static bool width_agrees(uint32_t code)
{
	return wcwidth((wchar_t)code) == utf8_code_columns(code);
}

/* The characters of a cell as this terminal may have them; returns how many. */
static size_t codes_of(const struct screen *screen, const struct grid_cell *cell,
		       wchar_t codes[CCHARW_MAX])
{
	uint32_t raw[GRID_CELL_MAX_CODES];
	size_t n_raw = grid_cell_codes(cell, raw), n = 0;

	for (size_t i = 0; i < n_raw; i++) {
		bool is_fine = raw[i] < 0x80 || (screen->has_unicode && width_agrees(raw[i]));

		if (is_fine)
			codes[n++] = (wchar_t)raw[i];
		else if (!i)
			codes[n++] = screen->has_unicode ? REPLACEMENT : '?';
	}
	return n;
}

static void cell_make(const struct screen *screen, const struct grid_cell *cell,
		      bool isolate_follows, cchar_t *ret_cell)
{
	struct style_look look = style_look((enum tui_style)cell->style, screen->colours);
	wchar_t codes[CCHARW_MAX + 1];
	size_t n = codes_of(screen, cell, codes);
	short pair = screen->colours == TUI_COLOURS_NONE ? 0 : (short)(cell->style + 1);
	/* What is chosen in something that is reversed already is reversed back. */
	uint8_t reverse = (look.attributes ^ cell->attributes) & STYLE_REVERSE;
	uint8_t others = (look.attributes | cell->attributes) & (uint8_t)~STYLE_REVERSE;
	attr_t attributes = attributes_of(reverse | others);

	if (screen->has_unicode && cell->ends_isolate && n < CCHARW_MAX)
		codes[n++] = POP_ISOLATE;
	if (screen->has_unicode && isolate_follows && n < CCHARW_MAX)
		codes[n++] = FIRST_STRONG_ISOLATE;
	codes[n] = L'\0';
	if (setcchar(ret_cell, codes, attributes, pair, NULL) == ERR)
		setcchar(ret_cell, L"?", attributes, pair, NULL);
}

/* A wide character that is painted as a narrow one needs something for its other half. */
static bool is_painted_wide(const struct screen *screen, const struct grid_cell *cell)
{
	return screen->has_unicode && width_agrees(cell->code);
}

static void row_paint(struct screen *screen, const struct grid *grid, int row)
{
	const struct grid_cell *cells = &grid->cells[(size_t)row * (size_t)grid->columns];
	static const struct grid_cell blank = {.code = ' '};
	int n = 0;

	for (int i = 0; i < grid->columns; i++) {
		int next = i + 1 + (i + 1 < grid->columns && !cells[i + 1].code);
		bool follows = next < grid->columns && cells[next].begins_isolate;

		if (cells[i].code)
			cell_make(screen, &cells[i], follows, &screen->line[n++]);
		else if (i == 0 || !is_painted_wide(screen, &cells[i - 1]))
			cell_make(screen, &blank, follows, &screen->line[n++]);
	}
	mvadd_wchnstr(row, 0, screen->line, n);
}

static bool row_is_shown(const struct screen *screen, const struct grid *grid, int row)
{
	size_t columns = (size_t)grid->columns, at = (size_t)row * columns;
	const struct grid *shown = &screen->shown;

	return shown->rows == grid->rows && shown->columns == grid->columns &&
	       !memcmp(shown->cells + at, grid->cells + at, columns * sizeof(*grid->cells));
}

void screen_paint(struct screen *screen, const struct grid *grid)
{
	size_t n = (size_t)grid->rows * (size_t)grid->columns;

	screen->line = vec_grow(screen->line, &screen->line_cap, (size_t)grid->columns,
				sizeof(*screen->line));
	for (int row = 0; row < grid->rows; row++)
		if (!row_is_shown(screen, grid, row))
			row_paint(screen, grid, row);
	grid_resize(&screen->shown, grid->rows, grid->columns);
	memcpy(screen->shown.cells, grid->cells, n * sizeof(*grid->cells));
	wrefresh(stdscr);
}

/* ---- keys ---- */

static const struct {
	int curses;
	uint32_t key;
} keys[] = {
	{KEY_UP, TUI_KEY_UP},
	{KEY_DOWN, TUI_KEY_DOWN},
	{KEY_LEFT, TUI_KEY_LEFT},
	{KEY_RIGHT, TUI_KEY_RIGHT},
	{KEY_PPAGE, TUI_KEY_PAGE_UP},
	{KEY_NPAGE, TUI_KEY_PAGE_DOWN},
	{KEY_HOME, TUI_KEY_HOME},
	{KEY_END, TUI_KEY_END},
	{KEY_BACKSPACE, TUI_KEY_BACKSPACE},
	{KEY_BTAB, TUI_KEY_BACK_TAB},
	{KEY_ENTER, '\r'},
	{KEY_RESIZE, TUI_KEY_RESIZE},
};

static bool key_of_curses(wint_t code, uint32_t *ret_key)
{
	if (code >= KEY_F(1) && code <= KEY_F(10)) {
		*ret_key = TUI_KEY_F1 + (uint32_t)(code - KEY_F(1));
		return true;
	}
	for (size_t i = 0; i < array_len(keys); i++) {
		if ((wint_t)keys[i].curses == code) {
			*ret_key = keys[i].key;
			return true;
		}
	}
	return false;
}

bool screen_key(struct screen *screen, uint32_t *ret_key)
{
	(void)screen;
	for (;;) {
		wint_t code;
		int kind = get_wch(&code);

		if (kind == ERR)
			return false;
		if (kind == OK) {
			*ret_key = (uint32_t)code;
			return true;
		}
		if (key_of_curses(code, ret_key))
			return true;
	}
}
