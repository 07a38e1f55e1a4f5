/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vec.h"
#include "store/spread.h"

#define LOOK_EVERY_ROWS 64 /* at the clock: about once in a few milliseconds */

/* ---- what matches ---- */

char *query_profile_type(const struct series *series, const struct column *column,
			 struct arena *arena)
{
	const struct family *family = series->family;

	return arena_printf(arena, "%s:%s:%s:%s:%s", family->metric, column->type, column->unit,
			    family->period_type, family->period_unit);
}

/* Matchers of the profile type see only it, the others only the labels. */
static bool matches(const struct selector *selector, bool of_type, const struct labels *labels)
{
	struct selector part = {.n = 0};

	for (size_t i = 0; i < selector->n; i++)
		if ((strcmp(selector->items[i].name, LABEL_TYPE) == 0) == of_type)
			part.items[part.n++] = selector->items[i];
	return selector_match(&part, labels);
}

struct column *query_kind(const struct query *query, uint32_t column)
{
	for (size_t c = 0; c < query->n_columns; c++)
		if (query->columns[c] == column)
			return query->kinds[c];
	return NULL;
}

bool query_type_matches(const struct store_query *ask, const char *profile_type)
{
	const struct labels labels = {.items = {{LABEL_TYPE, profile_type}}, .n = 1};

	return matches(ask->selector, true, &labels);
}

static bool overlaps(const struct series *series, const struct store_range *range)
{
	return series->first_ns < range->until_ns && series->last_ns > range->from_ns;
}

/* The value's type of the answer is that of the first match; states of it are columns of their own. */
static int adopt_column(struct query *query, const struct series *series, struct column *column,
			bool of_one_type, struct err *err)
{
	for (size_t c = 0; c < query->n_columns; c++)
		if (query->columns[c] == column->id)
			return 0;
	if (!query->column) {
		query->column = column;
		query->first = series;
		query->period = series->period;
		query->is_gauge = series->family->is_gauge;
	}
	if (of_one_type && (strcmp(query->column->type, column->type) != 0 ||
			    strcmp(query->column->unit, column->unit) != 0))
		return err_set(err, ERR_USAGE,
			       "the selector matches values of type %s:%s and %s:%s: add "
			       "__profile_type__ to it",
			       query->column->type, query->column->unit, column->type,
			       column->unit);
	if (query->n_columns < PROFILE_MAX_COLUMNS) {
		query->kinds[query->n_columns] = column;
		query->columns[query->n_columns++] = column->id;
	}
	return 0;
}

/* 1: the series has a column of the wanted type. */
static int match_columns(struct query *query, struct series *series, bool of_one_type,
			 struct arena *arena, struct err *err)
{
	int found = 0;

	for (size_t c = 0; c < series->n_columns; c++) {
		struct column *column =
			table_get(&query->store->catalogue.columns, series->columns[c]);
		int r;

		if (!query_type_matches(query->ask, query_profile_type(series, column, arena)))
			continue;
		r = adopt_column(query, series, column, of_one_type, err);
		if (r < 0)
			return r;
		found = 1;
	}
	arena_reset(arena);
	return found;
}

static bool is_of_type(const struct query *query, const struct series *series, bool of_one_type)
{
	const struct family *first = query->first ? query->first->family : NULL;

	return !of_one_type || !first ||
	       (first->is_gauge == series->family->is_gauge &&
		strcmp(first->metric, series->family->metric) == 0 &&
		strcmp(first->period_type, series->family->period_type) == 0 &&
		strcmp(first->period_unit, series->family->period_unit) == 0);
}

/* The store's lock is held. */
static int match_series(struct query *query, bool of_one_type, struct err *err)
{
	const struct table *table = &query->store->catalogue.series;
	struct arena arena;
	int r = 0;

	arena_init(&arena);
	for (size_t id = 1; id < table->n && r >= 0; id++) {
		struct series *series = table->items[id];

		if (!series || !query_has_tenant(query, series->family->service->tenant) ||
		    !overlaps(series, &query->ask->range) ||
		    !matches(query->ask->selector, false, &series->labels))
			continue;
		r = match_columns(query, series, of_one_type, &arena, err);
		if (r <= 0)
			continue;
		if (!is_of_type(query, series, of_one_type)) {
			r = err_set(err, ERR_USAGE,
				    "the selector matches profiles of %s and %s: add "
				    "__profile_type__ to it",
				    query->first->family->metric, series->family->metric);
			break;
		}
		query->series = vec_grow(query->series, &query->series_cap, query->n_series + 1,
					 sizeof(struct series *));
		query->series[query->n_series++] = series;
	}
	arena_done(&arena);
	return r < 0 ? r : 0;
}

/* Members of one family lie together, then by text. */
static int by_family(const void *a, const void *b)
{
	const struct series *x = *(struct series *const *)a, *y = *(struct series *const *)b;

	if (x->family != y->family)
		return x->family->id < y->family->id ? -1 : 1;
	return strcmp(x->text, y->text);
}

/* Files that were set aside: what they held is not in the answer. */
static void note_damaged_files(struct query *query)
{
	const struct table *files = &query->store->catalogue.files;

	for (size_t id = 1; id < files->n; id++) {
		const struct block_file *file = files->items[id];

		if (file && query_has_tenant(query, file->tenant) && file->state == FILE_DAMAGED)
			query_note_missing(query, file->period);
	}
}

bool query_has_tenant(const struct query *query, const struct tenant *tenant)
{
	for (size_t i = 0; i < query->n_tenants; i++)
		if (query->tenants[i] == tenant)
			return true;
	return false;
}

int query_begin(struct query *query, struct sqlite_store *store, const struct store_query *ask,
		bool of_one_type, struct err *err)
{
	int r = 0;

	*query = (struct query){.store = store, .ask = ask};
	block_room_init(&query->room);
	if (ask->range.from_ns < 0 || ask->range.from_ns >= ask->range.until_ns)
		return err_set(err, ERR_USAGE, "the range is empty: from must be before until");
	pthread_mutex_lock(&store->lock);
	r = catalogue_tenants(&store->catalogue, ask->tenant, query->tenants, &query->n_tenants,
			      err);
	if (r == 0 && query->n_tenants)
		r = match_series(query, of_one_type, err);
	if (query->n_series)
		note_damaged_files(query);
	pthread_mutex_unlock(&store->lock);
	if (query->n_series)
		qsort(query->series, query->n_series, sizeof(struct series *), by_family);
	return r;
}

void query_end(struct query *query)
{
	block_room_done(&query->room);
	cover_done(&query->missing);
	free(query->series);
}

void query_note_missing(struct query *query, struct store_range range)
{
	const struct store_range *ask = &query->ask->range;

	cover_add(&query->missing, max_of(range.from_ns, ask->from_ns),
		  min_of(range.until_ns, ask->until_ns));
}

/* ---- reading ---- */

int query_check_deadline(struct query *query, struct err *err)
{
	const struct store_query *ask = query->ask;

	if (query->looks++ % LOOK_EVERY_ROWS)
		return 0;
	if (ask->is_cancelled && __atomic_load_n(ask->is_cancelled, __ATOMIC_RELAXED))
		return err_set(err, -ECANCELED, "the query was cancelled");
	if (ask->deadline_ns && clock_monotonic_ns() >= ask->deadline_ns)
		return err_set(err, -ETIME,
			       "the query took too long: ask for a shorter range or fewer series");
	return 0;
}

const struct series *query_series_of(const struct query *query, uint32_t owner)
{
	struct sqlite_store *store = query->store;
	const struct series *series;

	pthread_mutex_lock(&store->lock); /* the table moves when it grows */
	series = owner_is_family(owner) ? NULL : table_get(&store->catalogue.series, owner / 2);
	pthread_mutex_unlock(&store->lock);
	return series;
}
