/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SelectHeatmap: how many profiles, or spans, had which value when.  Twenty rows divide the values from the least to
 * the most over all series; a column ends at its timestamp, as in Pyroscope: (start - step, start], (start, start +
 * step] and so on.  Columns without any are left out.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/querier.h"

#define ROWS 20

/* querier.v1.HeatmapQueryType */
enum { HEATMAP_INDIVIDUAL = 1, HEATMAP_SPAN = 2 };

struct heatmap {
	struct querier *call;
	struct exemplars found;
	int64_t step_ms, least, most;
	bool with_exemplars;
};

/* ---- rows and columns ---- */

static int64_t row_min(const struct heatmap *heatmap, int row)
{
	double height = (double)(heatmap->most - heatmap->least) / ROWS;

	return heatmap->least + (int64_t)(row * height);
}

static int row_of(const struct heatmap *heatmap, int64_t value)
{
	int row = ROWS - 1;

	while (row > 0 && value < row_min(heatmap, row))
		row--;
	return row;
}

static void find_rows(struct heatmap *heatmap)
{
	heatmap->least = INT64_MAX;
	for (size_t i = 0; i < heatmap->found.n; i++) {
		heatmap->least = min_of(heatmap->least, heatmap->found.items[i].value);
		heatmap->most = max_of(heatmap->most, heatmap->found.items[i].value);
	}
	if (heatmap->least == heatmap->most && heatmap->most < INT64_MAX)
		heatmap->most++;
}

/* The right edge of the column that a time falls into. */
static int64_t column_of(const struct heatmap *heatmap, int64_t time_ns)
{
	int64_t after_ms = time_ns / NS_PER_MS - heatmap->call->start_ms;
	int64_t step_ms = heatmap->step_ms;

	/* Rounded up, below the start too: there are at most a step and a millisecond of that. */
	return heatmap->call->start_ms +
	       (after_ms > 0 ? (after_ms + step_ms - 1) / step_ms * step_ms : 0);
}

/* ---- the answer ---- */

struct column {
	int32_t counts[ROWS];
	const struct exemplar *best[ROWS];
};

static void put_column(const struct heatmap *heatmap, int64_t time_ms, const struct column *column)
{
	struct buf *out = &heatmap->call->unary.reply;
	size_t begin = proto_begin(out, 2), list;

	proto_put_int(out, 1, time_ms);
	list = proto_begin(out, 2);
	for (int row = 0; row < ROWS; row++)
		querier_put_bits(out, (double)row_min(heatmap, row));
	proto_end(out, list);
	list = proto_begin(out, 3);
	for (int row = 0; row < ROWS; row++)
		buf_put_varint(out, (uint64_t)column->counts[row]);
	proto_end(out, list);
	for (int row = 0; row < ROWS && heatmap->with_exemplars; row++)
		if (column->best[row])
			querier_put_exemplar(heatmap->call, 4, column->best[row]);
	proto_end(out, begin);
}

static void put_group(const struct heatmap *heatmap, const struct exemplar_group *group)
{
	const struct exemplar *items = &heatmap->found.items[group->first];
	struct buf *out = &heatmap->call->unary.reply;
	size_t begin = proto_begin(out, 1);

	querier_put_group(heatmap->call, out, 1, &group->labels);
	for (size_t i = 0; i < group->n;) {
		int64_t time_ms = column_of(heatmap, items[i].time_ns);
		struct column column = {.counts = {0}};

		for (; i < group->n && column_of(heatmap, items[i].time_ns) == time_ms; i++) {
			int row = row_of(heatmap, items[i].value);

			column.counts[row]++;
			if (!column.best[row] || items[i].value > column.best[row]->value)
				column.best[row] = &items[i];
		}
		put_column(heatmap, time_ms, &column);
	}
	proto_end(out, begin);
}

/* Most items first; of equals the lesser text. */
static int by_size(const void *a, const void *b)
{
	const struct exemplar_group *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? 1 : -1;
	return strcmp(x->text, y->text);
}

static void put_groups(struct heatmap *heatmap)
{
	struct exemplar_group *groups = heatmap->found.groups;
	size_t n = heatmap->found.n_groups;
	int64_t limit = heatmap->call->limit;

	if (limit > 0 && (size_t)limit < n) {
		qsort(groups, n, sizeof(*groups), by_size);
		n = (size_t)limit;
	}
	for (size_t i = 0; i < n; i++)
		put_group(heatmap, &groups[i]);
}

/* ---- the question ---- */

static int check_kinds(struct heatmap *heatmap, struct err *err)
{
	int64_t type = heatmap->call->query_type, exemplars = heatmap->call->exemplars;

	if (type != HEATMAP_INDIVIDUAL && type != HEATMAP_SPAN)
		return err_set(err, ERR_USAGE, "valid heatmap query type must be specified");
	if (exemplars < 0 || exemplars > EXEMPLAR_SPAN)
		return err_set(err, ERR_USAGE, "unknown exemplar type: %" PRId64, exemplars);
	if (exemplars == EXEMPLAR_INDIVIDUAL && type != HEATMAP_INDIVIDUAL)
		return err_set(err, ERR_USAGE,
			       "individual exemplars only available for individual query type");
	if (exemplars == EXEMPLAR_SPAN && type != HEATMAP_SPAN)
		return err_set(err, ERR_USAGE, "span exemplars only available for span query type");
	heatmap->with_exemplars = exemplars > EXEMPLAR_NONE;
	return 0;
}

static int check(struct heatmap *heatmap, struct err *err)
{
	const struct querier *call = heatmap->call;

	if (!(call->step_s >= 0.001) || call->step_s > 1e9)
		return err_set(err, ERR_USAGE, "step must be >= 1ms, got %f", call->step_s);
	if (call->limit < 0)
		return err_set(err, ERR_USAGE, "limit must be non-negative, got %" PRId64,
			       call->limit);
	if (call->start_ms >= call->end_ms)
		return err_set(err, ERR_USAGE,
			       "start time must be before end time, got start=%" PRId64
			       " end=%" PRId64,
			       call->start_ms, call->end_ms);
	heatmap->step_ms = llround(call->step_s * 1e3);
	if ((call->end_ms - call->start_ms) / heatmap->step_ms >= STORE_MAX_STEPS)
		return err_set(err, ERR_USAGE,
			       "more than %d steps: ask for a shorter range or a longer step",
			       STORE_MAX_STEPS);
	return check_kinds(heatmap, err);
}

/* The first column ends at the start. */
static int select_heatmap(struct querier *call, struct err *err)
{
	struct heatmap heatmap = {.call = call};
	struct store_range range = call->query.range;
	int r = check(&heatmap, err);

	if (r < 0)
		return r;
	range.from_ns = max_of(range.from_ns - heatmap.step_ms * NS_PER_MS, (int64_t)0);
	r = querier_find_exemplars(call,
				   call->query_type == HEATMAP_SPAN ? STORE_EXEMPLAR_SPAN
								    : STORE_EXEMPLAR_PROFILE,
				   range, &heatmap.found, err);
	if (r < 0)
		return r;
	find_rows(&heatmap);
	put_groups(&heatmap);
	exemplars_done(&heatmap.found);
	return 0;
}

void handle_querier_heatmap(void *ctx, struct http_exchange *exchange)
{
	static const struct querier_method method = {
		.unary = {QUERY_TIMELINE, &querier_schema_heatmap_request, &querier_schema_heatmap},
		.params = {[1] = QUERIER_TYPE,
			   [2] = QUERIER_SELECTOR,
			   [3] = QUERIER_START,
			   [4] = QUERIER_END,
			   [5] = QUERIER_STEP,
			   [6] = QUERIER_NAMES,
			   [7] = QUERIER_QUERY_TYPE,
			   [8] = QUERIER_EXEMPLARS,
			   [9] = QUERIER_LIMIT},
		.needs_range = true,
	};
	struct querier *call = querier_open(ctx, exchange, &method);
	struct err err;

	if (call)
		querier_end(call, select_heatmap(call, &err), &err);
}
