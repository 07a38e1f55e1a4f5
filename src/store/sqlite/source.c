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

static uint32_t service_id(struct sqlite_store *store, const char *tenant_name, const char *name)
{
	struct service *service = NULL;
	struct tenant *tenant;

	pthread_mutex_lock(&store->lock);
	tenant = catalogue_tenant(&store->catalogue, tenant_name);
	if (tenant)
		service = catalogue_service(&store->catalogue, tenant, name);
	pthread_mutex_unlock(&store->lock);
	return service ? service->id : 0;
}

int sqlite_get_source(struct store *base, const char *tenant, const char *service, const char *file,
		      struct arena *arena, struct store_source *ret_source, struct err *err)
{
	struct sqlite_store *store = sqlite_store_of(base);
	struct store_source source = {.file = file, .text = ""};
	sqlite3_stmt *row = NULL;
	uint32_t owner = service_id(store, tenant, service);
	int r;

	pthread_mutex_lock(&store->dict_reader_lock);
	r = sql_prepare(store->dict_reader,
			"SELECT time_ns, sum, text FROM source WHERE service=? AND file=?", &row,
			err);
	if (r == 0) {
		sql_bind(row, owner);
		sqlite3_bind_text(row, 2, file, -1, SQLITE_STATIC);
		r = sql_step(row, err);
	}
	if (r > 0)
		r = unpack(row, arena, &source, err);
	sqlite3_finalize(row);
	pthread_mutex_unlock(&store->dict_reader_lock);
	if (r == 0)
		*ret_source = source;
	return r;
}
