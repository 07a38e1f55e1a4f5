/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "codec/base64.h"

/* RFC 4648, and what needs the last two characters of the alphabets. */
static const struct {
	const char *plain, *standard, *for_urls;
} cases[] = {
	{"", "", ""},
	{"f", "Zg==", "Zg"},
	{"fo", "Zm8=", "Zm8"},
	{"foo", "Zm9v", "Zm9v"},
	{"foob", "Zm9vYg==", "Zm9vYg"},
	{"\xfb\xff\xbf", "+/+/", "-_-_"},
};

static void base64_matches_the_rfc_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		const char *const texts[] = {cases[i].standard, cases[i].for_urls};
		struct buf out;

		buf_init(&out, 100);
		base64_encode(cases[i].plain, strlen(cases[i].plain), &out);
		assert_string_equal(out.data ? out.data : "", cases[i].standard);
		buf_reset(&out);
		base64url_encode(cases[i].plain, strlen(cases[i].plain), &out);
		assert_string_equal(out.data ? out.data : "", cases[i].for_urls);
		for (size_t k = 0; k < array_len(texts); k++) {
			buf_reset(&out);
			assert_int_equal(base64_decode(texts[k], strlen(texts[k]), &out, NULL), 0);
			assert_string_equal(out.data, cases[i].plain);
		}
		buf_done(&out);
	}
}

static void base64_refuses_other_text(void **state)
{
	static const char *const bad[] = {
		"A", "AAAAA", "AA=A", "====", "A A=", "AA\n=", "\xc3\xa9=="};

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		struct buf out;

		buf_init(&out, 100);
		assert_int_equal(base64_decode(bad[i], strlen(bad[i]), &out, NULL), ERR_CORRUPT);
		assert_int_equal(out.len, 0);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_matches_the_rfc_both_ways),
		cmocka_unit_test(base64_refuses_other_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
