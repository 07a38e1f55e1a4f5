/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of looks.  Inks on the terminal's own paper are middle tones, which can be read on black and on
 * white; boxes have a light paper and black ink.  The palette is the web page's, rounded to the 256 colours of
 * xterm: orange is the program's own code and "more", blue is native code and "less".
 */
#include "tui/style.h"

#include <string.h>

struct style_row {
	int16_t ink_256, paper_256, ink_16, paper_16;
	uint8_t attributes;	 /* always */
	uint8_t attributes_none; /* without colours, on top */
};

static const struct style_row rows[STYLE_COUNT] = {
	[STYLE_PLAIN] = {-1, -1, -1, -1, 0, 0},
	[STYLE_TITLE] = {-1, -1, -1, -1, STYLE_BOLD, 0},
	[STYLE_FAINT] = {245, -1, -1, -1, STYLE_DIM, 0},
	[STYLE_HEAD] = {-1, -1, -1, -1, STYLE_UNDERLINE, 0},
	[STYLE_KEY] = {-1, -1, -1, -1, STYLE_BOLD, 0},
	[STYLE_TAB_HERE] = {-1, -1, -1, -1, STYLE_BOLD | STYLE_REVERSE, 0},
	[STYLE_BAR] = {172, -1, 3, -1, 0, 0},
	[STYLE_GOOD] = {71, -1, 2, -1, 0, 0},
	[STYLE_WARN] = {172, -1, 3, -1, STYLE_BOLD, 0},
	[STYLE_BAD] = {167, -1, 1, -1, STYLE_BOLD, 0},
	[STYLE_MATCH] = {-1, -1, 6, -1, STYLE_BOLD | STYLE_UNDERLINE, 0},
	[STYLE_LESS] = {32, -1, 4, -1, STYLE_BOLD, 0},
	[STYLE_MORE] = {172, -1, 3, -1, STYLE_BOLD, 0},
	[STYLE_STATE_UNKNOWN] = {245, -1, -1, -1, STYLE_DIM, 0},
	[STYLE_STATE_RUNNING_GIL] = {172, -1, 3, -1, STYLE_BOLD, 0},
	[STYLE_STATE_RUNNING] = {32, -1, 6, -1, STYLE_BOLD, 0},
	[STYLE_STATE_WAITING_GIL] = {136, -1, 3, -1, 0, 0},
	[STYLE_STATE_WAITING_LOCK] = {134, -1, 5, -1, STYLE_BOLD, 0},
	[STYLE_STATE_WAITING_IO] = {67, -1, 4, -1, 0, 0},
	[STYLE_STATE_SLEEPING] = {245, -1, -1, -1, STYLE_DIM, 0},
	[STYLE_STATE_STOPPED] = {167, -1, 1, -1, 0, 0},
	[STYLE_OWN] = {-1, -1, -1, -1, STYLE_BOLD, 0},
	[STYLE_STDLIB] = {-1, -1, -1, -1, 0, 0},
	[STYLE_PACKAGE] = {131, -1, 2, -1, 0, STYLE_UNDERLINE},
	[STYLE_NATIVE] = {67, -1, 6, -1, 0, 0},
	[STYLE_KERNEL] = {97, -1, 5, -1, 0, 0},
	[STYLE_MARKER] = {245, -1, -1, -1, STYLE_DIM, 0},
	[STYLE_BOX_OWN] = {16, 215, 0, 3, 0, STYLE_BOLD},
	[STYLE_BOX_STDLIB] = {16, 187, 0, 7, 0, 0},
	[STYLE_BOX_PACKAGE] = {16, 174, 0, 2, 0, STYLE_UNDERLINE},
	[STYLE_BOX_NATIVE] = {16, 110, 0, 6, 0, STYLE_DIM},
	[STYLE_BOX_KERNEL] = {16, 146, 0, 5, 0, STYLE_DIM},
	[STYLE_BOX_MARKER] = {16, 250, -1, -1, STYLE_UNDERLINE, 0},
	[STYLE_BOX_LESS] = {16, 74, 0, 6, 0, STYLE_BOLD},
	[STYLE_BOX_MORE] = {16, 208, 0, 3, 0, STYLE_BOLD},
	[STYLE_BOX_SAME] = {16, 252, 0, 7, 0, 0},
	[STYLE_HEAT_1] = {245, -1, -1, -1, 0, 0},
	[STYLE_HEAT_2] = {179, -1, 3, -1, 0, 0},
	[STYLE_HEAT_3] = {172, -1, 3, -1, STYLE_BOLD, 0},
	[STYLE_HEAT_4] = {166, -1, 1, -1, STYLE_BOLD, 0},
};

struct style_look style_look(enum tui_style style, enum tui_colours colours)
{
	const struct style_row *row = &rows[style < STYLE_COUNT ? style : STYLE_PLAIN];
	struct style_look look = {.ink = -1, .paper = -1, .attributes = row->attributes};

	if (colours == TUI_COLOURS_256) {
		look.ink = row->ink_256;
		look.paper = row->paper_256;
		/* A grey is faint enough; faint on top of it is hard to read. */
		if (look.ink >= 0)
			look.attributes &= (uint8_t)~STYLE_DIM;
	} else if (colours == TUI_COLOURS_16) {
		look.ink = row->ink_16;
		look.paper = row->paper_16;
	} else {
		look.attributes |= row->attributes_none;
	}
	return look;
}

/* ---- meanings ---- */

static enum tui_style style_of_python(const char *file)
{
	if (strstr(file, "/site-packages/") || strstr(file, "/dist-packages/"))
		return STYLE_PACKAGE;
	if (strstr(file, "/lib/python") || !strncmp(file, "<frozen ", strlen("<frozen ")))
		return STYLE_STDLIB;
	return STYLE_OWN;
}

enum tui_style style_of_frame(const struct names *names, const struct frame *frame)
{
	switch (frame->kind) {
	case FRAME_NATIVE:
		return STYLE_NATIVE;
	case FRAME_KERNEL:
		return STYLE_KERNEL;
	case FRAME_MARKER:
		return STYLE_MARKER;
	default:
		return style_of_python(names_text(names, frame->file, NULL));
	}
}

enum tui_style style_box_of_frame(const struct names *names, const struct frame *frame)
{
	return style_of_frame(names, frame) - STYLE_OWN + STYLE_BOX_OWN;
}

enum tui_style style_of_state(enum thread_state state)
{
	if ((unsigned int)state >= STATE_COUNT)
		state = STATE_UNKNOWN;
	return (enum tui_style)(STYLE_STATE_UNKNOWN + (unsigned int)state);
}

static const struct {
	char letter;
	const char *words;
} states[STATE_COUNT] = {
	[STATE_UNKNOWN] = {'?', "unknown"},
	[STATE_RUNNING_GIL] = {'G', "runs, holds the GIL"},
	[STATE_RUNNING] = {'R', "runs without the GIL"},
	[STATE_WAITING_GIL] = {'W', "waits for the GIL"},
	[STATE_WAITING_LOCK] = {'L', "waits for a lock"},
	[STATE_WAITING_IO] = {'I', "waits for I/O"},
	[STATE_SLEEPING] = {'S', "sleeps"},
	[STATE_STOPPED] = {'T', "stopped"},
};

char style_letter_of_state(enum thread_state state)
{
	return states[(unsigned int)state < STATE_COUNT ? state : STATE_UNKNOWN].letter;
}

const char *style_words_of_state(enum thread_state state)
{
	return states[(unsigned int)state < STATE_COUNT ? state : STATE_UNKNOWN].words;
}

/* ---- escape sequences ---- */

static bool look_is_plain(struct style_look look)
{
	return look.ink < 0 && look.paper < 0 && !look.attributes;
}

static void ink_put(struct buf *out, int colour, bool is_paper, enum tui_colours colours)
{
	if (colour < 0)
		return;
	if (colours == TUI_COLOURS_256)
		buf_printf(out, ";%d;5;%d", is_paper ? 48 : 38, colour);
	else
		buf_printf(out, ";%d", (is_paper ? 40 : 30) + colour);
}

void style_begin(struct buf *out, enum tui_style style, enum tui_colours colours)
{
	static const struct {
		uint8_t attribute, code;
	} codes[] = {{STYLE_BOLD, 1}, {STYLE_DIM, 2}, {STYLE_UNDERLINE, 4}, {STYLE_REVERSE, 7}};
	struct style_look look = style_look(style, colours);

	if (colours == TUI_COLOURS_NONE || look_is_plain(look))
		return;
	buf_puts(out, "\033[0");
	for (size_t i = 0; i < array_len(codes); i++)
		if (look.attributes & codes[i].attribute)
			buf_printf(out, ";%d", codes[i].code);
	ink_put(out, look.ink, false, colours);
	ink_put(out, look.paper, true, colours);
	buf_putc(out, 'm');
}

void style_end(struct buf *out, enum tui_style style, enum tui_colours colours)
{
	if (colours != TUI_COLOURS_NONE && !look_is_plain(style_look(style, colours)))
		buf_puts(out, "\033[0m");
}
