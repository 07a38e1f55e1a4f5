/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "http/http_server.h"
#include "http_fixture.h"

static void lists_are_searched_with_quality(void **state)
{
	static const struct {
		const char *value;
		bool has;
	} rows[] = {
		{"gzip", true},
		{"GZIP", true},
		{"deflate, gzip", true},
		{"gzip;q=1.0", true},
		{"gzip; q=0.001", true},
		{"br;q=0, gzip", true},
		{" gzip ", true},
		{",,gzip", true},
		{"gzip;q=0", false},
		{"gzip; q=0.000", false},
		{"gzipx", false},
		{"xgzip", false},
		{"identity", false},
		{"", false},
		{"deflate;x=gzip", false},
		{NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < array_len(rows); i++)
		if (http_list_has(rows[i].value, "gzip") != rows[i].has)
			fail_msg("%s", rows[i].value);
}

static void media_type_is_lower_case_without_parameters(void **state)
{
	static const struct {
		const char *header, *type;
	} rows[] = {
		{"Application/JSON; charset=utf-8", "application/json"},
		{"text/plain", "text/plain"},
		{"a/b,c/d", "a/b"},
		{"", ""},
		{"0123456789012345678901234567890123456789", "0123456789012345678"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		struct http_pair header = {"content-type", rows[i].header};
		struct http_request request = {.headers = &header, .n_headers = 1};
		char type[20];

		http_request_media_type(&request, type, sizeof(type));
		assert_string_equal(type, rows[i].type);
	}
}

static void failure_is_one_line_of_safe_json(void **state)
{
	struct http_exchange exchange = {0};

	(void)state;
	arena_init(&exchange.arena);
	buf_init(&exchange.response.body, 65536);
	buf_puts(&exchange.response.body, "half an answer");
	http_fail(&exchange, 400, "bad_query", "no such label: %s", "<script>\n\x1b[2J\"\xff");
	assert_int_equal(exchange.response.status, 400);
	assert_null(strchr(exchange.response.body.data, '<'));
	assert_null(strchr(exchange.response.body.data, '\x1b'));
	assert_ptr_equal(strchr(exchange.response.body.data, '\n'),
			 exchange.response.body.data + exchange.response.body.len - 1);
	assert_memory_equal(exchange.response.body.data, "{\"error\":\"bad_query\",", 21);
	buf_done(&exchange.response.body);
	arena_done(&exchange.arena);
}

static void headers_cannot_be_split(void **state)
{
	struct http_exchange exchange = {0};

	(void)state;
	arena_init(&exchange.arena);
	http_response_header(&exchange, "Content-Disposition", "a\r\nSet-Cookie: x\x7f");
	assert_string_equal(exchange.response.headers[0].value, "a??Set-Cookie: x?");
	arena_done(&exchange.arena);
}

static void paths_are_decoded_once(void **state)
{
	static const struct {
		const char *target, *tail;
	} rows[] = {
		{"/files/a%20b", "a b"},       {"/files/%25zz", "%zz"},
		{"/files/%2Ex", ".x"},	       {"/files/...", "..."},
		{"/files/%C3%BC", "\xc3\xbc"}, {"/files/a+b", "a+b"},
		{"/files/a?b=%2f", "a"},       {"/files/", ""},
		{"/files/a/b", "a/b"},
	};
	struct fixture fixture;

	(void)state;
	fixture_prepare(&fixture);
	fixture_start(&fixture);
	for (size_t i = 0; i < array_len(rows); i++) {
		char request[256];
		const char *body;
		struct buf answer;

		buf_init(&answer, 65536);
		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
			 rows[i].target);
		assert_int_equal(client_ask(&fixture, request, &answer), 200);
		body = strstr(answer.data, "\r\n\r\n");
		assert_string_equal(body + 4, rows[i].tail);
		buf_done(&answer);
	}
	fixture_stop(&fixture);
}

static void addresses_to_listen_on_are_told_apart(void **state)
{
	static const struct {
		const char *listen;
		int result;
		bool is_loopback;
	} rows[] = {
		{"127.0.0.1:4040", 0, true},
		{"127.1.2.3:0", 0, true},
		{"[::1]:4040", 0, true},
		{"0.0.0.0:4040", 0, false},
		{"[::]:4040", 0, false},
		{"10.0.0.1:80", 0, false},
		{"127.0.0.1", ERR_USAGE, false},
		{"::1:4040", ERR_USAGE, false},
		{":4040", ERR_USAGE, false},
		{"127.0.0.1:", ERR_USAGE, false},
		{"127.0.0.1:65536", ERR_USAGE, false},
		{"127.0.0.1:-1", ERR_USAGE, false},
		{"", ERR_USAGE, false},
		{"[::1:4040", ERR_USAGE, false},
	};

	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		bool is_loopback = false;
		struct err err;

		if (http_listen_is_loopback(rows[i].listen, &is_loopback, &err) != rows[i].result ||
		    is_loopback != rows[i].is_loopback)
			fail_msg("%s", rows[i].listen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_searched_with_quality),
		cmocka_unit_test(media_type_is_lower_case_without_parameters),
		cmocka_unit_test(failure_is_one_line_of_safe_json),
		cmocka_unit_test(headers_cannot_be_split),
		cmocka_unit_test(paths_are_decoded_once),
		cmocka_unit_test(addresses_to_listen_on_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
