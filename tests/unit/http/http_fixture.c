/* SPDX-License-Identifier: Apache-2.0 */
#include "http_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

#define ANSWER_TIMEOUT_MS 20000

static void hello(void *ctx, struct http_exchange *exchange)
{
	(void)ctx;
	exchange->response.content_type = "text/plain";
	buf_puts(&exchange->response.body, "hello");
	http_exchange_finish(exchange);
}

static void echo(void *ctx, struct http_exchange *exchange)
{
	(void)ctx;
	buf_put(&exchange->response.body, exchange->request.body, exchange->request.body_len);
	http_exchange_finish(exchange);
}

static void tail(void *ctx, struct http_exchange *exchange)
{
	(void)ctx;
	buf_puts(&exchange->response.body, exchange->request.tail);
	http_exchange_finish(exchange);
}

static void big(void *ctx, struct http_exchange *exchange)
{
	(void)ctx;
	exchange->response.content_type = "text/plain";
	for (size_t i = 0; i < FIXTURE_BIG_BYTES; i += 16)
		buf_puts(&exchange->response.body, "0123456789abcde\n");
	http_exchange_finish(exchange);
}

static void grpc(void *ctx, struct http_exchange *exchange)
{
	exchange->response.content_type = "application/grpc";
	http_response_trailer(exchange, "Grpc-Status", "0");
	echo(ctx, exchange);
}

static void *finish_later(void *ctx)
{
	struct timespec pause = clock_timespec(20 * NS_PER_MS);

	clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	http_exchange_finish(ctx);
	return NULL;
}

static void later(void *ctx, struct http_exchange *exchange)
{
	struct fixture *fixture = ctx;

	buf_puts(&exchange->response.body, "later");
	assert_true(fixture->n_later < array_len(fixture->later));
	pthread_create(&fixture->later[fixture->n_later++], NULL, finish_later, exchange);
}

static void hang(void *ctx, struct http_exchange *exchange)
{
	struct timespec pause = clock_timespec(NS_PER_MS);

	(void)ctx;
	while (!__atomic_load_n(&exchange->is_cancelled, __ATOMIC_RELAXED))
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	http_exchange_finish(exchange);
}

static const struct http_route routes[] = {
	{"/hello", HTTP_ALLOW_GET, HTTP_LANE_QUICK, hello, 0},
	{"/echo", HTTP_ALLOW_POST | HTTP_ALLOW_PUT, HTTP_LANE_INGEST, echo, 0},
	{"/small", HTTP_ALLOW_POST, HTTP_LANE_INGEST, echo, 100},
	{"/later", HTTP_ALLOW_GET, HTTP_LANE_QUICK, later, 0},
	{"/big", HTTP_ALLOW_GET, HTTP_LANE_QUICK, big, 0},
	{"/hang", HTTP_ALLOW_GET, HTTP_LANE_QUERY, hang, 0},
	{"/hang-upload", HTTP_ALLOW_POST, HTTP_LANE_INGEST, hang, 0},
	{"/grpc", HTTP_ALLOW_POST, HTTP_LANE_INGEST, grpc, 0},
	{"/files/*", HTTP_ALLOW_GET, HTTP_LANE_QUICK, tail, 0},
	{0},
};

void fixture_prepare(struct fixture *fixture)
{
	*fixture = (struct fixture){.listen = {"127.0.0.1:0"}};
	fixture->config = (struct http_config){.listen = fixture->listen,
					       .n_listen = 1,
					       .routes = routes,
					       .ctx = fixture,
					       .limits = http_limits_default};
}

void fixture_start(struct fixture *fixture)
{
	struct err err;

	if (http_server_start(&fixture->config, &fixture->server, &err) < 0)
		fail_msg("%s", err.text);
	fixture->port = http_server_port(fixture->server, 0);
}

void fixture_stop(struct fixture *fixture)
{
	http_server_stop(fixture->server);
	for (unsigned int i = 0; i < fixture->n_later; i++)
		pthread_join(fixture->later[i], NULL);
	http_server_free(fixture->server);
}

int client_connect(const struct fixture *fixture)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons(fixture->port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

void client_send(int fd, const void *data, size_t len)
{
	const char *at = data;

	/* A server that refuses may have closed already: what counts is what can be read then. */
	while (len) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += n;
		len -= (size_t)n;
	}
}

void client_sends(int fd, const char *text)
{
	client_send(fd, text, strlen(text));
}

/* False at the end of the stream or after the timeout. */
static bool read_some(int fd, struct buf *out, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	char *room = buf_room(out, 65536);
	ssize_t n;

	assert_non_null(room);
	if (poll(&poll_fd, 1, timeout_ms) <= 0)
		return false;
	n = recv(fd, room, 65536, 0);
	if (n <= 0)
		return false;
	buf_grew(out, (size_t)n);
	return true;
}

void client_read_all(int fd, struct buf *out, int timeout_ms)
{
	while (read_some(fd, out, timeout_ms))
		;
}

static bool answer_is_complete(const struct buf *out)
{
	const char *end = out->data ? strstr(out->data, "\r\n\r\n") : NULL;
	const char *length;
	size_t head;

	if (!end)
		return false;
	head = (size_t)(end + 4 - out->data);
	if (strncmp(out->data, "HTTP/1.1 100", 12) == 0)
		return false;
	if (memmem(out->data, head, "chunked", 7))
		return memmem(end, out->len - head + 4, "\r\n0\r\n", 5) && out->len > head + 5 &&
		       memcmp(out->data + out->len - 4, "\r\n\r\n", 4) == 0;
	length = strcasestr(out->data, "Content-Length: ");
	return !length || length > end ||
	       out->len >= head + strtoull(length + strlen("Content-Length: "), NULL, 10);
}

int client_read_answer(int fd, struct buf *out)
{
	while (!answer_is_complete(out) && read_some(fd, out, ANSWER_TIMEOUT_MS))
		;
	if (!out->data || strncmp(out->data, "HTTP/1.1 ", 9) != 0)
		return 0;
	return (int)strtol(out->data + 9, NULL, 10);
}

int client_ask(const struct fixture *fixture, const char *request, struct buf *out)
{
	int fd = client_connect(fixture), status;

	client_sends(fd, request);
	status = client_read_answer(fd, out);
	close(fd);
	return status;
}
