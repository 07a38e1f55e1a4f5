/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "codec/json.h"

static void json_writer_puts_commas_and_nests(void **state)
{
	struct json_writer json;
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	json_writer_init(&json, &out, 0);
	json_object(&json);
	json_member_str(&json, "a", "x");
	json_key(&json, "b");
	json_array(&json);
	json_int(&json, INT64_MIN);
	json_uint(&json, UINT64_MAX);
	json_array(&json);
	json_end(&json);
	json_object(&json);
	json_end(&json);
	json_null(&json);
	json_end(&json);
	json_member_bool(&json, "c", true);
	json_member_double(&json, "d", 0.1);
	json_member_double(&json, "e", NAN);
	json_member_str(&json, "f", NULL);
	json_member_int(&json, "g", 0);
	json_end(&json);
	assert_string_equal(out.data,
			    "{\"a\":\"x\",\"b\":[-9223372036854775808,18446744073709551615,[],{},"
			    "null],\"c\":true,\"d\":0.1,\"e\":null,\"f\":null,\"g\":0}");
	buf_done(&out);
}

static void json_strings_are_escaped_and_valid(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		uint32_t flags;
		const char *out;
	} cases[] = {
		{"a\"\\/\b\f\n\r\t", 9, 0, "\"a\\\"\\\\/\\b\\f\\n\\r\\t\""},
		{"\0\x01\x1f\x7f", 4, 0, "\"\xef\xbf\xbd\\u0001\\u001f\\u007f\""},
		{"</script>&", 10, 0, "\"</script>&\""},
		{"</script>&", 10, JSON_ESCAPE_MARKUP, "\"\\u003c/script\\u003e\\u0026\""},
		{"\xc3\xa9\xf0\x9f\x98\x80", 6, 0, "\"\xc3\xa9\xf0\x9f\x98\x80\""},
		{"\xff\xc3", 2, 0, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\xe2\x80\xa8", 3, 0, "\"\\u2028\""},
		{"\xc2\x9b\xe2\x80\xae\xe2\x81\xa6\xc2\xa0", 10, 0,
		 "\"\\u009b\\u202e\\u2066\xc2\xa0\""},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct json_writer json;
		struct buf out;

		buf_init(&out, 1000);
		json_writer_init(&json, &out, cases[i].flags);
		json_str(&json, cases[i].in, cases[i].len);
		assert_string_equal(out.data, cases[i].out);
		buf_done(&out);
	}
}

static void json_doubles_read_back_to_the_same_value(void **state)
{
	static const double values[] = {
		0, 0.1, 1.0 / 3, 1e300, DBL_MIN, DBL_MAX, -2.5, 1e21, 123456789.123456789};

	(void)state;
	for (size_t i = 0; i < array_len(values); i++) {
		struct json_event event = {.kind = JSON_NUMBER};
		struct json_writer json;
		struct buf out;
		double back;

		buf_init(&out, 100);
		json_writer_init(&json, &out, 0);
		json_double(&json, values[i]);
		event.text = out.data;
		event.len = out.len;
		assert_int_equal(json_event_double(&event, &back), 0);
		assert_true(back == values[i]);
		buf_done(&out);
	}
}

/* ---- reading ---- */

static int on_event(void *ctx, const struct json_event *event, struct err *err)
{
	static const char kinds[] = {
		[JSON_NULL] = '0',	  [JSON_BOOL] = 'b',	     [JSON_NUMBER] = 'n',
		[JSON_STRING] = 's',	  [JSON_OBJECT_BEGIN] = '{', [JSON_OBJECT_END] = '}',
		[JSON_ARRAY_BEGIN] = '[', [JSON_ARRAY_END] = ']'};
	struct buf *log = ctx;

	(void)err;
	buf_printf(log, "%s%c", event->path, kinds[event->kind]);
	if (event->kind == JSON_STRING || event->kind == JSON_NUMBER)
		buf_put(log, event->text, event->len);
	buf_putc(log, ' ');
	return 0;
}

static int read_text(const char *text, struct buf *log, struct err *err)
{
	struct json_limits limits = {.max_bytes = 1000, .max_depth = 8};

	buf_init(log, 10000);
	return json_read(text, strlen(text), &limits, on_event, log, err);
}

static void json_events_know_their_place(void **state)
{
	static const struct {
		const char *text, *log;
	} cases[] = {
		{"7", "n7 "},
		{"[]", "[ ] "},
		{"{\"a\":{\"b\":[1,[2],{\"c\":null}]},\"d\":true}",
		 "{ a{ a.b[ a.b[]n1 a.b[][ a.b[][]n2 a.b[]] a.b[]{ a.b[].c0 a.b[]} a.b] a} db } "},
		{"{\"a.b\":1,\"x[]\":2,\"\":3}", "{ ?n1 ?n2 ?n3 } "},
		{"[{\"k\":1},{\"k\":2}]", "[ []{ [].kn1 []} []{ [].kn2 []} ] "},
		{"{\"a\":\"\\u00e9\\n\"}", "{ as\xc3\xa9\n } "},
		{"[9007199254740993]", "[ []n9007199254740993 ] "},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct buf log;

		assert_int_equal(read_text(cases[i].text, &log, NULL), 0);
		assert_string_equal(log.data, cases[i].log);
		buf_done(&log);
	}
}

static void json_refuses_what_is_no_json(void **state)
{
	static const char *const cases[] = {"",	   "{",		 "[1,]",  "{\"a\" 1}",
					    "NaN", "[Infinity]", "[1] 2", "nul",
					    "\"a", "{a:1}",	 "[01]",  "'a'"};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct err err = {0};
		struct buf log;

		assert_int_equal(read_text(cases[i], &log, &err), ERR_CORRUPT);
		assert_non_null(strstr(err.text, "JSON"));
		buf_done(&log);
	}
}

static void json_bounds_depth_bytes_and_long_keys(void **state)
{
	struct json_limits limits = {.max_bytes = 10, .max_depth = 8};
	char text[300];
	struct buf log;

	(void)state;
	assert_int_equal(read_text("[[[[[[[[1]]]]]]]]", &log, NULL), 0);
	buf_done(&log);
	assert_int_equal(read_text("[[[[[[[[[1]]]]]]]]]", &log, NULL), ERR_LIMIT);
	buf_done(&log);
	buf_init(&log, 100);
	assert_int_equal(json_read("[1,2,3,4,5]", 11, &limits, on_event, &log, NULL), ERR_LIMIT);
	buf_done(&log);
	snprintf(text, sizeof(text), "{\"%0200d\":1}", 7);
	assert_int_equal(read_text(text, &log, NULL), 0);
	assert_string_equal(log.data, "{ ?n1 } ");
	buf_done(&log);
}

static void json_numbers_are_exact(void **state)
{
	static const struct {
		const char *text;
		int code;
		int64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"-9223372036854775808", 0, INT64_MIN},
		{"9223372036854775807", 0, INT64_MAX},
		{"9223372036854775808", ERR_CORRUPT, 0},
		{"1e3", 0, 1000},
		{"5.0", 0, 5},
		{"5.5", ERR_CORRUPT, 0},
		{"1e30", ERR_CORRUPT, 0},
		{"1e999", ERR_CORRUPT, 0},
		{"", ERR_CORRUPT, 0},
		{"0x10", ERR_CORRUPT, 0},
		{"inf", ERR_CORRUPT, 0},
		{" 1", ERR_CORRUPT, 0},
		{"1-1", ERR_CORRUPT, 0},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct json_event event = {
			.kind = JSON_STRING, .text = cases[i].text, .len = strlen(cases[i].text)};
		int64_t value = 0;

		assert_int_equal(json_event_int(&event, &value), cases[i].code);
		assert_int_equal(value, cases[i].value);
	}
}

static int refuse(void *ctx, const struct json_event *event, struct err *err)
{
	(void)ctx;
	return event->kind == JSON_NUMBER ? err_set(err, ERR_USAGE, "no numbers") : 0;
}

static void json_stops_where_the_reader_says_so(void **state)
{
	struct json_limits limits = {.max_bytes = 100, .max_depth = 8};
	struct err err;

	(void)state;
	assert_int_equal(json_read("[\"a\",1,}", 8, &limits, refuse, NULL, &err), ERR_USAGE);
	assert_string_equal(err.text, "no numbers");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_writer_puts_commas_and_nests),
		cmocka_unit_test(json_strings_are_escaped_and_valid),
		cmocka_unit_test(json_doubles_read_back_to_the_same_value),
		cmocka_unit_test(json_events_know_their_place),
		cmocka_unit_test(json_refuses_what_is_no_json),
		cmocka_unit_test(json_bounds_depth_bytes_and_long_keys),
		cmocka_unit_test(json_numbers_are_exact),
		cmocka_unit_test(json_stops_where_the_reader_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
