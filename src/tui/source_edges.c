/* SPDX-License-Identifier: Apache-2.0 */
#include "tui/tui_private.h"

#define SHARE_WIDTH 7

/* A list of them, or what stands for nobody. */
struct edges {
	const char *title, *nobody;
	const struct edge_row *rows;
	size_t n;
	int column, columns;
};

static void edge_draw(struct tui *tui, const struct edges *edges, size_t i, const struct pane *pane,
		      int row)
{
	int64_t whole = tui->look.sum[tui->look.is_diff ? LOOK_AFTER : LOOK_WHOLE];
	struct func_id func = edges->rows[i].func;
	const struct frame *frame = names_func_get(tui->shot.names, func);
	struct frame shown = *frame;
	char share[WORDS_MAX], name[WORDS_NAME_MAX];
	int column = edges->column + SHARE_WIDTH + 1;

	shown.line = 0;
	words_share(share, edges->rows[i].value, whole);
	words_both(name, tui->shot.names, &shown);
	grid_puts_right(pane->grid, pane_at(pane, row, edges->column, SHARE_WIDTH), STYLE_PLAIN,
			share);
	grid_puts(pane->grid, pane_at(pane, row, column, edges->columns - SHARE_WIDTH - 2),
		  func.v ? style_of_frame(tui->shot.names, frame) : STYLE_FAINT,
		  func.v ? name : edges->nobody);
}

static void edges_draw(struct tui *tui, const struct edges *edges, const struct pane *pane)
{
	int last = pane->rows - 1;

	grid_puts(pane->grid, pane_at(pane, 0, edges->column, edges->columns), STYLE_HEAD,
		  edges->title);
	for (int row = 1; row <= last && (size_t)row <= edges->n; row++) {
		size_t left = edges->n - (size_t)row + 1;

		if (row == last && left > 1)
			grid_printf(
				pane->grid,
				pane_at(pane, row, edges->column + SHARE_WIDTH + 1, edges->columns),
				STYLE_FAINT, "and %zu more", left);
		else
			edge_draw(tui, edges, (size_t)row - 1, pane, row);
	}
}

void source_edges_draw(struct tui *tui, const struct pane *pane)
{
	const struct source_page *page = &tui->source;
	int half = pane->columns / 2;
	struct edges callers = {
		"Called by", "(nobody: it is the outermost)", page->callers, page->n_callers, 0,
		half};
	struct edges callees = {"Calls",	 "(itself)", page->callees,
				page->n_callees, half,	     pane->columns - half};

	if (pane->rows < 2)
		return;
	edges_draw(tui, &callers, pane);
	edges_draw(tui, &callees, pane);
}
