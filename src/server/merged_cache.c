/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   1. `lock` guards the list and every refs; `use` of an entry is held by the thread it is lent to.
 *   2. `use` is taken without `lock`; an entry with refs is never freed.
 *   3. An entry is complete before it is in the list.
 */
#include "server/merged_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"

#define SETTLED_AFTER_NS (120 * NS_PER_S)
#define FRESH_NS (1 * NS_PER_S)
#define SETTLED_FRESH_NS (60 * NS_PER_S)

struct cached {
	struct merged_entry pub; /* first */
	char *tenant, *text;
	struct store_range range;
	char *unit;
	int64_t expires_ns; /* monotonic */
	unsigned int refs;  /* lent or waited for */
	bool is_listed;
	pthread_mutex_t use;
	struct cached *next; /* most recently used first */
};

struct merged_cache {
	struct store *store;
	pthread_mutex_t lock;
	struct cached *list;
	uint64_t hits, misses;
};

struct merged_cache *merged_cache_new(struct store *store)
{
	struct merged_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		abort();
	cache->store = store;
	pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

static void cached_free(struct cached *cached)
{
	store_merged_done(&cached->pub.merged);
	pthread_mutex_destroy(&cached->use);
	free(cached->tenant);
	free(cached->text);
	free(cached->unit);
	free(cached);
}

void merged_cache_free(struct merged_cache *cache)
{
	if (!cache)
		return;
	while (cache->list) {
		struct cached *cached = cache->list;

		cache->list = cached->next;
		cached_free(cached);
	}
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

/* ---- loading: no lock held ---- */

/* The parts of "name:type:unit:…" that the query asks for; "" where it does not say. */
static void asked_type(const struct store_query *query, char type[64], char unit[64])
{
	type[0] = unit[0] = '\0';
	for (size_t i = 0; i < query->selector->n; i++) {
		const struct matcher *matcher = &query->selector->items[i];

		if (matcher->op == MATCH_EQ && strcmp(matcher->name, LABEL_TYPE) == 0)
			(void)sscanf(matcher->value, "%*[^:]:%63[^:]:%63[^:]", type, unit);
	}
}

/* Sums of levels become the mean of each series, summed over the series. */
static void average(struct store_merged *merged)
{
	struct profile *profile = merged->profile;
	double factor = merged->n_profiles > 0
				? (double)max_of(merged->n_series, 1u) / (double)merged->n_profiles
				: 1;

	for (size_t c = 0; c < profile->n_columns; c++)
		for (uint32_t i = 0; i < profile->tree.n && i < profile->columns[c].cap; i++)
			profile->columns[c].values[i] =
				(int64_t)((double)profile->columns[c].values[i] * factor);
}

static int load(struct merged_cache *cache, const struct store_query *query, struct cached *cached,
		struct err *err)
{
	struct store_merged *merged = &cached->pub.merged;
	char type[64], unit[64];
	int r = cache->store->ops->merge(cache->store, query, merged, err);

	if (r < 0)
		return r;
	asked_type(query, type, unit);
	if (!merged->profile->n_columns)
		(void)profile_column(merged->profile, type, unit, "");
	cached->unit =
		strdup(names_text(merged->names, merged->profile->columns[0].type.unit, NULL));
	if (!cached->unit)
		abort();
	cached->pub.unit = cached->unit;
	cached->pub.is_gauge = merged->is_gauge;
	if (cached->pub.is_gauge)
		average(merged);
	return 0;
}

static int make(struct merged_cache *cache, const struct store_query *query, const char *text,
		struct cached **ret_cached, struct err *err)
{
	struct cached *cached = calloc(1, sizeof(*cached));
	bool is_settled = query->range.until_ns < clock_real_ns() - SETTLED_AFTER_NS;
	int r;

	if (!cached)
		abort();
	pthread_mutex_init(&cached->use, NULL);
	r = load(cache, query, cached, err);
	if (r < 0) {
		cached_free(cached);
		return r;
	}
	cached->tenant = strdup(query->tenant);
	cached->text = strdup(text);
	if (!cached->tenant || !cached->text)
		abort();
	cached->range = query->range;
	cached->expires_ns = clock_monotonic_ns() + (is_settled ? SETTLED_FRESH_NS : FRESH_NS);
	*ret_cached = cached;
	return 0;
}

/* ---- the list: under the lock ---- */

static bool fits(const struct cached *cached, const struct store_query *query, const char *text)
{
	return cached->range.from_ns == query->range.from_ns &&
	       cached->range.until_ns == query->range.until_ns &&
	       strcmp(cached->tenant, query->tenant) == 0 && strcmp(cached->text, text) == 0;
}

/* Drop what has expired and what is over the bounds, the least recently used first. */
static void trim(struct merged_cache *cache)
{
	int64_t now_ns = clock_monotonic_ns();
	struct cached **at = &cache->list;
	size_t n = 0, nodes = 0;

	while (*at) {
		struct cached *cached = *at;

		n++;
		nodes += cached->pub.merged.profile->tree.n;
		/* The newest stays whatever its size: somebody is about to ask for it again. */
		if (now_ns < cached->expires_ns && (n == 1 || (n <= MERGED_CACHE_MAX_ENTRIES &&
							       nodes <= MERGED_CACHE_MAX_NODES))) {
			at = &cached->next;
			continue;
		}
		*at = cached->next;
		cached->is_listed = false;
		if (!cached->refs)
			cached_free(cached);
	}
}

static struct cached *find(struct merged_cache *cache, const struct store_query *query,
			   const char *text)
{
	for (struct cached **at = &cache->list; *at; at = &(*at)->next) {
		struct cached *cached = *at;

		if (!fits(cached, query, text))
			continue;
		*at = cached->next;
		cached->next = cache->list;
		cache->list = cached;
		return cached;
	}
	return NULL;
}

/* A reference to the entry, made when missing; not yet lent. */
static int reference(struct merged_cache *cache, const struct store_query *query, const char *text,
		     struct cached **ret_cached, struct err *err)
{
	struct cached *cached;
	int r;

	pthread_mutex_lock(&cache->lock);
	trim(cache);
	cached = find(cache, query, text);
	if (cached)
		cached->refs++;
	cache->hits += cached != NULL;
	cache->misses += cached == NULL;
	pthread_mutex_unlock(&cache->lock);
	if (!cached) {
		r = make(cache, query, text, &cached, err);
		if (r < 0)
			return r;
		pthread_mutex_lock(&cache->lock);
		cached->refs = 1;
		cached->is_listed = true;
		cached->next = cache->list;
		cache->list = cached;
		trim(cache);
		pthread_mutex_unlock(&cache->lock);
	}
	*ret_cached = cached;
	return 0;
}

static void unreference(struct merged_cache *cache, struct cached *cached)
{
	pthread_mutex_lock(&cache->lock);
	cached->refs--;
	if (!cached->refs && !cached->is_listed)
		cached_free(cached);
	pthread_mutex_unlock(&cache->lock);
}

int merged_cache_take(struct merged_cache *cache, const struct store_query *query, const char *text,
		      struct merged_entry **ret_entry, struct err *err)
{
	struct cached *cached;
	int r = reference(cache, query, text, &cached, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&cached->use);
	*ret_entry = &cached->pub;
	return 0;
}

int merged_cache_take_two(struct merged_cache *cache, const struct store_query query[2],
			  const char *const text[2], struct merged_entry *ret_entry[2],
			  struct err *err)
{
	struct cached *cached[2];
	bool is_swapped;
	int r = reference(cache, &query[0], text[0], &cached[0], err);

	if (r < 0)
		return r;
	r = reference(cache, &query[1], text[1], &cached[1], err);
	if (r < 0) {
		unreference(cache, cached[0]);
		return r;
	}
	is_swapped = (uintptr_t)cached[1] < (uintptr_t)cached[0];
	pthread_mutex_lock(&cached[is_swapped]->use);
	if (cached[0] != cached[1])
		pthread_mutex_lock(&cached[!is_swapped]->use);
	else
		unreference(cache, cached[1]);
	ret_entry[0] = &cached[0]->pub;
	ret_entry[1] = &cached[1]->pub;
	return 0;
}

void merged_cache_return(struct merged_cache *cache, struct merged_entry *entry)
{
	struct cached *cached = container_of(entry, struct cached, pub);

	pthread_mutex_unlock(&cached->use);
	unreference(cache, cached);
}

void merged_cache_stats(struct merged_cache *cache, struct merged_cache_stats *ret_stats)
{
	pthread_mutex_lock(&cache->lock);
	*ret_stats = (struct merged_cache_stats){.hits = cache->hits, .misses = cache->misses};
	for (const struct cached *cached = cache->list; cached; cached = cached->next) {
		ret_stats->entries++;
		ret_stats->nodes += cached->pub.merged.profile->tree.n;
	}
	pthread_mutex_unlock(&cache->lock);
}
