/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/line.h"

#include <stdlib.h>

#include "base/vec.h"
#include "store/spread.h"

struct line_sums {
	struct store_point *points;
	struct cover wall;
	int64_t level_before; /* gauges: what held when the range began */
	int64_t profiles_before;
};

/* ---- blocks ---- */

/* The block's value in [from, until) of its length, in the type's unit. */
static int64_t value_of(const struct query *query, const struct block *block, bool is_whole,
			int64_t from, int64_t until)
{
	int64_t sum = 0;

	for (size_t c = 0; c < block->n_columns; c++) {
		const struct column *kind = query_kind(query, block->columns[c]);
		int64_t total = block->totals[c], scaled;

		if (!kind)
			continue;
		if (!is_whole)
			total = spread_part(total, from, until, block->key.len_ns);
		if (__builtin_mul_overflow(total, kind->unit_scale, &scaled))
			scaled = INT64_MAX;
		sum = sum_of(sum, scaled);
	}
	return sum;
}

/* A gauge counts whole in the step in which it begins. */
static void add_gauge(struct query *query, struct line_sums *line, const struct block *block,
		      int64_t from, int64_t until, struct store_point *point)
{
	point->covered_ns += until - from;
	if (from == 0) {
		point->value = sum_of(point->value, value_of(query, block, true, 0, 0));
		point->n_profiles += block->n_profiles;
	} else if (point == line->points) {
		line->level_before = sum_of(line->level_before, value_of(query, block, true, 0, 0));
		line->profiles_before++;
	}
}

/* The block's part in one step, [from, until) of its length. */
static void add_part(struct query *query, struct line_sums *line, const struct scanned *scanned,
		     int64_t from, int64_t until, struct store_point *point)
{
	const struct block *block = &scanned->block;
	int64_t len = block->key.len_ns;
	bool is_fine = scanned->piece->level == LEVEL_FINE;

	if (is_fine && query->is_gauge) {
		add_gauge(query, line, block, from, until, point);
		return;
	}
	point->value = sum_of(point->value,
			      value_of(query, block, from == 0 && until == len, from, until));
	point->covered_ns += spread_part(block->covered_ns, from, until, len);
	point->n_profiles += is_fine ? (from == 0 ? block->n_profiles : 0)
				     : spread_part(block->n_profiles, from, until, len);
}

static void add_block(struct lines *lines, struct line_sums *line, const struct scanned *scanned)
{
	const struct steps *steps = lines->steps;
	int64_t at = scanned->range.from_ns, t_ns = scanned->block.key.t_ns;

	while (at < scanned->range.until_ns) {
		int64_t step = step_at(steps, at);
		int64_t until = min_of(steps->from_ns + (step + 1) * steps->step_ns,
				       scanned->range.until_ns);

		add_part(lines->query, line, scanned, at - t_ns, until - t_ns, &line->points[step]);
		at = until;
	}
}

/* ---- windows by their tracks ---- */

/* Which of a row's columns count, and the step that its profiles are in: most of them in that of the one before. */
struct track_sums {
	struct lines *lines;
	struct line_sums *line;
	struct track_reader reader;
	size_t columns[PROFILE_MAX_COLUMNS];
	int64_t scales[PROFILE_MAX_COLUMNS];
	size_t n_columns;
	struct store_point *point;
	struct store_range step;
};

static void choose_columns(struct track_sums *sums, const struct block *block)
{
	for (size_t c = 0; c < block->n_columns; c++) {
		const struct column *kind = query_kind(sums->lines->query, block->columns[c]);

		if (!kind)
			continue;
		sums->columns[sums->n_columns] = c;
		sums->scales[sums->n_columns++] = kind->unit_scale;
	}
}

static void find_step(struct track_sums *sums, int64_t at_ns)
{
	const struct steps *steps = sums->lines->steps;
	int64_t step;

	if (at_ns >= sums->step.from_ns && at_ns < sums->step.until_ns)
		return;
	step = step_at(steps, at_ns);
	sums->point = &sums->line->points[step];
	sums->step.from_ns = steps->from_ns + step * steps->step_ns;
	sums->step.until_ns = sums->step.from_ns + steps->step_ns;
}

/* Of the entry that the reader stands on, in [from, until) of its length. */
static int64_t entry_value(const struct track_sums *sums, int64_t from, int64_t until)
{
	const struct track_reader *reader = &sums->reader;
	int64_t sum = 0;

	for (size_t c = 0; c < sums->n_columns; c++) {
		int64_t total = reader->totals[sums->columns[c]], scaled;

		if (from || until != reader->len_ns)
			total = spread_part(total, from, until, reader->len_ns);
		if (__builtin_mul_overflow(total, sums->scales[c], &scaled))
			scaled = INT64_MAX;
		sum = sum_of(sum, scaled);
	}
	return sum;
}

static void add_entry(struct track_sums *sums, const struct store_range *range)
{
	const struct track_reader *reader = &sums->reader;
	int64_t at = max_of(reader->t_ns, range->from_ns);
	int64_t end = min_of(reader->t_ns + reader->len_ns, range->until_ns);

	while (at < end) {
		int64_t until;

		find_step(sums, at);
		until = min_of(end, sums->step.until_ns);
		sums->point->value = sum_of(sums->point->value, entry_value(sums, at - reader->t_ns,
									    until - reader->t_ns));
		sums->point->covered_ns += until - at;
		sums->point->n_profiles += at == reader->t_ns && reader->begins;
		at = until;
	}
}

/* 1: done; 0: the window has no track. */
static int add_track(struct lines *lines, struct line_sums *line, const struct scanned *scanned)
{
	const struct block *block = &scanned->block;
	struct track_sums sums;
	bool is_there =
		track_open(&sums.reader, block->track_head, block->key.t_ns, block->n_columns);

	sums.lines = lines;
	sums.line = line;
	sums.n_columns = 0;
	sums.step = (struct store_range){0, 0};
	choose_columns(&sums, block);
	while (is_there && track_next(&sums.reader))
		add_entry(&sums, &scanned->range);
	return sums.reader.in.bad ? ERR_CORRUPT : is_there;
}

/* Its profiles, or the windows below that lie in one step each. */
static void plan_again(struct lines *lines, const struct scanned *scanned)
{
	struct sqlite_store *store = lines->query->store;
	const struct piece *piece = scanned->piece;
	struct steps steps = *lines->steps;
	struct series *series;

	pthread_mutex_lock(&store->lock);
	series = table_get(&store->catalogue.series, piece->owner / 2);
	pthread_mutex_unlock(&store->lock);
	steps.range = scanned->range;
	steps.max_level = piece->level - 1;
	steps.needs_totals = false;
	lines->again.line = piece->line;
	lines->again.dict = scanned->block.key.dict;
	if (!series)
		return; /* dropped meanwhile: nothing is left of it */
	plan_series(&lines->again, store, &series, 1, &steps);
}

/* ---- lines ---- */

static int add_scanned(struct query *query, struct scanned *scanned, void *ctx)
{
	struct lines *lines = ctx;
	const struct piece *piece = scanned->piece;
	struct line_sums *line = &lines->sums[piece->line];
	int r = 1;

	(void)query;
	if (piece->dict && piece->dict != scanned->block.key.dict)
		return 0;
	if (piece->part != PIECE_TRACK)
		add_block(lines, line, scanned);
	else
		r = add_track(lines, line, scanned);
	if (r == 0)
		plan_again(lines, scanned);
	for (size_t i = 0; r > 0 && i < scanned->cover->n; i++)
		cover_add(&line->wall, scanned->cover->items[i].from_ns,
			  scanned->cover->items[i].until_ns);
	return min_of(r, 0);
}

/* ---- several threads ---- */

/* As the points of all lines come to megabytes, the thread that adds them up would have more to do than it saves. */
#define FORK_MAX_POINTS 65536

static void *fork_lines(const void *ctx)
{
	const struct lines *lines = ctx;
	struct lines *forked;
	size_t n_steps = lines->steps->n;

	if (n_steps > FORK_MAX_POINTS / (lines->n + 1))
		return NULL;
	forked = xcalloc(1, sizeof(*forked));
	*forked = (struct lines){.query = lines->query, .steps = lines->steps, .n = lines->n};
	forked->sums = xcalloc(lines->n + 1, sizeof(*forked->sums));
	for (size_t i = 0; i < lines->n; i++)
		forked->sums[i].points = xcalloc(n_steps, sizeof(*forked->sums[i].points));
	return forked;
}

static void join_line(struct line_sums *line, struct line_sums *other, size_t n_steps)
{
	for (size_t i = 0; i < n_steps; i++) {
		struct store_point *point = &line->points[i], *add = &other->points[i];

		point->value = sum_of(point->value, add->value);
		point->covered_ns += add->covered_ns;
		point->n_profiles += add->n_profiles;
	}
	for (size_t i = 0; i < other->wall.n; i++)
		cover_add(&line->wall, other->wall.items[i].from_ns, other->wall.items[i].until_ns);
	line->level_before = sum_of(line->level_before, other->level_before);
	line->profiles_before += other->profiles_before;
	cover_done(&other->wall);
	free(other->points);
}

static void join_lines(void *ctx, void *other)
{
	struct lines *lines = ctx, *forked = other;

	for (size_t i = 0; i < lines->n; i++)
		join_line(&lines->sums[i], &forked->sums[i], lines->steps->n);
	plan_join(&lines->again, &forked->again);
	free(forked->sums);
	free(forked);
}

/* ---- points ---- */

/* A step of a gauge in which nothing began has the level of the one before. */
static void repeat_levels(struct line_sums *line, size_t n)
{
	int64_t value = line->level_before, n_profiles = line->profiles_before;

	for (size_t i = 0; i < n; i++) {
		struct store_point *point = &line->points[i];

		if (!point->covered_ns)
			n_profiles = 0; /* after a gap nothing is known of before */
		if (point->n_profiles || !n_profiles) {
			value = point->value;
			n_profiles = point->n_profiles;
			continue;
		}
		point->value = value;
		point->n_profiles = n_profiles;
	}
}

static void finish_line(struct lines *lines, struct line_sums *line, struct store_line *out)
{
	const struct steps *steps = lines->steps;

	for (size_t i = 0; i < steps->n; i++) {
		struct store_point *point = &line->points[i];

		point->time_ns = steps->from_ns + (int64_t)i * steps->step_ns;
		point->wall_ns = cover_length(
			&line->wall, point->time_ns,
			min_of(point->time_ns + steps->step_ns, steps->range.until_ns));
	}
	if (lines->query->is_gauge)
		repeat_levels(line, steps->n);
	out->points = line->points;
	out->n = steps->n;
}

void lines_begin(struct lines *lines, struct query *query, const struct steps *steps, size_t n,
		 struct arena *arena)
{
	*lines = (struct lines){.query = query, .steps = steps, .n = n};
	lines->sums = arena_array(arena, n + 1, sizeof(*lines->sums));
	for (size_t i = 0; i < n; i++)
		lines->sums[i].points =
			arena_array(arena, steps->n, sizeof(*lines->sums[i].points));
}

void lines_plan(struct lines *lines, size_t line, struct series *const *members, size_t n_members)
{
	lines->plan.line = (uint32_t)line;
	plan_series(&lines->plan, lines->query->store, members, n_members, lines->steps);
}

int lines_read(struct lines *lines, struct store_line *ret_lines, struct err *err)
{
	const struct scan_sink sink = {.visit = add_scanned,
				       .ctx = lines,
				       .fork = fork_lines,
				       .join = join_lines,
				       .wants_heads = true};
	int r = query_scan_plan(lines->query, &lines->plan, &sink, err);

	if (r == 0)
		r = query_scan_plan(lines->query, &lines->again, &sink, err);
	for (size_t i = 0; i < lines->n && r == 0; i++)
		finish_line(lines, &lines->sums[i], &ret_lines[i]);
	return r;
}

void lines_end(struct lines *lines)
{
	for (size_t i = 0; i < lines->n; i++)
		cover_done(&lines->sums[i].wall);
	plan_done(&lines->plan);
	plan_done(&lines->again);
}
