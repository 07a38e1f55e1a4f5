/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/client.h"
#include "http_fixture.h"

static int ask(const struct http_client_opts *opts, const char *url, const char *method,
	       const char *body, struct http_client_answer *answer, struct err *err)
{
	struct http_client_header header = {"X-Test", "1"};
	struct http_client_request request = {.method = method,
					      .url = url,
					      .headers = &header,
					      .n_headers = 1,
					      .body = body,
					      .body_len = body ? strlen(body) : 0};
	struct http_client *client;
	int r;

	assert_int_equal(http_client_new(opts, &client, err), 0);
	r = http_client_send(client, &request, answer, err);
	http_client_free(client);
	return r;
}

static void bodies_arrive_and_answers_come_back(void **state)
{
	static const char *const methods[] = {"POST", "PUT"};
	struct http_client_opts opts = {0};
	struct fixture fixture;
	char url[64];

	(void)state;
	fixture_prepare(&fixture);
	fixture_start(&fixture);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/echo", fixture.port);
	for (size_t i = 0; i < array_len(methods); i++) {
		struct http_client_answer answer;
		struct err err;

		assert_int_equal(ask(&opts, url, methods[i], "profile", &answer, &err), 0);
		assert_int_equal(answer.status, 200);
		assert_string_equal(answer.body.data, "profile");
		http_client_answer_done(&answer);
	}
	fixture_stop(&fixture);
}

static void one_client_keeps_its_connection(void **state)
{
	struct http_client_opts opts = {0};
	struct http_client *client;
	struct fixture fixture;
	struct http_stats stats;
	struct err err;
	char url[64];

	(void)state;
	fixture_prepare(&fixture);
	fixture_start(&fixture);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/echo", fixture.port);
	assert_int_equal(http_client_new(&opts, &client, &err), 0);
	for (int i = 0; i < 20; i++) {
		struct http_client_request request = {
			.method = "POST", .url = url, .body = "x", .body_len = 1};
		struct http_client_answer answer;

		assert_int_equal(http_client_send(client, &request, &answer, &err), 0);
		http_client_answer_done(&answer);
	}
	http_server_stats(fixture.server, &stats);
	assert_int_equal(stats.connections_total, 1);
	http_client_free(client);
	fixture_stop(&fixture);
}

static void long_answers_are_cut(void **state)
{
	struct http_client_opts opts = {.max_answer_bytes = 1000};
	struct http_client_answer answer;
	struct fixture fixture;
	struct err err;
	char url[64];

	(void)state;
	fixture_prepare(&fixture);
	fixture_start(&fixture);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/big", fixture.port);
	assert_int_equal(ask(&opts, url, "GET", NULL, &answer, &err), 0);
	assert_int_equal(answer.status, 200);
	assert_true(answer.is_cut);
	assert_int_equal(answer.body.len, 1000);
	assert_string_equal(answer.content_type, "text/plain");
	http_client_answer_done(&answer);
	fixture_stop(&fixture);
}

static void failures_say_what_and_hide_passwords(void **state)
{
	static const struct {
		const char *url;
		int code;
	} rows[] = {
		{"http://user:secret@127.0.0.1:1/x?token=secret", -ECONNREFUSED},
		{"ftp://user:secret@127.0.0.1/", ERR_USAGE},
		{"file:///etc/passwd", ERR_USAGE},
		{"not a url", ERR_USAGE},
	};
	struct http_client_opts opts = {.connect_timeout_ns = NS_PER_S, .timeout_ns = 2 * NS_PER_S};

	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		struct http_client_answer answer;
		struct err err;

		assert_int_equal(ask(&opts, rows[i].url, "POST", "x", &answer, &err), rows[i].code);
		assert_null(strstr(err.text, "secret"));
		assert_true(strlen(err.text) > 5);
	}
}

/* A listener that accepts nothing and answers nothing. */
static int silent_listener(uint16_t *ret_port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 5), 0);
	getsockname(fd, (struct sockaddr *)&addr, &len);
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

static void silence_times_out_or_is_cancelled(void **state)
{
	volatile bool is_cancelled = true;
	struct http_client_opts rows[] = {
		{.timeout_ns = 300 * NS_PER_MS},
		{.timeout_ns = 60 * NS_PER_S, .is_cancelled = &is_cancelled},
	};
	const int codes[] = {-ETIMEDOUT, -ECANCELED};
	uint16_t port;
	int fd = silent_listener(&port);
	char url[64];

	(void)state;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
	for (size_t i = 0; i < array_len(rows); i++) {
		struct http_client_answer answer;
		struct err err;

		assert_int_equal(ask(&rows[i], url, "POST", "x", &answer, &err), codes[i]);
	}
	close(fd);
}

static void busy_servers_say_when_to_come_back(void **state)
{
	struct http_client_opts opts = {0};
	struct http_client_answer answer;
	struct fixture fixture;
	struct err err;
	char url[64];

	(void)state;
	fixture_prepare(&fixture);
	fixture.config.limits.max_in_flight_bytes = 1;
	fixture_start(&fixture);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/small", fixture.port);
	/* A limit of the server's memory, reached at once; it answers in the middle of the body. */
	assert_int_equal(ask(&opts, url, "POST", "xx", &answer, &err), 0);
	assert_int_equal(answer.status, 503);
	assert_int_equal(answer.retry_after_ns, NS_PER_S);
	http_client_answer_done(&answer);
	fixture_stop(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_arrive_and_answers_come_back),
		cmocka_unit_test(one_client_keeps_its_connection),
		cmocka_unit_test(long_answers_are_cut),
		cmocka_unit_test(failures_say_what_and_hide_passwords),
		cmocka_unit_test(silence_times_out_or_is_cancelled),
		cmocka_unit_test(busy_servers_say_when_to_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
