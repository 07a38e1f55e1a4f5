/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static void buf_keeps_text_and_terminates_it(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 1000);
	buf_puts(&buf, "a");
	buf_putc(&buf, 'b');
	buf_printf(&buf, "%05d", 42);
	assert_string_equal(buf.data, "ab00042");
	assert_int_equal(buf.len, 7);
	buf_reset(&buf);
	assert_int_equal(buf.len, 0);
	buf_printf(&buf, "%*s", 600, "wide");
	assert_int_equal(buf.len, 600);
	assert_false(buf.overflow);
	buf_done(&buf);
}

static void buf_drop_moves_the_rest_to_the_front(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 100);
	buf_drop(&buf, 5);
	buf_puts(&buf, "hello");
	buf_drop(&buf, 2);
	assert_string_equal(buf.data, "llo");
	assert_int_equal(buf.len, 3);
	buf_drop(&buf, 9);
	assert_string_equal(buf.data, "");
	buf_done(&buf);
}

static void buf_past_its_ceiling_appends_nothing_and_remembers(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 4);
	buf_puts(&buf, "abcd");
	assert_false(buf.overflow);
	buf_putc(&buf, 'e');
	assert_true(buf.overflow);
	assert_string_equal(buf.data, "abcd");
	assert_null(buf_room(&buf, SIZE_MAX));
	buf_puts(&buf, "");
	assert_true(buf.overflow);
	buf_done(&buf);
}

static void varints_round_trip(void **state)
{
	static const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, 1ull << 32, UINT64_MAX};
	struct buf buf;
	struct cursor cursor;

	(void)state;
	buf_init(&buf, 1000);
	for (size_t i = 0; i < array_len(values); i++) {
		buf_put_varint(&buf, values[i]);
		buf_put_zigzag(&buf, (int64_t)values[i]);
		buf_put_zigzag(&buf, -(int64_t)(values[i] / 2));
	}
	cursor = cursor_over(buf.data, buf.len);
	for (size_t i = 0; i < array_len(values); i++) {
		assert_true(cursor_varint(&cursor) == values[i]);
		assert_true(cursor_zigzag(&cursor) == (int64_t)values[i]);
		assert_true(cursor_zigzag(&cursor) == -(int64_t)(values[i] / 2));
	}
	assert_false(cursor.bad);
	assert_int_equal(cursor_left(&cursor), 0);
	buf_done(&buf);
}

/* Of every length, with much and with nothing behind them, and where they are cut off. */
static void list_varints_are_those_of_the_cursor(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 1 << 16);
	for (int bits = 0; bits < 64; bits++) {
		buf_put_varint(&buf, UINT64_C(1) << bits);
		buf_put_varint(&buf, (UINT64_C(1) << bits) * 3 / 2 - 1);
		buf_put_zigzag(&buf, -(int64_t)((UINT64_C(1) << bits) / 2));
	}
	buf_put_varint(&buf, UINT64_MAX);
	for (size_t len = 0; len <= buf.len; len++) {
		struct cursor list = cursor_over(buf.data, len), plain = list;

		while (!plain.bad) {
			assert_int_equal(cursor_list_varint(&list), cursor_varint(&plain));
			assert_int_equal(list.bad, plain.bad);
			assert_ptr_equal(list.at, plain.at);
		}
	}
	buf_done(&buf);
}

static void cursor_past_the_end_or_malformed_turns_bad(void **state)
{
	static const uint8_t endless[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					  0xff, 0xff, 0xff, 0xff, 1};
	static const uint8_t too_large[] = {0xff, 0xff, 0xff, 0xff, 0xff,
					    0xff, 0xff, 0xff, 0xff, 2};
	static const uint8_t cut[] = {0x80};
	struct cursor cursor = cursor_over(endless, sizeof(endless));

	(void)state;
	assert_int_equal(cursor_varint(&cursor), 0);
	assert_true(cursor.bad);
	cursor = cursor_over(too_large, sizeof(too_large));
	assert_int_equal(cursor_varint(&cursor), 0);
	assert_true(cursor.bad);
	cursor = cursor_over(cut, sizeof(cut));
	assert_int_equal(cursor_varint(&cursor), 0);
	assert_true(cursor.bad);
	cursor = cursor_over(endless, 3);
	assert_null(cursor_bytes(&cursor, UINT64_MAX));
	assert_true(cursor.bad);
	assert_int_equal(cursor_u8(&cursor), 0);
}

static void cursor_reads_little_endian(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8};
	struct cursor cursor = cursor_over(bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(cursor_le32(&cursor), 0x04030201);
	assert_true(cursor_le64(&cursor) == 0x0807060504030201ull);
}

static void buf_take_hands_the_bytes_over(void **state)
{
	struct buf buf;
	size_t len;
	char *bytes;

	(void)state;
	buf_init(&buf, 100);
	bytes = buf_take(&buf, &len);
	assert_int_equal(len, 0);
	free(bytes);
	buf_puts(&buf, "xyz");
	bytes = buf_take(&buf, &len);
	assert_int_equal(len, 3);
	assert_string_equal(bytes, "xyz");
	free(bytes);
	buf_puts(&buf, "again");
	assert_string_equal(buf.data, "again");
	buf_done(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buf_keeps_text_and_terminates_it),
		cmocka_unit_test(buf_drop_moves_the_rest_to_the_front),
		cmocka_unit_test(buf_past_its_ceiling_appends_nothing_and_remembers),
		cmocka_unit_test(varints_round_trip),
		cmocka_unit_test(list_varints_are_those_of_the_cursor),
		cmocka_unit_test(cursor_past_the_end_or_malformed_turns_bad),
		cmocka_unit_test(cursor_reads_little_endian),
		cmocka_unit_test(buf_take_hands_the_bytes_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
