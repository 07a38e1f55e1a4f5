/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal: paints grids, reads keys, and puts everything back.
 *
 * One screen per process (ncurses has one), one thread.  The descriptors are the terminal's; reading never
 * blocks, so that the caller polls `in` beside what else it waits for.  ncurses' own handlers of signals are
 * not used: who opens a screen handles SIGWINCH (screen_resize()), SIGTSTP (screen_suspend(), raise,
 * screen_resume()) and those that end a process.  screen_rescue() is for the handler of a fatal signal.
 */
#ifndef TUI_SCREEN_H
#define TUI_SCREEN_H

#include "base/err.h"
#include "tui/grid.h"
#include "tui/term.h"

struct screen;

/*
 * Enter the alternate screen.  -ENOTTY when one of them is no terminal, ERR_UNSUPPORTED for one that cannot
 * move its cursor (TERM unset, dumb or unknown).
 */
int screen_open(int in, int out, enum term_when colour, struct screen **ret_screen,
		struct err *err) nodiscard;
/* Leave it: the terminal is as it was.  NULL is fine. */
void screen_close(struct screen *screen);

/* Size for grid_resize(). */
void screen_size(const struct screen *screen, int *ret_rows, int *ret_columns);
bool screen_has_unicode(const struct screen *screen);
/* Ask the kernel for the size again. */
void screen_resize(struct screen *screen);
/* Show it; only what changed is sent. */
void screen_paint(struct screen *screen, const struct grid *grid);

/* The next key that was typed, as tui_key() takes it; false: none yet. */
bool screen_key(struct screen *screen, uint32_t *ret_key);

void screen_suspend(struct screen *screen);
void screen_resume(struct screen *screen);

/*
 * Put the terminal back at once by write() and tcsetattr() alone: for a signal handler of a process that is
 * about to die.  Does nothing when no screen is open.
 */
void screen_rescue(void);

#endif
