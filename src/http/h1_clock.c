/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clocks of HTTP/1.1: how long a connection is in its phase, and how much came or went meanwhile.
 *
 * A small upload passes through all four phases within milliseconds, so what costs a system call waits for a tick
 * that finds it still there: the count of what a client has read of its answer, and the watch for its hanging up
 * while an upload is stored (other requests are worth less once nobody waits, and are watched at once).
 */
#include <linux/tcp.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/h1_private.h"
#include "http/tls_private.h"

#define SLOW_BODY_AFTER_NS (5 * NS_PER_S)
#define SLOW_ANSWER_AFTER_NS (30 * NS_PER_S)

/* Bytes that the kernel has received for (sent and got acknowledged by) the other side. */
static uint64_t socket_bytes(const struct h1_conn *conn, bool sent)
{
	int fd = tls_relay_wire(conn->front->server->relay, conn->fd);
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return 0;
	return sent ? info.tcpi_bytes_acked : info.tcpi_bytes_received;
}

/* The front's lock is held; does the client's leaving show from now on? */
static void set_watched(struct h1_conn *conn, bool is_watched)
{
	struct acceptor *acceptor = conn->front->server->acceptor;

	if (is_watched && !conn->is_watched)
		acceptor_watch(acceptor, conn->fd, conn->id);
	else if (!is_watched && conn->is_watched)
		acceptor_unwatch(acceptor, conn->fd);
	conn->is_watched = is_watched;
}

void h1_enter(struct h1_conn *conn, enum h1_phase phase)
{
	uint64_t bytes = phase == H1_IDLE ? socket_bytes(conn, false) : conn->bytes_before;

	pthread_mutex_lock(&conn->front->lock);
	conn->bytes_before = bytes;
	conn->is_counted = false;
	conn->since_ns = clock_monotonic_ns();
	conn->phase = phase;
	conn->first_byte_ns = 0;
	set_watched(conn, phase == H1_RUNNING && conn->exchange->route->lane != HTTP_LANE_INGEST);
	pthread_mutex_unlock(&conn->front->lock);
}

/* ---- ticks ---- */

static void time_out_headers(struct h1_conn *conn)
{
	answer_raw(conn->fd, 408, "header_timeout", "the headers did not come in time");
	atomic_fetch_add(&conn->front->server->refused[HTTP_REFUSED_TIMEOUT], 1);
	shutdown(conn->fd, SHUT_RDWR);
}

static void time_out_body(struct h1_conn *conn)
{
	struct exchange *refused = exchange_refused_for(conn->exchange, HTTP_REFUSED_TIMEOUT, 408,
							"body_timeout", "the body came too slowly");

	answer_send_raw(conn->fd, refused);
	exchange_drop(refused);
	shutdown(conn->fd, SHUT_RDWR);
}

static void tick_idle(struct h1_conn *conn, int64_t now_ns)
{
	const struct http_limits *limits = &conn->front->server->limits;
	bool has_begun = socket_bytes(conn, false) > conn->bytes_before;

	if (has_begun && !conn->first_byte_ns)
		conn->first_byte_ns = now_ns;
	if (has_begun && now_ns - conn->first_byte_ns > limits->header_ns)
		time_out_headers(conn);
	else if (now_ns - conn->since_ns > limits->idle_ns)
		shutdown(conn->fd, SHUT_RDWR);
}

/* Bytes of the body and its headers (WRITING: of the answer, but what the first look found) that came through. */
static uint64_t phase_bytes(struct h1_conn *conn)
{
	bool sent = conn->phase == H1_WRITING;
	uint64_t bytes = socket_bytes(conn, sent);

	if (sent && !conn->is_counted) {
		conn->bytes_acked = bytes;
		conn->is_counted = true;
	}
	return bytes - (sent ? conn->bytes_acked : conn->bytes_before);
}

/* Is the mean rate since the phase began too low? */
static bool is_slow(struct h1_conn *conn, int64_t elapsed_ns, int64_t after_ns)
{
	uint64_t bytes = phase_bytes(conn);
	uint64_t least = conn->front->server->limits.min_rate_bytes *
			 (uint64_t)(max_of(elapsed_ns - after_ns, 0) / NS_PER_S);

	return elapsed_ns > after_ns && bytes < least;
}

static void tick(struct h1_conn *conn, int64_t now_ns)
{
	const struct http_limits *limits = &conn->front->server->limits;
	int64_t elapsed_ns = now_ns - conn->since_ns;

	switch (conn->phase) {
	case H1_IDLE:
		tick_idle(conn, now_ns);
		break;
	case H1_BODY:
		if (elapsed_ns > limits->request_ns ||
		    is_slow(conn, elapsed_ns, SLOW_BODY_AFTER_NS))
			time_out_body(conn);
		break;
	case H1_RUNNING:
		if (elapsed_ns > limits->request_ns)
			exchange_abandon(conn->exchange);
		set_watched(conn, true);
		break;
	case H1_WRITING:
		if (is_slow(conn, elapsed_ns, SLOW_ANSWER_AFTER_NS))
			shutdown(conn->fd, SHUT_RDWR);
		break;
	}
}

void front_h1_tick(struct front_h1 *front, int64_t now_ns)
{
	pthread_mutex_lock(&front->lock);
	for (struct h1_conn *conn = front->list; conn; conn = conn->next)
		tick(conn, now_ns);
	pthread_mutex_unlock(&front->lock);
}
