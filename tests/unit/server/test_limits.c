/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "base/clock.h"
#include "format/format.h"
#include "server/limits.h"

static void defaults_are_what_the_table_says(void **state)
{
	struct limits limits;
	char value[32];

	(void)state;
	limits_init(&limits);
	for (const struct opt *row = limit_options; row->name; row++) {
		limits_value_text(&limits, row, value, sizeof(value));
		assert_string_equal(value, row->standard);
	}
	assert_int_equal(limits.max_body_bytes, 16 << 20);
	assert_int_equal(limits.max_inflated_bytes, 64 << 20);
	assert_int_equal(limits.max_inflate_ratio, 200);
	assert_int_equal(limits.header_ns, 10 * NS_PER_S);
}

/* Every reason that a room refuses by, and an option that is there. */
static void reasons_lead_to_their_options(void **state)
{
	static const char *const rows[][2] = {
		{"body_size_limit_exceeded", "max-body"},
		{"profile_size_limit", "max-inflated"},
		{"inflate_ratio_limit", "max-ratio"},
		{"samples_limit", "max-samples"},
		{"profiles_limit", "max-profiles"},
		{"max_label_names_per_series", "max-labels"},
		{"label_name_too_long", "max-label-name"},
		{"label_value_too_long", "max-label-value"},
		{"series_limit", "max-series"},
		{"connections", "max-connections"},
		{"headers", "max-headers"},
		{"uri_too_long", "max-uri"},
		{"queue", "max-waiting"},
		{"memory", "max-in-flight"},
		{"query_timeout", "query-timeout"},
		{"login_failures", "max-login-failures"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		const struct opt *row = limits_of_reason(rows[i][0]);

		if (!row || strcmp(row->name, rows[i][1]) != 0)
			fail_msg("%s: %s", rows[i][0], row ? row->name : "nothing");
	}
	assert_null(limits_of_reason("malformed"));
	assert_null(limits_of_reason(""));
	assert_null(limits_of_reason(NULL));
}

static void advice_is_appended_once_there_is_some(void **state)
{
	struct limits limits;
	struct err err;

	(void)state;
	limits_init(&limits);
	limits.max_samples = 3;
	err_because(&err, ERR_LIMIT, "samples_limit", "too many");
	limits_advise(&limits, &err);
	assert_string_equal(err.text,
			    "too many (the limit is 3: change it with serve --max-samples)");
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(err.reason, "samples_limit");
	err_set(&err, ERR_CORRUPT, "broken");
	limits_advise(&limits, &err);
	assert_string_equal(err.text, "broken");
}

static void values_are_told_as_one_types_them(void **state)
{
	static const struct {
		const char *option;
		int64_t value;
		const char *text;
	} rows[] = {
		{"max-body", 0, "0"},
		{"max-body", 1000, "1000"},
		{"max-body", 1024, "1KiB"},
		{"max-body", 3 << 20, "3MiB"},
		{"max-body", 1ll << 31, "2GiB"},
		{"header-timeout", 1500 * NS_PER_MS, "1500ms"},
		{"header-timeout", NS_PER_S, "1s"},
		{"header-timeout", 90 * NS_PER_S, "90s"},
		{"header-timeout", 600 * NS_PER_S, "10m"},
		{"max-samples", 7, "7"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		const struct opt *row = limit_options;
		struct limits limits;
		char text[32];

		while (strcmp(row->name, rows[i].option) != 0)
			row++;
		limits_init(&limits);
		memcpy((char *)&limits + row->offset, &rows[i].value, sizeof(rows[i].value));
		limits_value_text(&limits, row, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
	}
}

static void the_rooms_below_get_what_was_set(void **state)
{
	struct limits limits;
	struct http_limits http;
	struct format_limits format = {0};
	struct store_config store = {0};

	(void)state;
	limits_init(&limits);
	limits.max_body_bytes = 11;
	limits.max_inflated_bytes = 12;
	limits.max_samples = 13;
	limits.max_depth = 14;
	limits.max_series = 15;
	limits.request_ns = 16;
	limits.accept_future_ns = 17;
	http = limits_http(&limits);
	limits_set_format(&limits, &format);
	limits_set_store(&limits, &store);
	assert_int_equal(http.max_body_bytes, 11);
	assert_int_equal(http.max_inflated_bytes, 12);
	assert_int_equal(http.request_ns, 16);
	assert_int_equal(http.min_rate_bytes, http_limits_default.min_rate_bytes);
	assert_int_equal(format.max_inflated_bytes, 12);
	assert_int_equal(format.max_samples, 13);
	assert_int_equal(format.max_depth, 14);
	assert_int_equal(store.max_series, 15);
	assert_int_equal(store.accept_future_ns, 17);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_what_the_table_says),
		cmocka_unit_test(reasons_lead_to_their_options),
		cmocka_unit_test(advice_is_appended_once_there_is_some),
		cmocka_unit_test(values_are_told_as_one_types_them),
		cmocka_unit_test(the_rooms_below_get_what_was_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
