/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a connection to a whole server, its store included: it ends with an answer or is closed, within seconds.
 *
 *	'r' bytes		as they are: broken HTTP, HTTP/2
 *	METHOD PATH\n		a request: Host and Content-Length are added, so that what changes
 *	name: value\n		reaches the reader of the body
 *	\n body
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "server/server.h"

#define NOW_NS                                                                                     \
	(1763800000ll *                                                                            \
	 NS_PER_S) /* 2025-11-22 08:26:40, so that what seeds hold is never too old */
#define WAIT_MS 200
#define PATIENCE_S 60

static char dir[] = "/tmp/fuzz-server-XXXXXX";
static struct server *server;
static struct sockaddr_in address;

static int64_t now(void *ctx)
{
	(void)ctx;
	return NOW_NS;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	(void)info;
	(void)kind;
	(void)at;
	return remove(path);
}

static void end(void)
{
	server_stop(server);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void begin(void)
{
	static const struct store_clock clock = {now, NULL};
	static const char *const listen[] = {"127.0.0.1:0"};
	static struct server_config config;
	struct err err;

	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		abort();
	server_config_init(&config, dir);
	config.listen = listen;
	config.n_listen = 1;
	config.store.clock = &clock;
	/* What is incomplete is waited for: not as long here. */
	config.limits.header_ns = config.limits.request_ns = config.limits.idle_ns =
		WAIT_MS * NS_PER_MS;
	if (server_start(&config, &server, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	address = (struct sockaddr_in){.sin_family = AF_INET,
				       .sin_port = htons(server_port(server, 0)),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	atexit(end);
}

/* Lines end as HTTP's do. */
static void put_lines(struct buf *out, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n')
			buf_putc(out, '\r');
		buf_putc(out, (char)data[i]);
	}
	buf_puts(out, "\r\n");
}

static void make_request(const uint8_t *data, size_t size, struct buf *out)
{
	const uint8_t *head = memmem(data, size, "\n\n", 2);
	const uint8_t *line = memchr(data, '\n', size);
	size_t body_at = head ? (size_t)(head - data) + 2 : size;

	if (*data == 'r' || !head) {
		buf_put(out, data + (*data == 'r'), size - (*data == 'r'));
		return;
	}
	buf_put(out, data, (size_t)(line - data));
	buf_puts(out, " HTTP/1.1\r\n");
	if (line < head)
		put_lines(out, line + 1, (size_t)(head - line) - 1);
	buf_printf(out, "Host: localhost\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
		   size - body_at);
	buf_put(out, data + body_at, size - body_at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct buf out;
	char answer[65536];
	ssize_t n;
	int fd;

	if (!size)
		return 0;
	if (!server)
		begin();
	buf_init(&out, 2 * size + 4096);
	make_request(data, size, &out);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		abort();
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	for (size_t at = 0; at < out.len; at += (size_t)n) {
		n = send(fd, out.data + at, out.len - at, 0);
		if (n <= 0)
			break; /* it was refused before its end */
	}
	shutdown(fd, SHUT_WR);
	do
		n = recv(fd, answer, sizeof(answer), 0);
	while (n > 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		abort(); /* neither an answer nor an end */
	close(fd);
	buf_done(&out);
	return 0;
}
