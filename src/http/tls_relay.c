/* SPDX-License-Identifier: Apache-2.0 */
#include "http/tls_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/late_tls_private.h"

#define EVENTS_AT_ONCE 64
#define RECORD_BYTES 16384
#define TURNS 16 /* records of one connection before the next has its turn */
#define CLOSING_NS (2 * NS_PER_S)
#define DRAIN_NS (500 * NS_PER_MS)
#define PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

struct certificate {
	gnutls_certificate_credentials_t creds;
	size_t refs;
};

/* Plain bytes on their way. */
struct pipe {
	char bytes[RECORD_BYTES];
	size_t at, len;
};

enum tls_relay_state { TLS_RELAY_HANDSHAKE, TLS_RELAY_OPEN, TLS_RELAY_CLOSING };

struct tls_relay_conn {
	struct tls_relay *relay;
	enum tls_relay_state state;
	int wire, inner, outer; /* -1: not there; `outer` is another's, kept as a name */
	gnutls_session_t session;
	struct certificate *certificate;
	struct pipe in, out;	      /* to the inner side, to the client */
	bool wire_ended, inner_ended; /* nothing more comes from there */
	bool told_inner;	      /* that the client ended */
	bool waits_wire, waits_inner; /* for room to send */
	bool is_over;
	int64_t deadline_ns; /* 0: none */
	struct tls_relay_conn *prev, *next;
};

struct incoming {
	int fd;
	struct incoming *next;
};

struct tls_relay {
	struct late_tls lib;
	struct http_server *server;
	const char *cert_path, *key_path;
	pthread_t thread;
	int epoll_fd, wake_fd;
	atomic_bool is_ending;
	pthread_mutex_t lock;
	struct certificate *certificate;
	struct tls_relay_conn *conns;
	struct incoming *incoming;
};

/* ---- certificates ---- */

/* The key is its owner's alone; others may read it only by a group, as Debian's ssl-cert has it. */
static int check_key(const char *path, struct err *err)
{
	struct stat info;

	if (stat(path, &info) < 0)
		return err_sys(err, -errno, "cannot read the key %s", path);
	if (info.st_mode & 07)
		return err_set(err, -EPERM, "the key %s can be read by everyone: chmod 600 it",
			       path);
	return 0;
}

static int load_certificate(struct tls_relay *relay, struct certificate **ret_certificate,
			    struct err *err)
{
	struct certificate *certificate;
	int r = check_key(relay->key_path, err);

	if (r < 0)
		return r;
	certificate = calloc(1, sizeof(*certificate));
	if (!certificate || relay->lib.certificate_allocate_credentials(&certificate->creds) < 0)
		abort();
	certificate->refs = 1;
	r = relay->lib.certificate_set_x509_key_file(certificate->creds, relay->cert_path,
						     relay->key_path, GNUTLS_X509_FMT_PEM);
	if (r < 0) {
		relay->lib.certificate_free_credentials(certificate->creds);
		free(certificate);
		return err_set(err, ERR_USAGE, "the certificate %s with the key %s: %s",
			       relay->cert_path, relay->key_path, relay->lib.strerror(r));
	}
	*ret_certificate = certificate;
	return 0;
}

/* With the lock held. */
static void certificate_unref(struct tls_relay *relay, struct certificate *certificate)
{
	if (!certificate || --certificate->refs)
		return;
	relay->lib.certificate_free_credentials(certificate->creds);
	free(certificate);
}

int tls_relay_reload(struct tls_relay *relay, struct err *err)
{
	struct certificate *fresh;
	int r = load_certificate(relay, &fresh, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&relay->lock);
	certificate_unref(relay, relay->certificate);
	relay->certificate = fresh;
	pthread_mutex_unlock(&relay->lock);
	return 0;
}

/* ---- connections ---- */

static void watch(struct tls_relay_conn *conn, int fd, bool reads, bool writes, bool is_new)
{
	struct epoll_event event = {.events = (reads ? EPOLLIN : 0u) | (writes ? EPOLLOUT : 0u),
				    .data.ptr = conn};

	if (fd >= 0)
		(void)epoll_ctl(conn->relay->epoll_fd, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd,
				&event);
}

static void conn_open(struct tls_relay *relay, int fd)
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

static void conn_close(struct tls_relay_conn *conn)
{
	struct tls_relay *relay = conn->relay;

	pthread_mutex_lock(&relay->lock);
	*(conn->prev ? &conn->prev->next : &relay->conns) = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	certificate_unref(relay, conn->certificate);
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

/* ---- the loop ---- */

static void take_incoming(struct tls_relay *relay)
{
	struct incoming *list;

	pthread_mutex_lock(&relay->lock);
	list = relay->incoming;
	relay->incoming = NULL;
	pthread_mutex_unlock(&relay->lock);
	while (list) {
		struct incoming *item = list;

		list = item->next;
		conn_open(relay, item->fd);
		free(item);
	}
}

static void check_deadlines(struct tls_relay *relay, int64_t now_ns)
{
	struct tls_relay_conn *next;

	for (struct tls_relay_conn *conn = relay->conns; conn; conn = next) {
		next = conn->next;
		if (!conn->deadline_ns || now_ns < conn->deadline_ns)
			continue;
		if (conn->state == TLS_RELAY_HANDSHAKE)
			atomic_fetch_add(&relay->server->refused[HTTP_REFUSED_TIMEOUT], 1);
		conn_close(conn);
	}
}

static void on_event(struct tls_relay *relay, struct tls_relay_conn *conn)
{
	uint64_t count;

	if (!conn) {
		(void)!read(relay->wake_fd, &count, sizeof(count));
		return;
	}
	if (conn->is_over)
		return;
	if (conn->state == TLS_RELAY_HANDSHAKE)
		shake_hands(conn);
	if (conn->state != TLS_RELAY_HANDSHAKE && !conn->is_over)
		pump(conn);
}

/* After the events of a round, since two of them may be of one connection. */
static void bury(struct tls_relay *relay)
{
	struct tls_relay_conn *next;

	for (struct tls_relay_conn *conn = relay->conns; conn; conn = next) {
		next = conn->next;
		if (conn->is_over)
			conn_close(conn);
	}
}

static void *tls_relay_run(void *ctx)
{
	struct tls_relay *relay = ctx;
	int64_t next_tick_ns = 0, drain_until_ns = 0;

	for (;;) {
		struct epoll_event events[EVENTS_AT_ONCE];
		int n = epoll_wait(relay->epoll_fd, events, EVENTS_AT_ONCE,
				   drain_until_ns ? 10 : HTTP_TICK_MS);
		int64_t now_ns = clock_monotonic_ns();

		for (int i = 0; i < n; i++)
			on_event(relay, events[i].data.ptr);
		bury(relay);
		take_incoming(relay);
		if (now_ns >= next_tick_ns) {
			check_deadlines(relay, now_ns);
			next_tick_ns = now_ns + HTTP_TICK_MS * NS_PER_MS;
		}
		if (atomic_load(&relay->is_ending)) {
			if (!drain_until_ns)
				drain_until_ns = now_ns + DRAIN_NS;
			if (!relay->conns || now_ns > drain_until_ns)
				return NULL;
		}
	}
}

/* ---- life cycle and the other threads' calls ---- */

static void wake(struct tls_relay *relay)
{
	uint64_t one = 1;

	(void)!write(relay->wake_fd, &one, sizeof(one));
}

int tls_relay_start(struct http_server *server, const char *cert, const char *key,
		    struct tls_relay **ret_relay, struct err *err)
{
	struct tls_relay *relay = calloc(1, sizeof(*relay));
	struct epoll_event event = {.events = EPOLLIN};
	int r;

	if (!relay)
		abort();
	relay->server = server;
	relay->cert_path = cert;
	relay->key_path = key;
	pthread_mutex_init(&relay->lock, NULL);
	relay->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	relay->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = late_tls_load(&relay->lib, err);
	if (r == 0)
		r = load_certificate(relay, &relay->certificate, err);
	if (r == 0 && (relay->epoll_fd < 0 || relay->wake_fd < 0 ||
		       epoll_ctl(relay->epoll_fd, EPOLL_CTL_ADD, relay->wake_fd, &event) < 0))
		r = err_sys(err, -errno, "cannot start TLS");
	if (r == 0)
		r = thread_begin(&relay->thread, "http-tls", tls_relay_run, relay, err);
	if (r == 0) {
		*ret_relay = relay;
		return 0;
	}
	certificate_unref(relay, relay->certificate);
	close(relay->epoll_fd);
	close(relay->wake_fd);
	pthread_mutex_destroy(&relay->lock);
	free(relay);
	return r;
}

void tls_relay_free(struct tls_relay *relay)
{
	if (!relay)
		return;
	atomic_store(&relay->is_ending, true);
	wake(relay);
	pthread_join(relay->thread, NULL);
	take_incoming(relay);
	while (relay->conns)
		conn_close(relay->conns);
	certificate_unref(relay, relay->certificate);
	close(relay->epoll_fd);
	close(relay->wake_fd);
	pthread_mutex_destroy(&relay->lock);
	free(relay);
}

void tls_relay_add(struct tls_relay *relay, int fd)
{
	struct incoming *item = calloc(1, sizeof(*item));

	if (!item)
		abort();
	item->fd = fd;
	pthread_mutex_lock(&relay->lock);
	item->next = relay->incoming;
	relay->incoming = item;
	pthread_mutex_unlock(&relay->lock);
	wake(relay);
}

int tls_relay_wire(struct tls_relay *relay, int fd)
{
	int wire = fd;

	if (!relay)
		return fd;
	pthread_mutex_lock(&relay->lock);
	for (struct tls_relay_conn *conn = relay->conns; conn && wire == fd; conn = conn->next)
		if (conn->outer == fd)
			wire = conn->wire;
	pthread_mutex_unlock(&relay->lock);
	return wire;
}
