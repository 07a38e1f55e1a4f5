/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "codec/budget.h"
#include "codec/crc.h"
#include "codec/gzip.h"
#include "codec/zstd.h"

/* gzip and zstd make the same promises: each case runs for both. */
struct packer {
	int (*pack)(const void *data, size_t len, int level, struct buf *out, struct err *err);
	int (*unpack)(const void *data, size_t len, const struct codec_limits *limits,
		      struct codec_loan *loan, struct buf *out, struct err *err);
};

static const struct packer packers[] = {
	{gzip_compress, gzip_decompress},
	{zstd_compress, zstd_decompress},
};

#define TEXT_BYTES 300000

static char *some_text(void)
{
	char *text = malloc(TEXT_BYTES);
	uint32_t seed = 1;

	assert_non_null(text);
	for (size_t i = 0; i < TEXT_BYTES; i++) {
		seed = seed * 1664525u + 1013904223u;
		text[i] = "abcdefgh"[seed >> 29];
	}
	return text;
}

static void packers_give_back_what_went_in(void **state)
{
	static const size_t lens[] = {0, 1, 2, 100, 4096, TEXT_BYTES};
	struct codec_limits limits = codec_limits_of(1u << 20);
	char *text = some_text();

	(void)state;
	for (size_t i = 0; i < array_len(packers) * array_len(lens); i++) {
		const struct packer *packer = &packers[i / array_len(lens)];
		size_t len = lens[i % array_len(lens)];
		struct buf packed, out;

		buf_init(&packed, 1u << 20);
		buf_init(&out, 1u << 20);
		assert_int_equal(packer->pack(text, len, 3, &packed, NULL), 0);
		buf_puts(&out, "before");
		assert_int_equal(packer->unpack(packed.data, packed.len, &limits, NULL, &out, NULL),
				 0);
		assert_int_equal(out.len, len + 6);
		assert_memory_equal(out.data, "before", 6);
		assert_memory_equal(out.data + 6, text, len);
		buf_done(&packed);
		buf_done(&out);
	}
	free(text);
}

static void packers_join_members(void **state)
{
	struct codec_limits limits = codec_limits_of(1u << 20);

	(void)state;
	for (size_t i = 0; i < array_len(packers); i++) {
		struct buf packed, out;

		buf_init(&packed, 1u << 20);
		buf_init(&out, 1u << 20);
		assert_int_equal(packers[i].pack("one ", 4, 3, &packed, NULL), 0);
		assert_int_equal(packers[i].pack("", 0, 3, &packed, NULL), 0);
		assert_int_equal(packers[i].pack("two", 3, 3, &packed, NULL), 0);
		assert_int_equal(
			packers[i].unpack(packed.data, packed.len, &limits, NULL, &out, NULL), 0);
		assert_string_equal(out.data, "one two");
		buf_done(&packed);
		buf_done(&out);
	}
}

static void packers_refuse_what_is_cut_or_damaged(void **state)
{
	struct codec_limits limits = codec_limits_of(1u << 20);

	(void)state;
	for (size_t i = 0; i < array_len(packers); i++) {
		struct buf packed, out;

		buf_init(&packed, 1u << 20);
		buf_init(&out, 1u << 20);
		assert_int_equal(packers[i].pack("hello, hello, hello", 19, 3, &packed, NULL), 0);
		for (size_t len = 0; len < packed.len; len++) {
			assert_int_equal(
				packers[i].unpack(packed.data, len, &limits, NULL, &out, NULL),
				ERR_CORRUPT);
			assert_int_equal(out.len, 0);
		}
		buf_putc(&packed, 'x'); /* trailing garbage */
		assert_int_equal(
			packers[i].unpack(packed.data, packed.len, &limits, NULL, &out, NULL),
			ERR_CORRUPT);
		buf_done(&packed);
		buf_done(&out);
	}
}

static void gzip_notices_a_wrong_checksum_and_size(void **state)
{
	struct codec_limits limits = codec_limits_of(1u << 20);
	struct buf packed, out;

	(void)state;
	buf_init(&packed, 1u << 20);
	buf_init(&out, 1u << 20);
	assert_int_equal(gzip_compress("hello", 5, 6, &packed, NULL), 0);
	for (size_t back = 1; back <= 8; back++) {
		packed.data[packed.len - back] ^= 1;
		assert_int_equal(
			gzip_decompress(packed.data, packed.len, &limits, NULL, &out, NULL),
			ERR_CORRUPT);
		packed.data[packed.len - back] ^= 1;
	}
	assert_int_equal(gzip_decompress(packed.data, packed.len, &limits, NULL, &out, NULL), 0);
	buf_done(&packed);
	buf_done(&out);
}

static void packers_stop_a_bomb(void **state)
{
	const size_t bomb_bytes = 32u << 20;
	struct codec_limits by_size = {.max_bytes = 8u << 20};
	struct codec_limits by_ratio = codec_limits_of(64u << 20);
	char *zeros = calloc(1, bomb_bytes);

	(void)state;
	assert_non_null(zeros);
	for (size_t i = 0; i < array_len(packers); i++) {
		struct buf packed, out;

		buf_init(&packed, 64u << 20);
		buf_init(&out, 64u << 20);
		assert_int_equal(packers[i].pack(zeros, bomb_bytes, 3, &packed, NULL), 0);
		assert_in_range(packed.len, 1, bomb_bytes / 900);
		assert_int_equal(
			packers[i].unpack(packed.data, packed.len, &by_size, NULL, &out, NULL),
			ERR_LIMIT);
		assert_in_range(out.cap, 0, 17u << 20);
		assert_int_equal(
			packers[i].unpack(packed.data, packed.len, &by_ratio, NULL, &out, NULL),
			ERR_LIMIT);
		assert_int_equal(out.len, 0);
		buf_done(&packed);
		buf_done(&out);
	}
	free(zeros);
}

/* Output of exactly the limit is fine, one byte more is not. */
static void packers_allow_exactly_the_limit(void **state)
{
	char *text = some_text();

	(void)state;
	for (size_t i = 0; i < array_len(packers); i++) {
		struct codec_limits limits = {.max_bytes = TEXT_BYTES};
		struct buf packed, out;

		buf_init(&packed, 1u << 20);
		buf_init(&out, TEXT_BYTES);
		assert_int_equal(packers[i].pack(text, TEXT_BYTES, 3, &packed, NULL), 0);
		assert_int_equal(
			packers[i].unpack(packed.data, packed.len, &limits, NULL, &out, NULL), 0);
		limits.max_bytes--;
		buf_reset(&out);
		assert_int_equal(
			packers[i].unpack(packed.data, packed.len, &limits, NULL, &out, NULL),
			ERR_LIMIT);
		buf_done(&packed);
		buf_done(&out);
	}
	free(text);
}

static void packers_share_one_budget(void **state)
{
	struct codec_limits limits = codec_limits_of(1u << 20);
	char *text = some_text();

	(void)state;
	for (size_t i = 0; i < array_len(packers); i++) {
		struct codec_budget budget;
		struct codec_loan first, second;
		struct buf packed, out, other;

		codec_budget_init(&budget, 2 * TEXT_BYTES - 1);
		first = codec_loan_from(&budget);
		second = codec_loan_from(&budget);
		buf_init(&packed, 1u << 20);
		buf_init(&out, 1u << 20);
		buf_init(&other, 1u << 20);
		assert_int_equal(packers[i].pack(text, TEXT_BYTES, 3, &packed, NULL), 0);
		assert_int_equal(
			packers[i].unpack(packed.data, packed.len, &limits, &first, &out, NULL), 0);
		assert_in_range(budget.in_flight_bytes, TEXT_BYTES, 2 * TEXT_BYTES - 1);
		assert_int_equal(
			packers[i].unpack(packed.data, packed.len, &limits, &second, &other, NULL),
			ERR_LIMIT);
		codec_loan_return(&first);
		codec_loan_return(&second);
		assert_int_equal(budget.in_flight_bytes, 0);
		assert_int_equal(
			packers[i].unpack(packed.data, packed.len, &limits, &second, &other, NULL),
			0);
		codec_loan_return(&second);
		buf_done(&packed);
		buf_done(&out);
		buf_done(&other);
	}
	free(text);
}

static void crc_is_that_of_gzip(void **state)
{
	(void)state;
	assert_int_equal(crc32_of(0, "123456789", 9), 0xcbf43926u);
	assert_int_equal(crc32_of(crc32_of(0, "1234", 4), "56789", 5), 0xcbf43926u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packers_give_back_what_went_in),
		cmocka_unit_test(packers_join_members),
		cmocka_unit_test(packers_refuse_what_is_cut_or_damaged),
		cmocka_unit_test(gzip_notices_a_wrong_checksum_and_size),
		cmocka_unit_test(packers_stop_a_bomb),
		cmocka_unit_test(packers_allow_exactly_the_limit),
		cmocka_unit_test(packers_share_one_budget),
		cmocka_unit_test(crc_is_that_of_gzip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
