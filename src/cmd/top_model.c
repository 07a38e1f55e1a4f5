/* SPDX-License-Identifier: Apache-2.0 */
/* From the timeline to what the page draws. */
#include <string.h>

#include "base/clock.h"
#include "cmd/top_private.h"

static struct tui_thread thread_of(const struct timeline_row *row)
{
	return (struct tui_thread){
		.pid = row->pid,
		.tid = row->tid,
		.name = row->name,
		.process = row->command,
		.state = (enum thread_state)row->state,
		.is_over = row->has_ended,
		.node = row->node,
		.marker = row->marker,
		.wall_ns = row->wall_ns,
		.busy_ns = row->busy_ns,
		.cpu_ns = row->cpu_ns,
		.strip = row->cells,
		.n_strip = row->n_cells,
	};
}

static void add_threads(struct top *top, struct arena *arena, struct tui_model *model)
{
	struct timeline_row *rows;
	size_t n = timeline_rows(top->timeline, TOP_STRIP_CELLS, arena, &rows);
	struct tui_thread *threads = arena_array(arena, n + 1, sizeof(*threads));

	_Static_assert(TIMELINE_CELL_NONE == TUI_STRIP_NONE, "strips are handed on as they are");
	for (size_t i = 0; i < n; i++)
		threads[i] = thread_of(&rows[i]);
	model->threads = threads;
	model->n_threads = n;
}

static void add_slider(struct top *top, struct arena *arena, struct tui_model *model)
{
	struct tui_slider *slider = arena_alloc(arena, sizeof(*slider));

	slider->end_ns = timeline_end_ns(top->timeline);
	timeline_range(top->timeline, &slider->from_ns, &slider->until_ns);
	model->slider = slider;
}

/* Files go by their last part: the head of the page is one line. */
static const char *title_of(const struct top *top)
{
	const char *slash = top->path ? strrchr(top->path, '/') : NULL;

	if (!top->path)
		return timeline_command(top->timeline);
	return slash && slash[1] ? slash + 1 : top->path;
}

/* What the kernel charged all of us so far. */
static int64_t own_cpu_ns(const struct top *top)
{
	int64_t reader_ns = timeline_facts(top->timeline)->stats.reader_cpu_ns;

	return top->path ? reader_ns : reader_ns + clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static bool is_free_threaded(const char *runtime)
{
	size_t len = strlen(runtime), end = strlen(CAPTURE_FREE_THREADED);

	return len >= end && strcmp(runtime + len - end, CAPTURE_FREE_THREADED) == 0;
}

void top_model(struct top *top, struct arena *arena, struct tui_model *ret_model)
{
	const struct capture_facts *facts = timeline_facts(top->timeline);
	const struct capture_stats *stats = &facts->stats;
	const struct profile *profile = timeline_profile(top->timeline);

	*ret_model = (struct tui_model){
		.profile = profile,
		.generation = timeline_generation(top->timeline),
		.strip_step_ns = top->path ? TOP_WINDOW_NS : top->options.delay_ns,
		.title = title_of(top),
		.runtime = timeline_runtime(top->timeline),
		.has_no_gil = is_free_threaded(timeline_runtime(top->timeline)),
		.pid = top->path ? 0 : timeline_pid(top->timeline),
		.n_processes = facts->n_processes,
		.rate_hz = facts->header.rate_hz,
		.elapsed_ns = profile->duration_ns,
		.ticks = stats->ticks,
		.late = stats->late_ticks,
		.samples = timeline_samples(top->timeline),
		.dropped = stats->dropped,
		.reader_cpu_ns = own_cpu_ns(top),
		.paused_ns = stats->pause_total_ns,
		.ended = top->ended[0] ? top->ended : NULL,
	};
	add_threads(top, arena, ret_model);
	if (top->path)
		add_slider(top, arena, ret_model);
}
