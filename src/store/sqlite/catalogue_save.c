/* SPDX-License-Identifier: Apache-2.0 */
/* Writing what is new or changed of the catalogue. */
#include <stddef.h>
#include <string.h>

#include "store/sqlite/catalogue.h"
#include "store/sqlite/dict.h"
#include "store/sqlite/sql.h"

static void bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
	sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

typedef void bind_fn(sqlite3_stmt *stmt, const void *item);

static void bind_tenant(sqlite3_stmt *stmt, const void *item)
{
	const struct tenant *tenant = item;

	sql_bind(stmt, tenant->id);
	bind_text(stmt, 2, tenant->name);
}

static void bind_service(sqlite3_stmt *stmt, const void *item)
{
	const struct service *service = item;

	sql_bind(stmt, service->id, service->tenant->id);
	bind_text(stmt, 3, service->name);
}

static void bind_column(sqlite3_stmt *stmt, const void *item)
{
	const struct column *column = item;

	sql_bind(stmt, column->id);
	bind_text(stmt, 2, column->type);
	bind_text(stmt, 3, column->unit);
	bind_text(stmt, 4, column->state);
}

static void bind_family(sqlite3_stmt *stmt, const void *item)
{
	const struct family *family = item;

	sql_bind(stmt, family->id, family->service->id, 0, 0, 0, family->is_gauge,
		 family->is_rolled);
	bind_text(stmt, 3, family->metric);
	bind_text(stmt, 4, family->period_type);
	bind_text(stmt, 5, family->period_unit);
}

static void bind_series(sqlite3_stmt *stmt, const void *item)
{
	const struct series *series = item;

	sql_bind(stmt, series->id, series->family->id, 0, series->first_ns, series->last_ns,
		 series->longest_ns, series->period);
	bind_text(stmt, 3, series->text);
}

static void bind_file(sqlite3_stmt *stmt, const void *item)
{
	const struct block_file *file = item;
	const char *tail = strrchr(file->path, '/');

	/* T/LEVEL/NAME, so that the directory can be moved. */
	for (int part = 0; part < 2; part++)
		while (*--tail != '/')
			;
	sql_bind(stmt, file->id, file->tenant->id, file->level, file->period.from_ns, 0,
		 file->state, file->has_work, file->n_blocks);
	bind_text(stmt, 5, tail + 1);
}

static void bind_dict(sqlite3_stmt *stmt, const void *item)
{
	const struct dict *dict = item;

	sql_bind(stmt, dict->id, dict->service->id, dict->month, dict->part);
}

static bool tenant_is_changed(const void *item)
{
	return ((const struct tenant *)item)->is_changed;
}

static bool family_is_changed(const void *item)
{
	return ((const struct family *)item)->is_changed;
}

static bool series_is_changed(const void *item)
{
	return ((const struct series *)item)->is_changed;
}

static bool file_is_changed(const void *item)
{
	return ((const struct block_file *)item)->is_changed;
}

/* One table of things: how to write them, and which of them change after they are made. */
struct kind {
	size_t table; /* offset in struct catalogue */
	const char *replace;
	bind_fn *bind;
	bool (*is_changed)(const void *item);
};

static const struct kind kinds[] = {
	{offsetof(struct catalogue, tenants), "INSERT OR REPLACE INTO tenant VALUES(?,?)",
	 bind_tenant, tenant_is_changed},
	{offsetof(struct catalogue, services), "INSERT OR REPLACE INTO service VALUES(?,?,?)",
	 bind_service, NULL},
	{offsetof(struct catalogue, columns), "INSERT OR REPLACE INTO value_column VALUES(?,?,?,?)",
	 bind_column, NULL},
	{offsetof(struct catalogue, families),
	 "INSERT OR REPLACE INTO family VALUES(?,?,?,?,?,?,?)", bind_family, family_is_changed},
	{offsetof(struct catalogue, series), "INSERT OR REPLACE INTO series VALUES(?,?,?,?,?,?,?)",
	 bind_series, series_is_changed},
	{offsetof(struct catalogue, files), "INSERT OR REPLACE INTO file VALUES(?,?,?,?,?,?,?,?)",
	 bind_file, file_is_changed},
	{offsetof(struct catalogue, dicts), "INSERT OR REPLACE INTO dictionary VALUES(?,?,?,?)",
	 bind_dict, NULL},
};

static const struct table *table_of(const struct catalogue *catalogue, const struct kind *kind)
{
	return (const struct table *)((const char *)catalogue + kind->table);
}

static bool needs_saving(const struct table *table, const struct kind *kind, size_t id)
{
	const void *item = table->items[id];

	return item && (id >= table->n_saved || (kind->is_changed && kind->is_changed(item)));
}

static int save_kind(struct catalogue *catalogue, const struct kind *kind, struct err *err)
{
	const struct table *table = table_of(catalogue, kind);
	sqlite3_stmt *stmt = NULL;
	int r = 0;

	for (size_t id = 1; id < table->n && r == 0; id++) {
		if (!needs_saving(table, kind, id))
			continue;
		if (!stmt && (r = sql_prepare(catalogue->db, kind->replace, &stmt, err)) < 0)
			break;
		kind->bind(stmt, table->items[id]);
		r = sql_run(stmt, err);
	}
	sqlite3_finalize(stmt);
	return r;
}

/* Rows (a, b, list[i]) or (a, list[i]) of what was added to a list since it was saved. */
static int save_rows(struct catalogue *catalogue, const char *insert, uint32_t id, bool has_place,
		     const uint32_t *list, size_t from, size_t n, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = from < n ? sql_prepare(catalogue->db, insert, &stmt, err) : 1;

	if (r)
		return r < 0 ? r : 0;
	for (size_t i = from; i < n && r == 0; i++) {
		if (has_place)
			sql_bind(stmt, id, (int64_t)i, list[i]);
		else
			sql_bind(stmt, id, list[i]);
		r = sql_run(stmt, err);
	}
	sqlite3_finalize(stmt);
	return r;
}

static int save_expired(struct catalogue *catalogue, const struct tenant *tenant, struct err *err)
{
	char text[160];
	int r = 0;

	for (int level = 0; level < LEVEL_COUNT && r == 0; level++) {
		snprintf(text, sizeof(text), "INSERT OR REPLACE INTO expired VALUES(%u, %d, %lld)",
			 tenant->id, level, (long long)tenant->expired_until_ns[level]);
		r = sql_exec(catalogue->db, text, err);
	}
	return r;
}

static int save_details(struct catalogue *catalogue, struct err *err)
{
	int r = 0;

	for (size_t id = 1; id < catalogue->tenants.n && r == 0; id++) {
		const struct tenant *tenant = catalogue->tenants.items[id];

		if (tenant && tenant->is_changed)
			r = save_expired(catalogue, tenant, err);
	}
	for (size_t id = 1; id < catalogue->series.n && r == 0; id++) {
		const struct series *series = catalogue->series.items[id];

		if (series)
			r = save_rows(catalogue,
				      "INSERT OR REPLACE INTO series_column VALUES(?,?,?)",
				      series->id, true, series->columns, series->n_saved_columns,
				      series->n_columns, err);
	}
	for (size_t id = 1; id < catalogue->files.n && r == 0; id++) {
		const struct block_file *file = catalogue->files.items[id];

		if (file)
			r = save_rows(catalogue,
				      "INSERT OR REPLACE INTO file_dictionary VALUES(?,?)",
				      file->id, false, file->dicts, file->n_saved_dicts,
				      file->n_dicts, err);
	}
	return r;
}

bool catalogue_is_changed(const struct catalogue *catalogue)
{
	for (size_t k = 0; k < array_len(kinds); k++) {
		const struct table *table = table_of(catalogue, &kinds[k]);

		if (table->n > table->n_saved)
			return true;
		for (size_t id = 1; kinds[k].is_changed && id < table->n; id++)
			if (needs_saving(table, &kinds[k], id))
				return true;
	}
	return false;
}

/*
 * What was written counts as saved before the commit, since other threads add things meanwhile; if the
 * commit fails everything is written again next time, which replaces rows by equal ones.
 */
static void set_saved(struct catalogue *catalogue, bool is_saved)
{
	for (size_t k = 0; k < array_len(kinds); k++) {
		struct table *table = (struct table *)((char *)catalogue + kinds[k].table);

		table->n_saved = is_saved ? table->n : 1;
	}
	for (size_t id = 1; id < catalogue->tenants.n; id++)
		if (catalogue->tenants.items[id])
			((struct tenant *)catalogue->tenants.items[id])->is_changed = !is_saved;
	for (size_t id = 1; id < catalogue->families.n; id++)
		if (catalogue->families.items[id])
			((struct family *)catalogue->families.items[id])->is_changed = !is_saved;
	for (size_t id = 1; id < catalogue->series.n; id++) {
		struct series *series = catalogue->series.items[id];

		if (series) {
			series->n_saved_columns = is_saved ? series->n_columns : 0;
			series->is_changed = !is_saved;
		}
	}
	for (size_t id = 1; id < catalogue->files.n; id++) {
		struct block_file *file = catalogue->files.items[id];

		if (file) {
			file->n_saved_dicts = is_saved ? file->n_dicts : 0;
			file->is_changed = !is_saved;
		}
	}
}

int catalogue_save(struct catalogue *catalogue, struct err *err)
{
	int r = 0;

	for (size_t k = 0; k < array_len(kinds) && r == 0; k++)
		r = save_kind(catalogue, &kinds[k], err);
	if (r == 0)
		r = save_details(catalogue, err);
	set_saved(catalogue, r == 0);
	return r;
}

void catalogue_save_failed(struct catalogue *catalogue)
{
	set_saved(catalogue, false);
}
