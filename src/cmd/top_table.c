/* SPDX-License-Identifier: Apache-2.0 */
/* One table: what `top` prints where there is no terminal to draw on, and when its page is left. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/short_file.h"
#include "cmd/top_private.h"

#define PLACE_MAX_BYTES 1024
#define GROUPS_SHOWN 8
#define NAMES_SHOWN 4
#define ROOMY_COLUMNS 100  /* of a terminal with room for whole paths */
#define STATE_COLUMNS 21   /* "runs without the GIL" */
#define FIGURES_COLUMNS 39 /* what stands before a function, and one column to spare */

/* ---- words ---- */

/* How much of a path to leave out: where there is little room, all but the file's own name. */
static size_t cut_of(const char *file, const struct term *term)
{
	const char *slash = strrchr(file, '/');

	if (term->is_terminal && term->columns < ROOMY_COLUMNS && slash && slash[1])
		return (size_t)(slash + 1 - file);
	return short_file_cut(file, short_file_look);
}

/* "foo (shop/views.py:31)" */
static void put_place(const struct top *top, const struct frame *frame, uint32_t line,
		      const struct term *term, char *out, size_t cap)
{
	const char *name = names_text(top->names, frame->name, NULL);
	const char *file = names_text(top->names, frame->file, NULL);
	int n = snprintf(out, cap, "%s", name);

	if (*file && n > 0 && (size_t)n < cap)
		n += snprintf(out + n, cap - (size_t)n, " (%s", file + cut_of(file, term));
	if (*file && n > 0 && (size_t)n < cap && line)
		n += snprintf(out + n, cap - (size_t)n, ":%" PRIu32, line);
	if (*file && n > 0 && (size_t)n < cap)
		snprintf(out + n, cap - (size_t)n, ")");
}

static double percent(int64_t part, int64_t whole)
{
	return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static double seconds(int64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

/* ---- head and functions ---- */

static void put_head(const struct top *top, const struct term *term, struct buf *out)
{
	const struct capture_facts *facts = timeline_facts(top->timeline);
	const struct profile *profile = timeline_profile(top->timeline);
	char line[PLACE_MAX_BYTES];

	if (top->path)
		snprintf(line, sizeof(line), "%s: %s, %s", top->path,
			 timeline_command(top->timeline), timeline_runtime(top->timeline));
	else
		snprintf(line, sizeof(line), "Process %d: %s, %s", (int)timeline_pid(top->timeline),
			 timeline_command(top->timeline), timeline_runtime(top->timeline));
	term_puts(out, term, STYLE_TITLE, line);
	buf_printf(out,
		   "\n%.1f s at %g Hz: %" PRIu64 " samples, %" PRIu64 " dropped, %" PRIu64
		   " ticks late\n",
		   seconds(profile->duration_ns), facts->header.rate_hz,
		   timeline_samples(top->timeline), facts->stats.dropped, facts->stats.late_ticks);
}

/* What ends a line that has so many columns already: never wider than a terminal, whole elsewhere. */
static void put_last(const struct term *term, enum tui_style style, const char *text, int columns,
		     struct buf *out)
{
	if (term->is_terminal)
		term_cell(out, term, style, text, max_of(term->columns - columns, 1), TERM_LEFT);
	else
		term_puts(out, term, style, text);
}

static void put_function(const struct top *top, const struct top_function *function, int64_t sum,
			 const struct term *term, struct buf *out)
{
	const struct frame *frame = names_func_get(top->names, function->func);
	char place[PLACE_MAX_BYTES];

	put_place(top, frame, function->line, term, place, sizeof(place));
	buf_printf(out, "%6.1f%% %6.1f%% %7.2fs %9.2fs   ", percent(function->self, sum),
		   percent(function->total, sum), seconds(function->self),
		   seconds(function->total));
	put_last(term, style_of_frame(top->names, frame), place, FIGURES_COLUMNS, out);
	buf_putc(out, '\n');
}

static void put_functions(const struct top *top, size_t n, const struct term *term,
			  struct arena *arena, struct buf *out)
{
	struct top_function *rows;
	int64_t sum;

	n = top_functions(top, n, arena, &rows, &sum);
	if (n == 0) {
		buf_puts(out, top->options.idle
				      ? "\nno function was seen\n"
				      : "\nall threads waited; --idle counts them, too\n");
		return;
	}
	buf_putc(out, '\n');
	term_puts(out, term, STYLE_HEAD,
		  "  %Own  %Total  OwnTime  TotalTime   Function (file:line)");
	buf_putc(out, '\n');
	for (size_t i = 0; i < n; i++)
		put_function(top, &rows[i], sum, term, out);
}

/* ---- threads that are at one place, together ---- */

struct place {
	uint8_t state;
	uint32_t frame;
	const struct timeline_row *row;
};

struct group {
	const struct place *first;
	size_t n;
};

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->state != y->state)
		return x->state - y->state;
	if (x->frame != y->frame)
		return x->frame < y->frame ? -1 : 1;
	return x->row->tid < y->row->tid ? -1 : x->row->tid > y->row->tid;
}

static int by_size(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return x->first < y->first ? -1 : 1;
}

/* The innermost frame of Python, which says more than where it waits in the C library; else of any code. */
static uint32_t code_of(const struct top *top, struct node_id node)
{
	const struct tree *tree = &timeline_profile(top->timeline)->tree;
	uint32_t code = 0;

	for (uint32_t at = node.v; at; at = tree->parent[at]) {
		struct frame_id id = {tree->frame[at]};
		uint8_t kind = names_frame_get(top->names, id)->kind;

		if (kind == FRAME_PYTHON)
			return id.v;
		if (kind != FRAME_MARKER && !code)
			code = id.v;
	}
	return code;
}

static size_t find_groups(const struct top *top, struct arena *arena, struct group **ret_groups)
{
	struct timeline_row *rows;
	size_t n = timeline_rows(top->timeline, TOP_STRIP_CELLS, arena, &rows), n_places = 0;
	struct place *places = arena_array(arena, n + 1, sizeof(*places));
	struct group *groups = arena_array(arena, n + 1, sizeof(*groups));
	size_t n_groups = 0;

	for (size_t i = 0; i < n; i++)
		if (!rows[i].has_ended)
			places[n_places++] = (struct place){
				.state = rows[i].state,
				.frame = code_of(top, rows[i].node),
				.row = &rows[i],
			};
	qsort(places, n_places, sizeof(*places), by_place);
	for (size_t i = 0; i < n_places; i++) {
		bool is_new = i == 0 || places[i].state != places[i - 1].state ||
			      places[i].frame != places[i - 1].frame;

		if (is_new)
			groups[n_groups++].first = &places[i];
		groups[n_groups - 1].n++;
	}
	qsort(groups, n_groups, sizeof(*groups), by_size);
	*ret_groups = groups;
	return n_groups;
}

/* "waitress-1, waitress-2, ...", as far as there is room. */
static void put_names(const struct group *group, char *out, size_t cap)
{
	size_t at = strlen(out);

	for (size_t i = 0; i < group->n && i < NAMES_SHOWN && at < cap; i++)
		at += (size_t)snprintf(out + at, cap - at, "%s%s", i ? ", " : ": ",
				       group->first[i].row->name);
	if (group->n > NAMES_SHOWN && at < cap)
		snprintf(out + at, cap - at, ", ...");
}

static void put_group(const struct top *top, const struct group *group, const struct term *term,
		      struct buf *out)
{
	enum thread_state state = (enum thread_state)group->first->state;
	const struct frame *frame =
		names_frame_get(top->names, (struct frame_id){group->first->frame});
	char where[PLACE_MAX_BYTES] = "no Python";

	if (group->first->frame)
		put_place(top, frame, frame->line, term, where, sizeof(where));
	put_names(group, where, sizeof(where));
	buf_printf(out, "%6zu  ", group->n);
	term_cell(out, term, style_of_state(state), style_words_of_state(state), STATE_COLUMNS,
		  TERM_LEFT);
	buf_puts(out, "  ");
	put_last(term, STYLE_PLAIN, where, STATE_COLUMNS + 11, out);
	buf_putc(out, '\n');
}

static void put_threads(const struct top *top, const struct term *term, struct arena *arena,
			struct buf *out)
{
	struct group *groups;
	size_t n = find_groups(top, arena, &groups), left_out = 0;

	buf_putc(out, '\n');
	term_puts(out, term, STYLE_HEAD, "Threads  now                    where");
	buf_putc(out, '\n');
	for (size_t i = 0; i < n && i < GROUPS_SHOWN; i++)
		put_group(top, &groups[i], term, out);
	for (size_t i = GROUPS_SHOWN; i < n; i++)
		left_out += groups[i].n;
	if (left_out)
		buf_printf(out, "%6zu  elsewhere\n", left_out);
}

void top_table_put(const struct top *top, size_t rows, const struct term *term, struct buf *out)
{
	struct arena arena;

	arena_init(&arena);
	put_head(top, term, out);
	put_functions(top, rows, term, &arena, out);
	put_threads(top, term, &arena, out);
	arena_done(&arena);
}
