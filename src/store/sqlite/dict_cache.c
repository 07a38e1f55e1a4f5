/* SPDX-License-Identifier: Apache-2.0 */
/* Which dictionary, and which of them stay in memory. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/vec.h"
#include "store/sqlite/store_private.h"

/* Dictionaries in use may pass this; it is what those out of use may add up to. */
#define DICTS_KEEP_BYTES ((size_t)256 << 20)

static int load(struct sqlite_store *store, struct dict *dict, struct err *err)
{
	int r;

	if (dict->names) {
		dict->used_ns = clock_monotonic_ns();
		return 0;
	}
	pthread_mutex_lock(&store->dict_reader_lock);
	r = dict_load(dict, store->dict_reader, store->config.max_stack_nodes, err);
	pthread_mutex_unlock(&store->dict_reader_lock);
	return r;
}

static struct dict *make_dict(struct sqlite_store *store, struct service *service, int month,
			      int part)
{
	struct dict *dict = dict_new(service, 0, month, part);

	dict_begin(dict, store->config.max_stack_nodes);
	dict->used_ns = clock_monotonic_ns();
	pthread_mutex_lock(&store->lock);
	dict->id = table_add(&store->catalogue.dicts, dict);
	pthread_mutex_unlock(&store->lock);
	return dict;
}

int dict_for_month(struct sqlite_store *store, struct service *service, int month,
		   struct dict **ret_dict, struct err *err)
{
	struct dict *last = NULL;
	int r;

	for (size_t i = 0; i < service->n_dicts; i++)
		if (service->dicts[i]->month == month &&
		    (!last || service->dicts[i]->part > last->part))
			last = service->dicts[i];
	if (!last) {
		*ret_dict = make_dict(store, service, month, 0);
		return 0;
	}
	r = load(store, last, err);
	if (r < 0)
		return r;
	if (dict_is_full(last) && last->part + 1 < DICT_MAX_PARTS)
		last = make_dict(store, service, month, last->part + 1);
	*ret_dict = last;
	return 0;
}

int dict_lock(struct sqlite_store *store, uint32_t id, struct dict **ret_dict, struct err *err)
{
	struct service *service = NULL;
	struct dict *dict;
	int r;

	/* Retention may delete one between two looks: it takes both locks to do so. */
	pthread_mutex_lock(&store->lock);
	dict = table_get(&store->catalogue.dicts, id);
	if (dict)
		service = dict->service;
	pthread_mutex_unlock(&store->lock);
	if (!service)
		return err_set(err, ERR_CORRUPT, "dictionary %u is not in the catalogue", id);
	pthread_mutex_lock(&service->lock);
	pthread_mutex_lock(&store->lock);
	dict = table_get(&store->catalogue.dicts, id);
	pthread_mutex_unlock(&store->lock);
	r = dict ? load(store, dict, err)
		 : err_set(err, ERR_CORRUPT, "dictionary %u was deleted", id);
	if (r < 0) {
		pthread_mutex_unlock(&service->lock);
		return r;
	}
	*ret_dict = dict;
	return 0;
}

void dict_unlock(struct dict *dict)
{
	pthread_mutex_unlock(&dict->service->lock);
}

static bool is_saved(const struct dict *dict)
{
	return dict->saved.nodes == dict->tree.n &&
	       dict->saved.frames == names_frame_count(dict->names) &&
	       dict->saved.strings == names_str_count(dict->names);
}

bool dict_is_saved(struct dict *dict)
{
	bool yes;

	if (!dict)
		return true;
	pthread_mutex_lock(&dict->service->lock);
	yes = is_saved(dict);
	pthread_mutex_unlock(&dict->service->lock);
	return yes;
}

int dicts_save(struct sqlite_store *store, struct item *items, struct err *err)
{
	int r = 0;

	for (struct item *item = items; item && r == 0; item = item->next) {
		struct dict *dict = item->dict;

		if (!dict)
			continue;
		pthread_mutex_lock(&dict->service->lock);
		if (!is_saved(dict)) {
			struct dict_counts counts;

			r = dict_save(dict, store->catalogue.db, &counts, err);
			/* Undone by dicts_forget() when the transaction fails. */
			if (r == 0)
				dict_set_saved(dict, counts);
		}
		pthread_mutex_unlock(&dict->service->lock);
	}
	return r;
}

void dicts_forget(struct item *items)
{
	for (struct item *item = items; item; item = item->next) {
		if (!item->dict)
			continue;
		pthread_mutex_lock(&item->dict->service->lock);
		dict_set_saved(item->dict, (struct dict_counts){0});
		pthread_mutex_unlock(&item->dict->service->lock);
	}
}

static int by_use(const void *a, const void *b)
{
	const struct dict *x = *(struct dict *const *)a, *y = *(struct dict *const *)b;

	return (x->used_ns > y->used_ns) - (x->used_ns < y->used_ns);
}

void dicts_evict(struct sqlite_store *store)
{
	struct table *table = &store->catalogue.dicts;
	struct dict **dicts;
	size_t n = 0, bytes = 0;

	pthread_mutex_lock(&store->lock);
	dicts = xcalloc(table->n + 1, sizeof(struct dict *));
	for (size_t id = 1; id < table->n; id++)
		if (table->items[id])
			dicts[n++] = table->items[id];
	pthread_mutex_unlock(&store->lock);
	qsort(dicts, n, sizeof(*dicts), by_use);
	/* From the one used last: what is past the budget goes. */
	while (n-- > 0) {
		if (pthread_mutex_trylock(&dicts[n]->service->lock) != 0)
			continue;
		bytes += dict_bytes(dicts[n]);
		if (bytes > DICTS_KEEP_BYTES)
			(void)dict_evict(dicts[n]);
		pthread_mutex_unlock(&dicts[n]->service->lock);
	}
	free(dicts);
}
