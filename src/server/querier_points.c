/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The points of a series for some stacks only.  What is kept of a step beside its stacks is their sum, so each step that
 * has a value is merged on its own: as many merges as points, which is why there is a limit.
 */
#include "server/querier.h"

#define VALUE_COLUMN 0
#define MOST_POINTS 5000 /* about 0.3 ms each at 500 stacks */

static size_t points_with_value(const struct store_line *lines, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < lines[i].n; k++)
			count += lines[i].points[k].value != 0;
	return count;
}

/* The selector of one line: that of the call, and the labels that the line is grouped by. */
static int select_group(const struct querier *call, const struct store_line *line,
			struct selector *into, struct err *err)
{
	*into = call->selector; /* borrows its expressions */
	for (size_t i = 0; i < call->n_names; i++) {
		const char *value = labels_get(&line->group, call->names[i]);

		if (into->n == SELECTOR_MAX_MATCHERS)
			return err_set(err, ERR_LIMIT, "more than %d matchers and groups",
				       SELECTOR_MAX_MATCHERS);
		into->items[into->n++] = (struct matcher){
			.name = call->names[i], .value = value ? value : "", .op = MATCH_EQ};
	}
	return 0;
}

static int64_t sum_of_stacks(const struct querier *call, const struct profile *merged)
{
	struct profile part;
	int64_t sum;

	profile_init(&part, merged->names);
	narrow_profile(&call->narrow, merged, &part);
	sum = merged->n_columns ? profile_sum(&part, VALUE_COLUMN) : 0;
	profile_done(&part);
	return sum;
}

/* A step of a gauge in which nothing begins holds the level of the one before: `last`. */
static int narrow_point(struct querier *call, const struct store_query *query, int64_t last,
			struct store_point *point, struct err *err)
{
	struct store *store = call->server->store;
	struct store_merged merged = {0};
	int r = store->ops->merge(store, query, &merged, err);

	if (r == 0)
		point->value = merged.n_profiles ? sum_of_stacks(call, merged.profile) : last;
	store_merged_done(&merged);
	return r;
}

static int narrow_line(struct querier *call, struct store_line *line, int64_t step_ns,
		       struct err *err)
{
	struct selector selector;
	struct store_query query = call->query;
	int64_t last = 0;
	int r = select_group(call, line, &selector, err);

	query.selector = &selector;
	for (size_t i = 0; r == 0 && i < line->n; i++) {
		struct store_point *point = &line->points[i];

		query.range.from_ns = point->time_ns;
		query.range.until_ns = min_of(point->time_ns + step_ns, call->query.range.until_ns);
		if (point->value)
			r = narrow_point(call, &query, last, point, err);
		last = point->value;
	}
	return r;
}

int querier_narrow_points(struct querier *call, struct store_line *lines, size_t n, int64_t step_ns,
			  struct err *err)
{
	size_t points = points_with_value(lines, n);
	int r = 0;

	if (points > MOST_POINTS)
		return err_set(
			err, ERR_LIMIT,
			"with a stack_trace_selector at most %d points are answered, not %zu: "
			"ask for a longer step or fewer groups",
			MOST_POINTS, points);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = narrow_line(call, &lines[i], step_ns, err);
	return r;
}
