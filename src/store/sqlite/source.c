/* SPDX-License-Identifier: Apache-2.0 */
/* Source text of services' files, packed, in the catalogue. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/zstd.h"
#include "profile/hash.h"
#include "store/sqlite/store_private.h"

static int check_room(struct sqlite_store *store, const struct item *item, struct err *err)
{
	char query[96];
	int64_t n = 0;
	int r;

	snprintf(query, sizeof(query), "SELECT count(*) FROM source WHERE service=%u",
		 item->service->id);
	r = sql_int(store->catalogue.db, query, &n, err);
	if (r == 0 && n >= SOURCE_MAX_FILES)
		return err_set(err, ERR_LIMIT, "%s has sources of %d files, its most",
			       item->service->name, SOURCE_MAX_FILES);
	return r;
}

/* The newest text of a file wins, whatever the order in which they come. */
static int save(struct sqlite_store *store, const struct item *item, struct err *err)
{
	cleanup(buf_done) struct buf packed = {0};
	sqlite3_stmt *stmt = NULL;
	int r;

	buf_init(&packed, STORE_MAX_SOURCE_BYTES * 2);
	r = zstd_compress(item->source_text, item->source_len, ZSTD_DEFAULT_LEVEL, &packed, err);
	if (r == 0)
		r = sql_prepare(store->catalogue.db,
				"INSERT INTO source VALUES(?,?,?,?,?,?) ON CONFLICT DO UPDATE SET"
				" time_ns=excluded.time_ns, sum=excluded.sum, text=excluded.text,"
				" len=excluded.len WHERE excluded.time_ns>=time_ns",
				&stmt, err);
	if (r < 0)
		return r;
	sql_bind(stmt, item->service->id, 0, item->source_time_ns,
		 (int64_t)hash_stable(item->source_text, item->source_len), 0,
		 (int64_t)item->source_len);
	sqlite3_bind_text(stmt, 2, item->source_file, -1, SQLITE_STATIC);
	sqlite3_bind_blob(stmt, 5, packed.data, (int)packed.len, SQLITE_STATIC);
	r = sql_run(stmt, err);
	sqlite3_finalize(stmt);
	return r;
}

int sources_save(struct sqlite_store *store, struct item *items, struct err *err)
{
	int r = 0;

	for (struct item *item = items; item && r == 0; item = item->next) {
		struct err why = {0};

		if (item->kind != ITEM_SOURCE)
			continue;
		item->code = check_room(store, item, &why);
		if (item->code == ERR_LIMIT)
			continue; /* this one only; the others are written */
		r = item->code < 0 ? err_set(err, item->code, "%s", why.text)
				   : save(store, item, err);
	}
	return r;
}

static int unpack(sqlite3_stmt *row, struct arena *arena, struct store_source *ret_source,
		  struct err *err)
{
	const struct codec_limits limits = {.max_bytes = STORE_MAX_SOURCE_BYTES};
	cleanup(buf_done) struct buf text = {0};
	int r;

	buf_init(&text, STORE_MAX_SOURCE_BYTES + 1);
	r = zstd_decompress(sqlite3_column_blob(row, 2), (size_t)sqlite3_column_bytes(row, 2),
			    &limits, NULL, &text, err);
	if (r < 0)
		return r;
	if (hash_stable(text.data, text.len) != (uint64_t)sqlite3_column_int64(row, 1))
		return err_set(err, ERR_CORRUPT, "the source text is damaged: send it again");
	ret_source->text = arena_strndup(arena, text.data, text.len);
	ret_source->len = text.len;
	ret_source->time_ns = sqlite3_column_int64(row, 0);
	return 0;
}

/* The services of that name, one of each tenant that has it. */
static int find_services(struct sqlite_store *store, const char *tenants, const char *name,
			 uint32_t ret_ids[STORE_MAX_TENANTS], size_t *ret_n, struct err *err)
{
	struct tenant *found[STORE_MAX_TENANTS];
	size_t n_found = 0, n = 0;
	int r;

	pthread_mutex_lock(&store->lock);
	r = catalogue_tenants(&store->catalogue, tenants, found, &n_found, err);
	for (size_t i = 0; i < n_found; i++) {
		struct service *service = catalogue_service(&store->catalogue, found[i], name);

		if (service)
			ret_ids[n++] = service->id;
	}
	pthread_mutex_unlock(&store->lock);
	*ret_n = n;
	return r;
}

/* The text that a service has of a file, where it is newer than `source`. */
static int read_source(struct sqlite_store *store, uint32_t owner, struct arena *arena,
		       struct store_source *source, struct err *err)
{
	sqlite3_stmt *row = NULL;
	int r;

	pthread_mutex_lock(&store->dict_reader_lock);
	r = sql_prepare(store->dict_reader,
			"SELECT time_ns, sum, text FROM source WHERE service=? AND file=?", &row,
			err);
	if (r == 0) {
		sql_bind(row, owner);
		sqlite3_bind_text(row, 2, source->file, -1, SQLITE_STATIC);
		r = sql_step(row, err);
	}
	if (r > 0)
		r = !source->len || sqlite3_column_int64(row, 0) > source->time_ns
			    ? unpack(row, arena, source, err)
			    : 0;
	sqlite3_finalize(row);
	pthread_mutex_unlock(&store->dict_reader_lock);
	return r;
}

int sqlite_get_source(struct store *base, const char *tenant, const char *service, const char *file,
		      struct arena *arena, struct store_source *ret_source, struct err *err)
{
	struct sqlite_store *store = sqlite_store_of(base);
	struct store_source source = {.file = file, .text = ""};
	uint32_t ids[STORE_MAX_TENANTS];
	size_t n;
	int r = find_services(store, tenant, service, ids, &n, err);

	for (size_t i = 0; i < n && r == 0; i++)
		r = read_source(store, ids[i], arena, &source, err);
	if (r == 0)
		*ret_source = source;
	return r;
}
