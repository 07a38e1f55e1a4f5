/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/vec.h"

#define TABLE_FIRST_CAP 64

struct map64_slot {
	uint64_t key;
	uint32_t value;
	uint32_t used;
};

/* Sixteen random bytes that the kernel gave this process at exec: read-only for its life. */
static uint64_t process_secret(void)
{
	const void *bytes =
		(const void *)getauxval(AT_RANDOM); /* NOLINT(performance-no-int-to-ptr) */
	uint64_t secret = 0x9e3779b97f4a7c15u;

	if (bytes)
		memcpy(&secret, bytes, sizeof(secret));
	return secret | 1;
}

/* Finaliser of splitmix64 over key and secret. */
static uint64_t mix(const struct map64 *map, uint64_t key)
{
	key = (key ^ map->secret) * 0xbf58476d1ce4e5b9u;
	key = (key ^ key >> 31) * 0x94d049bb133111ebu;
	return key ^ key >> 29;
}

static struct map64_slot *map64_slot_of(const struct map64 *map, uint64_t key)
{
	size_t i = mix(map, key) & (map->cap - 1);

	while (map->slots[i].used && map->slots[i].key != key)
		i = (i + 1) & (map->cap - 1);
	return &map->slots[i];
}

static void map64_resize(struct map64 *map)
{
	struct map64 bigger = {.cap = map->cap ? map->cap * 2 : TABLE_FIRST_CAP,
			       .n = map->n,
			       .secret = map->cap ? map->secret : process_secret()};

	bigger.slots = xcalloc(bigger.cap, sizeof(*bigger.slots));
	for (size_t i = 0; i < map->cap; i++)
		if (map->slots[i].used)
			*map64_slot_of(&bigger, map->slots[i].key) = map->slots[i];
	free(map->slots);
	*map = bigger;
}

void map64_done(struct map64 *map)
{
	free(map->slots);
	*map = (struct map64){0};
}

void map64_reset(struct map64 *map)
{
	if (map->cap)
		memset(map->slots, 0, map->cap * sizeof(*map->slots));
	map->n = 0;
}

uint32_t *map64_get(const struct map64 *map, uint64_t key)
{
	struct map64_slot *slot;

	if (!map->n)
		return NULL;
	slot = map64_slot_of(map, key);
	return slot->used ? &slot->value : NULL;
}

uint32_t *map64_put(struct map64 *map, uint64_t key, bool *ret_is_new)
{
	struct map64_slot *slot;
	bool is_new;

	if (map->n * 4 >= map->cap * 3)
		map64_resize(map);
	slot = map64_slot_of(map, key);
	is_new = !slot->used;
	if (is_new) {
		*slot = (struct map64_slot){.key = key, .used = 1};
		map->n++;
	}
	if (ret_is_new)
		*ret_is_new = is_new;
	return &slot->value;
}

/* Closing the gap by moving later slots of the same run back keeps probing free of tombstones. */
bool map64_del(struct map64 *map, uint64_t key)
{
	size_t gap, i, mask = map->cap - 1;

	if (!map64_get(map, key))
		return false;
	gap = (size_t)(map64_slot_of(map, key) - map->slots);
	for (i = (gap + 1) & mask; map->slots[i].used; i = (i + 1) & mask) {
		size_t home = mix(map, map->slots[i].key) & mask;

		if (((i - home) & mask) >= ((i - gap) & mask)) {
			map->slots[gap] = map->slots[i];
			gap = i;
		}
	}
	map->slots[gap].used = 0;
	map->n--;
	return true;
}

void idtab_done(struct idtab *tab)
{
	free(tab->slots);
	*tab = (struct idtab){0};
}

static void idtab_insert(struct idtab *tab, struct idtab_slot slot)
{
	size_t i = slot.hash & (tab->cap - 1);

	while (tab->slots[i].place)
		i = (i + 1) & (tab->cap - 1);
	tab->slots[i] = slot;
}

static void idtab_resize(struct idtab *tab, size_t cap)
{
	struct idtab bigger = {.cap = cap, .n = tab->n};

	bigger.slots = xcalloc(bigger.cap, sizeof(*bigger.slots));
	for (size_t i = 0; i < tab->cap; i++)
		if (tab->slots[i].place)
			idtab_insert(&bigger, tab->slots[i]);
	free(tab->slots);
	*tab = bigger;
}

void idtab_reserve(struct idtab *tab, size_t n)
{
	size_t cap = tab->cap ? tab->cap : TABLE_FIRST_CAP;

	while (cap / 4 * 3 <= n)
		cap *= 2;
	if (cap > tab->cap)
		idtab_resize(tab, cap);
}

void idtab_add(struct idtab *tab, uint64_t hash, uint32_t id)
{
	if (tab->n * 4 >= tab->cap * 3)
		idtab_resize(tab, tab->cap ? tab->cap * 2 : TABLE_FIRST_CAP);
	idtab_insert(tab, (struct idtab_slot){.hash = (uint32_t)hash, .place = id + 1});
	tab->n++;
}
