/* SPDX-License-Identifier: Apache-2.0 */
/* Texts for people and parsers: markup.c and amount.c. */
#include "format/markup.h"

#include <string.h>

#include "format/amount.h"
#include "unit.h"

static void markup_escapes_as_the_table_says(void **state)
{
	static const struct {
		const char *text, *markup;
	} cases[] = {
		{"", ""},
		{"plain \xc3\xa4 \xf0\x9f\x94\xa5", "plain \xc3\xa4 \xf0\x9f\x94\xa5"},
		{"<a href=\"x\">&'", "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"},
		{"a\nb\tc\x01", "a\\x0ab\\x09c\\x01"},
		{"\xef\xbf\xbe\xf0\x9f\xbf\xbf", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xe2\x80\xae", "\\u202e"},
	};
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 16);
	for (size_t i = 0; i < array_len(cases); i++) {
		buf_reset(&out);
		buf_puts(&out, "");
		markup_puts(&out, cases[i].text);
		assert_int_equal(out.len, strlen(cases[i].markup));
		if (out.len)
			assert_string_equal(out.data, cases[i].markup);
	}
	buf_done(&out);
}

static void amounts_read_as_the_table_says(void **state)
{
	static const struct {
		int64_t value;
		const char *unit, *text;
	} cases[] = {
		{0, "nanoseconds", "0 ns"},
		{999, "nanoseconds", "999 ns"},
		{1500, "nanoseconds", "1.50 \xc2\xb5s"},
		{2000000, "nanoseconds", "2.00 ms"},
		{75000000000, "nanoseconds", "75.00 s"},
		{120000000000, "nanoseconds", "2.00 min"},
		{7200000000000, "nanoseconds", "2.00 h"},
		{-1500000000, "nanoseconds", "-1.50 s"},
		{512, "bytes", "512 B"},
		{1536, "bytes", "1.50 KiB"},
		{3u << 30, "bytes", "3.00 GiB"},
		{17, "count", "17 samples"},
		{17, "<goats>", "17 &lt;goats&gt;"},
	};
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 16);
	for (size_t i = 0; i < array_len(cases); i++) {
		buf_reset(&out);
		amount_put(&out, cases[i].value, cases[i].unit);
		assert_string_equal(out.data, cases[i].text);
	}
	buf_reset(&out);
	amount_put_share(&out, 1, 3);
	buf_puts(&out, " ");
	amount_put_share(&out, 5, 0);
	assert_string_equal(out.data, "33.33 % 0.00 %");
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(markup_escapes_as_the_table_says),
		cmocka_unit_test(amounts_read_as_the_table_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
