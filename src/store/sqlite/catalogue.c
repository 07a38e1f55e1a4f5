/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/catalogue.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "profile/hash.h"
#include "store/sqlite/catalogue_private.h"

#define MAX_COLUMNS 4096 /* kinds of values in the whole store: types, units and states */

uint32_t table_add(struct table *table, void *item)
{
	if (!table->n)
		table->n = table->n_saved = 1;
	table->items = vec_grow(table->items, &table->cap, table->n + 1, sizeof(*table->items));
	table->items[table->n] = item;
	return (uint32_t)table->n++;
}

/* ---- tenants and services ---- */

struct tenant *catalogue_tenant(const struct catalogue *catalogue, const char *name)
{
	for (size_t id = 1; id < catalogue->tenants.n; id++) {
		struct tenant *tenant = catalogue->tenants.items[id];

		if (tenant && strcmp(tenant->name, name) == 0)
			return tenant;
	}
	return NULL;
}

int catalogue_tenants(const struct catalogue *catalogue, const char *names,
		      struct tenant *ret_tenants[STORE_MAX_TENANTS], size_t *ret_n, struct err *err)
{
	char name[STORE_TENANT_MAX_BYTES + 1];
	size_t n = 0, len;

	for (size_t i = 0; *names; names += len + (names[len] != '\0')) {
		const char *bar = strchr(names, STORE_TENANT_BETWEEN);
		struct tenant *tenant;

		len = bar ? (size_t)(bar - names) : strlen(names);
		if (i++ == STORE_MAX_TENANTS || len > STORE_TENANT_MAX_BYTES)
			return err_set(err, ERR_LIMIT, "a query is for at most %d tenants",
				       STORE_MAX_TENANTS);
		memcpy(name, names, len);
		name[len] = '\0';
		tenant = catalogue_tenant(catalogue, name);
		if (tenant)
			ret_tenants[n++] = tenant;
	}
	*ret_n = n;
	return 0;
}

int catalogue_make_tenant(struct catalogue *catalogue, const char *name, struct tenant **ret_tenant,
			  struct err *err)
{
	struct tenant *tenant = catalogue_tenant(catalogue, name);

	if (!tenant && catalogue->tenants.n > CATALOGUE_MAX_TENANTS)
		return err_set(err, ERR_LIMIT, "the store holds %d tenants, its most",
			       CATALOGUE_MAX_TENANTS);
	if (!tenant) {
		tenant = xcalloc(1, sizeof(*tenant));
		tenant->name = xstrdup(name);
		tenant->id = table_add(&catalogue->tenants, tenant);
	}
	*ret_tenant = tenant;
	return 0;
}

struct service *catalogue_service(const struct catalogue *catalogue, const struct tenant *tenant,
				  const char *name)
{
	for (size_t id = 1; id < catalogue->services.n; id++) {
		struct service *service = catalogue->services.items[id];

		if (service && service->tenant == tenant && strcmp(service->name, name) == 0)
			return service;
	}
	return NULL;
}

struct service *catalogue_make_service(struct catalogue *catalogue, struct tenant *tenant,
				       const char *name)
{
	struct service *service = catalogue_service(catalogue, tenant, name);

	if (service)
		return service;
	service = xcalloc(1, sizeof(*service));
	service->name = xstrdup(name);
	service->tenant = tenant;
	pthread_mutex_init(&service->lock, NULL);
	service->id = table_add(&catalogue->services, service);
	return service;
}

/* ---- families and series ---- */

static struct family *find_family(const struct catalogue *catalogue, const struct service *service,
				  const struct series_key *key, const char *metric)
{
	for (size_t id = 1; id < catalogue->families.n; id++) {
		struct family *family = catalogue->families.items[id];

		if (family && family->service == service && family->is_gauge == key->is_gauge &&
		    strcmp(family->metric, metric) == 0 &&
		    strcmp(family->period_type, key->period_type) == 0 &&
		    strcmp(family->period_unit, key->period_unit) == 0)
			return family;
	}
	return NULL;
}

static struct family *make_family(struct catalogue *catalogue, const struct series_key *key)
{
	const char *name = labels_get(key->labels, LABEL_SERVICE);
	const char *metric = labels_get(key->labels, LABEL_METRIC);
	struct service *service = catalogue_make_service(catalogue, key->tenant, name ? name : "");
	struct family *family = find_family(catalogue, service, key, metric ? metric : "");

	if (family)
		return family;
	family = xcalloc(1, sizeof(*family));
	family->service = service;
	family->metric = xstrdup(metric ? metric : "");
	family->period_type = xstrdup(key->period_type);
	family->period_unit = xstrdup(key->period_unit);
	family->is_gauge = key->is_gauge;
	family->id = table_add(&catalogue->families, family);
	return family;
}

static bool is_series(const void *things, uint32_t id, const void *wanted)
{
	const struct catalogue *catalogue = things;
	const struct series *series = table_get(&catalogue->series, id);
	const struct series_key *key = wanted;
	const struct family *family = series ? series->family : NULL;

	return family && family->service->tenant == key->tenant &&
	       strcmp(series->text, key->text) == 0 && family->is_gauge == key->is_gauge &&
	       strcmp(family->period_type, key->period_type) == 0 &&
	       strcmp(family->period_unit, key->period_unit) == 0;
}

static uint64_t key_hash(const struct catalogue *catalogue, const struct series_key *key)
{
	return hash_bytes(catalogue->hash_seed + key->tenant->id, key->text, strlen(key->text));
}

void catalogue_add_series(struct catalogue *catalogue, struct series *series)
{
	struct family *family = series->family;
	const struct series_key key = {.tenant = family->service->tenant, .text = series->text};

	family->members = vec_grow(family->members, &family->members_cap, family->n_members + 1,
				   sizeof(struct series *));
	family->members[family->n_members++] = series;
	family->service->tenant->n_series++;
	idtab_add(&catalogue->series_by_key, key_hash(catalogue, &key), series->id);
}

static void copy_labels(struct arena *arena, const struct labels *from, struct labels *into)
{
	into->n = from->n;
	for (size_t i = 0; i < from->n; i++)
		into->items[i] = (struct label){
			arena_strndup(arena, from->items[i].name, strlen(from->items[i].name)),
			arena_strndup(arena, from->items[i].value, strlen(from->items[i].value)),
		};
}

int catalogue_make_series(struct catalogue *catalogue, const struct series_key *key,
			  uint32_t max_series, struct series **ret_series, struct err *err)
{
	uint32_t id = idtab_find(&catalogue->series_by_key, key_hash(catalogue, key), is_series,
				 catalogue, key);
	struct series *series;

	if (id != UINT32_MAX) {
		*ret_series = table_get(&catalogue->series, id);
		return 0;
	}
	if (key->tenant->n_series >= max_series)
		return err_because(err, ERR_LIMIT, "series_limit",
				   "tenant %s has %u series, its most: send fewer label values",
				   key->tenant->name, max_series);
	series = xcalloc(1, sizeof(*series));
	series->family = make_family(catalogue, key);
	series->text = xstrdup(key->text);
	series->first_ns = INT64_MAX;
	copy_labels(&catalogue->arena, key->labels, &series->labels);
	series->id = table_add(&catalogue->series, series);
	catalogue_add_series(catalogue, series);
	*ret_series = series;
	return 0;
}

bool catalogue_drop_series(struct catalogue *catalogue, struct series *series)
{
	struct family *family = series->family;

	if (atomic_load(&series->refs))
		return false;
	for (size_t i = 0; i < family->n_members; i++)
		if (family->members[i] == series)
			family->members[i] = family->members[--family->n_members];
	family->service->tenant->n_series--;
	catalogue->series.items[series->id] = NULL;
	catalogue->gone = vec_grow(catalogue->gone, &catalogue->gone_cap, catalogue->n_gone + 1,
				   sizeof(*catalogue->gone));
	catalogue->gone[catalogue->n_gone++] = series;
	return true;
}

uint32_t *family_owners(const struct family *family, size_t *ret_n)
{
	uint32_t *owners = xcalloc(family->n_members + 1, sizeof(*owners));

	for (size_t i = 0; i < family->n_members; i++)
		owners[i] = owner_of_series(family->members[i]);
	*ret_n = family->n_members;
	return owners;
}

/* ---- columns ---- */

static bool is_column(const struct column *column, const char *type, const char *unit,
		      const char *state)
{
	return strcmp(column->type, type) == 0 && strcmp(column->unit, unit) == 0 &&
	       strcmp(column->state, state) == 0;
}

static struct column *find_column(struct catalogue *catalogue, const char *type, const char *unit,
				  const char *state)
{
	for (size_t id = 1; id < catalogue->columns.n; id++) {
		struct column *column = catalogue->columns.items[id];

		if (column && is_column(column, type, unit, state))
			return column;
	}
	return NULL;
}

struct column *catalogue_add_column(const char *type, const char *unit, const char *state)
{
	struct column *column = xcalloc(1, sizeof(*column));

	column->type = xstrdup(type);
	column->unit = xstrdup(unit);
	column->state = xstrdup(state);
	column->unit_scale = store_unit_is_time(unit) ? 1000 : 1;
	return column;
}

static bool list_has(const uint32_t *list, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == id)
			return true;
	return false;
}

/* The series and its family have the column from now on. */
static int adopt_column(struct series *series, uint32_t column, struct err *err)
{
	struct family *family = series->family;

	if (list_has(series->columns, series->n_columns, column))
		return 0;
	if (!list_has(family->columns, family->n_columns, column)) {
		if (family->n_columns == PROFILE_MAX_COLUMNS)
			return err_set(err, ERR_LIMIT,
				       "%s of %s has values of %d types and states, its most",
				       family->metric, family->service->name, PROFILE_MAX_COLUMNS);
		family->columns[family->n_columns++] = column;
	}
	series->columns[series->n_columns++] = column;
	series->is_changed = true;
	return 0;
}

int catalogue_make_column(struct catalogue *catalogue, struct series *series, const char *type,
			  const char *unit, const char *state, uint32_t *ret_column,
			  struct err *err)
{
	struct column *column;
	int r;

	for (size_t i = 0; i < series->n_columns; i++) {
		column = table_get(&catalogue->columns, series->columns[i]);
		if (is_column(column, type, unit, state)) {
			*ret_column = column->id;
			return 0;
		}
	}
	column = find_column(catalogue, type, unit, state);
	if (!column && catalogue->columns.n > MAX_COLUMNS)
		return err_set(err, ERR_LIMIT, "the store knows %d types of values, its most",
			       MAX_COLUMNS);
	if (!column) {
		column = catalogue_add_column(type, unit, state);
		column->id = table_add(&catalogue->columns, column);
	}
	r = adopt_column(series, column->id, err);
	if (r == 0)
		*ret_column = column->id;
	return r;
}

/* ---- block files ---- */

static char *file_path(const struct catalogue *catalogue, const struct block_file *file)
{
	char period[16];
	char *path;

	level_period_name(file->level, file->period.from_ns, period);
	if (asprintf(&path, "%s/%u/%s/%s-%u.db", catalogue->blocks_dir, file->tenant->id,
		     levels[file->level].name, period, file->id) < 0)
		abort();
	return path;
}

struct block_file *catalogue_make_file(struct catalogue *catalogue, struct tenant *tenant,
				       int level, int64_t at_ns)
{
	struct store_range period = level_period(level, at_ns);
	struct block_file *file;

	for (size_t id = catalogue->files.n; id-- > 1;) {
		file = catalogue->files.items[id];
		if (file && file->tenant == tenant && file->level == level &&
		    file->period.from_ns == period.from_ns && file->state < FILE_DAMAGED)
			return file;
	}
	file = xcalloc(1, sizeof(*file));
	file->tenant = tenant;
	file->level = level;
	file->period = period;
	file->has_work = level < LEVEL_COUNT;
	file->id = table_add(&catalogue->files, file);
	file->path = file_path(catalogue, file);
	return file;
}

void catalogue_file_names_dict(struct block_file *file, uint32_t dict)
{
	if (list_has(file->dicts, file->n_dicts, dict))
		return;
	file->dicts =
		vec_grow(file->dicts, &file->dicts_cap, file->n_dicts + 1, sizeof(*file->dicts));
	file->dicts[file->n_dicts++] = dict;
	file->is_changed = true;
}

/* ---- the end ---- */

static void free_items(struct table *table, void (*done)(void *item))
{
	for (size_t id = 1; id < table->n; id++) {
		if (table->items[id] && done)
			done(table->items[id]);
		free(table->items[id]);
	}
	free(table->items);
	*table = (struct table){0};
}

static void tenant_done(void *item)
{
	free(((struct tenant *)item)->name);
}

static void service_done(void *item)
{
	struct service *service = item;

	pthread_mutex_destroy(&service->lock);
	free(service->name);
	free(service->dicts);
}

static void column_done(void *item)
{
	struct column *column = item;

	free(column->type);
	free(column->unit);
	free(column->state);
}

static void family_done(void *item)
{
	struct family *family = item;

	free(family->metric);
	free(family->period_type);
	free(family->period_unit);
	free(family->members);
}

static void series_done(void *item)
{
	free(((struct series *)item)->text);
	free(((struct series *)item)->span_counts);
}

static void file_done(void *item)
{
	struct block_file *file = item;

	free(file->path);
	free(file->dicts);
}

void catalogue_close(struct catalogue *catalogue)
{
	if (catalogue->db)
		sqlite3_close(catalogue->db);
	free_items(&catalogue->tenants, tenant_done);
	free_items(&catalogue->services, service_done);
	free_items(&catalogue->columns, column_done);
	free_items(&catalogue->families, family_done);
	free_items(&catalogue->series, series_done);
	for (size_t i = 0; i < catalogue->n_gone; i++) {
		series_done(catalogue->gone[i]);
		free(catalogue->gone[i]);
	}
	free(catalogue->gone);
	free_items(&catalogue->files, file_done);
	free(catalogue->dicts.items); /* dictionaries themselves belong to dict.c */
	idtab_done(&catalogue->series_by_key);
	arena_done(&catalogue->arena);
	free(catalogue->blocks_dir);
	*catalogue = (struct catalogue){0};
}
