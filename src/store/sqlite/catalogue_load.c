/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "profile/hash.h"
#include "store/sqlite/catalogue_private.h"
#include "store/sqlite/dict.h"
#include "store/sqlite/jobs.h"
#include "store/sqlite/sql.h"

/*
 * AUTOINCREMENT keeps the highest id that was ever used, so that what is deleted leaves its number
 * unused.  Stacks: see dict.h.
 */
static const char schema_text[] =
	"CREATE TABLE tenant(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);"
	"CREATE TABLE expired(tenant INTEGER, level INTEGER, until_ns INTEGER,"
	" PRIMARY KEY(tenant, level)) WITHOUT ROWID;"
	"CREATE TABLE service(id INTEGER PRIMARY KEY AUTOINCREMENT, tenant INTEGER NOT NULL,"
	" name TEXT NOT NULL);"
	"CREATE TABLE value_column(id INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL,"
	" unit TEXT NOT NULL, state TEXT NOT NULL);"
	"CREATE TABLE family(id INTEGER PRIMARY KEY AUTOINCREMENT, service INTEGER NOT NULL,"
	" metric TEXT NOT NULL, period_type TEXT NOT NULL, period_unit TEXT NOT NULL,"
	" is_gauge INTEGER NOT NULL, is_rolled INTEGER NOT NULL);"
	"CREATE TABLE series(id INTEGER PRIMARY KEY AUTOINCREMENT, family INTEGER NOT NULL,"
	" labels TEXT NOT NULL, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,"
	" longest_ns INTEGER NOT NULL, period INTEGER NOT NULL);"
	"CREATE TABLE series_column(series INTEGER, place INTEGER, value_column INTEGER NOT NULL,"
	" PRIMARY KEY(series, place)) WITHOUT ROWID;"
	"CREATE TABLE file(id INTEGER PRIMARY KEY AUTOINCREMENT, tenant INTEGER NOT NULL,"
	" level INTEGER NOT NULL, from_ns INTEGER NOT NULL, path TEXT NOT NULL,"
	" state INTEGER NOT NULL, has_work INTEGER NOT NULL, n_blocks INTEGER NOT NULL);"
	"CREATE TABLE file_dictionary(file INTEGER, dictionary INTEGER,"
	" PRIMARY KEY(file, dictionary)) WITHOUT ROWID;"
	"CREATE TABLE source(service INTEGER, file TEXT, time_ns INTEGER NOT NULL, sum INTEGER NOT "
	"NULL,"
	" text BLOB NOT NULL, len INTEGER NOT NULL, PRIMARY KEY(service, file));" DICT_SCHEMA
		JOBS_SCHEMA;

static const char *const catalogue_steps[] = {JOBS_SCHEMA, DICT_NODES_SCHEMA, NULL};

static const struct sql_schema catalogue_schema = {.version = CATALOGUE_VERSION,
						   .page_bytes = 4096,
						   .create = schema_text,
						   .steps = catalogue_steps};

static char *column_text(sqlite3_stmt *row, int at)
{
	const char *text = (const char *)sqlite3_column_text(row, at);

	return xstrdup(text ? text : "");
}

/* Put an item under the id that it has on disk. */
static void table_place(struct table *table, uint32_t id, void *item)
{
	table->items = vec_grow(table->items, &table->cap, (size_t)id + 1, sizeof(*table->items));
	table->items[id] = item;
	table->n = max_of(table->n, (size_t)id + 1);
}

typedef int load_row_fn(struct catalogue *catalogue, uint32_t id, sqlite3_stmt *row);

static int load_tenant(struct catalogue *catalogue, uint32_t id, sqlite3_stmt *row)
{
	struct tenant *tenant = xcalloc(1, sizeof(*tenant));

	tenant->id = id;
	tenant->name = column_text(row, 1);
	table_place(&catalogue->tenants, id, tenant);
	return 0;
}

static int load_expired(struct catalogue *catalogue, uint32_t id, sqlite3_stmt *row)
{
	struct tenant *tenant = table_get(&catalogue->tenants, id);
	int64_t level = sqlite3_column_int64(row, 1);

	if (!tenant || level < 0 || level >= LEVEL_COUNT)
		return ERR_CORRUPT;
	tenant->expired_until_ns[level] = sqlite3_column_int64(row, 2);
	return 0;
}

static int load_service(struct catalogue *catalogue, uint32_t id, sqlite3_stmt *row)
{
	struct tenant *tenant =
		table_get(&catalogue->tenants, (uint64_t)sqlite3_column_int64(row, 1));
	struct service *service;

	if (!tenant)
		return ERR_CORRUPT;
	service = xcalloc(1, sizeof(*service));
	service->id = id;
	service->tenant = tenant;
	service->name = column_text(row, 2);
	pthread_mutex_init(&service->lock, NULL);
	table_place(&catalogue->services, id, service);
	return 0;
}

static int load_column(struct catalogue *catalogue, uint32_t id, sqlite3_stmt *row)
{
	struct column *column = catalogue_add_column((const char *)sqlite3_column_text(row, 1),
						     (const char *)sqlite3_column_text(row, 2),
						     (const char *)sqlite3_column_text(row, 3));

	column->id = id;
	table_place(&catalogue->columns, id, column);
	return 0;
}

static int load_family(struct catalogue *catalogue, uint32_t id, sqlite3_stmt *row)
{
	struct service *service =
		table_get(&catalogue->services, (uint64_t)sqlite3_column_int64(row, 1));
	struct family *family;

	if (!service)
		return ERR_CORRUPT;
	family = xcalloc(1, sizeof(*family));
	family->id = id;
	family->service = service;
	family->metric = column_text(row, 2);
	family->period_type = column_text(row, 3);
	family->period_unit = column_text(row, 4);
	family->is_gauge = sqlite3_column_int(row, 5);
	family->is_rolled = family->wants_rollup = sqlite3_column_int(row, 6);
	table_place(&catalogue->families, id, family);
	return 0;
}

static int load_series(struct catalogue *catalogue, uint32_t id, sqlite3_stmt *row)
{
	struct family *family =
		table_get(&catalogue->families, (uint64_t)sqlite3_column_int64(row, 1));
	struct series *series;

	if (!family)
		return ERR_CORRUPT;
	series = xcalloc(1, sizeof(*series));
	series->id = id;
	series->family = family;
	series->text = column_text(row, 2);
	series->first_ns = sqlite3_column_int64(row, 3);
	series->last_ns = sqlite3_column_int64(row, 4);
	series->longest_ns = sqlite3_column_int64(row, 5);
	series->period = sqlite3_column_int64(row, 6);
	table_place(&catalogue->series, id, series);
	if (labels_parse(series->text, &catalogue->arena, &series->labels, NULL) < 0)
		return ERR_CORRUPT;
	catalogue_add_series(catalogue, series);
	return 0;
}

static int load_series_column(struct catalogue *catalogue, uint32_t id, sqlite3_stmt *row)
{
	struct series *series = table_get(&catalogue->series, id);
	uint32_t column = (uint32_t)sqlite3_column_int64(row, 2);
	struct family *family;
	size_t c;

	if (!series || !table_get(&catalogue->columns, column) ||
	    series->n_columns == PROFILE_MAX_COLUMNS)
		return ERR_CORRUPT;
	series->columns[series->n_columns++] = column;
	series->n_saved_columns = series->n_columns;
	family = series->family;
	for (c = 0; c < family->n_columns && family->columns[c] != column; c++)
		;
	if (c == PROFILE_MAX_COLUMNS)
		return ERR_CORRUPT;
	family->columns[c] = column;
	family->n_columns = max_of(family->n_columns, c + 1);
	return 0;
}

static int load_file(struct catalogue *catalogue, uint32_t id, sqlite3_stmt *row)
{
	struct tenant *tenant =
		table_get(&catalogue->tenants, (uint64_t)sqlite3_column_int64(row, 1));
	int64_t level = sqlite3_column_int64(row, 2);
	struct block_file *file;
	char *name;

	if (!tenant || level < 0 || level >= LEVEL_FILES)
		return ERR_CORRUPT;
	file = xcalloc(1, sizeof(*file));
	file->id = id;
	file->tenant = tenant;
	file->level = (int)level;
	file->period = level_period(file->level, sqlite3_column_int64(row, 3));
	name = column_text(row, 4);
	if (asprintf(&file->path, "%s/%s", catalogue->blocks_dir, name) < 0)
		abort();
	free(name);
	file->state = (enum file_state)sqlite3_column_int(row, 5);
	file->has_work = sqlite3_column_int(row, 6);
	file->n_blocks = sqlite3_column_int64(row, 7);
	table_place(&catalogue->files, id, file);
	return 0;
}

static int load_file_dict(struct catalogue *catalogue, uint32_t id, sqlite3_stmt *row)
{
	struct block_file *file = table_get(&catalogue->files, id);

	if (!file)
		return ERR_CORRUPT;
	catalogue_file_names_dict(file, (uint32_t)sqlite3_column_int64(row, 1));
	file->n_saved_dicts = file->n_dicts;
	file->is_changed = false;
	return 0;
}

static int load_dict(struct catalogue *catalogue, uint32_t id, sqlite3_stmt *row)
{
	struct service *service =
		table_get(&catalogue->services, (uint64_t)sqlite3_column_int64(row, 1));

	if (!service)
		return ERR_CORRUPT;
	table_place(&catalogue->dicts, id,
		    dict_new(service, id, sqlite3_column_int(row, 2), sqlite3_column_int(row, 3)));
	return 0;
}

static int load_rows(struct catalogue *catalogue, const char *query, load_row_fn *load,
		     struct err *err)
{
	sqlite3_stmt *row;
	int r = sql_prepare(catalogue->db, query, &row, err);

	if (r < 0)
		return r;
	while ((r = sql_step(row, err)) > 0) {
		int64_t id = sqlite3_column_int64(row, 0);

		if (id <= 0 || id >= UINT32_MAX / 4 || load(catalogue, (uint32_t)id, row) < 0) {
			r = err_set(err, ERR_CORRUPT,
				    "the catalogue contradicts itself (%s, id %lld)", query,
				    (long long)id);
			break;
		}
	}
	sqlite3_finalize(row);
	return r;
}

/* The next id is behind all that were ever used, deleted ones too. */
static int load_next_id(struct catalogue *catalogue, const char *name, struct table *table,
			struct err *err)
{
	char query[128];
	int64_t last = 0;
	int r;

	snprintf(query, sizeof(query),
		 "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name='%s'", name);
	r = sql_int(catalogue->db, query, &last, err);
	if (r < 0)
		return r;
	table->items = vec_grow(table->items, &table->cap, (size_t)last + 1, sizeof(void *));
	table->n = table->n_saved = max_of((size_t)last + 1, max_of(table->n, (size_t)1));
	return 0;
}

static int load_all(struct catalogue *catalogue, struct err *err)
{
	const struct {
		const char *query;
		load_row_fn *load;
	} parts[] = {
		{"SELECT id, name FROM tenant", load_tenant},
		{"SELECT tenant, level, until_ns FROM expired", load_expired},
		{"SELECT id, tenant, name FROM service", load_service},
		{"SELECT id, type, unit, state FROM value_column", load_column},
		{"SELECT id, service, metric, period_type, period_unit, is_gauge, is_rolled"
		 " FROM family",
		 load_family},
		{"SELECT id, family, labels, first_ns, last_ns, longest_ns, period FROM series",
		 load_series},
		{"SELECT series, place, value_column FROM series_column ORDER BY series, place",
		 load_series_column},
		{"SELECT id, tenant, level, from_ns, path, state, has_work, n_blocks FROM file",
		 load_file},
		{"SELECT file, dictionary FROM file_dictionary", load_file_dict},
		{"SELECT id, service, month, part FROM dictionary ORDER BY id", load_dict},
	};
	const struct {
		const char *name;
		struct table *table;
	} ids[] = {
		{"tenant", &catalogue->tenants},       {"service", &catalogue->services},
		{"value_column", &catalogue->columns}, {"family", &catalogue->families},
		{"series", &catalogue->series},	       {"file", &catalogue->files},
		{"dictionary", &catalogue->dicts},
	};
	int r = 0;

	for (size_t i = 0; i < array_len(parts) && r == 0; i++)
		r = load_rows(catalogue, parts[i].query, parts[i].load, err);
	for (size_t i = 0; i < array_len(ids) && r == 0; i++)
		r = load_next_id(catalogue, ids[i].name, ids[i].table, err);
	return r;
}

static bool is_folder_empty(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	bool is_empty = true;

	if (!folder)
		return true;
	while (is_empty && (entry = readdir(folder)))
		is_empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(folder);
	return is_empty;
}

/* A new catalogue would give its ids out anew, and show old blocks with the names of others. */
static int refuse_lost(const char *path, const char *blocks_dir, struct err *err)
{
	struct stat file;
	bool is_there = stat(path, &file) == 0 && file.st_size > 0;

	if (is_there || is_folder_empty(blocks_dir))
		return 0;
	return err_set(err, ERR_CORRUPT, "%s is missing or empty, but %s holds profiles", path,
		       blocks_dir);
}

/* What a person can do about it, where the file itself is the trouble. */
static int open_failed(struct err *err, int code)
{
	if (err && code == ERR_CORRUPT) {
		struct err why = *err;

		return err_set(err, code,
			       "cannot open the catalogue: %s; restore it from a backup, or use "
			       "another data directory",
			       why.text);
	}
	return err_prefix(err, code, "cannot open the catalogue");
}

int catalogue_open(struct catalogue *catalogue, const char *dir, const char *vfs_name,
		   struct err *err)
{
	cleanup_free char *path = NULL;
	int r;

	*catalogue = (struct catalogue){.hash_seed = hash_seed()};
	arena_init(&catalogue->arena);
	if (asprintf(&path, "%s/catalogue.db", dir) < 0 ||
	    asprintf(&catalogue->blocks_dir, "%s/blocks", dir) < 0)
		abort();
	r = refuse_lost(path, catalogue->blocks_dir, err);
	if (r == 0)
		r = sql_open_writer(path, vfs_name, &catalogue_schema, &catalogue->db, err);
	if (r == 0)
		r = load_all(catalogue, err);
	if (r < 0) {
		catalogue_close(catalogue);
		return open_failed(err, r);
	}
	return 0;
}

int catalogue_open_writer(const char *dir, const char *vfs_name, sqlite3 **ret_db, struct err *err)
{
	cleanup_free char *path = NULL;

	if (asprintf(&path, "%s/catalogue.db", dir) < 0)
		abort();
	return sql_open_writer(path, vfs_name, &catalogue_schema, ret_db, err);
}

int catalogue_read(struct catalogue *catalogue, sqlite3 *db, const char *dir, struct err *err)
{
	*catalogue = (struct catalogue){.hash_seed = hash_seed(), .db = db};
	arena_init(&catalogue->arena);
	if (asprintf(&catalogue->blocks_dir, "%s/blocks", dir) < 0)
		abort();
	return load_all(catalogue, err);
}
