/* SPDX-License-Identifier: Apache-2.0 */
/* What must not get through: bad bytes and what the server says to them. */
#include "unit.h"

#include <string.h>
#include <unistd.h>

#include "http_fixture.h"

#define GET "GET /hello HTTP/1.1\r\n"
#define POST "POST /echo HTTP/1.1\r\n"
#define HOST "Host: localhost\r\n"
#define CLOSED 0 /* the connection ends without an answer: just as good */

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture_prepare(fixture);
	fixture_start(fixture);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	fixture_stop(*state);
	free(*state);
	return 0;
}

struct refusal {
	const char *request;
	int status, or_status;
	const char *reason; /* in our JSON; NULL: libmicrohttpd answers, or closes */
};

static const struct refusal refusals[] = {
	/* not HTTP */
	{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, 400, "not_http"},
	{"\x00\x01\x02\x03", 400, 400, "not_http"},
	{"GARBAGE\r\n\r\n", 400, CLOSED, NULL},
	{"GET /hello\r\n\r\n", 400, CLOSED, NULL},
	{"GET /hello HTTP/9.9\r\n" HOST "\r\n", 505, 400, NULL},
	/* methods */
	{"FOO /hello HTTP/1.1\r\n" HOST "\r\n", 501, 501, "unknown_method"},
	{"get /hello HTTP/1.1\r\n" HOST "\r\n", 501, 501, "unknown_method"},
	{"TRACE /hello HTTP/1.1\r\n" HOST "\r\n", 501, 501, "unknown_method"},
	{"CONNECT 127.0.0.1:80 HTTP/1.1\r\n" HOST "\r\n", 501, 501, "unknown_method"},
	{"POST /hello HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 405, 405, "wrong_method"},
	{"OPTIONS /hello HTTP/1.1\r\n" HOST "\r\n", 405, 405, "wrong_method"},
	{"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400, 400, "bad_url"},
	{"GET /echo HTTP/1.1\r\n" HOST "\r\n", 405, 405, "wrong_method"},
	/* hosts */
	{GET "\r\n", 400, 400, NULL},
	{GET HOST "Host: evil.example\r\n\r\n", 400, 400, "bad_request"},
	{GET "Host: evil.example\r\n\r\n", 421, 421, "wrong_host"},
	{GET "Host: localhost.evil.example\r\n\r\n", 421, 421, "wrong_host"},
	{GET "Host: user@localhost\r\n\r\n", 400, 400, "bad_host"},
	{GET "Host: localhost:port\r\n\r\n", 400, 400, "bad_host"},
	{GET "Host: localhost:99999\r\n\r\n", 400, 400, "bad_host"},
	{GET "Host: \r\n\r\n", 400, 400, "bad_host"},
	{"GET http://evil.example/hello HTTP/1.1\r\n" HOST "\r\n", 400, 421, "bad_url"},
	/* other sites */
	{POST HOST "Origin: http://evil.example\r\nContent-Length: 0\r\n\r\n", 403, 403,
	 "cross_site"},
	{POST HOST "Origin: null\r\nContent-Length: 0\r\n\r\n", 403, 403, "cross_site"},
	{POST HOST "Sec-Fetch-Site: cross-site\r\nContent-Length: 0\r\n\r\n", 403, 403,
	 "cross_site"},
	/* framing */
	{POST HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400, CLOSED, "bad_request"},
	{POST HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\na", 400, CLOSED, "bad_request"},
	{POST HOST "Content-Length: +5\r\n\r\nabcde", 400, CLOSED, NULL},
	{POST HOST "Content-Length: -1\r\n\r\n", 400, CLOSED, NULL},
	{POST HOST "Content-Length: 0x10\r\n\r\n", 400, CLOSED, NULL},
	{POST HOST "Content-Length: 5,5\r\n\r\nabcde", 400, CLOSED, NULL},
	{POST HOST "Content-Length: 18446744073709551616\r\n\r\n", 400, 413, NULL},
	{POST HOST "Content-Length: 9223372036854775807\r\n\r\n", 413, 413, "body_too_large"},
	{POST HOST "Content-Length: 16777217\r\n\r\n", 413, 413, "body_too_large"},
	{POST HOST "Content-Length: 16777217\r\nExpect: 100-continue\r\n\r\n", 413, 413,
	 "body_too_large"},
	{"POST /small HTTP/1.1\r\n" HOST "Content-Length: 101\r\n\r\n", 413, 413, "body_too_large"},
	{POST HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, CLOSED,
	 "bad_request"},
	{POST HOST "Transfer-Encoding: identity\r\n\r\n", 501, 400, NULL},
	{POST HOST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501, 400, NULL},
	{POST HOST "Transfer-Encoding: xchunked\r\n\r\n", 501, 400, NULL},
	/* a chunk that never comes: slow, at last */
	{POST HOST "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n", 400, 408, NULL},
	{POST HOST "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400, CLOSED, NULL},
	{POST HOST "Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n", 400, CLOSED, NULL},
	{POST HOST "Content-Length: 3\r\nExpect: something\r\n\r\n", 417, 417, "bad_request"},
	/* headers */
	{GET HOST "Bad Name: x\r\n\r\n", 400, CLOSED, NULL},
	{GET HOST "X: a\x01z\r\n\r\n", 400, CLOSED, "bad_request"},
	/* paths */
	{"GET /nothing HTTP/1.1\r\n" HOST "\r\n", 404, 404, "not_found"},
	{"GET /../etc/passwd HTTP/1.1\r\n" HOST "\r\n", 400, 400, "bad_url"},
	{"GET /files/%2e%2e/x HTTP/1.1\r\n" HOST "\r\n", 400, 400, "bad_url"},
	{"GET /files/%2e%2e%2fx HTTP/1.1\r\n" HOST "\r\n", 400, 400, "bad_url"},
	{"GET /files/%c0%af HTTP/1.1\r\n" HOST "\r\n", 400, 400, "bad_url"},
	{"GET /files/%00 HTTP/1.1\r\n" HOST "\r\n", 400, 400, "bad_url"},
	{"GET /files/% HTTP/1.1\r\n" HOST "\r\n", 400, 400, "bad_url"},
	{"GET /files/%zz HTTP/1.1\r\n" HOST "\r\n", 400, 400, "bad_url"},
	{"GET //hello HTTP/1.1\r\n" HOST "\r\n", 400, 400, "bad_url"},
	{"GET /files/a\\b HTTP/1.1\r\n" HOST "\r\n", 400, 400, "bad_url"},
	{"GET /hello;jsessionid=1 HTTP/1.1\r\n" HOST "\r\n", 404, 404, "not_found"},
	{"GET /%2568ello HTTP/1.1\r\n" HOST "\r\n", 404, 404, "not_found"},
	{"GET /hello?a=%zz HTTP/1.1\r\n" HOST "\r\n", 400, 400, "bad_url"},
	{"GET /hello?a=%ff HTTP/1.1\r\n" HOST "\r\n", 400, 400, "bad_url"},
};

static size_t request_len(const char *request)
{
	/* One row begins with NUL. */
	return request[0] ? strlen(request) : 4;
}

static void check(const struct fixture *fixture, const char *request, size_t len, int status,
		  int or_status, const char *reason)
{
	struct buf answer;
	char quoted[64];
	int fd = client_connect(fixture), got;

	buf_init(&answer, (size_t)1 << 20);
	client_send(fd, request, len);
	got = client_read_answer(fd, &answer);
	close(fd);
	if (got != status && got != or_status)
		fail_msg("%.60s…: got %d, not %d or %d", request, got, status, or_status);
	if (reason && got) {
		snprintf(quoted, sizeof(quoted), "\"error\":\"%s\"", reason);
		if (!strstr(answer.data, quoted))
			fail_msg("%.60s…: no %s in %s", request, quoted, answer.data);
		assert_non_null(strstr(answer.data, "X-Content-Type-Options: nosniff"));
		assert_non_null(strstr(answer.data, "Content-Security-Policy: "));
	}
	buf_done(&answer);
}

static void bad_requests_are_refused_with_a_reason(void **state)
{
	const struct fixture *fixture = *state;
	struct buf answer;

	for (size_t i = 0; i < array_len(refusals); i++)
		check(fixture, refusals[i].request, request_len(refusals[i].request),
		      refusals[i].status, refusals[i].or_status, refusals[i].reason);
	/* And nobody was hurt. */
	buf_init(&answer, 65536);
	assert_int_equal(client_ask(fixture, GET HOST "\r\n", &answer), 200);
	buf_done(&answer);
}

static void long_urls_and_headers_are_refused_by_name(void **state)
{
	struct fixture *fixture = *state;
	struct {
		const char *before, *after;
		size_t fill;
		int status, or_status;
		const char *reason;
	} rows[] = {
		{"GET /hello?x=", " HTTP/1.1\r\n" HOST "\r\n", 9000, 414, 414, "uri_too_long"},
		{"GET /hello?x=", " HTTP/1.1\r\n" HOST "\r\n", 200000, 414, 431, NULL},
		{GET HOST "X: ", "\r\n\r\n", 17000, 431, 431, "headers_too_large"},
		{GET HOST "X: ", "\r\n\r\n", 200000, 431, 413, NULL},
	};

	for (size_t i = 0; i < array_len(rows); i++) {
		struct buf request;

		buf_init(&request, (size_t)1 << 20);
		buf_puts(&request, rows[i].before);
		for (size_t k = 0; k < rows[i].fill; k++)
			buf_putc(&request, 'a');
		buf_puts(&request, rows[i].after);
		check(fixture, request.data, request.len, rows[i].status, rows[i].or_status,
		      rows[i].reason);
		buf_done(&request);
	}
}

static void too_many_headers_are_refused(void **state)
{
	struct buf request;

	buf_init(&request, (size_t)1 << 20);
	buf_puts(&request, GET HOST);
	for (int i = 0; i < 150; i++)
		buf_printf(&request, "X-%d: y\r\n", i);
	buf_puts(&request, "\r\n");
	check(*state, request.data, request.len, 431, 431, "headers_too_large");
	buf_done(&request);
}

static void endless_chunked_body_is_cut_off(void **state)
{
	const struct fixture *fixture = *state;
	int fd = client_connect(fixture);
	struct buf answer;
	char *chunk = calloc(1, (size_t)1 << 20);

	buf_init(&answer, 65536 * 4);
	client_sends(fd, POST HOST "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 40; i++) {
		client_sends(fd, "100000\r\n");
		client_send(fd, chunk, (size_t)1 << 20);
		client_sends(fd, "\r\n");
	}
	/* The answer is there although we sent far more than was read. */
	assert_int_equal(client_read_answer(fd, &answer), 413);
	assert_non_null(strstr(answer.data, "body_too_large"));
	close(fd);
	free(chunk);
	buf_done(&answer);
}

static void announced_large_body_is_refused_before_it_is_read(void **state)
{
	const struct fixture *fixture = *state;
	int fd = client_connect(fixture);
	struct buf answer;
	char *body = calloc(1, (size_t)17 << 20);

	buf_init(&answer, 65536 * 4);
	client_sends(fd, POST HOST "Content-Length: 17825792\r\n\r\n");
	client_send(fd, body, (size_t)17 << 20);
	assert_int_equal(client_read_answer(fd, &answer), 413);
	close(fd);
	free(body);
	buf_done(&answer);
}

static void short_body_reaches_no_handler(void **state)
{
	struct fixture *fixture = *state;
	int fd = client_connect(fixture);
	struct http_stats before, after;

	http_server_stats(fixture->server, &before);
	client_sends(fd, POST HOST "Content-Length: 100\r\n\r\nonly this");
	usleep(50000);
	close(fd);
	usleep(100000);
	http_server_stats(fixture->server, &after);
	assert_int_equal(after.requests[2], before.requests[2]);
	assert_int_equal(after.in_flight, 0);
	assert_int_equal(after.in_flight_bytes, 0);
}

/* How long the server lets the bytes of a slow client trickle before it ends it. */
static void slow_clients_are_ended(void **state)
{
	static const char *const starts[] = {
		"G",					   /* no request line */
		GET "Host: loc",			   /* no end of headers */
		POST HOST "Content-Length: 50000\r\n\r\n", /* a byte now and then of a body */
	};
	struct fixture fixture;

	(void)state;
	fixture_prepare(&fixture);
	fixture.config.limits.header_ns = 1000000000;
	fixture.config.limits.request_ns = 1000000000;
	fixture_start(&fixture);
	for (size_t i = 0; i < array_len(starts); i++) {
		int fd = client_connect(&fixture), status = -1;
		struct buf answer;

		buf_init(&answer, 65536 * 2);
		client_sends(fd, starts[i]);
		for (int k = 0; k < 100 && status < 0; k++) {
			usleep(100000);
			client_sends(fd, "x");
			client_read_all(fd, &answer, 0);
			if (answer.len)
				status = client_read_answer(fd, &answer);
		}
		assert_int_equal(status, 408);
		assert_non_null(strstr(answer.data, i < 2 ? "header_timeout" : "body_timeout"));
		close(fd);
		buf_done(&answer);
	}
	fixture_stop(&fixture);
}

static void handler_that_takes_too_long_is_given_up(void **state)
{
	struct fixture fixture;
	struct buf answer;

	(void)state;
	fixture_prepare(&fixture);
	fixture.config.limits.request_ns = 500000000;
	fixture_start(&fixture);
	buf_init(&answer, 65536);
	assert_int_equal(client_ask(&fixture, "GET /hang HTTP/1.1\r\n" HOST "\r\n", &answer), 503);
	assert_non_null(strstr(answer.data, "\"error\":\"timeout\""));
	buf_done(&answer);
	fixture_stop(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_requests_are_refused_with_a_reason),
		cmocka_unit_test(long_urls_and_headers_are_refused_by_name),
		cmocka_unit_test(too_many_headers_are_refused),
		cmocka_unit_test(endless_chunked_body_is_cut_off),
		cmocka_unit_test(announced_large_body_is_refused_before_it_is_read),
		cmocka_unit_test(short_body_reaches_no_handler),
		cmocka_unit_test(slow_clients_are_ended),
		cmocka_unit_test(handler_that_takes_too_long_is_given_up),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
