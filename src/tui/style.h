/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a piece of text means, and how that looks at each level of colour.
 *
 * Pages and commands name meanings only; colours are in one table (style.c), made so that nothing is told by
 * colour alone: states have letters, changes have signs, kinds have a sign or an attribute.
 */
#ifndef TUI_STYLE_H
#define TUI_STYLE_H

#include <stdint.h>

#include "base/buf.h"
#include "profile/profile.h"

enum tui_colours {
	TUI_COLOURS_NONE, /* bold, faint, underline and reverse only */
	TUI_COLOURS_16,
	TUI_COLOURS_256,
};

enum tui_style {
	STYLE_PLAIN,
	STYLE_TITLE,
	STYLE_FAINT,
	STYLE_HEAD,	/* heads of columns */
	STYLE_KEY,	/* a key to press */
	STYLE_TAB_HERE, /* the page that is shown */
	STYLE_BAR,
	STYLE_GOOD,
	STYLE_WARN,
	STYLE_BAD,
	STYLE_MATCH, /* what a search found */
	STYLE_LESS,  /* of a difference */
	STYLE_MORE,
	STYLE_STATE_UNKNOWN, /* in the order of enum thread_state: see style_of_state() */
	STYLE_STATE_RUNNING_GIL,
	STYLE_STATE_RUNNING,
	STYLE_STATE_WAITING_GIL,
	STYLE_STATE_WAITING_LOCK,
	STYLE_STATE_WAITING_IO,
	STYLE_STATE_SLEEPING,
	STYLE_STATE_STOPPED,
	STYLE_OWN, /* kinds of code, see style_of_frame() */
	STYLE_STDLIB,
	STYLE_PACKAGE,
	STYLE_NATIVE,
	STYLE_KERNEL,
	STYLE_MARKER,
	STYLE_BOX_OWN, /* the same as boxes of a flame graph, in the same order */
	STYLE_BOX_STDLIB,
	STYLE_BOX_PACKAGE,
	STYLE_BOX_NATIVE,
	STYLE_BOX_KERNEL,
	STYLE_BOX_MARKER,
	STYLE_BOX_LESS,
	STYLE_BOX_MORE,
	STYLE_BOX_SAME,
	STYLE_HEAT_1, /* of a line's share, coolest first */
	STYLE_HEAT_2,
	STYLE_HEAT_3,
	STYLE_HEAT_4,
	STYLE_COUNT,
};

enum {
	STYLE_BOLD = 1,
	STYLE_DIM = 2,
	STYLE_UNDERLINE = 4,
	STYLE_REVERSE = 8,
};

/* Colours -1: the terminal's own. */
struct style_look {
	int16_t ink, paper;
	uint8_t attributes; /* STYLE_BOLD … */
};

struct style_look style_look(enum tui_style style, enum tui_colours colours);

/* Of code: the program's own, the standard library's, a package's, native …; by kind and file. */
enum tui_style style_of_frame(const struct names *names, const struct frame *frame);
enum tui_style style_box_of_frame(const struct names *names, const struct frame *frame);
enum tui_style style_of_state(enum thread_state state);
/* 'G' running with the GIL, 'R' running, 'W' waits for the GIL, 'L' lock, 'I' I/O, 'S' sleeps, 'T' stopped, '?' */
char style_letter_of_state(enum thread_state state);
/* "waits for a lock" */
const char *style_words_of_state(enum thread_state state);

/* The escape sequence that begins a style, and the one that ends it: nothing where it looks plain. */
void style_begin(struct buf *out, enum tui_style style, enum tui_colours colours);
void style_end(struct buf *out, enum tui_style style, enum tui_colours colours);

#endif
