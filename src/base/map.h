/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two hash tables over dense ids; both grow, never shrink, and belong to one thread.
 *
 * struct map64: 64-bit key -> 32-bit value.
 * struct idtab: finds the id of a thing that lives in the caller's own array, by the thing's hash
 * and the caller's comparison.  It stores ids and hashes only, so interning costs no second copy.
 *
 * Keys can come from a hostile target or upload: map64 mixes them with a per-process secret, and
 * idtab's callers use a seeded hash (profile/hash.h), so that nobody outside can aim for one
 * bucket.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct map64 {
	struct map64_slot *slots;
	size_t cap; /* power of two, 0 before the first put */
	size_t n;
	uint64_t secret; /* of this process */
};

void map64_done(struct map64 *map); /* all-zero is an empty map: no init */
void map64_reset(struct map64 *map);
/* The value's place, or NULL.  Valid until the next put. */
uint32_t *map64_get(const struct map64 *map, uint64_t key);
/* The value's place; created as 0 when new (*ret_is_new, may be NULL). */
uint32_t *map64_put(struct map64 *map, uint64_t key, bool *ret_is_new);
/* Remove a key; returns false when it was not there. */
bool map64_del(struct map64 *map, uint64_t key);

/* Eight bytes, so that a table of ten thousand stays in a core's cache; comparing sorts out what 32 bits of a hash do not. */
struct idtab_slot {
	uint32_t hash;
	uint32_t place; /* id + 1; 0: free */
};

struct idtab {
	struct idtab_slot *slots;
	size_t cap;
	size_t n;
};

typedef bool idtab_equal_fn(const void *things, uint32_t id, const void *key);

void idtab_done(struct idtab *tab); /* all-zero is an empty table */

/* The id whose thing equals `key`, or UINT32_MAX.  Of the hash the lower half counts.  Inline, and `equal` with it. */
static hot_inline uint32_t idtab_find(const struct idtab *tab, uint64_t hash, idtab_equal_fn *equal,
				      const void *things, const void *key)
{
	size_t mask = tab->cap - 1;

	if (!tab->n)
		return UINT32_MAX;
	for (size_t i = (uint32_t)hash & mask; tab->slots[i].place; i = (i + 1) & mask)
		if (tab->slots[i].hash == (uint32_t)hash &&
		    equal(things, tab->slots[i].place - 1, key))
			return tab->slots[i].place - 1;
	return UINT32_MAX;
}

/* Where a search for that hash begins, in a table that is not empty: for who looks up many things in step. */
static inline const struct idtab_slot *idtab_slot(const struct idtab *tab, uint64_t hash)
{
	return &tab->slots[(uint32_t)hash & (tab->cap - 1)];
}

/* Room for `n` ids without growing on the way; n must not come from outside unchecked. */
void idtab_reserve(struct idtab *tab, size_t n);
/* Add an id that is known to be absent. */
void idtab_add(struct idtab *tab, uint64_t hash, uint32_t id);

#endif
