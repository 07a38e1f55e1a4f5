/* SPDX-License-Identifier: Apache-2.0 */
/* The sheet of all keys. */
#include "tui/tui_private.h"

struct help_line {
	const char *key, *does; /* key NULL: a heading */
};

static const struct help_line lines[] = {
	{NULL, "Everywhere"},
	{"Tab  Shift-Tab", "next and previous page (F1 to F5: that page)"},
	{"arrows PgUp PgDn", "move; Home and End go to the first and the last"},
	{"Enter", "into what is chosen: source, stack, branch, box"},
	{"Esc", "back out; then clears filter, thread and baseline"},
	{"/", "filter: part of a name or file, or /expression/"},
	{"n  N", "next and previous that was found"},
	{"Space", "pause the picture (sampling goes on); a capture: play"},
	{"b", "compare with what was until now, and again: no more"},
	{"R", "count from zero"},
	{"z", "count idle time, too, or not"},
	{"m", "measure: busy time, all time, CPU, GIL"},
	{"+  -", "refresh more and less often"},
	{"?", "this sheet; q or Ctrl-C ends"},
	{NULL, "Functions"},
	{"1  %Own", "time in the function itself, since the last refresh"},
	{"2  %Total", "time in it and what it called, since the last refresh"},
	{"3  OwnTime", "time in the function itself, in all"},
	{"4  TotalTime", "time in it and what it called, in all"},
	{"L", "by line or by function"},
	{NULL, "Threads"},
	{"1 2 3 4", "sort by busy time, CPU, name, state"},
	{"Enter", "the stack of the thread now"},
	{"t", "show only this thread on all pages"},
	{NULL, "Tree, Flame"},
	{"left right", "shut and open; in Flame the neighbours"},
	{"Enter", "open or shut; in Flame zoom, Esc zooms out"},
	{"o", "source of the chosen function"},
	{NULL, "A capture"},
	{"[  ]", "move the range of time back and on"},
	{"{  }", "make it shorter and longer"},
	{NULL, "Letters of states"},
	{"G", "runs Python and holds the GIL"},
	{"R", "runs without the GIL"},
	{"W", "waits for the GIL"},
	{"L", "waits for a lock"},
	{"I", "waits for I/O"},
	{"S", "sleeps, or waits for something else"},
	{"T  ?", "stopped; unknown"},
};

#define KEY_WIDTH 18

void page_help_draw(struct tui *tui, const struct pane *pane)
{
	int n = (int)array_len(lines);
	int top = max_of(0, min_of(tui->help.top, n - pane->rows));

	tui->help.top = top;
	for (int row = 0; row < pane->rows && top + row < n; row++) {
		const struct help_line *line = &lines[top + row];

		if (!line->key) {
			grid_puts(pane->grid, pane_at(pane, row, 0, pane->columns), STYLE_HEAD,
				  line->does);
			continue;
		}
		grid_puts(pane->grid, pane_at(pane, row, 2, KEY_WIDTH), STYLE_KEY, line->key);
		grid_puts(
			pane->grid,
			pane_at(pane, row, KEY_WIDTH + 2, max_of(pane->columns - KEY_WIDTH - 2, 0)),
			STYLE_PLAIN, line->does);
	}
}

bool page_help_key(struct tui *tui, uint32_t key)
{
	switch (key) {
	case TUI_KEY_UP:
		tui->help.top = max_of(tui->help.top - 1, 0);
		return true;
	case TUI_KEY_DOWN:
		tui->help.top++;
		return true;
	case TUI_KEY_PAGE_UP:
		tui->help.top = max_of(tui->help.top - 10, 0);
		return true;
	case TUI_KEY_PAGE_DOWN:
	case ' ':
		tui->help.top += 10;
		return true;
	case '?':
	case 0x1b:
	case '\r':
		tui->shows_help = false;
		return true;
	default:
		tui->shows_help = false;
		return false;
	}
}
