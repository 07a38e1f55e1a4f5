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

struct scan {
	struct query *query;
	const struct block_file *file;
	const struct piece *piece;
	const struct tenant *tenant; /* whose piece it is */
	scan_fn *visit;
	void *ctx;
	struct cover cover;
};

/* The row's part of the answer; a damaged one leaves a hole that is reported. */
static int visit_row(struct scan *scan, sqlite3_stmt *stmt, struct err *err)
{
	const struct piece *piece = scan->piece;
	struct file_row row;
	struct scanned scanned = {.row = &row, .piece = piece, .cover = &scan->cover};
	int r = file_row_read(stmt, piece->owner, &row);
	bool knows_time = r == 0;

	scanned.block.key = row.key;
	scanned.range.from_ns = max_of(piece->from_ns, row.key.t_ns);
	scanned.range.until_ns = min_of(piece->until_ns, row.key.t_ns + row.key.len_ns);
	if (r == 0 && scanned.range.from_ns >= scanned.range.until_ns)
		return 0;
	cover_reset(&scan->cover);
	if (r == 0)
		r = block_read_head(&scanned.block, row.head, row.head_len, &scanned.range,
				    &scan->cover);
	if (r == 0) {
		scan->query->n_blocks++;
		r = scan->visit(scan->query, &scanned, scan->ctx);
	}
	if (r == ERR_CORRUPT) {
		quarantine_note(&scan->query->store->quarantine, scan->file->id, &row.key);
		/* If not even its time can be trusted, all that it could have stood for is missing. */
		query_note_missing(scan->query, knows_time ? scanned.range
							   : (struct store_range){piece->from_ns,
										  piece->until_ns});
		return 0;
	}
	if (r < 0)
		return err_set(err, r, "the query was given up");
	return r;
}

/* Up to which start blocks can overlap the piece. */
static int64_t scan_from(const struct scan *scan)
{
	const struct piece *piece = scan->piece;
	const struct series *series;

	if (piece->level != LEVEL_FINE)
		return piece->is_cut ? level_window(piece->level, piece->from_ns) : piece->from_ns;
	series = table_get(&scan->query->store->catalogue.series, piece->owner / 2);
	return piece->from_ns - series->longest_ns;
}

static int scan_reader(struct scan *scan, struct reader *reader, int64_t from_ns, struct err *err)
{
	int r;

	sql_bind(reader->scan, scan->piece->owner, from_ns, scan->piece->until_ns);
	while ((r = sql_step(reader->scan, err)) > 0) {
		r = query_check_deadline(scan->query, err);
		if (r == 0)
			r = visit_row(scan, reader->scan, err);
		if (r)
			break;
	}
	return r;
}

static int scan_file(struct scan *scan, struct block_file *file, int64_t from_ns, struct err *err)
{
	struct readers *readers = &scan->query->store->readers;
	struct reader *reader = NULL;
	int r = readers_take(readers, file, &reader, err);

	if (r == 0) {
		int given;

		scan->file = file;
		r = scan_reader(scan, reader, from_ns, err);
		given = readers_give(readers, reader, r >= 0);
		if (r >= 0 && given < 0)
			r = err_set(err, given, "the disk is too full to read %s", file->path);
	}
	if (r == -ENOENT && file->state == FILE_DELETED)
		return 0; /* it expired just now */
	if (r == ERR_CORRUPT || r == -ENOENT || r == -EIO) {
		struct store_range range = {scan->piece->from_ns, scan->piece->until_ns};

		quarantine_note(&scan->query->store->quarantine, file->id, NULL);
		query_note_missing(scan->query, range);
		return 0;
	}
	return r;
}

static bool holds(const struct block_file *file, const struct scan *scan)
{
	const struct piece *piece = scan->piece;
	int64_t reach = piece->level == LEVEL_FINE ? STORE_MAX_DURATION_NS : 0;

	return file && file->tenant == scan->tenant && file->level == piece->level &&
	       file->state == FILE_LIVE && file->period.from_ns < piece->until_ns &&
	       file->period.until_ns + reach > piece->from_ns;
}

/* The file after `last_id` that holds blocks of the piece, or NULL. */
static struct block_file *next_file(const struct scan *scan, size_t last_id)
{
	struct sqlite_store *store = scan->query->store;
	struct block_file *found = NULL;

	pthread_mutex_lock(&store->lock);
	for (size_t id = last_id + 1; id < store->catalogue.files.n && !found; id++)
		if (holds(store->catalogue.files.items[id], scan))
			found = store->catalogue.files.items[id];
	pthread_mutex_unlock(&store->lock);
	return found;
}

static int scan_piece(struct scan *scan, struct err *err)
{
	int64_t from_ns;
	struct block_file *file = NULL;
	int r = 0;

	pthread_mutex_lock(&scan->query->store->lock);
	from_ns = scan_from(scan);
	pthread_mutex_unlock(&scan->query->store->lock);
	while (r == 0 && (file = next_file(scan, file ? file->id : 0)))
		r = scan_file(scan, file, from_ns, err);
	return r;
}

int query_read_data(struct query *query, struct scanned *scanned)
{
	file_row_data(scanned->row);
	return block_read_data(&scanned->block, scanned->row->data, scanned->row->data_len,
			       &query->room);
}

/* Steps whose borders lie on whole windows of a level need not be planned one by one. */
static bool steps_are_windows(const struct steps *steps)
{
	int level = steps->max_level;

	return level > LEVEL_FINE && steps->from_ns % levels[level].window_ns == 0 &&
	       steps->step_ns % levels[level].window_ns == 0;
}

/*
 * The whole days that can hold anything of the members: a range "from the beginning" has fifty years of
 * windows to look at otherwise.  Days, so that no window is cut by it.  The store's lock is held.
 */
static struct store_range days_of(struct series *const *members, size_t n_members)
{
	int64_t day = levels[LEVEL_1D].window_ns;
	struct store_range all = {INT64_MAX, 0};

	for (size_t i = 0; i < n_members; i++) {
		all.from_ns = min_of(all.from_ns, members[i]->first_ns);
		all.until_ns = max_of(all.until_ns, members[i]->last_ns);
	}
	all.from_ns -= all.from_ns % day;
	if (all.until_ns <= INT64_MAX - day)
		all.until_ns += day - all.until_ns % day;
	return all;
}

static void plan_steps(struct plan *plan, struct query *query, struct series *const *members,
		       size_t n_members, const struct steps *steps)
{
	const struct family *family = members[0]->family;
	bool at_once = steps->n == 1 || steps_are_windows(steps);
	size_t n = at_once ? 1 : steps->n;
	struct store_range days;

	pthread_mutex_lock(&query->store->lock);
	days = days_of(members, n_members);
	for (size_t i = 0; i < n; i++) {
		int64_t from = steps->from_ns + (int64_t)i * steps->step_ns;
		int64_t until =
			at_once ? steps->until_ns : min_of(from + steps->step_ns, steps->until_ns);

		from = max_of(from, days.from_ns);
		until = min_of(until, days.until_ns);
		if (from < until)
			plan_family(plan, query->store, family, members, n_members,
				    steps->max_level, (struct store_range){from, until});
	}
	pthread_mutex_unlock(&query->store->lock);
}

int query_scan(struct query *query, struct series *const *members, size_t n_members,
	       const struct steps *steps, scan_fn *visit, void *ctx, struct err *err)
{
	struct scan scan = {.query = query, .visit = visit, .ctx = ctx};
	int r = 0;

	for (size_t i = 0, end; i < n_members && r == 0; i = end) {
		struct plan plan = {0};

		for (end = i + 1; end < n_members && members[end]->family == members[i]->family;
		     end++)
			;
		scan.tenant = members[i]->family->service->tenant;
		plan_steps(&plan, query, &members[i], end - i, steps);
		for (size_t p = 0; p < plan.n && r == 0; p++) {
			scan.piece = &plan.pieces[p];
			r = scan_piece(&scan, err);
		}
		plan_done(&plan);
	}
	cover_done(&scan.cover);
	return r;
}
