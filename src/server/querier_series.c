/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SelectSeries: sums over time.  A point is the sum of what falls into its step, not a rate, and stands at the
 * right edge; steps without data have no point.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/querier.h"

#define AVERAGE 1

static double value_of(const struct querier *call, const struct store_point *point)
{
	return (double)question_point(point, call->aggregation == AVERAGE);
}

static double total_of(const struct querier *call, const struct store_line *line)
{
	double total = 0;

	for (size_t i = 0; i < line->n; i++)
		total += value_of(call, &line->points[i]);
	return total;
}

struct ranked {
	const struct store_line *line;
	double total;
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *one = a, *two = b;

	return (one->total < two->total) - (one->total > two->total);
}

static void put_best(struct querier *call, const struct exemplars *exemplars,
		     const struct store_line *line, const struct store_point *point,
		     int64_t step_ns)
{
	const struct exemplar *best =
		exemplars_best(exemplars, &line->group,
			       (struct store_range){point->time_ns, point->time_ns + step_ns});

	if (best)
		querier_put_exemplar(call, 4, best);
}

/* `exemplars`: the best of each point goes with it; NULL: none. */
static void put_line(struct querier *call, const struct store_line *line, int64_t step_ns,
		     const struct exemplars *exemplars)
{
	size_t begin = proto_begin(&call->unary.reply, 1), point;

	querier_put_group(call, &call->unary.reply, 1, &line->group);
	for (size_t i = 0; i < line->n; i++) {
		if (!line->points[i].covered_ns && !line->points[i].value)
			continue;
		point = proto_begin(&call->unary.reply, 2);
		querier_put_double(&call->unary.reply, 1, value_of(call, &line->points[i]));
		proto_put_int(&call->unary.reply, 2,
			      (line->points[i].time_ns + step_ns) / NS_PER_MS);
		if (exemplars)
			put_best(call, exemplars, line, &line->points[i], step_ns);
		proto_end(&call->unary.reply, point);
	}
	proto_end(&call->unary.reply, begin);
}

static void put_lines(struct querier *call, const struct store_line *lines, size_t n,
		      int64_t step_ns, const struct exemplars *exemplars)
{
	struct ranked *ranked = arena_array(&call->exchange->arena, n, sizeof(*ranked));
	size_t n_kept = 0;

	for (size_t i = 0; i < n; i++) {
		ranked[n_kept].line = &lines[i];
		ranked[n_kept].total = total_of(call, &lines[i]);
		n_kept += ranked[n_kept].total > 0;
	}
	if (n_kept)
		qsort(ranked, n_kept, sizeof(*ranked), compare_ranked);
	if (call->limit > 0)
		n_kept = min_of(n_kept, (size_t)call->limit);
	for (size_t i = 0; i < n_kept; i++)
		put_line(call, ranked[i].line, step_ns, exemplars);
}

/* With exemplars, if the call asks for any. */
static int put_with_exemplars(struct querier *call, const struct store_line *lines, size_t n,
			      int64_t step_ns, struct err *err)
{
	enum store_exemplar_kind kind =
		call->exemplars == EXEMPLAR_SPAN ? STORE_EXEMPLAR_SPAN : STORE_EXEMPLAR_PROFILE;
	struct exemplars exemplars;
	int r;

	if (call->exemplars < EXEMPLAR_INDIVIDUAL) {
		put_lines(call, lines, n, step_ns, NULL);
		return 0;
	}
	r = querier_find_exemplars(call, kind, call->query.range, &exemplars, err);
	if (r < 0)
		return r;
	put_lines(call, lines, n, step_ns, &exemplars);
	exemplars_done(&exemplars);
	return 0;
}

static int select_series(struct querier *call, struct err *err)
{
	struct store *store = call->server->store;
	struct store_line *lines;
	int64_t step_ns;
	size_t n;
	int r;

	if (!(call->step_s >= 0.001) || call->step_s > 1e9)
		return err_set(err, ERR_USAGE, "step must be >= 1ms");
	step_ns = llround(call->step_s * 1e3) * NS_PER_MS;
	if (call->exemplars < 0 || call->exemplars > EXEMPLAR_SPAN)
		return err_set(err, ERR_USAGE, "unknown exemplar type: %" PRId64, call->exemplars);
	if ((call->end_ms - call->start_ms) / (step_ns / NS_PER_MS) >= STORE_MAX_STEPS)
		return err_set(err, ERR_USAGE,
			       "more than %d steps: ask for a shorter range or a longer step",
			       STORE_MAX_STEPS);
	r = store->ops->timeline(store, &call->query, step_ns, call->names, call->n_names,
				 &call->exchange->arena, &lines, &n, err);
	if (r == 0 && !narrow_is_all(&call->narrow))
		r = querier_narrow_points(call, lines, n, step_ns, err);
	return r == 0 ? put_with_exemplars(call, lines, n, step_ns, err) : r;
}

void handle_querier_select_series(void *ctx, struct http_exchange *exchange)
{
	static const struct querier_method method = {
		.unary = {QUERY_TIMELINE, &querier_schema_series_select_request,
			  &querier_schema_select_series},
		.params = {[1] = QUERIER_TYPE,
			   [2] = QUERIER_SELECTOR,
			   [3] = QUERIER_START,
			   [4] = QUERIER_END,
			   [5] = QUERIER_NAMES,
			   [6] = QUERIER_STEP,
			   [7] = QUERIER_AGGREGATION,
			   [8] = QUERIER_STACKS,
			   [9] = QUERIER_LIMIT,
			   [10] = QUERIER_EXEMPLARS},
		.needs_range = true,
	};
	struct querier *call = querier_open(ctx, exchange, &method);
	struct err err;

	if (call)
		querier_end(call, select_series(call, &err), &err);
}
