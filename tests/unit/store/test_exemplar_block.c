/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of a profile as bytes: what is written is read, what was forged is refused and harms nobody. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "store/sqlite/exemplar_block.h"

#define N_NODES 40

struct written {
	struct exemplar_pack pack;
	int64_t totals[2]; /* by column */
};

static void write_some(struct written *written, uint32_t max_spans, unsigned seed)
{
	struct spans *spans = spans_new();
	uint32_t map[N_NODES], columns[2] = {17, 3};
	struct exemplar_source source = {.spans = spans,
					 .map = map,
					 .columns = columns,
					 .n_columns = 2,
					 .max_spans = max_spans};
	struct arena arena;

	*written = (struct written){.totals = {0}};
	for (uint32_t i = 0; i < N_NODES; i++)
		map[i] = i * 7 / 2; /* two may become one */
	for (int i = 0; i < 500; i++) {
		struct span span = {.id = {(uint64_t)rand_r(&seed) % 12 + 1}};
		uint32_t node = (uint32_t)rand_r(&seed) % N_NODES, column = (uint32_t)(i % 2);
		int64_t value = 10000000ll * (rand_r(&seed) % 9 + 1);

		span.trace.bytes[3] = (uint8_t)(span.id.v % 3);
		spans_add(spans, spans_index(spans, &span), (struct node_id){node}, column, value);
		written->totals[column] += value;
	}
	arena_init(&arena);
	assert_int_equal(exemplar_pack(&source, &arena, &written->pack, NULL), 0);
	exemplar_pack_set_sum(&written->pack, 0x123456789abcdef0);
	arena_done(&arena);
	spans_free(spans);
}

struct sums {
	int64_t totals[2];
	uint32_t n;
};

static int add(void *ctx, uint32_t span, const struct block *values)
{
	struct sums *sums = ctx;

	(void)span;
	for (size_t c = 0; c < values->n_columns && c < 2; c++)
		for (uint32_t i = 0; i < values->n_nodes; i++)
			if (__builtin_add_overflow(sums->totals[c], values->values[c][i],
						   &sums->totals[c]))
				sums->totals[c] = INT64_MAX;
	sums->n++;
	return 0;
}

static int read_all(const char *head, size_t head_len, const char *data, size_t data_len,
		    struct exemplar_block *block, struct arena *arena, struct sums *sums)
{
	struct block_room room;
	int r = exemplar_block_read_head(block, head, head_len, arena);

	block_room_init(&room);
	if (r == 0)
		r = exemplar_block_read_data(block, data, data_len, &room, add, sums);
	block_room_done(&room);
	return r;
}

static void what_is_written_is_read(void **state)
{
	struct written written;
	struct exemplar_block block;
	struct sums sums = {.n = 0};
	struct arena arena;

	(void)state;
	write_some(&written, UINT32_MAX, 1);
	arena_init(&arena);
	assert_int_equal(read_all(written.pack.head.data, written.pack.head.len,
				  written.pack.data.data, written.pack.data.len, &block, &arena,
				  &sums),
			 0);
	assert_true(block.block_sum == 0x123456789abcdef0);
	assert_int_equal(block.n_spans, 12);
	assert_int_equal(sums.n, 12);
	assert_int_equal(block.columns[0], 17);
	assert_int_equal(block.units[0] % 10000000, 0);
	for (size_t c = 0; c < 2; c++) {
		int64_t total = 0;

		for (uint32_t i = 0; i < block.n_spans; i++)
			total += block.totals[i * 2 + c] * block.units[c];
		assert_int_equal(total, written.totals[c]);
		assert_int_equal(sums.totals[c], written.totals[c]);
	}
	arena_done(&arena);
	exemplar_pack_done(&written.pack);
}

static void without_room_all_is_left_out(void **state)
{
	struct written written;

	(void)state;
	write_some(&written, 0, 1);
	assert_int_equal(written.pack.n_spans, 0);
	assert_int_equal(written.pack.n_left_out, 500);
	exemplar_pack_done(&written.pack);
}

/* Heads are behind a hash, but nothing is trusted: each byte cut off or changed, on memory of its own. */
static void forged_heads_are_refused_or_harmless(void **state)
{
	struct written written;
	unsigned seed = 5;

	(void)state;
	write_some(&written, UINT32_MAX, 2);
	for (size_t i = 0; i < 4000; i++) {
		size_t len = i < written.pack.head.len ? i : written.pack.head.len;
		char *head = xcalloc(len + 1, 1), *exact;
		struct exemplar_block block;
		struct sums sums = {.n = 0};
		struct arena arena;
		int r;

		memcpy(head, written.pack.head.data, len);
		if (len == written.pack.head.len)
			for (int k = 0; k < 3; k++)
				head[(size_t)rand_r(&seed) % len] = (char)rand_r(&seed);
		exact = len ? realloc(head, len) : head; /* so that a sanitizer sees the end */
		arena_init(&arena);
		r = read_all(exact, len, written.pack.data.data, written.pack.data.len, &block,
			     &arena, &sums);
		if (i < written.pack.head.len)
			assert_int_equal(r, ERR_CORRUPT);
		arena_done(&arena);
		free(exact);
	}
	exemplar_pack_done(&written.pack);
}

static void data_of_another_is_refused(void **state)
{
	struct written written, other;
	struct exemplar_block block;
	struct sums sums = {.n = 0};
	struct arena arena;

	(void)state;
	write_some(&written, UINT32_MAX, 3);
	write_some(&other, UINT32_MAX, 4);
	arena_init(&arena);
	assert_int_equal(read_all(written.pack.head.data, written.pack.head.len,
				  other.pack.data.data, other.pack.data.len, &block, &arena, &sums),
			 ERR_CORRUPT);
	assert_int_equal(sums.n, 0);
	arena_done(&arena);
	exemplar_pack_done(&written.pack);
	exemplar_pack_done(&other.pack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(without_room_all_is_left_out),
		cmocka_unit_test(forged_heads_are_refused_or_harmless),
		cmocka_unit_test(data_of_another_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
