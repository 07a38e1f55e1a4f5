/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "server/merged_cache.h"

/* A store that counts merges, and answers each with one stack of `value`. */
struct counting_store {
	struct store base;
	unsigned int merges; /* atomic */
	int fails;
	bool is_gauge;
	uint32_t n_nodes;
	int64_t n_profiles;
	uint32_t n_series;
};

static int merge(struct store *base, const struct store_query *query,
		 struct store_merged *ret_merged, struct err *err)
{
	struct counting_store *store = container_of(base, struct counting_store, base);
	struct names *names = names_new();
	struct profile *profile = calloc(1, sizeof(*profile));

	(void)query;
	__atomic_add_fetch(&store->merges, 1, __ATOMIC_RELAXED);
	profile_init(profile, names);
	*ret_merged = (struct store_merged){.profile = profile,
					    .names = names,
					    .n_profiles = store->n_profiles,
					    .n_series = store->n_series,
					    .is_gauge = store->is_gauge};
	if (store->fails) {
		store_merged_done(ret_merged);
		return err_set(err, store->fails, "made to fail");
	}
	for (uint32_t i = 0; i < store->n_nodes; i++) {
		struct frame frame = {.name = names_cstr(names, "f"), .line = i + 1};
		struct node_id node =
			tree_child(&profile->tree, (struct node_id){0}, names_frame(names, &frame));

		if (!i)
			profile_add(profile, (size_t)profile_column(profile, "cpu", "count", ""),
				    node, 120);
	}
	return 0;
}

static const struct store_ops ops = {.merge = merge};

static void store_init(struct counting_store *store)
{
	*store = (struct counting_store){
		.base = {&ops}, .n_nodes = 1, .n_profiles = 6, .n_series = 2};
}

static struct merged_entry *take(struct merged_cache *cache, int64_t from_s, int64_t until_s,
				 const char *text)
{
	static const struct selector all = {0};
	struct store_query query = {.tenant = "t", .selector = &all,
				    .range = {from_s * NS_PER_S, until_s * NS_PER_S}};
	struct merged_entry *entry;
	struct err err;

	assert_int_equal(merged_cache_take(cache, &query, text, &entry, &err), 0);
	return entry;
}

static void same_range_is_merged_once(void **state)
{
	struct counting_store store;
	struct merged_cache *cache;
	struct merged_cache_stats stats;

	(void)state;
	store_init(&store);
	cache = merged_cache_new(&store.base);
	for (int i = 0; i < 5; i++)
		merged_cache_return(cache, take(cache, 100, 200, "a"));
	assert_int_equal(store.merges, 1);
	merged_cache_return(cache, take(cache, 100, 201, "a"));
	merged_cache_return(cache, take(cache, 100, 200, "b"));
	assert_int_equal(store.merges, 3);
	merged_cache_stats(cache, &stats);
	assert_int_equal(stats.hits, 4);
	assert_int_equal(stats.misses, 3);
	assert_int_equal(stats.entries, 3);
	merged_cache_free(cache);
}

static void range_that_may_grow_is_asked_again_soon(void **state)
{
	struct timespec pause = clock_timespec(1200 * NS_PER_MS);
	int64_t now_s = clock_real_ns() / NS_PER_S;
	struct counting_store store;
	struct merged_cache *cache;

	(void)state;
	store_init(&store);
	cache = merged_cache_new(&store.base);
	merged_cache_return(cache, take(cache, now_s - 60, now_s, "live"));
	merged_cache_return(cache, take(cache, 100, 200, "past"));
	clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	merged_cache_return(cache, take(cache, now_s - 60, now_s, "live"));
	merged_cache_return(cache, take(cache, 100, 200, "past"));
	assert_int_equal(store.merges, 3);
	merged_cache_free(cache);
}

static void bounds_hold_and_the_newest_stays(void **state)
{
	struct counting_store store;
	struct merged_cache *cache;
	struct merged_cache_stats stats;

	(void)state;
	store_init(&store);
	cache = merged_cache_new(&store.base);
	for (int i = 0; i < 3 * MERGED_CACHE_MAX_ENTRIES; i++)
		merged_cache_return(cache, take(cache, i, i + 10, "a"));
	merged_cache_stats(cache, &stats);
	assert_int_equal(stats.entries, MERGED_CACHE_MAX_ENTRIES);
	store.n_nodes = MERGED_CACHE_MAX_NODES;
	merged_cache_return(cache, take(cache, 1000, 2000, "large"));
	merged_cache_stats(cache, &stats);
	assert_int_equal(stats.entries, 1);
	merged_cache_return(cache, take(cache, 1000, 2000, "large"));
	assert_int_equal(store.merges, 3 * MERGED_CACHE_MAX_ENTRIES + 1);
	merged_cache_free(cache);
}

static void entry_that_is_lent_outlives_its_place(void **state)
{
	struct counting_store store;
	struct merged_cache *cache;
	struct merged_entry *entry;

	(void)state;
	store_init(&store);
	cache = merged_cache_new(&store.base);
	entry = take(cache, 100, 200, "lent");
	for (int i = 0; i < 2 * MERGED_CACHE_MAX_ENTRIES; i++)
		merged_cache_return(cache, take(cache, i, i + 10, "a"));
	assert_int_equal(profile_sum(entry->merged.profile, 0), 120);
	merged_cache_return(cache, entry);
	merged_cache_free(cache);
}

static void gauges_are_levels(void **state)
{
	struct counting_store store;
	struct merged_cache *cache;
	struct merged_entry *entry;

	(void)state;
	store_init(&store);
	store.is_gauge = true;
	cache = merged_cache_new(&store.base);
	entry = take(cache, 100, 200, "a");
	/* 120 is the sum of 6 profiles of 2 series: each series stands at 20 in the mean. */
	assert_int_equal(profile_sum(entry->merged.profile, 0), 40);
	assert_true(entry->is_gauge);
	merged_cache_return(cache, entry);
	merged_cache_free(cache);
}

static void failure_is_passed_on_and_not_kept(void **state)
{
	static const struct selector all = {0};
	struct store_query query = {.tenant = "t", .selector = &all, .range = {0, NS_PER_S}};
	struct counting_store store;
	struct merged_cache *cache;
	struct merged_entry *entry;
	struct err err;

	(void)state;
	store_init(&store);
	store.fails = -ETIME;
	cache = merged_cache_new(&store.base);
	assert_int_equal(merged_cache_take(cache, &query, "a", &entry, &err), -ETIME);
	assert_string_equal(err.text, "made to fail");
	store.fails = 0;
	assert_int_equal(merged_cache_take(cache, &query, "a", &entry, &err), 0);
	merged_cache_return(cache, entry);
	merged_cache_free(cache);
}

struct comparer {
	struct merged_cache *cache;
	int order;
};

static void *compare_often(void *ctx)
{
	static const struct selector all = {0};
	const struct comparer *comparer = ctx;
	struct store_query queries[2] = {{.tenant = "t", .selector = &all, .range = {comparer->order, 10}},
					 {.tenant = "t", .selector = &all, .range = {!comparer->order, 10}}};
	const char *const texts[2] = {"a", "a"};

	for (int i = 0; i < 2000; i++) {
		struct merged_entry *entries[2];
		struct err err;

		assert_int_equal(
			merged_cache_take_two(comparer->cache, queries, texts, entries, &err), 0);
		merged_cache_return(comparer->cache, entries[0]);
		merged_cache_return(comparer->cache, entries[1]);
	}
	return NULL;
}

static void comparisons_in_both_directions_never_wait_for_each_other(void **state)
{
	static const struct selector all = {0};
	struct store_query same[2] = {{.tenant = "t", .selector = &all, .range = {0, 10}},
				      {.tenant = "t", .selector = &all, .range = {0, 10}}};
	const char *const texts[2] = {"a", "a"};
	struct counting_store store;
	struct comparer comparers[4];
	struct merged_entry *entries[2];
	struct merged_cache *cache;
	pthread_t threads[4];
	struct err err;

	(void)state;
	store_init(&store);
	cache = merged_cache_new(&store.base);
	assert_int_equal(merged_cache_take_two(cache, same, texts, entries, &err), 0);
	assert_ptr_equal(entries[0], entries[1]);
	merged_cache_return(cache, entries[0]);
	for (int i = 0; i < 4; i++) {
		comparers[i] = (struct comparer){cache, i % 2};
		pthread_create(&threads[i], NULL, compare_often, &comparers[i]);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	merged_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_range_is_merged_once),
		cmocka_unit_test(range_that_may_grow_is_asked_again_soon),
		cmocka_unit_test(bounds_hold_and_the_newest_stays),
		cmocka_unit_test(entry_that_is_lent_outlives_its_place),
		cmocka_unit_test(gauges_are_levels),
		cmocka_unit_test(failure_is_passed_on_and_not_kept),
		cmocka_unit_test(comparisons_in_both_directions_never_wait_for_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
