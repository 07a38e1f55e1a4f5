/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "tui/threads_page.h"

#define LEGEND_FROM_ROWS 16 /* of the pane */

/* A sign for each state that tells it without its colour. */
static uint32_t strip_sign(uint8_t state, bool is_ascii)
{
	static const uint16_t signs[STATE_COUNT] = {
		[STATE_UNKNOWN] = '?',	      [STATE_RUNNING_GIL] = 0x2588, /* full block */
		[STATE_RUNNING] = 0x2593,				    /* dark shade */
		[STATE_WAITING_GIL] = 0x2591,				    /* light shade */
		[STATE_WAITING_LOCK] = 0xd7,				    /* times */
		[STATE_WAITING_IO] = '~',     [STATE_SLEEPING] = 0xb7,	    /* middle dot */
		[STATE_STOPPED] = '!',
	};

	if (state >= STATE_COUNT)
		return ' ';
	if (is_ascii)
		return (uint32_t)style_letter_of_state((enum thread_state)state);
	return signs[state];
}

struct columns {
	int name, name_width, process, process_width, tid, tid_width, cpu, busy, strip, strip_width,
		where, where_width;
};

#define SHARE_WIDTH 6

static struct columns columns_of(const struct tui *tui, int width)
{
	struct columns columns = {
		.name = 2,
		.name_width = width < 80    ? 12
			      : width < 120 ? 16
					    : 24,
		.process_width = width >= 120 && tui->facts.n_processes > 1 ? 20 : 0,
		.tid_width = width < 80 ? 0 : 8,
		.strip_width = width < 80    ? 10
			       : width < 120 ? 16
					     : width / 4,
	};
	int at = columns.name + columns.name_width;

	columns.process = at + 1;
	at += columns.process_width ? columns.process_width + 1 : 0;
	columns.tid = at;
	at += columns.tid_width;
	columns.busy = at;
	columns.cpu = at + SHARE_WIDTH;
	columns.strip = columns.cpu + SHARE_WIDTH + 1;
	columns.where = columns.strip + columns.strip_width + 1;
	columns.where_width = max_of(width - columns.where, 0);
	return columns;
}

static void clusters_draw(struct tui *tui, const struct pane *pane, int rows)
{
	for (int i = 0; i < rows; i++) {
		const struct cluster *cluster = &tui->threads.clusters[i];
		const struct frame *frame =
			names_frame_get(tui->shot.names, (struct frame_id){cluster->frame});
		char where[WORDS_NAME_MAX];

		words_both(where, tui->shot.names, frame);
		grid_printf(pane->grid, pane_at(pane, i, 0, pane->columns),
			    cluster->is_own ? STYLE_WARN : STYLE_FAINT,
			    "%u of %zu threads wait for a lock: %s", cluster->n,
			    tui->facts.n_threads, where);
	}
}

static void head_cell(struct tui *tui, const struct pane *pane, struct grid_place at,
		      const char *text, int order, bool is_right)
{
	if (is_right)
		grid_puts_right(pane->grid, at, STYLE_HEAD, text);
	else
		grid_puts(pane->grid, at, STYLE_HEAD, text);
	if (order == (int)tui->threads.order)
		grid_mark(pane->grid, at, STYLE_REVERSE | STYLE_BOLD);
}

static void head_draw(struct tui *tui, const struct pane *pane, int row,
		      const struct columns *columns)
{
	char ago[WORDS_MAX], strip[WORDS_MAX + 8];

	words_time(ago, tui->facts.strip_step_ns * columns->strip_width);
	snprintf(strip, sizeof(strip), "last %s", ago);
	head_cell(tui, pane, pane_at(pane, row, 0, 2), "S", THREAD_BY_STATE, false);
	head_cell(tui, pane, pane_at(pane, row, columns->name, columns->name_width), "Thread",
		  THREAD_BY_NAME, false);
	head_cell(tui, pane, pane_at(pane, row, columns->process, columns->process_width),
		  "Process", -1, false);
	head_cell(tui, pane, pane_at(pane, row, columns->tid, columns->tid_width), "TID", -1, true);
	head_cell(tui, pane, pane_at(pane, row, columns->busy, SHARE_WIDTH), "busy", THREAD_BY_BUSY,
		  true);
	head_cell(tui, pane, pane_at(pane, row, columns->cpu, SHARE_WIDTH), "CPU", THREAD_BY_CPU,
		  true);
	head_cell(tui, pane, pane_at(pane, row, columns->strip, columns->strip_width), strip, -1,
		  false);
	head_cell(tui, pane, pane_at(pane, row, columns->where, columns->where_width), "Where", -1,
		  false);
}

/* The newest at the right end. */
static void strip_draw(const struct tui_thread *thread, const struct pane *pane,
		       struct grid_place at)
{
	size_t n = min_of(thread->n_strip, (size_t)at.room);
	const uint8_t *strip = thread->strip + (thread->n_strip - n);

	at.column += at.room - (int)n;
	at.room = 1;
	for (size_t i = 0; i < n; i++, at.column++)
		grid_fill(pane->grid, at, style_of_state((enum thread_state)strip[i]),
			  strip_sign(strip[i], pane->grid->is_ascii));
}

static void share_draw(const struct pane *pane, struct grid_place at, int64_t part, int64_t whole)
{
	char text[WORDS_MAX];

	words_share(text, part, whole);
	grid_puts_right(pane->grid, at, STYLE_PLAIN, text);
}

static void where_draw(struct tui *tui, const struct tui_thread *thread, const struct pane *pane,
		       struct grid_place at)
{
	struct frame_id place = thread_place(&tui->shot, thread);
	const struct frame *frame;
	char text[WORDS_NAME_MAX];

	if (thread->is_over || !place.v) {
		grid_puts(pane->grid, at, STYLE_FAINT, thread->is_over ? "[ended]" : "[no Python]");
		return;
	}
	frame = names_frame_get(tui->shot.names, place);
	words_both(text, tui->shot.names, frame);
	at.cut = GRID_CUT_MIDDLE;
	grid_puts(pane->grid, at, style_of_frame(tui->shot.names, frame), text);
}

static void thread_draw(struct tui *tui, const struct tui_thread *thread, const struct pane *pane,
			int row, const struct columns *columns)
{
	const char letter[] = {thread->is_over ? '-' : style_letter_of_state(thread->state), '\0'};
	struct grid_place process = pane_at(pane, row, columns->process, columns->process_width);
	char tid[WORDS_MAX];

	snprintf(tid, sizeof(tid), "%d", (int)thread->tid);
	grid_puts(pane->grid, pane_at(pane, row, 0, 1), style_of_state(thread->state), letter);
	grid_puts(pane->grid, pane_at(pane, row, columns->name, columns->name_width), STYLE_PLAIN,
		  *thread->name ? thread->name : tid);
	grid_puts(pane->grid, process, STYLE_FAINT, thread->process);
	if (columns->tid_width)
		grid_puts_right(pane->grid, pane_at(pane, row, columns->tid, columns->tid_width),
				STYLE_FAINT, tid);
	share_draw(pane, pane_at(pane, row, columns->busy, SHARE_WIDTH), thread->busy_ns,
		   thread->wall_ns);
	share_draw(pane, pane_at(pane, row, columns->cpu, SHARE_WIDTH), thread->cpu_ns,
		   thread->wall_ns);
	strip_draw(thread, pane, pane_at(pane, row, columns->strip, columns->strip_width));
	where_draw(tui, thread, pane, pane_at(pane, row, columns->where, columns->where_width));
}

static void legend_draw(const struct pane *pane)
{
	int column = 0;

	for (int state = STATE_RUNNING_GIL; state < STATE_COUNT; state++) {
		struct grid_place at = pane_at(pane, pane->rows - 1, column, 2);
		const char letter[] = {style_letter_of_state((enum thread_state)state), ' ', '\0'};

		grid_puts(pane->grid, at, style_of_state((enum thread_state)state), letter);
		at.column++;
		at.room = 1;
		if (!pane->grid->is_ascii) {
			grid_fill(pane->grid, at, style_of_state((enum thread_state)state),
				  strip_sign((uint8_t)state, false));
			at.column++;
		}
		at.column++;
		at.room = max_of(pane->columns - at.column, 0);
		column = at.column +
			 grid_puts(pane->grid, at, STYLE_FAINT,
				   style_words_of_state((enum thread_state)state)) +
			 2;
	}
}

void thread_rows_draw(struct tui *tui, const struct pane *pane)
{
	struct threads_page *page = &tui->threads;
	struct columns columns = columns_of(tui, pane->columns);
	int first = min_of((int)page->n_clusters, max_of(pane->rows - 4, 0));
	int end = pane->rows - (pane->rows >= LEGEND_FROM_ROWS ? 2 : 0);

	clusters_draw(tui, pane, first);
	head_draw(tui, pane, first, &columns);
	list_show(&page->list, end - first - 1);
	if (!page->list.n)
		pane_say(pane, *tui->filter ? "no thread matches the filter" : "no threads yet");
	for (int row = first + 1; row < end; row++) {
		size_t i = page->list.top + (size_t)(row - first - 1);

		if (i >= page->list.n)
			break;
		thread_draw(tui, page->rows[i], pane, row, &columns);
		if (i == page->list.at)
			grid_mark(pane->grid, pane_at(pane, row, 0, pane->columns), STYLE_REVERSE);
	}
	if (end < pane->rows)
		legend_draw(pane);
}

/* ---- one stack ---- */

static void frame_draw(struct tui *tui, struct frame_id id, const struct pane *pane, int row)
{
	const struct frame *frame = names_frame_get(tui->shot.names, id);
	struct grid_place at = pane_at(pane, row, 2, pane->columns * 2 / 5 - 2);
	char text[WORDS_NAME_MAX];

	words_frame(text, tui->shot.names, frame);
	grid_puts(pane->grid, at, style_of_frame(tui->shot.names, frame), text);
	at = pane_at(pane, row, pane->columns * 2 / 5 + 1, pane->columns * 3 / 5 - 1);
	at.cut = GRID_CUT_START;
	words_path(text, tui->shot.names, frame);
	grid_puts(pane->grid, at, STYLE_FAINT, text);
}

void thread_stack_draw(struct tui *tui, const struct pane *pane)
{
	struct threads_page *page = &tui->threads;
	const struct tui_thread *thread = page->list.n ? page->rows[page->list.at] : NULL;

	if (!thread)
		return;
	grid_printf(pane->grid, pane_at(pane, 0, 0, pane->columns), STYLE_HEAD,
		    "%s (thread %d) %s; innermost first", thread->name, (int)thread->tid,
		    thread->is_over ? "has ended" : style_words_of_state(thread->state));
	list_show(&page->stack, pane->rows - 1);
	if (!page->stack.n)
		pane_say(pane, "no Python frames");
	for (int row = 1; row < pane->rows; row++) {
		size_t i = page->stack.top + (size_t)row - 1;

		if (i >= page->stack.n)
			break;
		frame_draw(tui, page->frames[i], pane, row);
		if (i == page->stack.at)
			grid_mark(pane->grid, pane_at(pane, row, 0, pane->columns), STYLE_REVERSE);
	}
}
