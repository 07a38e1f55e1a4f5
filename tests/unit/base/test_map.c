/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Random puts, gets and deletes beside a plain array of all keys. */
static void map64_agrees_with_a_plain_array(void **state)
{
	enum { KEYS = 700, STEPS = 60000 };
	uint32_t values[KEYS] = {0};
	bool there[KEYS] = {false};
	uint64_t seed = 88172645463325252ull;
	struct map64 map = {0};
	size_t n = 0;

	(void)state;
	for (int step = 0; step < STEPS; step++) {
		size_t k = next_random(&seed) % KEYS;
		uint64_t key = k << 32;
		uint32_t *found = map64_get(&map, key);
		bool is_new;

		assert_int_equal(found != NULL, there[k]);
		if (found)
			assert_int_equal(*found, values[k]);
		if (next_random(&seed) % 3) {
			values[k] = (uint32_t)next_random(&seed);
			*map64_put(&map, key, &is_new) = values[k];
			assert_int_equal(is_new, !there[k]);
			n += !there[k];
			there[k] = true;
		} else {
			assert_int_equal(map64_del(&map, key), there[k]);
			n -= there[k];
			there[k] = false;
		}
		assert_int_equal(map.n, n);
	}
	map64_reset(&map);
	assert_null(map64_get(&map, 0));
	map64_done(&map);
}

static bool text_equals(const void *things, uint32_t id, const void *key)
{
	return strcmp(((const char *const *)things)[id], key) == 0;
}

static void idtab_finds_ids_by_their_thing_also_when_hashes_collide(void **state)
{
	const char *things[200];
	char texts[200][8];
	struct idtab tab = {0};

	(void)state;
	for (uint32_t id = 0; id < 200; id++) {
		snprintf(texts[id], sizeof(texts[id]), "t%u", id);
		things[id] = texts[id];
		assert_int_equal(idtab_find(&tab, id % 3, text_equals, things, texts[id]),
				 UINT32_MAX);
		idtab_add(&tab, id % 3, id);
	}
	for (uint32_t id = 0; id < 200; id++)
		assert_int_equal(idtab_find(&tab, id % 3, text_equals, things, texts[id]), id);
	assert_int_equal(idtab_find(&tab, 1, text_equals, things, "none"), UINT32_MAX);
	idtab_done(&tab);
}

static void empty_maps_need_no_init_and_no_memory(void **state)
{
	struct map64 map = {0};
	struct idtab tab = {0};

	(void)state;
	assert_null(map64_get(&map, 1));
	assert_false(map64_del(&map, 1));
	assert_int_equal(idtab_find(&tab, 1, text_equals, NULL, "x"), UINT32_MAX);
	map64_reset(&map);
	map64_done(&map);
	idtab_done(&tab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map64_agrees_with_a_plain_array),
		cmocka_unit_test(idtab_finds_ids_by_their_thing_also_when_hashes_collide),
		cmocka_unit_test(empty_maps_need_no_init_and_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
