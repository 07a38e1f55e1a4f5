/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exemplars, and profiles and spans picked by id.
 *
 *	profiles	blocks of the finest level, by the name in their head
 *	spans		rows of the spans' files, each with the block that it belongs to: without it, it means nothing
 */
#include "store/sqlite/exemplar_query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"

/* ---- what is picked ---- */

struct picks {
	struct exemplar_id *ids;
	struct exemplar_id_room *rooms;
	struct span_id *spans; /* sorted, as traces */
	struct trace_id *traces;
	size_t n_ids, n_spans, n_traces;
};

static int by_span(const void *a, const void *b)
{
	const struct span_id *x = a, *y = b;

	return (x->v > y->v) - (x->v < y->v);
}

static int by_trace(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct trace_id));
}

static void *sorted(const void *items, size_t n, size_t bytes,
		    int (*compare)(const void *a, const void *b), struct arena *arena)
{
	void *copy = arena_array(arena, n + 1, bytes);

	if (n) {
		memcpy(copy, items, n * bytes);
		qsort(copy, n, bytes, compare);
	}
	return copy;
}

static int read_picks(const struct store_pick *pick, struct arena *arena, struct picks *ret_picks,
		      struct err *err)
{
	struct picks picks = {0};

	if (!pick) {
		*ret_picks = picks;
		return 0;
	}
	if (max_of(pick->n_profile_ids, max_of(pick->n_spans, pick->n_traces)) > STORE_PICK_MAX)
		return err_set(err, ERR_LIMIT, "more than %d ids are asked for", STORE_PICK_MAX);
	picks.n_ids = pick->n_profile_ids;
	picks.ids = arena_array(arena, picks.n_ids + 1, sizeof(*picks.ids));
	picks.rooms = arena_array(arena, picks.n_ids + 1, sizeof(*picks.rooms));
	for (size_t i = 0; i < picks.n_ids; i++)
		picks.ids[i] = exemplar_id_parse(pick->profile_ids[i], &picks.rooms[i]);
	picks.n_spans = pick->n_spans;
	picks.spans = sorted(pick->spans, pick->n_spans, sizeof(*pick->spans), by_span, arena);
	picks.n_traces = pick->n_traces;
	picks.traces = sorted(pick->traces, pick->n_traces, sizeof(*pick->traces), by_trace, arena);
	*ret_picks = picks;
	return 0;
}

static bool picks_profile(const struct picks *picks, const struct exemplar_id *id)
{
	for (size_t i = 0; i < picks->n_ids; i++)
		if (exemplar_id_equal(&picks->ids[i], id))
			return true;
	return !picks->n_ids;
}

static bool picks_span(const struct picks *picks, const struct span *span)
{
	return (!picks->n_spans ||
		bsearch(&span->id, picks->spans, picks->n_spans, sizeof(span->id), by_span)) &&
	       (!picks->n_traces || bsearch(&span->trace, picks->traces, picks->n_traces,
					    sizeof(span->trace), by_trace));
}

/* ---- rows of spans ---- */

/* One that counts: its block is there. */
struct span_row {
	const struct series *series;
	struct exemplar_block block;
	struct exemplar_id profile_id;
	struct file_row row;
};

struct span_scan;
typedef int span_row_fn(struct span_scan *scan, struct span_row *row);

struct span_scan {
	struct query *query;
	const struct picks *picks;
	span_row_fn *visit;
	void *ctx;
	struct err *err;
	bool begins_only;      /* rows that begin in the range; else those that overlap it */
	struct arena arena;    /* of one row */
	struct reader *blocks; /* of the day's profiles */
	int64_t longest_ns;
};

/* The name of the row's profile; 0: there is no such block (any more). */
static int find_block(struct span_scan *scan, const struct span_row *row,
		      struct exemplar_id_room *room, struct exemplar_id *ret_id)
{
	static const struct store_range always = {0, INT64_MAX};
	const struct block_key *key = &row->row.key;
	sqlite3_stmt *find = scan->blocks->find;
	struct block block = {.key = *key};
	struct cover cover = {0};
	const void *head;
	size_t len;
	int r;

	sql_bind(find, key->owner, key->t_ns, key->part);
	r = sql_step(find, scan->err);
	if (r > 0) {
		head = sqlite3_column_blob(find, 0);
		len = (size_t)sqlite3_column_bytes(find, 0);
		if (block_sum(key, head, len) != row->block.block_sum)
			r = 0;
		else if (block_read_head(&block, head, len, &always, &cover) < 0)
			r = ERR_CORRUPT;
	}
	if (r > 0 && block.id.len) {
		memcpy(room->bytes, block.id.bytes, block.id.len);
		*ret_id = (struct exemplar_id){room->bytes, block.id.len, block.id.is_uuid};
	} else if (r > 0) {
		*ret_id = exemplar_id_made(row->block.block_sum, room);
	}
	cover_done(&cover);
	sqlite3_reset(find);
	return r;
}

static bool is_asked_for(const struct span_scan *scan, const struct block_key *key)
{
	const struct store_range *range = &scan->query->ask->range;

	return key->t_ns < range->until_ns &&
	       (scan->begins_only ? key->t_ns >= range->from_ns
				  : key->t_ns + key->len_ns > range->from_ns);
}

static int visit_row(struct span_scan *scan, const struct series *series, sqlite3_stmt *stmt)
{
	struct span_row row = {.series = series};
	struct exemplar_id_room room;
	int r = file_row_read(stmt, owner_of_series(series), &row.row);

	arena_reset(&scan->arena);
	if (r == 0 && !is_asked_for(scan, &row.row.key))
		return 0;
	if (r == 0)
		r = exemplar_block_read_head(&row.block, row.row.head, row.row.head_len,
					     &scan->arena);
	if (r == 0)
		r = find_block(scan, &row, &room, &row.profile_id);
	if (r > 0) {
		scan->query->n_blocks++;
		r = picks_profile(scan->picks, &row.profile_id) ? scan->visit(scan, &row) : 0;
	}
	if (r == ERR_CORRUPT) {
		query_note_missing(scan->query, scan->query->ask->range);
		return 0;
	}
	return r;
}

static int scan_series(struct span_scan *scan, const struct series *series, struct reader *reader)
{
	const struct store_range *range = &scan->query->ask->range;
	int64_t back_ns = scan->begins_only ? 0 : scan->longest_ns;
	int r;

	sql_bind(reader->scan, owner_of_series(series), range->from_ns - back_ns, range->until_ns);
	while ((r = sql_step(reader->scan, scan->err)) > 0) {
		r = query_check_deadline(scan->query, scan->err);
		if (r == 0)
			r = visit_row(scan, series, reader->scan);
		if (r)
			break;
	}
	sqlite3_reset(reader->scan);
	return r;
}

/* ---- files ---- */

/* Spans of a day and its profiles. */
struct day {
	struct block_file *spans, *blocks;
};

static struct block_file *find_blocks(const struct table *files, const struct block_file *spans)
{
	for (size_t id = files->n; id-- > 1;) {
		struct block_file *file = files->items[id];

		if (file && file->tenant == spans->tenant && file->level == LEVEL_FINE &&
		    file->state == FILE_LIVE && file->period.from_ns == spans->period.from_ns)
			return file;
	}
	return NULL;
}

/* The days that the range asks about, in the arena. */
static struct day *find_days(struct span_scan *scan, struct arena *arena, size_t *ret_n)
{
	struct sqlite_store *store = scan->query->store;
	const struct store_range *range = &scan->query->ask->range;
	const struct table *files = &store->catalogue.files;
	struct day *days;
	size_t n = 0;

	pthread_mutex_lock(&store->lock);
	days = arena_array(arena, files->n + 1, sizeof(*days));
	for (size_t i = 0; i < scan->query->n_series; i++)
		scan->longest_ns = max_of(scan->longest_ns, scan->query->series[i]->longest_ns);
	for (size_t id = 1; id < files->n; id++) {
		struct block_file *file = files->items[id];

		if (!file || !query_has_tenant(scan->query, file->tenant) ||
		    file->level != LEVEL_SPANS || file->state != FILE_LIVE ||
		    file->period.from_ns >= range->until_ns ||
		    file->period.until_ns + scan->longest_ns <= range->from_ns)
			continue;
		days[n] = (struct day){file, find_blocks(files, file)};
		n += days[n].blocks != NULL;
	}
	pthread_mutex_unlock(&store->lock);
	*ret_n = n;
	return days;
}

static int give(struct span_scan *scan, struct reader *reader, int r)
{
	int given = readers_give(&scan->query->store->readers, reader, r >= 0);

	return r >= 0 && given < 0 ? err_set(scan->err, given, "the disk is too full to read spans")
				   : r;
}

static int scan_day(struct span_scan *scan, const struct day *day)
{
	struct readers *readers = &scan->query->store->readers;
	struct reader *reader = NULL;
	int r = readers_take(readers, day->spans, &reader, scan->err);

	if (r == 0)
		r = readers_take(readers, day->blocks, &scan->blocks, scan->err);
	for (size_t i = 0; i < scan->query->n_series && r == 0; i++)
		r = scan_series(scan, scan->query->series[i], reader);
	if (scan->blocks)
		r = give(scan, scan->blocks, r);
	if (reader)
		r = give(scan, reader, r);
	scan->blocks = NULL;
	if (r == -ENOENT && day->spans->state == FILE_DELETED)
		return 0; /* they expired just now */
	if (r == ERR_CORRUPT || r == -ENOENT || r == -EIO) {
		query_note_missing(scan->query, scan->query->ask->range);
		return 0;
	}
	return r;
}

static int scan_spans(struct span_scan *scan)
{
	cleanup(arena_done) struct arena arena;
	struct day *days;
	size_t n;
	int r = 0;

	arena_init(&arena);
	arena_init(&scan->arena);
	days = find_days(scan, &arena, &n);
	for (size_t i = 0; i < n && r == 0; i++)
		r = scan_day(scan, &days[i]);
	arena_done(&scan->arena);
	return r;
}

/* ---- sums of what is picked ---- */

struct adding {
	struct exemplar_sums *sums;
	const struct query *query;
	const struct picks *picks;
	const struct span_row *row;
};

static void note_profile(struct exemplar_sums *sums, const struct block_key *key, int64_t n_samples)
{
	sums->covered_ns += key->len_ns;
	sums->n_samples += n_samples;
	cover_add(&sums->wall, key->t_ns, key->t_ns + key->len_ns);
}

static int add_span(void *ctx, uint32_t span, const struct block *values)
{
	const struct adding *adding = ctx;
	const struct query *query = adding->query;
	struct block block = *values;
	struct accum_part whole = {.until_ns = adding->row->row.key.len_ns,
				   .is_whole = true,
				   .columns = query->columns,
				   .n_columns = query->n_columns};

	block.key = adding->row->row.key;
	if (picks_span(adding->picks, &adding->row->block.spans[span]))
		accum_add(&adding->sums->accum, &block, &whole);
	return 0;
}

static int add_spans(struct span_scan *scan, struct span_row *row)
{
	struct exemplar_sums *sums = scan->ctx;
	struct adding adding = {sums, scan->query, scan->picks, row};
	bool any = false;

	for (uint32_t i = 0; i < row->block.n_spans && !any; i++)
		any = picks_span(scan->picks, &row->block.spans[i]);
	if (!any)
		return 0;
	note_profile(sums, &row->row.key, 0);
	sums->n_profiles++;
	file_row_data(&row->row);
	return exemplar_block_read_data(&row->block, row->row.data, row->row.data_len,
					&scan->query->room, add_span, &adding);
}

static struct exemplar_id id_of(const struct scanned *scanned, struct exemplar_id_room *room)
{
	return scanned->block.id.len ? scanned->block.id
				     : exemplar_id_made(scanned->row->sum, room);
}

struct profile_scan {
	const struct picks *picks;
	struct exemplar_sums *sums;
	struct exemplar_told *told;
};

static int add_profile(struct query *query, struct scanned *scanned, void *ctx)
{
	struct profile_scan *scan = ctx;
	struct accum_part whole = {.until_ns = scanned->block.key.len_ns,
				   .is_whole = true,
				   .columns = query->columns,
				   .n_columns = query->n_columns};
	struct exemplar_id_room room;
	struct exemplar_id id = id_of(scanned, &room);
	int r;

	if (scanned->piece->level != LEVEL_FINE || !picks_profile(scan->picks, &id))
		return 0;
	r = query_read_data(query, scanned);
	if (r < 0)
		return r;
	accum_add(&scan->sums->accum, &scanned->block, &whole);
	note_profile(scan->sums, &scanned->block.key, scanned->block.n_samples);
	scan->sums->n_profiles += scanned->block.n_profiles;
	return 0;
}

static int scan_profiles(struct query *query, struct profile_scan *scan, scan_fn *visit,
			 struct err *err)
{
	const struct store_range *range = &query->ask->range;
	const struct steps steps = {
		.from_ns = range->from_ns,
		.range = *range,
		.step_ns = range->until_ns - range->from_ns,
		.n = 1,
		.max_level = LEVEL_FINE,
	};

	return query_scan(query, query->series, query->n_series, &steps, visit, scan, err);
}

int exemplar_add_up(struct query *query, struct exemplar_sums *sums, struct err *err)
{
	cleanup(arena_done) struct arena arena;
	struct picks picks;
	struct profile_scan profiles = {.picks = &picks, .sums = sums};
	struct span_scan spans = {
		.query = query, .picks = &picks, .visit = add_spans, .ctx = sums, .err = err};
	int r;

	arena_init(&arena);
	r = read_picks(query->ask->pick, &arena, &picks, err);
	if (r < 0)
		return r;
	sums->is_in_full_units = picks.n_spans || picks.n_traces;
	return sums->is_in_full_units ? scan_spans(&spans)
				      : scan_profiles(query, &profiles, add_profile, err);
}

/* ---- exemplars ---- */

struct exemplar_told {
	store_exemplar_fn *tell;
	void *ctx;
	struct store_exemplar_sum sum;
	struct err *err;
	struct err own; /* of who is told: scans have words of their own */
};

static int tell(struct exemplar_told *told, const struct store_exemplar *exemplar)
{
	int r;

	told->sum.n++;
	r = told->tell(told->ctx, exemplar, &told->own);
	if (r < 0)
		told->own.code = r;
	return r;
}

static int64_t in_unit(int64_t value, int64_t unit)
{
	int64_t product;

	return __builtin_mul_overflow(value, unit, &product) ? INT64_MAX : product;
}

static int tell_profile(struct query *query, struct scanned *scanned, void *ctx)
{
	struct profile_scan *scan = ctx;
	const struct block *block = &scanned->block;
	const struct series *series = query_series_of(query, scanned->piece->owner);
	struct store_exemplar exemplar = {.time_ns = block->key.t_ns};
	struct exemplar_id_room room;
	struct exemplar_id id = id_of(scanned, &room);
	char name[EXEMPLAR_ID_TEXT_BYTES];

	if (scanned->piece->level != LEVEL_FINE || block->key.t_ns < query->ask->range.from_ns ||
	    !series || !picks_profile(scan->picks, &id))
		return 0;
	exemplar.labels = &series->labels;
	for (size_t c = 0; c < block->n_columns; c++) {
		const struct column *column = query_kind(query, block->columns[c]);

		if (column)
			exemplar.value = sum_of(exemplar.value,
						in_unit(block->totals[c], column->unit_scale));
	}
	exemplar_id_format(&id, name);
	exemplar.profile_id = name;
	return tell(scan->told, &exemplar);
}

static int tell_spans(struct span_scan *scan, struct span_row *row)
{
	struct exemplar_told *told = scan->ctx;
	const struct exemplar_block *block = &row->block;
	char name[EXEMPLAR_ID_TEXT_BYTES];
	int r = 0;

	exemplar_id_format(&row->profile_id, name);
	told->sum.n_left_out += block->n_left_out;
	for (uint32_t i = 0; i < block->n_spans && r == 0; i++) {
		struct store_exemplar exemplar = {
			.labels = &row->series->labels,
			.profile_id = name,
			.span = block->spans[i].id,
			.trace = block->spans[i].trace,
			.time_ns = row->row.key.t_ns,
		};

		if (!picks_span(scan->picks, &block->spans[i]))
			continue;
		for (size_t c = 0; c < block->n_columns; c++)
			if (query_kind(scan->query, block->columns[c]))
				exemplar.value =
					sum_of(exemplar.value,
					       in_unit(block->totals[i * block->n_columns + c],
						       block->units[c]));
		if (exemplar.value)
			r = tell(told, &exemplar);
	}
	return r;
}

static int tell_all(struct query *query, enum store_exemplar_kind kind, struct exemplar_told *told)
{
	cleanup(arena_done) struct arena arena;
	struct picks picks;
	struct profile_scan profiles = {.picks = &picks, .told = told};
	struct span_scan spans = {.query = query,
				  .picks = &picks,
				  .visit = tell_spans,
				  .ctx = told,
				  .err = told->err,
				  .begins_only = true};
	int r;

	arena_init(&arena);
	r = read_picks(query->ask->pick, &arena, &picks, told->err);
	if (r < 0)
		return r;
	r = kind == STORE_EXEMPLAR_SPAN ? scan_spans(&spans)
					: scan_profiles(query, &profiles, tell_profile, told->err);
	if (r < 0 && told->own.code == r)
		return err_set(told->err, r, "%s", told->own.text);
	return r;
}

int sqlite_exemplars(struct store *base, const struct store_query *ask,
		     enum store_exemplar_kind kind, store_exemplar_fn *tell_fn, void *ctx,
		     struct store_exemplar_sum *ret_sum, struct err *err)
{
	struct exemplar_told told = {.tell = tell_fn, .ctx = ctx, .err = err};
	struct query query;
	int r = query_begin(&query, sqlite_store_of(base), ask, true, err);

	if (r == 0)
		r = tell_all(&query, kind, &told);
	told.sum.is_partial = query.missing.n > 0;
	query_end(&query);
	if (r == 0)
		*ret_sum = told.sum;
	return r;
}
