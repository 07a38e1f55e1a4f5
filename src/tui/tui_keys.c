/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys: first the filter that is being typed, then the sheet of help, then the page that is shown, then what holds
 * everywhere.  Esc undoes the latest of: typing, help, what the page went into, the filter, the only thread, the
 * comparison.
 */
#include <string.h>

#include "base/utf8.h"
#include "tui/tui_private.h"

#define KEY_ESC 0x1b
#define KEY_CTRL_C 3
#define KEY_DELETE 0x7f

/* ---- the filter as it is typed ---- */

static void filter_set(struct tui *tui, const char *text, size_t len)
{
	memmove(tui->filter, text, len);
	tui->filter[len] = '\0';
	tui->filter_err[0] = '\0';
	tui_touch(tui);
}

static void filter_type(struct tui *tui, uint32_t key)
{
	size_t len = strlen(tui->filter);
	char bytes[4];
	size_t n = utf8_put(bytes, key);

	if (len + n >= sizeof(tui->filter) || !utf8_code_is_printable(key))
		return;
	memcpy(tui->filter + len, bytes, n);
	filter_set(tui, tui->filter, len + n);
}

static void filter_rub_out(struct tui *tui)
{
	size_t len = strlen(tui->filter);

	if (!len) {
		tui->is_typing = false;
		return;
	}
	do
		len--;
	while (len && ((uint8_t)tui->filter[len] & 0xc0) == 0x80);
	filter_set(tui, tui->filter, len);
}

/* Arrows leave the line and move in what it found. */
static bool filter_key(struct tui *tui, uint32_t key)
{
	switch (key) {
	case KEY_ESC:
		filter_set(tui, "", 0);
		tui->is_typing = false;
		return true;
	case '\r':
	case '\n':
		tui->is_typing = false;
		return true;
	case TUI_KEY_BACKSPACE:
	case KEY_DELETE:
	case '\b':
		filter_rub_out(tui);
		return true;
	default:
		if (key >= TUI_KEY_UP || key < ' ') {
			tui->is_typing = false;
			return false;
		}
		filter_type(tui, key);
		return true;
	}
}

/* ---- the range of a capture ---- */

/* Move by part of its length, inside of the whole. */
static void range_move(struct tui_slider *range, int64_t by_ns)
{
	int64_t len = range->until_ns - range->from_ns;

	range->from_ns = max_of(0, min_of(range->from_ns + by_ns, range->end_ns - len));
	range->until_ns = range->from_ns + len;
}

#define RANGE_LEAST_NS 1000000 /* a tick at the highest rates that anybody uses */

static void range_scale(struct tui_slider *range, bool is_wider)
{
	int64_t len = range->until_ns - range->from_ns;
	int64_t middle = range->from_ns + len / 2;
	int64_t next = is_wider ? len + min_of(len, range->end_ns)
				: max_of(len / 2, (int64_t)RANGE_LEAST_NS);

	next = min_of(next, range->end_ns);
	range->from_ns = max_of(0, min_of(middle - next / 2, range->end_ns - next));
	range->until_ns = range->from_ns + next;
}

static enum tui_answer range_key(struct tui *tui, uint32_t key)
{
	struct tui_slider *range = &tui->wanted;
	int64_t step = max_of((range->until_ns - range->from_ns) / 4, (int64_t)1);

	if (key == '[')
		range_move(range, -step);
	else if (key == ']')
		range_move(range, step);
	else
		range_scale(range, key == '}');
	return TUI_SEEK;
}

#define PLAY_SHARE 20 /* of the whole is shown at a time, where the range was all of it */

/* From the end, and from all of it, playing begins at the start. */
static enum tui_answer play_toggle(struct tui *tui)
{
	struct tui_slider *range = &tui->wanted;
	int64_t len = range->until_ns - range->from_ns;

	tui->is_paused = !tui->is_paused;
	if (tui->is_paused || range->until_ns < range->end_ns)
		return TUI_DRAW;
	if (len >= range->end_ns)
		len = max_of(range->end_ns / PLAY_SHARE, (int64_t)1);
	range->from_ns = 0;
	range->until_ns = len;
	return TUI_SEEK;
}

/* ---- what holds everywhere ---- */

static void tab_turn(struct tui *tui, int by)
{
	tui_set_tab(tui, (enum tui_tab)(((int)tui->tab + by + TUI_TABS) % TUI_TABS));
}

static void baseline_toggle(struct tui *tui)
{
	if (!tui->shot.names)
		return;
	shot_done(&tui->baseline);
	tui->has_baseline = !tui->has_baseline;
	if (tui->has_baseline)
		shot_copy(&tui->shot, &tui->baseline);
	tui_touch_look(tui);
}

static void start_over(struct tui *tui)
{
	if (!tui->shot.names)
		return;
	shot_done(&tui->baseline);
	tui->has_baseline = false;
	shot_set_zero(&tui->shot);
	tui_touch_look(tui);
}

static void measure_next(struct tui *tui)
{
	tui->measure = (enum measure)((tui->measure + 1) % MEASURE_COUNT);
	tui_touch_look(tui);
}

/* Rows are other things then: the choice means nothing any more. */
static void lines_toggle(struct tui *tui)
{
	tui->is_by_line = !tui->is_by_line;
	tui->functions.list.has_moved = tui->tree.list.has_moved = false;
	tui->flame.n_zoom = 0;
	tui->flame.path = 0;
	tui_touch_look(tui);
}

static void idle_toggle(struct tui *tui)
{
	tui->measure = tui->measure == MEASURE_ALL ? MEASURE_BUSY : MEASURE_ALL;
	tui_touch_look(tui);
}

static void back_out(struct tui *tui)
{
	if (*tui->filter) {
		filter_set(tui, "", 0);
	} else if (tui->only.v) {
		tui->only = (struct frame_id){0};
		tui_touch_look(tui);
	} else if (tui->has_baseline) {
		baseline_toggle(tui);
	}
}

static enum tui_answer common_key(struct tui *tui, uint32_t key)
{
	switch (key) {
	case 'q':
	case 'Q':
	case KEY_CTRL_C:
		return TUI_QUIT;
	case '+':
		return TUI_FASTER;
	case '-':
		return TUI_SLOWER;
	case '[':
	case ']':
	case '{':
	case '}':
		return tui->facts.is_capture ? range_key(tui, key) : TUI_DRAW;
	case '\t':
		tab_turn(tui, 1);
		break;
	case TUI_KEY_BACK_TAB:
		tab_turn(tui, -1);
		break;
	case '?':
	case 'x':
	case 'X':
		tui->shows_help = key == '?';
		tui->help.top = 0;
		break;
	case '/':
		tui->is_typing = true;
		break;
	case ' ':
	case 'p':
		if (tui->facts.is_capture)
			return play_toggle(tui);
		tui->is_paused = !tui->is_paused;
		break;
	case 'b':
		baseline_toggle(tui);
		break;
	case 'r':
	case 'R':
		start_over(tui);
		break;
	case 'l':
	case 'L':
		lines_toggle(tui);
		break;
	case 'z':
		idle_toggle(tui);
		break;
	case 'm':
		measure_next(tui);
		break;
	case KEY_ESC:
	case TUI_KEY_BACKSPACE:
	case KEY_DELETE:
		back_out(tui);
		break;
	default:
		if (key >= TUI_KEY_F1 && key < TUI_KEY_F1 + TUI_TABS)
			tui_set_tab(tui, (enum tui_tab)(key - TUI_KEY_F1));
	}
	return TUI_DRAW;
}

enum tui_answer tui_key(struct tui *tui, uint32_t key)
{
	const struct pane no_pane = {0};

	if (key == KEY_CTRL_C)
		return TUI_QUIT;
	if (tui->is_typing && filter_key(tui, key))
		return TUI_DRAW;
	if (tui->shows_help && page_help_key(tui, key))
		return TUI_DRAW;
	if (tui_look(tui)) {
		/* The choice may be of rows that were overtaken by an update which nobody has drawn. */
		tui_page(tui)->make(tui, &no_pane);
		if (tui_page(tui)->key(tui, key))
			return TUI_DRAW;
	}
	return common_key(tui, key);
}

bool tui_is_paused(const struct tui *tui)
{
	return tui->is_paused;
}

void tui_wanted_range(const struct tui *tui, int64_t *ret_from_ns, int64_t *ret_until_ns)
{
	*ret_from_ns = tui->wanted.from_ns;
	*ret_until_ns = tui->wanted.until_ns;
}
