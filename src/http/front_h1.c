/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1: libmicrohttpd parses and writes; this file feeds exchanges and keeps the time.
 *
 * Phases of a connection, all but the wake in libmicrohttpd's thread:
 *
 *	IDLE ─request line─▶ BODY ─last byte─▶ RUNNING (suspended) ─wake─▶ WRITING ─sent─▶ IDLE
 *
 *   1. A connection is suspended exactly while a handler has its exchange.  libmicrohttpd neither
 *      times out nor closes suspended connections, so `handle` is valid when the wake resumes it.
 *   2. `phase` changes under `lock`, so that the acceptor's thread, which looks at exchanges of
 *      RUNNING connections, and at the requests of those in BODY, only under the same lock, never
 *      sees one that is being dropped or admitted.
 *   3. libmicrohttpd counts a byte every 9 s as life; the clocks here are of whole phases.  Whoever
 *is too slow is shut down from the acceptor's thread, under `lock`, which closing takes first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/h1_private.h"
#include "http/tls_private.h"

/* Beside headers and URI: what libmicrohttpd keeps of each header, and the head of the answer. */
#define H1_SPARE_BYTES ((size_t)8 << 10)
#define H1_CHUNK_BYTES ((size_t)32 << 10)

static struct h1_conn *conn_of(const struct front_h1 *front, struct MHD_Connection *handle)
{
	const union MHD_ConnectionInfo *info =
		front->lib.get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info->socket_context;
}

/* ---- connections ---- */

static struct h1_conn *conn_open(struct front_h1 *front, struct MHD_Connection *handle)
{
	struct h1_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		abort();
	conn->front = front;
	conn->fd = front->lib.get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD)
			   ->connect_fd;
	peer_of(tls_relay_wire(front->server->relay, conn->fd), conn->peer);
	conn->since_ns =
		clock_monotonic_ns(); /* the first request's bytes are there: its clock runs */
	pthread_mutex_lock(&front->lock);
	conn->id = ++front->last_id;
	conn->next = front->list;
	if (front->list)
		front->list->prev = conn;
	front->list = conn;
	pthread_mutex_unlock(&front->lock);
	return conn;
}

static void conn_close(struct h1_conn *conn)
{
	struct front_h1 *front = conn->front;

	pthread_mutex_lock(&front->lock);
	*(conn->prev ? &conn->prev->next : &front->list) = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	pthread_mutex_unlock(&front->lock);
	if (conn->exchange) {
		exchange_cancel(conn->exchange);
		exchange_drop(conn->exchange);
	}
	if (conn->must_linger) {
		int fd = dup(conn->fd);

		if (fd >= 0)
			acceptor_linger(front->server->acceptor, fd);
	}
	atomic_fetch_sub(&front->server->connections, 1);
	free(conn);
}

static void on_connection(void *ctx, struct MHD_Connection *handle, void **socket_context,
			  enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*socket_context = conn_open(ctx, handle);
	else
		conn_close(*socket_context);
}

/* ---- requests ---- */

static void on_wake(struct exchange *exchange)
{
	exchange->server->h1->lib.resume_connection(exchange->front);
}

/* The request line is complete.  The exchange hangs on the connection, so that none gets lost. */
static void *on_target(void *ctx, const char *target, struct MHD_Connection *handle)
{
	struct h1_conn *conn = conn_of(ctx, handle);
	struct front_h1 *front = ctx;

	if (conn->exchange)
		exchange_drop(conn->exchange);
	conn->exchange = exchange_new(front->server, on_wake, handle, conn->peer);
	exchange_set_target(conn->exchange, target, strlen(target));
	return NULL;
}

static enum MHD_Result on_header(void *ctx, enum MHD_ValueKind kind, const char *name,
				 size_t name_len, const char *value, size_t value_len)
{
	(void)kind;
	exchange_add_header(ctx, name, name_len, value ? value : "", value ? value_len : 0);
	return MHD_YES;
}

static ssize_t read_body(void *ctx, uint64_t at, char *out, size_t max)
{
	size_t len;
	const char *data = answer_body(ctx, &len);

	if (at >= len)
		return MHD_CONTENT_READER_END_OF_STREAM;
	memcpy(out, data + at, min_of(max, len - at));
	return (ssize_t)min_of(max, len - at);
}

/* The answer's bytes stay the exchange's, which outlives the response: on_completed() drops it. */
static struct MHD_Response *make_response(const struct late_mhd *lib, struct exchange *exchange)
{
	const struct http_response *answer = &exchange->pub.response;
	struct MHD_Response *response;
	const void *data;
	size_t len;

	data = answer_body(exchange, &len);
	if (answer->n_trailers)
		response = lib->create_response_from_callback(MHD_SIZE_UNKNOWN, H1_CHUNK_BYTES,
							      read_body, exchange, NULL);
	else
		response = lib->create_response_from_buffer(
			len, len ? (void *)(uintptr_t)data : NULL, MHD_RESPMEM_PERSISTENT);
	if (!response)
		abort();
	for (size_t i = 0; i < answer->n_headers; i++)
		lib->add_response_header(response, answer->headers[i].name,
					 answer->headers[i].value);
	for (size_t i = 0; i < answer->n_trailers; i++) {
		lib->add_response_header(response, "Trailer", answer->trailers[i].name);
		lib->add_response_footer(response, answer->trailers[i].name,
					 answer->trailers[i].value);
	}
	return response;
}

static enum MHD_Result answer(struct h1_conn *conn, struct MHD_Connection *handle)
{
	const struct late_mhd *lib = &conn->front->lib;
	struct exchange *exchange;
	struct MHD_Response *response;
	enum MHD_Result r;

	h1_enter(conn, H1_WRITING); /* the exchange is this thread's again: it may be another one */
	if (atomic_load(&conn->exchange->state) == EXCHANGE_ABANDONED)
		conn->exchange = exchange_late(conn->exchange);
	exchange = conn->exchange;
	response = make_response(lib, exchange);
	if (exchange->must_close || atomic_load(&exchange->server->is_stopping))
		lib->add_response_header(response, "Connection", "close");
	r = lib->queue_response(handle, (unsigned int)exchange->pub.response.status, response);
	lib->destroy_response(response);
	return r;
}

/* Answer now, though the body has not been read; the connection cannot be used again. */
static enum MHD_Result answer_early(struct h1_conn *conn, struct MHD_Connection *handle)
{
	const struct http_request *request = &conn->exchange->pub.request;

	if (http_request_header(request, "content-length") ||
	    http_request_header(request, "transfer-encoding")) {
		conn->exchange->must_close = true;
		conn->must_linger = true;
	}
	return answer(conn, handle);
}

/*
 * A body without a length turned out too long.  libmicrohttpd takes no response while it reads, but
 * nothing was sent yet: the answer goes straight to the socket, and MHD_NO closes it.
 */
static enum MHD_Result answer_in_body(struct h1_conn *conn)
{
	answer_send_raw(conn->fd, conn->exchange);
	conn->must_linger = true;
	return MHD_NO;
}

static enum MHD_Result dispatch(struct h1_conn *conn, struct MHD_Connection *handle)
{
	struct http_server *server = conn->front->server;

	h1_enter(conn, H1_RUNNING);
	/*
	 * Looked at after h1_enter(): front_h1_abandon() comes after the flag and sees every
	 * connection that is RUNNING by then, so that none stays suspended for ever.
	 */
	if (atomic_load(&server->is_abandoning))
		return MHD_NO;
	/* First suspend, then hand over: the handler may be finished before dispatch returns. */
	conn->front->lib.suspend_connection(handle);
	exchange_dispatch(conn->exchange);
	return MHD_YES;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *handle, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *len, void **con_cls)
{
	struct h1_conn *conn = conn_of(ctx, handle);
	struct exchange *exchange = conn->exchange;

	(void)url, (void)version, (void)con_cls;
	switch (conn->phase) {
	case H1_IDLE:
		exchange_set_method(exchange, method, strlen(method));
		conn->front->lib.get_connection_values_n(handle, MHD_HEADER_KIND, on_header,
							 exchange);
		if (!exchange_admit(exchange))
			return answer_early(conn, handle);
		h1_enter(conn, H1_BODY);
		return MHD_YES;
	case H1_BODY:
		if (!*len)
			return dispatch(conn, handle);
		if (!exchange_add_body(exchange, data, *len))
			return answer_in_body(conn);
		*len = 0;
		return MHD_YES;
	case H1_RUNNING:
		return answer(conn, handle);
	case H1_WRITING:
		break;
	}
	return MHD_NO;
}

static void on_completed(void *ctx, struct MHD_Connection *handle, void **con_cls,
			 enum MHD_RequestTerminationCode code)
{
	struct h1_conn *conn = conn_of(ctx, handle);
	struct exchange *exchange = conn->exchange;

	(void)con_cls;

	if (!exchange)
		return;
	/* First out of the acceptor's sight: a client that left ends here straight from RUNNING. */
	h1_enter(conn, H1_IDLE);
	conn->exchange = NULL;
	if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK)
		exchange_cancel(exchange);
	exchange_drop(exchange);
}

/* ---- the acceptor's calls ---- */

void front_h1_add(struct front_h1 *front, int fd, const struct sockaddr *addr, socklen_t len)
{
	/* It closes fd when it fails. */
	if (front->lib.add_connection(front->daemon, fd, addr, len) != MHD_YES)
		atomic_fetch_sub(&front->server->connections, 1);
}

void front_h1_hangup(struct front_h1 *front, uint64_t id)
{
	pthread_mutex_lock(&front->lock);
	for (struct h1_conn *conn = front->list; conn; conn = conn->next)
		if (conn->id == id && conn->phase == H1_RUNNING)
			exchange_cancel(conn->exchange);
	pthread_mutex_unlock(&front->lock);
}

void front_h1_abandon(struct front_h1 *front)
{
	pthread_mutex_lock(&front->lock);
	for (struct h1_conn *conn = front->list; conn; conn = conn->next)
		if (conn->phase == H1_RUNNING)
			exchange_abandon(conn->exchange);
		else if (conn->phase == H1_BODY)
			shutdown(conn->fd, SHUT_RDWR);
	pthread_mutex_unlock(&front->lock);
}

/* ---- life cycle ---- */

/*
 * A connection's memory; half of it is the read buffer, until headers need more.  libmicrohttpd 0.9.75 clears all of it
 * for each request (64 KiB: 5 % of the CPU of small uploads), so it is no more than the limits ask for.
 */
static size_t memory_bytes(const struct http_limits *limits)
{
	return limits->max_header_bytes + limits->max_uri_bytes + H1_SPARE_BYTES;
}

int front_h1_start(struct http_server *server, struct front_h1 **ret_front, struct err *err)
{
	const struct http_limits *limits = &server->limits;
	struct front_h1 *front = calloc(1, sizeof(*front));
	int r;

	if (!front)
		abort();
	r = late_mhd_load(&front->lib, err);
	if (r < 0) {
		free(front);
		return r;
	}
	front->server = server;
	pthread_mutex_init(&front->lock, NULL);
	front->daemon = front->lib.start_daemon(
		MHD_USE_NO_LISTEN_SOCKET | MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC |
			MHD_ALLOW_SUSPEND_RESUME,
		0, NULL, NULL, on_request, front, MHD_OPTION_NOTIFY_COMPLETED, on_completed, front,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, front, MHD_OPTION_URI_LOG_CALLBACK,
		on_target, front, MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory_bytes(limits),
		/* The acceptor counts; here must only be room for all of them. */
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)limits->max_connections + 16,
		MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (!front->daemon) {
		pthread_mutex_destroy(&front->lock);
		free(front);
		return err_set(err, -ENOMEM, "libmicrohttpd cannot start");
	}
	*ret_front = front;
	return 0;
}

void front_h1_stop(struct front_h1 *front)
{
	if (!front || !front->daemon)
		return;
	front->lib.stop_daemon(front->daemon);
	front->daemon = NULL;
}

void front_h1_free(struct front_h1 *front)
{
	if (!front)
		return;
	front_h1_stop(front);
	pthread_mutex_destroy(&front->lock);
	free(front);
}
