/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 by nghttp2: one thread, one epoll, many sessions.
 *
 *   1. Sessions, streams and `exchange->front` belong to the loop's thread.  Other threads only
 * append to the two inboxes (new sockets, finished exchanges), under `lock`, and wake it.
 *   2. A stream may close while a handler has its exchange: `front` becomes NULL then, and the
 * finished exchange, which waits in the inbox under a reference of its own, is dropped unsent.
 *   3. What nghttp2 does not limit is limited here: header bytes, bodies, times, silent peers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/h2_private.h"
#include "http/tls_private.h"

#define EVENTS_AT_ONCE 64
#define STREAM_WINDOW_BYTES (1 << 20)
#define CONNECTION_WINDOW_BYTES (4 << 20)
/* Of streams that the client resets: CVE-2023-44487 opens and resets thousands a second. */
#define RESET_BURST 100
#define RESETS_PER_S 33
#define MAX_CONTINUATIONS 8 /* of 16 KiB each; headers are 16 KiB in all: CVE-2024-28182 */
#define MAX_UNSENT_ACKS 100 /* answers to PING and SETTINGS that the client does not read */
#define STALLED_NS (30 * NS_PER_S)
#define SLOW_BODY_AFTER_NS (5 * NS_PER_S)

/* ---- inboxes: any thread ---- */

static void wake(struct front_h2 *front)
{
	uint64_t one = 1;

	(void)!write(front->wake_fd, &one, sizeof(one));
}

void h2_wake(struct exchange *exchange)
{
	struct front_h2 *front = exchange->server->h2;

	atomic_fetch_add(&exchange->refs, 1);
	pthread_mutex_lock(&front->lock);
	exchange->next = front->finished;
	front->finished = exchange;
	pthread_mutex_unlock(&front->lock);
	wake(front);
}

void front_h2_add(struct front_h2 *front, int fd)
{
	struct h2_incoming *item = calloc(1, sizeof(*item));

	if (!item)
		abort();
	item->fd = fd;
	pthread_mutex_lock(&front->lock);
	item->next = front->incoming;
	front->incoming = item;
	pthread_mutex_unlock(&front->lock);
	wake(front);
}

/* ---- connections ---- */

static void conn_close(struct h2_conn *conn)
{
	struct front_h2 *front = conn->front;

	*(conn->prev ? &conn->prev->next : &front->conns) = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	while (conn->streams) /* nghttp2_session_del() does not call back */
		h2_stream_free(conn->streams);
	nghttp2_session_del(conn->session);
	close(conn->fd);
	atomic_fetch_sub(&front->server->connections, 1);
	free(conn);
}

static void want_room(struct h2_conn *conn, bool wants)
{
	struct epoll_event event = {.events = EPOLLIN | (wants ? EPOLLOUT : 0u), .data.ptr = conn};

	if (wants == conn->waits_for_room)
		return;
	conn->waits_for_room = wants;
	(void)epoll_ctl(conn->front->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
}

/* Send what there is; false when the connection is over. */
static bool conn_send(struct h2_conn *conn)
{
	for (;;) {
		ssize_t n;

		if (!conn->out_len) {
			n = nghttp2_session_mem_send(conn->session, &conn->out);
			if (n < 0)
				return false;
			conn->out_len = (size_t)n;
		}
		if (!conn->out_len)
			break;
		n = send(conn->fd, conn->out, conn->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			want_room(conn, true);
			return true;
		}
		if (n < 0 && errno != EINTR)
			return false;
		conn->out += max_of(n, 0);
		conn->out_len -= (size_t)max_of(n, 0);
		conn->sent_ns = clock_monotonic_ns();
	}
	want_room(conn, false);
	conn->sent_ns = clock_monotonic_ns();
	return nghttp2_session_want_read(conn->session) ||
	       nghttp2_session_want_write(conn->session);
}

static bool conn_receive(struct h2_conn *conn)
{
	uint8_t bytes[65536];
	ssize_t n = recv(conn->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	/* A protocol error queues GOAWAY itself and is reported by want_read; < 0 is past that. */
	return nghttp2_session_mem_recv(conn->session, bytes, (size_t)n) >= 0;
}

static void conn_event(struct h2_conn *conn, uint32_t events)
{
	bool is_alive = true;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		is_alive = conn_receive(conn);
	/* Also after an error: a GOAWAY may say why. */
	if (!conn_send(conn) || !is_alive)
		conn_close(conn);
}

static void conn_open(struct front_h2 *front, int fd)
{
	struct h2_conn *conn = calloc(1, sizeof(*conn));
	const struct http_limits *limits = &front->server->limits;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
	nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)limits->max_streams},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->max_header_bytes},
	};

	if (!conn)
		abort();
	conn->front = front;
	conn->fd = fd;
	peer_of(tls_relay_wire(front->server->relay, fd), conn->peer);
	conn->frame_ns = conn->sent_ns = clock_monotonic_ns();
	if (nghttp2_session_server_new2(&conn->session, front->callbacks, conn, front->option))
		abort(); /* only for lack of memory */
	(void)nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, settings,
				      array_len(settings));
	(void)nghttp2_session_set_local_window_size(conn->session, NGHTTP2_FLAG_NONE, 0,
						    CONNECTION_WINDOW_BYTES);
	conn->next = front->conns;
	if (front->conns)
		front->conns->prev = conn;
	front->conns = conn;
	(void)epoll_ctl(front->epoll_fd, EPOLL_CTL_ADD, fd, &event);
	conn_event(conn, EPOLLIN);
}

/* ---- the loop ---- */

static void take_incoming(struct front_h2 *front)
{
	struct h2_incoming *incoming;

	pthread_mutex_lock(&front->lock);
	incoming = front->incoming;
	front->incoming = NULL;
	pthread_mutex_unlock(&front->lock);
	while (incoming) {
		struct h2_incoming *item = incoming;

		incoming = item->next;
		conn_open(front, item->fd);
		free(item);
	}
}

static void take_finished(struct front_h2 *front)
{
	struct exchange *finished;

	pthread_mutex_lock(&front->lock);
	finished = front->finished;
	front->finished = NULL;
	pthread_mutex_unlock(&front->lock);
	while (finished) {
		struct exchange *exchange = finished;
		struct h2_stream *stream = exchange->front;

		finished = exchange->next;
		if (stream) {
			struct h2_conn *conn = stream->conn;

			h2_answer(stream);
			if (!conn_send(conn))
				conn_close(conn);
		}
		exchange_unref(exchange);
	}
}

static void tick_stream(struct h2_stream *stream, int64_t now_ns)
{
	const struct http_limits *limits = &stream->conn->front->server->limits;
	const struct exchange *exchange = stream->exchange;
	int64_t elapsed_ns = now_ns - exchange->start_ns;
	int64_t slow_ns = elapsed_ns - SLOW_BODY_AFTER_NS;
	enum exchange_state state = atomic_load(&exchange->state);
	bool is_late;

	if (state == EXCHANGE_RUNNING && elapsed_ns > limits->request_ns)
		exchange_abandon(stream->exchange);
	if (state != EXCHANGE_READING)
		return;
	if (!stream->is_admitted)
		is_late = elapsed_ns > limits->header_ns;
	else
		is_late = elapsed_ns > limits->request_ns ||
			  (slow_ns > 0 &&
			   exchange->body.len <
				   limits->min_rate_bytes * (uint64_t)(slow_ns / NS_PER_S));
	if (!is_late)
		return;
	if (stream->is_admitted) {
		exchange_refuse(stream->exchange, HTTP_REFUSED_TIMEOUT, 408, "body_timeout",
				"the body came too slowly");
		h2_answer(stream);
		return;
	}
	atomic_fetch_add(&stream->conn->front->server->refused[HTTP_REFUSED_TIMEOUT], 1);
	(void)nghttp2_submit_rst_stream(stream->conn->session, NGHTTP2_FLAG_NONE, stream->id,
					NGHTTP2_CANCEL);
}

static void tick(struct front_h2 *front, int64_t now_ns)
{
	struct h2_conn *next;

	for (struct h2_conn *conn = front->conns; conn; conn = next) {
		bool is_stalled = now_ns - conn->sent_ns > STALLED_NS &&
				  (conn->out_len || nghttp2_session_want_write(conn->session));

		next = conn->next;
		for (struct h2_stream *stream = conn->streams; stream; stream = stream->next)
			tick_stream(stream, now_ns);
		if (!conn->streams && now_ns - conn->frame_ns > front->server->limits.idle_ns)
			(void)nghttp2_session_terminate_session(conn->session, NGHTTP2_NO_ERROR);
		if (is_stalled || !conn_send(conn))
			conn_close(conn);
	}
}

static void say_goaway(struct front_h2 *front)
{
	struct h2_conn *next;

	front->said_goaway = true;
	for (struct h2_conn *conn = front->conns; conn; conn = next) {
		next = conn->next;
		(void)nghttp2_submit_goaway(conn->session, NGHTTP2_FLAG_NONE,
					    nghttp2_session_get_last_proc_stream_id(conn->session),
					    NGHTTP2_NO_ERROR, NULL, 0);
		if (!conn_send(conn))
			conn_close(conn);
	}
}

static void abandon_all(struct front_h2 *front)
{
	for (struct h2_conn *conn = front->conns; conn; conn = conn->next)
		for (struct h2_stream *stream = conn->streams; stream; stream = stream->next)
			exchange_abandon(stream->exchange);
}

static void *front_h2_run(void *ctx)
{
	struct front_h2 *front = ctx;
	int64_t next_tick_ns = 0;

	while (!atomic_load(&front->is_ending)) {
		struct epoll_event events[EVENTS_AT_ONCE];
		int n = epoll_wait(front->epoll_fd, events, EVENTS_AT_ONCE, HTTP_TICK_MS);
		int64_t now_ns = clock_monotonic_ns();
		uint64_t count;

		/* One event a connection and round, and only its own event closes it here. */
		for (int i = 0; i < n; i++)
			if (events[i].data.ptr)
				conn_event(events[i].data.ptr, events[i].events);
			else
				(void)!read(front->wake_fd, &count, sizeof(count));
		take_incoming(front);
		take_finished(front);
		if (atomic_load(&front->is_stopping) && !front->said_goaway)
			say_goaway(front);
		if (atomic_exchange(&front->is_abandoning, false))
			abandon_all(front);
		if (now_ns >= next_tick_ns) {
			tick(front, now_ns);
			next_tick_ns = now_ns + HTTP_TICK_MS * NS_PER_MS;
		}
	}
	return NULL;
}

/* ---- life cycle ---- */

static void prepare(struct front_h2 *front)
{
	if (nghttp2_option_new(&front->option))
		abort(); /* only for lack of memory */
	front->callbacks = h2_callbacks_new();
	nghttp2_option_set_stream_reset_rate_limit(front->option, RESET_BURST, RESETS_PER_S);
	nghttp2_option_set_max_continuations(front->option, MAX_CONTINUATIONS);
	nghttp2_option_set_max_outbound_ack(front->option, MAX_UNSENT_ACKS);
}

static void front_h2_dispose(struct front_h2 *front)
{
	nghttp2_session_callbacks_del(front->callbacks);
	nghttp2_option_del(front->option);
	close(front->epoll_fd);
	close(front->wake_fd);
	pthread_mutex_destroy(&front->lock);
	free(front);
}

int front_h2_start(struct http_server *server, struct front_h2 **ret_front, struct err *err)
{
	struct front_h2 *front = calloc(1, sizeof(*front));
	struct epoll_event event = {.events = EPOLLIN};
	int r = 0;

	if (!front)
		abort();
	front->server = server;
	pthread_mutex_init(&front->lock, NULL);
	prepare(front);
	front->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	front->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (front->epoll_fd < 0 || front->wake_fd < 0 ||
	    epoll_ctl(front->epoll_fd, EPOLL_CTL_ADD, front->wake_fd, &event) < 0)
		r = err_sys(err, -errno, "cannot start HTTP/2");
	if (r == 0)
		r = thread_begin(&front->thread, "http-h2", front_h2_run, front, err);
	if (r < 0) {
		front_h2_dispose(front);
		return r;
	}
	*ret_front = front;
	return 0;
}

void front_h2_stop(struct front_h2 *front)
{
	atomic_store(&front->is_stopping, true);
	wake(front);
}

void front_h2_abandon(struct front_h2 *front)
{
	atomic_store(&front->is_abandoning, true);
	wake(front);
}

void front_h2_free(struct front_h2 *front)
{
	if (!front)
		return;
	atomic_store(&front->is_ending, true);
	wake(front);
	pthread_join(front->thread, NULL);
	take_incoming(front);
	while (front->conns)
		conn_close(front->conns);
	take_finished(front);
	front_h2_dispose(front);
}
