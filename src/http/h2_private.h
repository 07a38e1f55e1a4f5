/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2, for front_h2.c (connections and their loop) and h2_stream.c (streams: requests and answers).
 * The invariants are numbered in front_h2.c.
 */
#ifndef HTTP_H2_PRIVATE_H
#define HTTP_H2_PRIVATE_H

#include <nghttp2/nghttp2.h>

#include "http/http_private.h"

struct h2_conn;

struct h2_stream {
	struct h2_conn *conn;
	int32_t id;
	bool is_admitted; /* headers complete */
	bool has_ended;	  /* the client's side */
	size_t sent;	  /* of the answer's body */
	struct exchange *exchange;
	struct h2_stream *prev, *next;
};

struct h2_conn {
	struct front_h2 *front;
	int fd;
	char peer[HTTP_PEER_BYTES];
	nghttp2_session *session;
	const uint8_t *out; /* nghttp2's, until its next mem_send */
	size_t out_len;
	bool waits_for_room; /* EPOLLOUT is asked for */
	int64_t frame_ns;    /* last whole frame received */
	int64_t sent_ns;     /* last byte sent, or nothing to send */
	struct h2_stream *streams;
	struct h2_conn *prev, *next;
};

struct h2_incoming {
	int fd;
	struct h2_incoming *next;
};

struct front_h2 {
	struct http_server *server;
	pthread_t thread;
	int epoll_fd, wake_fd;
	atomic_bool is_stopping, is_abandoning, is_ending;
	bool said_goaway;
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	struct h2_conn *conns;

	pthread_mutex_t lock; /* of the inboxes */
	struct h2_incoming *incoming;
	struct exchange *finished;
};

/* front_h2.c: a handler has finished, or was given up (exchange_wake_fn). */
void h2_wake(struct exchange *exchange);

/* h2_stream.c: the callbacks of every session, whose ctx is the connection. */
nghttp2_session_callbacks *h2_callbacks_new(void) nodiscard;
/* Queue the answer of an exchange that is ANSWERED or ABANDONED. */
void h2_answer(struct h2_stream *stream);
void h2_stream_free(struct h2_stream *stream);

#endif
