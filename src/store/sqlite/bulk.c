/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bulk writer: the writer's own batches and roll-ups, called by whoever fills the store.
 *
 * The store's clock is the start of the newest profile, so that windows are due as soon as the profiles have
 * gone past them, whatever the time of day is.
 */
#include "store/sqlite/store_bulk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "store/sqlite/store_private.h"
#include "store/sqlite/turn.h"

#define BATCH_MAX_ITEMS 4096
#define BATCH_MAX_BYTES ((size_t)16 << 20)
#define CHECKPOINT_BYTES ((int64_t)64 << 20)

/* From nodes of a caller's tree to those of a dictionary, found as they are needed. */
struct bulk_map {
	const struct profile *source;
	struct dict *dict;
	uint32_t *nodes; /* 0: not yet */
	size_t cap;
	struct names_map frames;
};

struct bulk_series {
	struct item item; /* what all its profiles have in common */
	const struct profile *source;
	struct bulk_map *map; /* of the present month */
	int month;
};

struct store_bulk {
	struct sqlite_store *store;
	struct store_clock clock;
	int64_t now_ns;
	struct bulk_series **series;
	size_t n_series, series_cap;
	struct bulk_map **maps;
	size_t n_maps, maps_cap;
	struct item *items, **end;
	size_t n_items, bytes;
	struct err failure; /* the first */
};

static int64_t bulk_now(void *ctx)
{
	return ((const struct store_bulk *)ctx)->now_ns;
}

int store_bulk_open(const struct store_config *config, struct store_bulk **ret_bulk,
		    struct err *err)
{
	struct store_bulk *bulk = xcalloc(1, sizeof(*bulk));
	struct store_config own = *config;
	int r;

	bulk->end = &bulk->items;
	bulk->clock = (struct store_clock){bulk_now, bulk};
	own.clock = &bulk->clock;
	r = store_open_idle(&own, &bulk->store, err);
	if (r == 0) {
		bulk->store->files.is_bulk = true;
		r = sql_exec(bulk->store->catalogue.db, "PRAGMA synchronous=OFF", err);
		if (r < 0)
			store_free(bulk->store);
	}
	if (r < 0) {
		free(bulk);
		return r;
	}
	*ret_bulk = bulk;
	return 0;
}

int store_bulk_series(struct store_bulk *bulk, const struct store_profile *like,
		      struct bulk_series **ret_series, struct err *err)
{
	struct sqlite_store *store = bulk->store;
	cleanup(buf_done) struct buf text = {0};
	struct bulk_series *series;
	struct item item = {.kind = ITEM_PROFILE};
	int r;

	buf_init(&text, LABELS_MAX * 6 * (LABEL_NAME_MAX_BYTES + LABEL_VALUE_MAX_BYTES));
	labels_format(like->labels, &text);
	pthread_mutex_lock(&store->lock);
	r = item_place(store, like, text.data, &item, err);
	if (r == 0)
		item.series->period = like->profile->period;
	pthread_mutex_unlock(&store->lock);
	if (r < 0)
		return r;
	series = xcalloc(1, sizeof(*series));
	*series = (struct bulk_series){.item = item, .source = like->profile};
	bulk->series = vec_grow(bulk->series, &bulk->series_cap, bulk->n_series + 1,
				sizeof(struct bulk_series *));
	*ret_series = bulk->series[bulk->n_series++] = series;
	return 0;
}

/* ---- stacks ---- */

static struct bulk_map *map_of(struct store_bulk *bulk, const struct profile *source,
			       struct dict *dict)
{
	struct bulk_map *map;

	for (size_t i = 0; i < bulk->n_maps; i++)
		if (bulk->maps[i]->source == source && bulk->maps[i]->dict == dict)
			return bulk->maps[i];
	map = xcalloc(1, sizeof(*map));
	*map = (struct bulk_map){.source = source, .dict = dict};
	atomic_fetch_add(&dict->refs, 1); /* it stays in memory: the map is of its ids */
	bulk->maps =
		vec_grow(bulk->maps, &bulk->maps_cap, bulk->n_maps + 1, sizeof(struct bulk_map *));
	return bulk->maps[bulk->n_maps++] = map;
}

static void maps_free(struct store_bulk *bulk)
{
	for (size_t i = 0; i < bulk->n_maps; i++) {
		struct bulk_map *map = bulk->maps[i];

		atomic_fetch_sub(&map->dict->refs, 1);
		names_map_done(&map->frames);
		free(map->nodes);
		free(map);
	}
	bulk->n_maps = 0;
}

static void map_make_room(struct bulk_map *map)
{
	size_t old = map->cap, n = map->source->tree.n;

	if (old >= n)
		return;
	map->nodes = vec_grow(map->nodes, &map->cap, n, sizeof(*map->nodes));
	memset(map->nodes + old, 0, (map->cap - old) * sizeof(*map->nodes));
}

/* The node and what lies above it; parents come before children, so the way up ends. */
static uint32_t map_node(struct sqlite_store *store, struct bulk_map *map, uint32_t node)
{
	const struct tree *tree = &map->source->tree;
	struct node_id child = {DICT_OVER_LIMIT};
	uint32_t parent;

	if (!node || map->nodes[node])
		return map->nodes[node];
	parent = map_node(store, map, tree->parent[node]);
	if (parent != DICT_OVER_LIMIT &&
	    !tree_try_child(&map->dict->tree, (struct node_id){parent},
			    names_import(map->dict->names, &map->frames, map->source->names,
					 (struct frame_id){tree->frame[node]}),
			    &child)) {
		child.v = DICT_OVER_LIMIT;
		store->counters.over_limit_stacks++;
	}
	return map->nodes[node] = child.v;
}

/* The dictionary for `at_ns`, and the way into it. */
static int find_map(struct store_bulk *bulk, struct bulk_series *series, int64_t at_ns,
		    struct err *err)
{
	struct service *service = series->item.series->family->service;
	int month = level_month(at_ns);
	struct dict *dict;
	int r;

	if (series->map && month == series->month && !dict_is_full(series->map->dict))
		return 0;
	r = dict_for_month(bulk->store, service, month, &dict, err);
	if (r < 0)
		return r;
	series->map = map_of(bulk, series->source, dict);
	series->month = month;
	return 0;
}

struct place {
	uint32_t node, at;
};

static int by_node(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->node > y->node) - (x->node < y->node);
}

/* Sorted by number; what is there more than once, or became one over the limit, is added. */
static void fill_item(struct item *item, const struct place *places,
		      const struct bulk_profile *profile)
{
	size_t room = (size_t)profile->n_nodes + 1;
	int64_t *values = xcalloc(room * item->n_columns, sizeof(*values));
	uint32_t kept = 0;

	item->nodes = xcalloc(room, sizeof(*item->nodes));
	for (size_t c = 0; c < item->n_columns; c++)
		item->values[c] = values + c * room;
	for (uint32_t i = 0; i < profile->n_nodes; i++) {
		if (kept && item->nodes[kept - 1] == places[i].node)
			kept--;
		item->nodes[kept] = places[i].node;
		for (size_t c = 0; c < item->n_columns; c++)
			item->values[c][kept] =
				sum_of(item->values[c][kept], profile->values[c][places[i].at]);
		kept++;
	}
	item->n_nodes = kept;
	item->bytes = sizeof(*item) + room * (4 + 8 * item->n_columns);
}

static int make_item(struct store_bulk *bulk, struct bulk_series *series,
		     const struct bulk_profile *profile, struct item *item, struct err *err)
{
	struct service *service = series->item.series->family->service;
	cleanup_free struct place *places = xcalloc(profile->n_nodes + 1u, sizeof(*places));
	bool is_sorted = true;
	int r;

	pthread_mutex_lock(&service->lock);
	r = find_map(bulk, series, profile->start_ns, err);
	if (r == 0)
		map_make_room(series->map);
	for (uint32_t i = 0; i < profile->n_nodes && r == 0; i++) {
		places[i] =
			(struct place){map_node(bulk->store, series->map, profile->nodes[i]), i};
		is_sorted = is_sorted && (!i || places[i].node > places[i - 1].node);
	}
	pthread_mutex_unlock(&service->lock);
	if (r < 0)
		return r;
	if (!is_sorted)
		qsort(places, profile->n_nodes, sizeof(*places), by_node);
	item->dict = series->map->dict;
	atomic_fetch_add(&item->dict->refs, 1);
	fill_item(item, places, profile);
	return 0;
}

/* ---- batches ---- */

static void on_done(void *ctx, int code, const char *text)
{
	struct store_bulk *bulk = ctx;

	if (code < 0 && !bulk->failure.code)
		err_set(&bulk->failure, code, "%s", text);
}

/* What stopped roll-ups, which have nobody to tell. */
static void note_state(struct store_bulk *bulk)
{
	const struct sqlite_store *store = bulk->store;

	if (bulk->failure.code)
		return;
	if (store->failed)
		err_set(&bulk->failure, store->failed, "%s cannot be written: check the disk",
			store->dir);
	else if (store->is_full)
		err_set(&bulk->failure, -ENOSPC, "the disk is full: free some space under %s",
			store->dir);
}

/* Write what waits, sum up what is over. */
static int flush(struct store_bulk *bulk, struct err *err)
{
	struct sqlite_store *store = bulk->store;
	struct item *items = bulk->items;

	bulk->items = NULL;
	bulk->end = &bulk->items;
	bulk->n_items = bulk->bytes = 0;
	turn_take(store->lock_fd);
	if (items)
		writer_batch(store, items);
	rollup_begin_families(store);
	while (!store->failed && !store->is_full && rollup_step(store, true))
		;
	files_checkpoint(&store->files, CHECKPOINT_BYTES, false);
	turn_end(store->lock_fd);
	dicts_evict(store);
	note_state(bulk);
	return bulk->failure.code ? err_set(err, bulk->failure.code, "%s", bulk->failure.text) : 0;
}

static int check(const struct bulk_series *series, const struct bulk_profile *profile,
		 struct err *err)
{
	int64_t duration = profile->duration_ns;

	if (profile->start_ns < 0 || duration <= 0 || duration > STORE_MAX_DURATION_NS ||
	    profile->start_ns > INT64_MAX - duration)
		return err_set(err, ERR_USAGE, "a profile lasts more than 0 s and at most 24 h");
	for (uint32_t i = 0; i < profile->n_nodes; i++) {
		if (profile->nodes[i] >= series->source->tree.n)
			return err_set(err, ERR_USAGE, "the tree has no stack %u",
				       profile->nodes[i]);
		for (size_t c = 0; c < series->item.n_columns; c++)
			if (profile->values[c][i] < 0)
				return err_set(err, ERR_USAGE, "a profile holds a negative value");
	}
	return 0;
}

int store_bulk_put(struct store_bulk *bulk, struct bulk_series *series,
		   const struct bulk_profile *profile, struct err *err)
{
	struct sqlite_store *store = bulk->store;
	struct item *item;
	int r = check(series, profile, err);

	if (r < 0)
		return r;
	item = xcalloc(1, sizeof(*item));
	*item = series->item;
	item->start_ns = profile->start_ns;
	item->duration_ns = profile->duration_ns;
	item->n_samples = max_of(profile->n_samples, 0);
	item->done = on_done;
	item->ctx = bulk;
	r = make_item(bulk, series, profile, item, err);
	if (r < 0) {
		item_free(item);
		return r;
	}
	pthread_mutex_lock(&store->lock);
	item_note_times(item, item->series->period);
	pthread_mutex_unlock(&store->lock);
	*bulk->end = item;
	bulk->end = &item->next;
	bulk->n_items++;
	bulk->bytes += item->bytes;
	bulk->now_ns = max_of(bulk->now_ns, profile->start_ns);
	if (bulk->n_items < BATCH_MAX_ITEMS && bulk->bytes < BATCH_MAX_BYTES)
		return 0;
	return flush(bulk, err);
}

int64_t store_bulk_bytes(struct store_bulk *bulk)
{
	struct store *store = &bulk->store->base;
	struct store_stats stats;

	store->ops->stats(store, &stats);
	return (int64_t)stats.bytes_on_disk;
}

/* ---- the end ---- */

/* Times of series are written with the rest, not looked for at the next start. */
static int save_times(struct store_bulk *bulk, struct err *err)
{
	for (size_t i = 0; i < bulk->n_series; i++)
		bulk->series[i]->item.series->is_changed = true;
	return writer_save_catalogue(bulk->store, NULL, err);
}

static int finish(struct store_bulk *bulk, struct err *err)
{
	int r = flush(bulk, err);

	/* The last windows, as far as they are over by a true clock. */
	if (r == 0) {
		bulk->now_ns = clock_real_ns();
		r = flush(bulk, err);
	}
	/* Files that are over need not be looked into when the store opens; what is too old goes. */
	if (r == 0) {
		turn_take(bulk->store->lock_fd);
		(void)retention_step(bulk->store, true);
		turn_end(bulk->store->lock_fd);
		note_state(bulk);
		r = bulk->failure.code;
	}
	return r == 0 ? save_times(bulk, err) : err_set(err, r, "%s", bulk->failure.text);
}

int store_bulk_close(struct store_bulk *bulk, struct err *err)
{
	cleanup_fd int fd = -1;
	int r;

	if (!bulk)
		return 0;
	r = finish(bulk, err);
	maps_free(bulk);
	for (size_t i = 0; i < bulk->n_series; i++)
		free(bulk->series[i]);
	free(bulk->series);
	free(bulk->maps);
	fd = fcntl(bulk->store->lock_fd, F_DUPFD_CLOEXEC, 0); /* the lock is held until then */
	store_free(bulk->store);
	free(bulk);
	/* Every file with its name and without its log, none of which was synced one by one. */
	if (fd < 0 || syncfs(fd) < 0)
		return r < 0 ? r : err_sys(err, -errno, "cannot put the store on disk");
	return r;
}
