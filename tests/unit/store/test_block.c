/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/accum.h"
#include "store/sqlite/block.h"
#include "unit.h"

#define N 700
#define T0 1763800000000000000

struct written {
	uint32_t nodes[N];
	int64_t values[2][N];
	struct block block;
	struct buf head, data;
	uint64_t sum;
};

/* Deterministic, two columns, the second mostly empty. */
static void write_sample(struct written *out, uint32_t n)
{
	struct cover cover = {0};
	struct block_room room;

	*out = (struct written){.block = {.key = {6, T0, 9, 3, 60000000000},
					  .n_profiles = 4,
					  .n_samples = 1234,
					  .covered_ns = 50000000000,
					  .columns = {7, 8},
					  .n_columns = 2}};
	srand(3);
	for (uint32_t i = 0; i < n; i++) {
		out->nodes[i] = (i ? out->nodes[i - 1] : 0) + 1 + (uint32_t)rand() % 300;
		out->values[0][i] = rand();
		out->values[1][i] = i % 10 ? 0 : INT64_MAX / 2;
	}
	out->block.nodes = out->nodes;
	out->block.values[0] = out->values[0];
	out->block.values[1] = out->values[1];
	out->block.n_nodes = n;
	out->block.totals[0] = 17;
	out->block.totals[1] = INT64_MAX;
	cover_add(&cover, T0, T0 + 20000000000);
	cover_add(&cover, T0 + 30000000000, T0 + 60000000000);
	buf_init(&out->head, 1 << 20);
	buf_init(&out->data, 1 << 20);
	block_room_init(&room);
	assert_int_equal(block_write(&out->block, &cover, &room, &out->head, &out->data, NULL), 0);
	block_room_done(&room);
	out->sum = block_sum(&out->block.key, out->head.data, out->head.len);
	cover_done(&cover);
}

static void written_done(struct written *written)
{
	buf_done(&written->head);
	buf_done(&written->data);
}

static void block_reads_back_what_was_written(void **state)
{
	const struct store_range range = {T0 + 10000000000, T0 + 40000000000};
	const uint32_t sizes[] = {0, 1, 5, N};

	(void)state;
	for (size_t s = 0; s < array_len(sizes); s++) {
		struct written written;
		struct block block;
		struct block_room room;
		struct cover cover = {0};

		write_sample(&written, sizes[s]);
		block = (struct block){.key = written.block.key};
		block_room_init(&room);
		assert_int_equal(block_read_head(&block, written.head.data, written.head.len,
						 &range, &cover),
				 0);
		assert_int_equal(
			block_read_data(&block, written.data.data, written.data.len, &room), 0);
		assert_int_equal(block.n_nodes, sizes[s]);
		assert_int_equal(block.n_profiles, 4);
		assert_int_equal(block.n_samples, 1234);
		assert_int_equal(block.totals[1], INT64_MAX);
		assert_int_equal(cover_length(&cover, 0, INT64_MAX), 20000000000);
		for (uint32_t i = 0; i < sizes[s]; i++) {
			assert_int_equal(block.nodes[i], written.nodes[i]);
			assert_int_equal(block.values[0][i], written.values[0][i]);
			assert_int_equal(block.values[1][i], written.values[1][i]);
		}
		cover_done(&cover);
		block_room_done(&room);
		written_done(&written);
	}
}

/* Every bit of head and data, and the key: seen by the sum, or refused when it is read. */
static void block_notices_every_flipped_bit(void **state)
{
	struct written written;
	struct block_room room;

	(void)state;
	write_sample(&written, 40);
	block_room_init(&room);
	for (size_t bit = 0; bit < written.head.len * 8; bit++) {
		written.head.data[bit / 8] ^= (char)(1 << bit % 8);
		assert_true(block_sum(&written.block.key, written.head.data, written.head.len) !=
			    written.sum);
		written.head.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < written.data.len * 8; bit++) {
		struct block block = {.key = written.block.key};

		written.data.data[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(
			block_read_head(&block, written.head.data, written.head.len, NULL, NULL),
			0);
		assert_int_equal(
			block_read_data(&block, written.data.data, written.data.len, &room),
			ERR_CORRUPT);
		written.data.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	written.block.key.dict++;
	assert_true(block_sum(&written.block.key, written.head.data, written.head.len) !=
		    written.sum);
	block_room_done(&room);
	written_done(&written);
}

/* Heads of chance: refused or read, never past their end (the sanitizers watch). */
static void block_survives_any_head(void **state)
{
	const struct store_range range = {0, INT64_MAX};

	(void)state;
	srand(4);
	for (int round = 0; round < 20000; round++) {
		struct block block = {.key = {2, T0, 1, 1, 10}};
		struct block_room room;
		struct cover cover = {0};
		char bytes[64];
		size_t len = (size_t)rand() % sizeof(bytes);
		int r;

		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)(rand() % (round % 2 ? 256 : 8));
		block_room_init(&room);
		r = block_read_head(&block, bytes, len, &range, &cover);
		assert_true(r == 0 || r == ERR_CORRUPT);
		if (r == 0)
			(void)!block_read_data(&block, bytes, len, &room);
		cover_done(&cover);
		block_room_done(&room);
	}
}

static void accum_adds_blocks_of_several_dictionaries(void **state)
{
	struct accum accum = {0};
	const struct accum_part whole = {.is_whole = true};
	const struct accum_part half = {.from_ns = 0, .until_ns = 30000000000};
	struct written written;
	struct block sums;
	struct arena arena;

	(void)state;
	arena_init(&arena);
	write_sample(&written, N);
	for (int round = 0; round < 3; round++) {
		accum_add(&accum, &written.block, &whole);
		accum_add(&accum, &written.block, &whole);
		written.block.key.dict = 4;
		accum_add(&accum, &written.block, &half);
		written.block.key.dict = 3;
		assert_int_equal(accum.n_dicts, 2);
		accum_block(&accum, accum_dict(&accum, 3), &arena, &sums);
		assert_int_equal(sums.n_nodes, N);
		for (uint32_t i = 0; i < N; i++) {
			assert_int_equal(sums.nodes[i], written.nodes[i]);
			assert_int_equal(sums.values[0][i], 2 * written.values[0][i]);
			assert_int_equal(sums.values[1][i], 2 * written.values[1][i]);
		}
		assert_int_equal(sums.totals[0], 34);
		assert_int_equal(sums.totals[1], INT64_MAX); /* saturated */
		accum_block(&accum, accum_dict(&accum, 4), &arena, &sums);
		assert_int_equal(sums.values[0][5], (written.values[0][5] + 1) / 2);
		accum_reset(&accum);
	}
	accum_done(&accum);
	arena_done(&arena);
	written_done(&written);
}

static void accum_keeps_to_the_columns_asked_for(void **state)
{
	struct accum accum = {0};
	const uint32_t wanted[] = {8};
	const struct accum_part part = {.is_whole = true, .columns = wanted, .n_columns = 1};
	struct written written;
	struct block sums;
	struct arena arena;

	(void)state;
	arena_init(&arena);
	write_sample(&written, 20);
	accum_add(&accum, &written.block, &part);
	accum_block(&accum, accum_dict(&accum, 3), &arena, &sums);
	assert_int_equal(sums.n_columns, 1);
	assert_int_equal(sums.n_nodes, 2); /* those with a value there */
	assert_int_equal(sums.values[0][1], INT64_MAX / 2);
	accum_done(&accum);
	arena_done(&arena);
	written_done(&written);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(block_reads_back_what_was_written),
		cmocka_unit_test(block_notices_every_flipped_bit),
		cmocka_unit_test(block_survives_any_head),
		cmocka_unit_test(accum_adds_blocks_of_several_dictionaries),
		cmocka_unit_test(accum_keeps_to_the_columns_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
