/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "base/arena.h"

static void arena_memory_is_zeroed_also_after_reset(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena);
	for (int round = 0; round < 3; round++) {
		for (size_t len = 1; len < 5000; len += 37) {
			unsigned char *bytes = arena_alloc(&arena, len);

			for (size_t i = 0; i < len; i++)
				assert_int_equal(bytes[i], 0);
			memset(bytes, 0xff, len);
		}
		arena_reset(&arena);
		assert_int_equal(arena.used_bytes, 0);
	}
	arena_done(&arena);
}

static void arena_blocks_are_aligned_and_apart(void **state)
{
	struct arena arena;
	char *last = NULL;

	(void)state;
	arena_init(&arena);
	for (size_t len = 1; len < 100; len++) {
		char *block = arena_alloc(&arena, len);

		assert_int_equal((uintptr_t)block % 16, 0);
		assert_ptr_not_equal(block, last);
		last = block;
	}
	arena_done(&arena);
}

static void arena_takes_blocks_larger_than_a_chunk(void **state)
{
	struct arena arena;
	char *big;

	(void)state;
	arena_init(&arena);
	big = arena_alloc(&arena, 8u << 20);
	memset(big, 1, 8u << 20);
	assert_string_equal(arena_printf(&arena, "%s-%d", "x", 7), "x-7");
	assert_string_equal(arena_strndup(&arena, "hello", 4), "hell");
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_memory_is_zeroed_also_after_reset),
		cmocka_unit_test(arena_blocks_are_aligned_and_apart),
		cmocka_unit_test(arena_takes_blocks_larger_than_a_chunk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
