/* SPDX-License-Identifier: Apache-2.0 */
/* A row per thread, out of the last windows of the picture. */
#include <stdlib.h>
#include <string.h>

#include "format/timeline_private.h"

/* What is gathered of one thread on the way to its row. */
struct gathered {
	struct timeline_row row;
	uint8_t *cells;
	int64_t ns[STATE_COUNT]; /* in the window that is being gathered */
	size_t last_cell;
	int64_t last_ns; /* where the last window ends that has it */
};

struct gather {
	const struct timeline *timeline;
	size_t first, n_cells; /* window of the first cell; cells */
	uint32_t *place_of;    /* thread -> place + 1 */
	struct gathered *all;
	size_t n;
	int64_t shown_ns;
};

static void begin_row(struct gather *gather, uint32_t thread, struct arena *arena)
{
	const struct timeline *timeline = gather->timeline;
	const struct timeline_thread *known = &timeline->threads[thread];
	const struct timeline_process *process = &timeline->processes[known->process];
	struct gathered *ours = &gather->all[gather->n];

	ours->cells = arena_alloc(arena, gather->n_cells);
	memset(ours->cells, TIMELINE_CELL_NONE, gather->n_cells);
	ours->row = (struct timeline_row){
		.thread = thread,
		.pid = process->pid,
		.tid = known->tid,
		.name = known->name,
		.command = process->command ? process->command : "",
		.marker = known->marker,
		.cells = ours->cells,
	};
	gather->place_of[thread] = (uint32_t)++gather->n;
}

/* NULL: what stands for threads that came and went unseen is none. */
static struct gathered *of_entry(const struct gather *gather, const struct entry *entry)
{
	uint32_t place = gather->place_of[entry->thread];

	return place ? &gather->all[place - 1] : NULL;
}

static bool is_thread(const struct timeline *timeline, uint32_t thread)
{
	return timeline->threads[thread].tid != 0;
}

/* Counts first, so that rows lie in one array. */
static void find_threads(struct gather *gather, struct arena *arena)
{
	const struct timeline *timeline = gather->timeline;
	size_t n = 0;

	for (size_t w = gather->first; w < timeline->shown; w++)
		for (size_t i = 0; i < timeline->windows[w].n; i++) {
			uint32_t thread = timeline->windows[w].entries[i].thread;

			n += !gather->place_of[thread] && is_thread(timeline, thread);
			gather->place_of[thread] = 1;
		}
	gather->all = arena_array(arena, max_of(n, (size_t)1), sizeof(*gather->all));
	memset(gather->place_of, 0, timeline->n_threads * sizeof(*gather->place_of));
	for (size_t w = gather->first; w < timeline->shown; w++)
		for (size_t i = 0; i < timeline->windows[w].n; i++) {
			uint32_t thread = timeline->windows[w].entries[i].thread;

			if (!gather->place_of[thread] && is_thread(timeline, thread))
				begin_row(gather, thread, arena);
		}
}

static void add_latest(struct timeline_row *row, const struct entry *entry)
{
	bool is_idle = thread_state_is_idle((enum thread_state)entry->state);

	row->wall_ns = timeline_sum(row->wall_ns, entry->wall_ns);
	row->busy_ns = timeline_sum(row->busy_ns, is_idle ? 0 : entry->wall_ns);
	row->cpu_ns = timeline_sum(row->cpu_ns, entry->cpu_ns);
}

static uint8_t most_of(const struct gathered *ours)
{
	uint8_t most = ours->row.state; /* where nothing has a length yet */

	for (uint8_t state = 0; state < STATE_COUNT; state++)
		if (ours->ns[state] > ours->ns[most])
			most = state;
	return most;
}

static void add_window(struct gather *gather, size_t index)
{
	const struct window *window = &gather->timeline->windows[index];
	bool is_latest = window->until_ns > gather->shown_ns - TIMELINE_LATEST_NS;

	for (size_t i = 0; i < window->n; i++) {
		const struct entry *entry = &window->entries[i];
		struct gathered *ours = of_entry(gather, entry);

		if (!ours)
			continue;
		ours->ns[entry->state] = timeline_sum(ours->ns[entry->state], entry->wall_ns);
		if (is_latest)
			add_latest(&ours->row, entry);
		if (!entry->is_last)
			continue;
		ours->row.state = entry->state;
		ours->row.node = (struct node_id){entry->node};
	}
	for (size_t i = 0; i < window->n; i++) {
		struct gathered *ours = of_entry(gather, &window->entries[i]);

		if (!ours || !window->entries[i].is_last)
			continue;
		ours->last_cell = index - gather->first;
		ours->last_ns = window->until_ns;
		ours->cells[ours->last_cell] = most_of(ours);
		memset(ours->ns, 0, sizeof(ours->ns));
	}
}

/* A thread that sleeps has samples some times a second only: windows between them are as the one before. */
static void finish_row(struct gather *gather, struct gathered *ours)
{
	size_t until = ours->last_cell + 1;
	uint8_t before = TIMELINE_CELL_NONE;

	ours->row.has_ended = gather->shown_ns - ours->last_ns > TIMELINE_ENDED_NS;
	if (!ours->row.has_ended)
		until = gather->n_cells;
	for (size_t i = 0; i < until; i++) {
		if (ours->cells[i] == TIMELINE_CELL_NONE)
			ours->cells[i] = before;
		before = ours->cells[i];
	}
}

static int by_id(const void *a, const void *b)
{
	const struct timeline_row *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	return x->thread < y->thread ? -1 : x->thread > y->thread;
}

size_t timeline_rows(const struct timeline *timeline, size_t n_cells, struct arena *arena,
		     struct timeline_row **ret_rows)
{
	struct gather gather = {
		.timeline = timeline,
		.first = timeline->shown - min_of(timeline->shown, n_cells),
		.shown_ns = timeline->windows[timeline->shown].from_ns,
		.place_of = arena_array(arena, timeline->n_threads + 1, sizeof(uint32_t)),
	};
	struct timeline_row *rows;

	gather.n_cells = timeline->shown - gather.first;
	find_threads(&gather, arena);
	for (size_t w = gather.first; w < timeline->shown; w++)
		add_window(&gather, w);
	rows = arena_array(arena, max_of(gather.n, (size_t)1), sizeof(*rows));
	for (size_t i = 0; i < gather.n; i++) {
		finish_row(&gather, &gather.all[i]);
		gather.all[i].row.n_cells = gather.n_cells;
		rows[i] = gather.all[i].row;
	}
	qsort(rows, gather.n, sizeof(*rows), by_id);
	*ret_rows = rows;
	return gather.n;
}
