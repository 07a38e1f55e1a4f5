/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/clock.h"
#include "server/attime.h"

#define NOW_NS (1795344186ll * NS_PER_S)

static void times_are_read_in_every_unit(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{"1795344186", NOW_NS},
		{"1795344186000", NOW_NS},
		{"1795344186000000", NOW_NS},
		{"1795344186000000000", NOW_NS},
		{"0", 0},
		{"20260822", 1787356800ll * NS_PER_S},
		{"20269999", 20269999ll * NS_PER_S}, /* no date: seconds */
		{"now", NOW_NS},
		{"now-1h", NOW_NS - 3600 * NS_PER_S},
		{"now-30min+5s", NOW_NS - 1795 * NS_PER_S},
		{"-2d", NOW_NS - 172800 * NS_PER_S},
		{"now-1w", NOW_NS - 604800 * NS_PER_S},
		{"now-1mon", NOW_NS - 30 * 86400 * NS_PER_S},
		{"now-1M", NOW_NS - 30 * 86400 * NS_PER_S},
		{"now-5m", NOW_NS - 300 * NS_PER_S},
		{"now-5minutes", NOW_NS - 300 * NS_PER_S},
		{"now-1y", NOW_NS - 365 * 86400 * NS_PER_S},
	};

	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		int64_t ns = -1;
		struct err err;

		if (attime_parse(rows[i].text, NOW_NS, &ns, &err) < 0)
			fail_msg("%s: %s", rows[i].text, err.text);
		if (ns != rows[i].ns)
			fail_msg("%s: %lld", rows[i].text, (long long)ns);
	}
}

static void other_texts_are_errors(void **state)
{
	static const char *const rows[] = {
		"",
		"yesterday",
		"now-",
		"now-1",
		"now-x",
		"now-1q",
		"now1h",
		"12x",
		" 1",
		"1.5",
		"99999999999999999999",
		"999999999999999999",
		"now-9999999999s",
		"now--1h",
		"\xff",
		"now-999999999y",
		"82060315", /* a date past 2262 */
		"99991231",
	};

	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		int64_t ns;
		struct err err;

		if (*rows[i] && attime_parse(rows[i], NOW_NS, &ns, &err) == 0)
			fail_msg("%s", rows[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read_in_every_unit),
		cmocka_unit_test(other_texts_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
