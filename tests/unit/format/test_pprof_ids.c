/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "format/pprof_private.h"
#include "unit.h"

#define N 20

struct entry {
	uint64_t id;
	char other[12];
};

static uint64_t id_counted(uint64_t i)
{
	return i + 1;
}

static uint64_t id_shuffled(uint64_t i)
{
	return i * 7 % N + 1;
}

static uint64_t id_with_gaps(uint64_t i)
{
	return i * 3 + 2;
}

static uint64_t id_at_the_arrays_end(uint64_t i)
{
	return i * 4 + 4; /* up to the last place, then one past it */
}

static uint64_t id_far(uint64_t i)
{
	return i % 2 ? UINT64_MAX - i : i + 1;
}

static uint64_t (*const ways[])(uint64_t) = {id_counted, id_shuffled, id_with_gaps,
					     id_at_the_arrays_end, id_far};

static void ids_of_any_order_and_size_are_found(void **state)
{
	struct entry entries[N];

	(void)state;
	for (size_t way = 0; way < array_len(ways); way++) {
		struct pprof_ids ids;
		struct err err = {0};

		for (uint64_t i = 0; i < N; i++)
			entries[i].id = ways[way](i);
		assert_int_equal(pprof_ids_init(&ids, entries, N, sizeof(*entries), &err), 0);
		for (uint32_t i = 0; i < N; i++)
			assert_int_equal(pprof_ids_find(&ids, entries[i].id), i + 1);
		assert_int_equal(pprof_ids_find(&ids, 0), 0);
		for (uint64_t id = 1; id < 200; id++) {
			uint32_t found = pprof_ids_find(&ids, id);

			assert_true(!found || entries[found - 1].id == id);
		}
		assert_int_equal(pprof_ids_find(&ids, UINT64_MAX / 2), 0);
		pprof_ids_done(&ids);
	}
}

static void an_id_twice_or_0_is_refused(void **state)
{
	static const uint64_t bad[][3] = {
		{1, 2, 2}, {1, 2, 0}, {5, 1, 5}, {1, 1ull << 63, 1ull << 63}};

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		struct pprof_ids ids = {0};
		struct err err = {0};

		assert_int_equal(pprof_ids_init(&ids, bad[i], 3, sizeof(uint64_t), &err),
				 ERR_CORRUPT);
		assert_non_null(strstr(err.text, "id"));
		pprof_ids_done(&ids);
	}
}

static void large_ids_cost_no_array_of_their_size(void **state)
{
	const uint64_t far[] = {1ull << 40, 3};
	struct pprof_ids ids;

	(void)state;
	assert_int_equal(pprof_ids_init(&ids, far, 2, sizeof(*far), NULL), 0);
	assert_true(ids.n_places <= 16);
	assert_int_equal(pprof_ids_find(&ids, far[0]), 1);
	pprof_ids_done(&ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_of_any_order_and_size_are_found),
		cmocka_unit_test(an_id_twice_or_0_is_refused),
		cmocka_unit_test(large_ids_cost_no_array_of_their_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
