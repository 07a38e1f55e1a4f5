/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "base/compiler.h"
#include "base/utf8.h"

static void utf8_is_valid_knows_the_borders(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		bool is_valid;
	} cases[] = {
		{"", 0, true},
		{"plain", 5, true},
		{"\xc3\xa9", 2, true},
		{"\xed\x9f\xbf", 3, true},
		{"\xf4\x8f\xbf\xbf", 4, true},
		{"\0", 1, false},
		{"\x80", 1, false},
		{"\xc3", 1, false},
		{"\xc0\xaf", 2, false},		/* overlong */
		{"\xe0\x80\xaf", 3, false},	/* overlong */
		{"\xed\xa0\x80", 3, false},	/* surrogate */
		{"\xf4\x90\x80\x80", 4, false}, /* past U+10FFFF */
		{"\xff", 1, false},
		{"a\xe2\x82", 3, false},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++)
		assert_int_equal(utf8_is_valid(cases[i].text, cases[i].len), cases[i].is_valid);
}

static void utf8_clean_replaces_bad_bytes_and_always_yields_valid_text(void **state)
{
	char out[64];
	size_t len;

	(void)state;
	len = utf8_clean(out, sizeof(out), "a\xff\0b", 4);
	assert_string_equal(out, "a\xef\xbf\xbd\xef\xbf\xbd"
				 "b");
	assert_int_equal(len, 8);
	for (unsigned int first = 0; first < 256; first++) {
		for (unsigned int second = 0; second < 256; second++) {
			char bytes[2] = {(char)first, (char)second};

			len = utf8_clean(out, sizeof(out), bytes, 2);
			assert_true(utf8_is_valid(out, len));
		}
	}
}

static void utf8_clean_cuts_at_a_character(void **state)
{
	char out[4];

	(void)state;
	assert_int_equal(utf8_clean(out, sizeof(out), "ab\xc3\xa9", 4), 2);
	assert_string_equal(out, "ab");
	assert_int_equal(utf8_clean(out, 1, "ab", 2), 0);
	assert_string_equal(out, "");
}

static void utf8_printable_leaves_nothing_that_moves_a_cursor(void **state)
{
	char out[128];

	(void)state;
	utf8_printable(out, sizeof(out), "\x1b[2J\x07\x7f\xc2\x9b\xe2\x80\xae\xe2\x80\x8bx", 15);
	assert_string_equal(out, "\\x1b[2J\\x07\\x7f\\x9b\\u202e\\u200bx");
	utf8_printable(out, sizeof(out), "caf\xc3\xa9 \xf0\x9f\x92\xa9", 10);
	assert_string_equal(out, "caf\xc3\xa9 \xf0\x9f\x92\xa9");
}

static void utf8_put_and_next_round_trip(void **state)
{
	(void)state;
	for (uint32_t code = 0; code < 0x110000; code += 7) {
		char bytes[4];
		uint32_t back;
		size_t n = utf8_put(bytes, code);

		assert_int_equal(utf8_next(bytes, n, &back), n);
		assert_int_equal(back, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
	}
}

static void utf8_columns_counts_wide_and_combining(void **state)
{
	(void)state;
	assert_int_equal(utf8_columns("abc", 3), 3);
	assert_int_equal(utf8_columns("\xe6\x97\xa5\xe6\x9c\xac", 6), 4);
	assert_int_equal(utf8_columns("e\xcc\x81", 3), 1);
}

static void utf8_code_columns_knows_the_database(void **state)
{
	static const struct {
		uint32_t code;
		int columns;
	} cases[] = {{'a', 1},	   {0xe9, 1},	{0x301, 0},   {0x5b0, 0},   {0x64b, 0},
		     {0x93f, 1},   {0x941, 0},	{0xe31, 0},   {0x1100, 2},  {0x2014, 1},
		     {0x231a, 2},  {0x2588, 1}, {0x3042, 2},  {0xac00, 2},  {0xfe0f, 0},
		     {0xff21, 2},  {0xfffd, 1}, {0x1d400, 1}, {0x1f600, 2}, {0x1f680, 2},
		     {0x20000, 2}, {0xe000, 1}};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++)
		assert_int_equal(utf8_code_columns(cases[i].code), cases[i].columns);
}

static void utf8_codes_say_whether_they_run_left_and_print(void **state)
{
	(void)state;
	assert_true(utf8_code_runs_left(0x5d0) && utf8_code_runs_left(0x627));
	assert_false(utf8_code_runs_left('a') || utf8_code_runs_left(0x661));
	assert_true(utf8_code_is_printable(0x301) && utf8_code_is_printable(0xfffd));
	assert_false(utf8_code_is_printable(0x1b) || utf8_code_is_printable(0x85) ||
		     utf8_code_is_printable(0x202e) || utf8_code_is_printable(0xe0041) ||
		     utf8_code_is_printable(0xad));
}

/* Words of eight bytes are looked at at once: a bad byte must not hide in any place of one. */
static void utf8_is_valid_finds_a_bad_byte_anywhere(void **state)
{
	static const char bad[] = {'\0', '\x80', '\xff', '\xc3'};
	char text[25];

	(void)state;
	for (size_t len = 1; len < sizeof(text); len++) {
		memset(text, 'a', sizeof(text));
		assert_true(utf8_is_valid(text, len));
		for (size_t at = 0; at < len * array_len(bad); at++) {
			memset(text, 'a', sizeof(text));
			text[at / array_len(bad)] = bad[at % array_len(bad)];
			assert_false(utf8_is_valid(text, len));
		}
		for (size_t at = 0; at + 2 <= len; at++) {
			memset(text, '\x01', sizeof(text));
			memcpy(text + at, "\xc3\xa9", 2);
			assert_true(utf8_is_valid(text, len));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_valid_knows_the_borders),
		cmocka_unit_test(utf8_clean_replaces_bad_bytes_and_always_yields_valid_text),
		cmocka_unit_test(utf8_clean_cuts_at_a_character),
		cmocka_unit_test(utf8_printable_leaves_nothing_that_moves_a_cursor),
		cmocka_unit_test(utf8_put_and_next_round_trip),
		cmocka_unit_test(utf8_columns_counts_wide_and_combining),
		cmocka_unit_test(utf8_code_columns_knows_the_database),
		cmocka_unit_test(utf8_codes_say_whether_they_run_left_and_print),
		cmocka_unit_test(utf8_is_valid_finds_a_bad_byte_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
