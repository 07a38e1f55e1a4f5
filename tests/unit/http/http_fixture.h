/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server with a few routes and a client that sends raw bytes, for the tests of this folder.
 *
 *	/hello	GET: "hello"			/echo	POST, PUT: the body
 *	/later	GET: finished by another thread	/big	GET: 4 MiB of text
 *	/hang	GET: until cancelled		/grpc	POST: the body and a trailer
 *	/small	POST: at most 100 bytes		/files/ and what follows: the tail
 */
#ifndef HTTP_FIXTURE_H
#define HTTP_FIXTURE_H

#include <pthread.h>

#include "base/buf.h"
#include "http/http_server.h"

#define FIXTURE_BIG_BYTES ((size_t)4 << 20)

struct fixture {
	struct http_server *server;
	struct http_config config;
	const char *listen[1];
	uint16_t port;
	pthread_t later[64];
	unsigned int n_later;
};

/* Limits the test changed in config.limits hold; config.limits starts as the default. */
void fixture_prepare(struct fixture *fixture);
void fixture_start(struct fixture *fixture);
void fixture_stop(struct fixture *fixture);

int client_connect(const struct fixture *fixture);
void client_send(int fd, const void *data, size_t len);
void client_sends(int fd, const char *text);
/* Everything until the server closes, or `timeout_ms` after the last byte; NUL-terminated. */
void client_read_all(int fd, struct buf *out, int timeout_ms);
/* One answer with a Content-Length or chunks, or until the server closes; its status, 0: none. */
int client_read_answer(int fd, struct buf *out);
/* Connect, send, read one answer, close. */
int client_ask(const struct fixture *fixture, const char *request, struct buf *out);

#endif
