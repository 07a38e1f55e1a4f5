/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/exemplar_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* ---- rows of spans ---- */

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
		r = exemplar_picks_profile(scan->picks, &row.profile_id) ? scan->visit(scan, &row)
									 : 0;
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

int span_scan_run(struct span_scan *scan)
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

/* ---- profiles ---- */

struct exemplar_id exemplar_id_of(const struct scanned *scanned, struct exemplar_id_room *room)
{
	return scanned->block.id.len ? scanned->block.id
				     : exemplar_id_made(scanned->row->sum, room);
}

int exemplar_scan_profiles(struct query *query, bool wants_heads, scan_fn *visit, void *ctx,
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
	const struct scan_sink sink = {.visit = visit, .ctx = ctx, .wants_heads = wants_heads};

	return query_scan(query, query->series, query->n_series, &steps, &sink, err);
}
