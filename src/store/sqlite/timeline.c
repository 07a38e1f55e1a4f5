/* SPDX-License-Identifier: Apache-2.0 */
/* Sums per step and group, and the list of series: queries that need no stacks, only heads of blocks. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "store/sqlite/line.h"

/* ---- groups ---- */

struct group {
	char *text; /* of the labels grouped by */
	const struct series *like;
	struct series **members;
	size_t n, cap;
};

static char *group_text(const struct series *series, const char *const *names, size_t n_names,
			struct arena *arena)
{
	struct labels labels = {.n = 0};
	cleanup(buf_done) struct buf text = {0};

	buf_init(&text, LABELS_MAX * 6 * (LABEL_NAME_MAX_BYTES + LABEL_VALUE_MAX_BYTES));
	for (size_t i = 0; i < n_names; i++) {
		const char *value = labels_get(&series->labels, names[i]);

		labels.items[labels.n++] = (struct label){names[i], value ? value : ""};
	}
	labels_format(&labels, &text);
	return arena_strndup(arena, text.data ? text.data : "", text.len);
}

static struct group *find_group(struct group *groups, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(groups[i].text, text) == 0)
			return &groups[i];
	return NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct group *)a)->text, ((const struct group *)b)->text);
}

static struct group *make_groups(struct query *query, const char *const *names, size_t n_names,
				 struct arena *arena, size_t *ret_n)
{
	struct group *groups = arena_array(arena, query->n_series + 1, sizeof(*groups));
	size_t n = 0;

	for (size_t i = 0; i < query->n_series; i++) {
		char *text = group_text(query->series[i], names, n_names, arena);
		struct group *group = find_group(groups, n, text);

		if (!group) {
			group = &groups[n++];
			group->text = text;
			group->like = query->series[i];
		}
		group->members = vec_grow(group->members, &group->cap, group->n + 1,
					  sizeof(struct series *));
		group->members[group->n++] = query->series[i];
	}
	qsort(groups, n, sizeof(*groups), by_text);
	*ret_n = n;
	return groups;
}

/* The label set of the line: the names grouped by that its series have. */
static int label_line(const struct group *group, const char *const *names, size_t n_names,
		      struct arena *arena, struct store_line *line, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < n_names && r >= 0; i++) {
		const char *value = labels_get(&group->like->labels, names[i]);

		if (value)
			r = labels_set(&line->group, arena, names[i], value, err);
	}
	return r;
}

static int check_steps(const struct store_query *ask, int64_t step_ns, size_t n_group_by,
		       struct steps *steps, struct err *err)
{
	int64_t length = ask->range.until_ns - ask->range.from_ns;

	if (step_ns <= 0 || ask->range.from_ns < 0 || length <= 0)
		return err_set(err, ERR_USAGE, "a timeline needs a range and a step above 0");
	if ((length - 1) / step_ns >= STORE_MAX_STEPS)
		return err_set(err, ERR_LIMIT,
			       "a timeline has at most %d steps: ask for longer ones",
			       STORE_MAX_STEPS);
	if (n_group_by > LABELS_MAX)
		return err_set(err, ERR_LIMIT, "group by at most %d labels", LABELS_MAX);
	*steps = (struct steps){
		.from_ns = ask->range.from_ns,
		.step_ns = step_ns,
		.n = (size_t)((length - 1) / step_ns + 1),
		.range = ask->range,
		.max_level = LEVEL_COUNT - 1,
		.needs_totals = true,
	};
	return 0;
}

int sqlite_timeline(struct store *base, const struct store_query *ask, int64_t step_ns,
		    const char *const *group_by, size_t n_group_by, struct arena *arena,
		    struct store_line **ret_lines, size_t *ret_n, struct err *err)
{
	struct store_line *out;
	struct group *groups;
	struct lines lines;
	struct steps steps;
	struct query query;
	size_t n;
	int r = check_steps(ask, step_ns, n_group_by, &steps, err);

	if (r < 0)
		return r;
	r = query_begin(&query, sqlite_store_of(base), ask, true, err);
	groups = make_groups(&query, group_by, n_group_by, arena, &n);
	out = arena_array(arena, n + 1, sizeof(*out));
	lines_begin(&lines, &query, &steps, n, arena);
	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			r = label_line(&groups[i], group_by, n_group_by, arena, &out[i], err);
		lines_plan(&lines, i, groups[i].members, groups[i].n);
		free(groups[i].members);
	}
	if (r >= 0)
		r = lines_read(&lines, out, err);
	lines_end(&lines);
	query_end(&query);
	if (r < 0)
		return r;
	*ret_lines = out;
	*ret_n = n;
	return 0;
}

/* ---- series ---- */

static int stop_at_first(struct query *query, struct scanned *scanned, void *ctx)
{
	(void)query;
	(void)scanned;
	*(bool *)ctx = true;
	return 1;
}

static int has_data(struct query *query, struct series *series, bool *ret_has, struct err *err)
{
	const struct store_range *range = &query->ask->range;
	struct steps steps = {
		.from_ns = range->from_ns,
		.step_ns = range->until_ns - range->from_ns,
		.n = 1,
		.range = *range,
		.max_level = LEVEL_COUNT - 1,
	};
	const struct scan_sink sink = {.visit = stop_at_first, .ctx = ret_has, .wants_heads = true};
	int r;

	*ret_has = false;
	r = query_scan(query, &series, 1, &steps, &sink, err);
	return r < 0 ? r : 0;
}

static void copy_labels(const struct labels *from, struct arena *arena, struct labels *into)
{
	into->n = from->n;
	for (size_t i = 0; i < from->n; i++)
		into->items[i] = (struct label){
			arena_strndup(arena, from->items[i].name, strlen(from->items[i].name)),
			arena_strndup(arena, from->items[i].value, strlen(from->items[i].value)),
		};
}

static bool type_is_listed(const struct store_series *list, size_t from, size_t n, const char *type)
{
	for (size_t i = from; i < n; i++)
		if (strcmp(list[i].profile_type, type) == 0)
			return true;
	return false;
}

/* A row per type of value that the series has; states of one type are one row. */
static size_t list_types(struct query *query, const struct series *series, struct arena *arena,
			 struct store_series *list)
{
	size_t n = 0;

	pthread_mutex_lock(&query->store->lock);
	for (size_t c = 0; c < series->n_columns; c++) {
		const struct column *column =
			table_get(&query->store->catalogue.columns, series->columns[c]);
		char *type = query_profile_type(series, column, arena);

		if (!query_type_matches(query->ask, type) || type_is_listed(list, 0, n, type))
			continue;
		list[n] = (struct store_series){
			.profile_type = type,
			.is_gauge = series->family->is_gauge,
			.first_ns = series->first_ns,
			.last_ns = series->last_ns,
		};
		copy_labels(&series->labels, arena, &list[n++].labels);
	}
	pthread_mutex_unlock(&query->store->lock);
	return n;
}

static int by_label_text(const void *a, const void *b)
{
	return strcmp((*(struct series *const *)a)->text, (*(struct series *const *)b)->text);
}

int sqlite_series(struct store *base, const struct store_query *ask, struct arena *arena,
		  struct store_series **ret_series, size_t *ret_n, struct err *err)
{
	struct store_series *list = NULL, *out;
	struct query query;
	size_t n = 0, cap = 0;
	int r = query_begin(&query, sqlite_store_of(base), ask, false, err);

	qsort(query.series ? query.series : (void *)&r, query.n_series, sizeof(struct series *),
	      by_label_text);
	for (size_t i = 0; i < query.n_series && r == 0; i++) {
		bool has;

		r = has_data(&query, query.series[i], &has, err);
		if (r < 0 || !has)
			continue;
		list = vec_grow(list, &cap, n + PROFILE_MAX_COLUMNS, sizeof(*list));
		n += list_types(&query, query.series[i], arena, list + n);
	}
	query_end(&query);
	if (r == 0) {
		out = arena_array(arena, n + 1, sizeof(*out));
		if (n)
			memcpy(out, list, n * sizeof(*out));
		*ret_series = out;
		*ret_n = n;
	}
	free(list);
	return r;
}
