/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A count is found by the hash of its stack and its sample type: names differ from request to request, texts
 * do not.  Counts of a series lie sorted by that hash, so that a profile, sorted alike, is compared with them in one
 * walk.  The hash is seeded with a secret of the process: nobody outside can make two stacks meet.
 */
#include "server/delta.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/vec.h"
#include "profile/hash.h"
#include "store/store.h"

#define BUCKETS 4096 /* a power of two; at 5,000 series a tenant chains stay short */
/* All tenants together: more of them than this at their limit share what there is. */
#define TENANTS_AT_LIMIT 4
/* Names of tenants come from clients: of more than this the one that came first is forgotten. */
#define MAX_TENANTS 1000
#define KEY_MAX_BYTES ((size_t)256 << 10) /* thirty labels of the greatest length, escaped */

struct count {
	uint64_t key;
	int64_t value;
};

/* One count of a profile, with its place there. */
struct found {
	struct count count;
	uint32_t node;
	uint32_t column;
};

struct found_list {
	struct found *items;
	size_t n;
};

struct tenant {
	char *name;
	size_t bytes;
	struct series *newest, *oldest; /* by their last profile */
	struct tenant *next;
};

struct series {
	struct tenant *tenant;
	char *key; /* labels as text */
	uint64_t hash;
	int64_t time_ns;   /* of the base */
	int64_t before_ns; /* of the one before it: what delta_undo() goes back to */
	struct count *counts;
	size_t n, bytes;
	struct series *next; /* in its bucket */
	struct series *newer, *older;
};

struct delta_table {
	pthread_mutex_t lock;
	size_t max_tenant_bytes;
	uint64_t seed;
	struct series *buckets[BUCKETS];
	struct tenant *tenants; /* the newest first */
	size_t n_tenants;
	struct delta_stats stats;
};

struct delta_table *delta_table_new(size_t max_bytes_per_tenant)
{
	struct delta_table *table = xcalloc(1, sizeof(*table));

	pthread_mutex_init(&table->lock, NULL);
	table->max_tenant_bytes = max_bytes_per_tenant;
	table->seed = hash_seed();
	return table;
}

static void free_series(struct series *series)
{
	free(series->key);
	free(series->counts);
	free(series);
}

void delta_table_free(struct delta_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (table->buckets[i]) {
			struct series *series = table->buckets[i];

			table->buckets[i] = series->next;
			free_series(series);
		}
	while (table->tenants) {
		struct tenant *tenant = table->tenants;

		table->tenants = tenant->next;
		free(tenant->name);
		free(tenant);
	}
	pthread_mutex_destroy(&table->lock);
	free(table);
}

/* ---- counts of a profile ---- */

static uint64_t hash_text(uint64_t seed, const struct names *names, struct str_id id)
{
	size_t len;
	const char *text = names_text(names, id, &len);

	return hash_bytes(seed, text, len);
}

static uint64_t hash_frame(uint64_t seed, const struct names *names, uint32_t id)
{
	const struct frame *frame = names_frame_get(names, (struct frame_id){id});
	const uint64_t parts[] = {
		hash_text(seed, names, frame->name),
		hash_text(seed, names, frame->qualname),
		hash_text(seed, names, frame->file),
		hash_text(seed, names, frame->module),
		hash_text(seed, names, frame->build_id),
		frame->address,
		(uint64_t)frame->line << 32 | frame->first_line,
		(uint64_t)frame->column << 8 | frame->kind,
	};

	return hash_bytes(seed, parts, sizeof(parts));
}

static uint64_t hash_two(uint64_t seed, uint64_t a, uint64_t b)
{
	const uint64_t parts[] = {a, b};

	return hash_bytes(seed, parts, sizeof(parts));
}

/* Of every node's path. */
static uint64_t *hash_stacks(uint64_t seed, const struct profile *profile)
{
	const struct tree *tree = &profile->tree;
	uint64_t *stacks = xcalloc(tree->n + 1u, sizeof(*stacks));

	for (uint32_t node = 1; node < tree->n; node++)
		stacks[node] = hash_two(seed, stacks[tree->parent[node]],
					hash_frame(seed, profile->names, tree->frame[node]));
	return stacks;
}

static int compare_found(const void *a, const void *b)
{
	uint64_t left = ((const struct found *)a)->count.key;
	uint64_t right = ((const struct found *)b)->count.key;

	return left < right ? -1 : left > right;
}

static void add_column(struct found_list *list, size_t *cap, uint64_t seed,
		       const struct profile *profile, uint32_t column, const uint64_t *stacks)
{
	const struct sample_type *type = &profile->columns[column].type;
	uint64_t kind = hash_two(seed, hash_text(seed, profile->names, type->type),
				 hash_text(seed, profile->names, type->unit));

	for (uint32_t node = 0; node < profile->tree.n; node++) {
		int64_t value = profile_value(profile, column, (struct node_id){node});

		if (!value)
			continue;
		list->items = vec_grow(list->items, cap, list->n + 1, sizeof(*list->items));
		list->items[list->n++] =
			(struct found){{hash_two(seed, kind, stacks[node]), value}, node, column};
	}
}

static struct found_list list_counts(uint64_t seed, const struct profile *profile)
{
	struct found_list list = {0};
	uint64_t *stacks = hash_stacks(seed, profile);
	size_t cap = 0;

	for (uint32_t column = 0; column < profile->n_columns; column++)
		add_column(&list, &cap, seed, profile, column, stacks);
	free(stacks);
	if (list.n)
		qsort(list.items, list.n, sizeof(*list.items), compare_found);
	return list;
}

/* ---- series, under the lock ---- */

static void unlink_series(struct series *series)
{
	struct tenant *tenant = series->tenant;

	*(series->newer ? &series->newer->older : &tenant->newest) = series->older;
	*(series->older ? &series->older->newer : &tenant->oldest) = series->newer;
	series->newer = series->older = NULL;
}

static void make_newest(struct series *series)
{
	struct tenant *tenant = series->tenant;

	series->older = tenant->newest;
	*(tenant->newest ? &tenant->newest->newer : &tenant->oldest) = series;
	tenant->newest = series;
}

static void account(struct delta_table *table, struct series *series, size_t bytes)
{
	series->tenant->bytes += bytes - series->bytes;
	table->stats.bytes += bytes - series->bytes;
	series->bytes = bytes;
}

static void forget(struct delta_table *table, struct series *series)
{
	struct series **at = &table->buckets[series->hash % BUCKETS];

	while (*at != series)
		at = &(*at)->next;
	*at = series->next;
	unlink_series(series);
	account(table, series, 0);
	table->stats.series--;
	table->stats.forgotten++;
	free_series(series);
}

static struct tenant *largest_tenant(struct delta_table *table)
{
	struct tenant *largest = table->tenants;

	for (struct tenant *tenant = table->tenants; tenant; tenant = tenant->next)
		if (tenant->bytes > largest->bytes)
			largest = tenant;
	return largest;
}

static void make_room(struct delta_table *table, struct tenant *tenant)
{
	while (tenant->bytes > table->max_tenant_bytes)
		forget(table, tenant->oldest);
	while (table->stats.bytes > TENANTS_AT_LIMIT * table->max_tenant_bytes)
		forget(table, largest_tenant(table)->oldest);
}

static void forget_oldest_tenant(struct delta_table *table)
{
	struct tenant **at = &table->tenants, *tenant;

	while ((*at)->next)
		at = &(*at)->next;
	tenant = *at;
	while (tenant->oldest)
		forget(table, tenant->oldest);
	*at = NULL;
	table->n_tenants--;
	free(tenant->name);
	free(tenant);
}

static struct tenant *find_tenant(struct delta_table *table, const char *name)
{
	struct tenant *tenant = table->tenants;

	while (tenant && strcmp(tenant->name, name) != 0)
		tenant = tenant->next;
	if (tenant)
		return tenant;
	if (table->n_tenants == MAX_TENANTS)
		forget_oldest_tenant(table);
	table->n_tenants++;
	tenant = xcalloc(1, sizeof(*tenant));
	tenant->name = xstrdup(name);
	tenant->next = table->tenants;
	table->tenants = tenant;
	return tenant;
}

static struct series *find_series(struct delta_table *table, const struct tenant *tenant,
				  uint64_t hash, const char *key)
{
	struct series *series = table->buckets[hash % BUCKETS];

	while (series &&
	       (series->hash != hash || series->tenant != tenant || strcmp(series->key, key) != 0))
		series = series->next;
	return series;
}

static struct series *add_series(struct delta_table *table, struct tenant *tenant, uint64_t hash,
				 const char *key)
{
	struct series *series = xcalloc(1, sizeof(*series));

	series->tenant = tenant;
	series->key = xstrdup(key);
	series->hash = hash;
	series->next = table->buckets[hash % BUCKETS];
	table->buckets[hash % BUCKETS] = series;
	make_newest(series);
	table->stats.series++;
	return series;
}

static void set_counts(struct delta_table *table, struct series *series, struct count *counts,
		       size_t n)
{
	free(series->counts);
	series->counts = counts;
	series->n = n;
	unlink_series(series);
	make_newest(series);
	account(table, series, sizeof(*series) + strlen(series->key) + n * sizeof(*counts));
	make_room(table, series->tenant);
}

/* ---- comparing ---- */

static void set_base(struct delta_table *table, struct series *series, int64_t time_ns,
		     const struct found_list *list)
{
	struct count *counts = xcalloc(list->n + 1, sizeof(*counts));

	for (size_t i = 0; i < list->n; i++)
		counts[i] = list->items[i].count;
	series->time_ns = time_ns;
	set_counts(table, series, counts, list->n);
}

static bool went_back(const struct series *series, const struct found_list *list)
{
	size_t at = 0;

	for (size_t i = 0; i < list->n; i++) {
		while (at < series->n && series->counts[at].key < list->items[i].count.key)
			at++;
		if (at < series->n && series->counts[at].key == list->items[i].count.key &&
		    series->counts[at].value > list->items[i].count.value)
			return true;
	}
	return false;
}

/* The profile's values become differences; both lists united are the new base. */
static void subtract(struct delta_table *table, struct series *series,
		     const struct found_list *list, struct profile *profile)
{
	struct count *all = xcalloc(series->n + list->n + 1, sizeof(*all));
	size_t n = 0, at = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct found *found = &list->items[i];
		int64_t before = 0;

		while (at < series->n && series->counts[at].key < found->count.key)
			all[n++] = series->counts[at++];
		if (at < series->n && series->counts[at].key == found->count.key)
			before = series->counts[at++].value;
		profile->columns[found->column].values[found->node] = found->count.value - before;
		all[n++] = found->count;
	}
	while (at < series->n)
		all[n++] = series->counts[at++];
	set_counts(table, series, all, n);
}

static bool take_difference(struct delta_table *table, struct series *series,
			    const struct found_list *list, struct profile *profile)
{
	int64_t time_ns = profile->start_ns, from_ns = series->time_ns;

	if (time_ns <= from_ns) {
		table->stats.late++;
		return false;
	}
	if (went_back(series, list)) {
		table->stats.restarts++;
		set_base(table, series, time_ns, list);
		return false;
	}
	/* Longer than a profile may be: it is counted all the same, as of the last day. */
	if (time_ns - from_ns > STORE_MAX_DURATION_NS)
		from_ns = time_ns - STORE_MAX_DURATION_NS;
	profile->start_ns = from_ns;
	profile->duration_ns = time_ns - from_ns;
	series->before_ns = series->time_ns;
	series->time_ns = time_ns; /* now: subtract() may forget the series */
	subtract(table, series, list, profile);
	table->stats.counted++;
	return true;
}

/* ---- calls ---- */

static void format_key(const struct labels *labels, struct buf *out)
{
	buf_init(out, KEY_MAX_BYTES);
	labels_format(labels, out);
}

bool delta_take(struct delta_table *table, const char *tenant_name, const struct labels *labels,
		struct profile *profile)
{
	struct found_list list = list_counts(table->seed, profile);
	struct tenant *tenant;
	struct series *series;
	struct buf key;
	uint64_t hash;
	bool counts = false;

	format_key(labels, &key);
	hash = hash_bytes(table->seed, key.data, key.len);
	pthread_mutex_lock(&table->lock);
	tenant = find_tenant(table, tenant_name);
	series = find_series(table, tenant, hash, key.data);
	if (series) {
		counts = take_difference(table, series, &list, profile);
	} else {
		table->stats.bases++;
		set_base(table, add_series(table, tenant, hash, key.data), profile->start_ns,
			 &list);
	}
	pthread_mutex_unlock(&table->lock);
	buf_done(&key);
	free(list.items);
	return counts;
}

static void give_back(struct series *series, const struct found_list *list)
{
	size_t at = 0;

	for (size_t i = 0; i < list->n; i++) {
		while (at < series->n && series->counts[at].key < list->items[i].count.key)
			at++;
		if (at < series->n && series->counts[at].key == list->items[i].count.key)
			series->counts[at].value -= list->items[i].count.value;
	}
}

void delta_undo(struct delta_table *table, const char *tenant_name, const struct labels *labels,
		const struct profile *profile)
{
	struct found_list list = list_counts(table->seed, profile);
	struct series *series;
	struct buf key;

	format_key(labels, &key);
	pthread_mutex_lock(&table->lock);
	series = find_series(table, find_tenant(table, tenant_name),
			     hash_bytes(table->seed, key.data, key.len), key.data);
	if (series) {
		give_back(series, &list);
		/* Unless a later one was counted meanwhile: the next one counts this as well then. */
		if (series->time_ns == profile->start_ns + profile->duration_ns)
			series->time_ns = series->before_ns;
		table->stats.counted--;
	}
	pthread_mutex_unlock(&table->lock);
	buf_done(&key);
	free(list.items);
}

void delta_stats(struct delta_table *table, struct delta_stats *ret_stats)
{
	pthread_mutex_lock(&table->lock);
	*ret_stats = table->stats;
	pthread_mutex_unlock(&table->lock);
}
