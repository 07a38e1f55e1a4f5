/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last merged profiles: view, lines, search and zoom of one range cost one merge.
 *
 * Keyed by tenant, selector text and range.  A range that may still grow (it ends less than two minutes ago)
 * is kept for a second, one that lies in the past for a minute: back-fill shows up soon.  Bounded in
 * entries and stack nodes (about 100 bytes each).
 *
 * An entry is lent to one thread at a time, because views intern names into it.
 */
#ifndef SERVER_MERGED_CACHE_H
#define SERVER_MERGED_CACHE_H

#include "store/store.h"

#define MERGED_CACHE_MAX_ENTRIES 32
#define MERGED_CACHE_MAX_NODES (1u << 20)

struct merged_cache;

struct merged_entry {
	struct store_merged merged; /* of gauges: levels, not sums of levels */
	bool is_gauge;
	const char *unit; /* of column 0 */
};

struct merged_cache_stats {
	uint64_t hits, misses, entries, nodes;
};

struct merged_cache *merged_cache_new(struct store *store) nodiscard;
void merged_cache_free(struct merged_cache *cache); /* nothing may be lent */

/*
 * The merged profile of a query; `text` is its selector.  A selector that matches nothing gives an
 * empty profile with the column its profile type names.  Errors are those of the store.
 */
int merged_cache_take(struct merged_cache *cache, const struct store_query *query, const char *text,
		      struct merged_entry **ret_entry, struct err *err) nodiscard;
/*
 * Two at a time, for comparisons; the same entry twice when both are the same.  Lent in an order of
 * their own, so that two comparisons never wait for each other.
 */
int merged_cache_take_two(struct merged_cache *cache, const struct store_query query[2],
			  const char *const text[2], struct merged_entry *ret_entry[2],
			  struct err *err) nodiscard;
void merged_cache_return(struct merged_cache *cache, struct merged_entry *entry);
void merged_cache_stats(struct merged_cache *cache, struct merged_cache_stats *ret_stats);

#endif
