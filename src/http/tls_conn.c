/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/tls_conn_private.h"

#define TURNS 16 /* records of one connection before the next has its turn */
#define CLOSING_NS (2 * NS_PER_S)
#define PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

/* ---- beginning and end ---- */

static void watch(struct tls_relay_conn *conn, int fd, bool reads, bool writes, bool is_new)
{
	struct epoll_event event = {.events = (reads ? EPOLLIN : 0u) | (writes ? EPOLLOUT : 0u),
				    .data.ptr = conn};

	if (fd >= 0)
		(void)epoll_ctl(conn->relay->epoll_fd, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd,
				&event);
}

void tls_conn_open(struct tls_relay *relay, int fd)
{
	static const gnutls_datum_t protocols[] = {
		{(unsigned char *)(uintptr_t) "h2", 2},
		{(unsigned char *)(uintptr_t) "http/1.1", 8},
	};
	struct tls_relay_conn *conn = calloc(1, sizeof(*conn));

	if (!conn ||
	    relay->lib.init(&conn->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
		abort();
	conn->relay = relay;
	conn->wire = fd;
	conn->inner = conn->outer = -1;
	conn->deadline_ns = clock_monotonic_ns() + relay->server->limits.header_ns;
	pthread_mutex_lock(&relay->lock);
	conn->certificate = relay->certificate;
	conn->certificate->refs++;
	conn->next = relay->conns;
	if (relay->conns)
		relay->conns->prev = conn;
	relay->conns = conn;
	pthread_mutex_unlock(&relay->lock);
	relay->lib.priority_set_direct(conn->session, PRIORITY, NULL);
	relay->lib.credentials_set(conn->session, GNUTLS_CRD_CERTIFICATE, conn->certificate->creds);
	relay->lib.alpn_set_protocols(conn->session, protocols, array_len(protocols),
				      GNUTLS_ALPN_SERVER_PRECEDENCE);
	relay->lib.transport_set_int2(conn->session, fd, fd);
	watch(conn, fd, true, false, true);
}

void tls_conn_close(struct tls_relay_conn *conn)
{
	struct tls_relay *relay = conn->relay;

	pthread_mutex_lock(&relay->lock);
	*(conn->prev ? &conn->prev->next : &relay->conns) = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	tls_certificate_unref(relay, conn->certificate);
	pthread_mutex_unlock(&relay->lock);
	relay->lib.deinit(conn->session);
	close(conn->wire);
	if (conn->inner >= 0)
		close(conn->inner);
	else
		atomic_fetch_sub(&relay->server->connections, 1);
	free(conn);
}

/* ---- the handshake ---- */

static void give_on(struct tls_relay_conn *conn)
{
	struct tls_relay *relay = conn->relay;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		conn->is_over = true;
		return;
	}
	pthread_mutex_lock(&relay->lock);
	conn->inner = pair[0];
	conn->outer = pair[1];
	pthread_mutex_unlock(&relay->lock);
	conn->state = TLS_RELAY_OPEN;
	conn->deadline_ns = 0;
	watch(conn, conn->inner, true, false, true);
	acceptor_adopt(relay->server->acceptor, conn->outer);
}

static void shake_hands(struct tls_relay_conn *conn)
{
	int r = conn->relay->lib.handshake(conn->session);

	if (r == GNUTLS_E_SUCCESS)
		give_on(conn);
	else if (r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED)
		watch(conn, conn->wire, true,
		      conn->relay->lib.record_get_direction(conn->session) == 1, false);
	else if (r != GNUTLS_E_WARNING_ALERT_RECEIVED)
		conn->is_over = true;
}

/* ---- bytes: each step says whether it got anywhere ---- */

static bool may_try_again(ssize_t n)
{
	return n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
}

static bool read_wire(struct tls_relay_conn *conn)
{
	ssize_t n;

	if (conn->in.len || conn->wire_ended)
		return false;
	n = conn->relay->lib.record_recv(conn->session, conn->in.bytes, RECORD_BYTES);
	if (may_try_again(n))
		return false;
	/* 0: the client said that it ends; else it broke off, or asks for what TLS 1.3 has no more. */
	if (n <= 0)
		conn->wire_ended = true;
	else
		conn->in.len = (size_t)n;
	return true;
}

static bool write_inner(struct tls_relay_conn *conn)
{
	struct pipe *pipe = &conn->in;
	ssize_t n;

	conn->waits_inner = false;
	if (!pipe->len) {
		if (!conn->wire_ended || conn->told_inner)
			return false;
		shutdown(conn->inner, SHUT_WR);
		conn->told_inner = true;
		return true;
	}
	n = send(conn->inner, pipe->bytes + pipe->at, pipe->len - pipe->at,
		 MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN) {
		conn->waits_inner = true;
		return false;
	}
	pipe->at += n > 0 ? (size_t)n : pipe->len - pipe->at; /* nobody listens: drop it */
	if (pipe->at == pipe->len)
		pipe->at = pipe->len = 0;
	return true;
}

static bool read_inner(struct tls_relay_conn *conn)
{
	ssize_t n;

	if (conn->out.len || conn->inner_ended)
		return false;
	n = recv(conn->inner, conn->out.bytes, RECORD_BYTES, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n > 0) {
		conn->out.len = (size_t)n;
		return true;
	}
	conn->inner_ended = true;
	pthread_mutex_lock(&conn->relay->lock);
	conn->outer = -1; /* the number may be another's by now */
	pthread_mutex_unlock(&conn->relay->lock);
	return true;
}

static bool write_wire(struct tls_relay_conn *conn)
{
	struct pipe *pipe = &conn->out;
	ssize_t n;

	conn->waits_wire = false;
	if (!pipe->len)
		return false;
	n = conn->relay->lib.record_send(conn->session, pipe->bytes + pipe->at,
					 pipe->len - pipe->at);
	if (may_try_again(n)) {
		conn->waits_wire = true;
		return false;
	}
	if (n < 0) {
		conn->is_over = true;
		return false;
	}
	pipe->at += (size_t)n;
	if (pipe->at == pipe->len)
		pipe->at = pipe->len = 0;
	return true;
}

/* The front end is done: tell the client, and wait a moment for its last bytes. */
static void begin_closing(struct tls_relay_conn *conn)
{
	(void)conn->relay->lib.bye(conn->session, GNUTLS_SHUT_WR);
	shutdown(conn->wire, SHUT_WR);
	conn->state = TLS_RELAY_CLOSING;
	conn->deadline_ns = clock_monotonic_ns() + CLOSING_NS;
}

static void pump(struct tls_relay_conn *conn)
{
	bool got_on = true;

	for (int i = 0; i < TURNS && got_on && !conn->is_over; i++) {
		got_on = read_wire(conn);
		got_on |= write_inner(conn);
		got_on |= read_inner(conn);
		got_on |= write_wire(conn);
	}
	if (conn->state == TLS_RELAY_OPEN && conn->inner_ended && !conn->out.len)
		begin_closing(conn);
	conn->is_over |= conn->state == TLS_RELAY_CLOSING && conn->wire_ended;
	/* What GnuTLS has decrypted already makes no socket readable: with room left there is none. */
	watch(conn, conn->wire, !conn->in.len && !conn->wire_ended, conn->waits_wire, false);
	watch(conn, conn->inner, !conn->out.len && !conn->inner_ended, conn->waits_inner, false);
}

void tls_conn_event(struct tls_relay_conn *conn)
{
	if (conn->is_over)
		return;
	if (conn->state == TLS_RELAY_HANDSHAKE)
		shake_hands(conn);
	if (conn->state != TLS_RELAY_HANDSHAKE && !conn->is_over)
		pump(conn);
}
