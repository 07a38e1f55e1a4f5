/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The acceptor: one thread, one epoll.  It watches four kinds of descriptors:
 *
 *	LISTEN	a connection comes: count it, look at its first bytes
 *	FIRST	a connection that has not sent enough to tell HTTP/1.1 from HTTP/2.  MSG_PEEK leaves
 *the bytes in the socket, so the front end gets the very socket and nothing is relayed;
 *		edge-triggered, because a peeked socket stays readable
 *	HANGUP	a socket of front_h1 whose request a handler works on: libmicrohttpd does not look
 *at suspended connections, so nobody else would see the client leave LINGER	a refused client's
 *socket: what it still sends is dropped
 *
 * Every HTTP_TICK_MS it looks at deadlines, its own and front_h1's.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/http_private.h"
#include "http/tls_private.h"

#define EVENTS_AT_ONCE 64
#define LINGER_NS (2 * NS_PER_S)
#define LINGER_MAX_BYTES ((size_t)64 << 20)
#define KIND_SHIFT 56
#define TLS_HANDSHAKE 22 /* first byte of every TLS connection */

enum watch_kind { WATCH_WAKE, WATCH_LISTEN, WATCH_FIRST, WATCH_HANGUP, WATCH_LINGER };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/* No method of HTTP/1.1 begins like this. */
#define PREFACE_TELLS 4

/* A socket that is the acceptor's own for a moment. */
struct guest {
	int fd;
	enum watch_kind kind;
	int64_t deadline_ns;
	bool is_relayed; /* the relay has taken TLS off */
	size_t dropped_bytes;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	struct guest *next;
};

struct acceptor {
	struct http_server *server;
	pthread_t thread;
	int epoll_fd, wake_fd;
	int spare_fd;		/* given up for a moment when descriptors run out, to say 503 */
	atomic_bool is_closing; /* stop listening */
	atomic_bool is_closed;	/* done: no front end gets a socket any more */
	atomic_bool is_ending;	/* end the thread */
	bool is_listening;
	struct guest *guests;
	size_t n_lingering;
	pthread_mutex_t lock;	/* of `incoming` */
	struct guest *incoming; /* sockets to linger, from other threads */
};

static void watch(struct acceptor *acceptor, int fd, enum watch_kind kind, uint64_t id,
		  uint32_t events)
{
	struct epoll_event event = {.events = events,
				    .data.u64 = (uint64_t)kind << KIND_SHIFT | id};

	/* Fails only for lack of kernel memory; the deadlines still hold then. */
	(void)epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

void acceptor_watch(struct acceptor *acceptor, int fd, uint64_t id)
{
	watch(acceptor, fd, WATCH_HANGUP, id, EPOLLRDHUP | EPOLLONESHOT);
}

void acceptor_unwatch(struct acceptor *acceptor, int fd)
{
	(void)epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static void wake(struct acceptor *acceptor)
{
	uint64_t one = 1;

	(void)!write(acceptor->wake_fd, &one, sizeof(one));
}

static void bring(struct acceptor *acceptor, const struct guest *model)
{
	struct guest *guest = calloc(1, sizeof(*guest));

	if (!guest)
		abort();
	*guest = *model;
	pthread_mutex_lock(&acceptor->lock);
	guest->next = acceptor->incoming;
	acceptor->incoming = guest;
	pthread_mutex_unlock(&acceptor->lock);
	wake(acceptor);
}

void acceptor_linger(struct acceptor *acceptor, int fd)
{
	bring(acceptor, &(struct guest){.fd = fd,
					.kind = WATCH_LINGER,
					.deadline_ns = clock_monotonic_ns() + LINGER_NS});
}

void acceptor_adopt(struct acceptor *acceptor, int fd)
{
	int64_t now_ns = clock_monotonic_ns();

	/* libmicrohttpd is told what kind of socket it gets. */
	bring(acceptor, &(struct guest){.fd = fd,
					.kind = WATCH_FIRST,
					.deadline_ns = now_ns + acceptor->server->limits.header_ns,
					.is_relayed = true,
					.addr = {.ss_family = AF_UNIX},
					.addr_len = sizeof(sa_family_t)});
}

/* ---- guests ---- */

static struct guest *find_guest(struct acceptor *acceptor, int fd)
{
	struct guest *guest = acceptor->guests;

	while (guest && guest->fd != fd)
		guest = guest->next;
	return guest;
}

/* Forget a guest; its descriptor is closed unless `keep_fd`. */
static void remove_guest(struct acceptor *acceptor, struct guest *guest, bool keep_fd)
{
	struct guest **at = &acceptor->guests;

	while (*at != guest)
		at = &(*at)->next;
	*at = guest->next;
	if (keep_fd)
		acceptor_unwatch(acceptor, guest->fd);
	else
		close(guest->fd);
	if (guest->kind == WATCH_FIRST && !keep_fd)
		atomic_fetch_sub(&acceptor->server->connections, 1);
	acceptor->n_lingering -= guest->kind == WATCH_LINGER;
	free(guest);
}

static void look(struct acceptor *acceptor, struct guest *guest);

static void watch_first(struct acceptor *acceptor, struct guest *guest)
{
	if (!acceptor->is_listening) {
		remove_guest(acceptor, guest, false);
		return;
	}
	watch(acceptor, guest->fd, WATCH_FIRST, (uint64_t)guest->fd,
	      EPOLLIN | EPOLLRDHUP | EPOLLET);
	look(acceptor, guest);
}

static void take_incoming(struct acceptor *acceptor)
{
	struct guest *list;

	pthread_mutex_lock(&acceptor->lock);
	list = acceptor->incoming;
	acceptor->incoming = NULL;
	pthread_mutex_unlock(&acceptor->lock);
	while (list) {
		struct guest *guest = list;

		list = guest->next;
		guest->next = acceptor->guests;
		acceptor->guests = guest;
		acceptor->n_lingering += guest->kind == WATCH_LINGER;
		if (guest->kind == WATCH_LINGER)
			watch(acceptor, guest->fd, WATCH_LINGER, (uint64_t)guest->fd,
			      EPOLLIN | EPOLLRDHUP);
		else
			watch_first(acceptor, guest);
	}
}

static void drop_input(struct acceptor *acceptor, struct guest *guest)
{
	char bytes[65536];
	ssize_t n = recv(guest->fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	guest->dropped_bytes += n > 0 ? (size_t)n : 0;
	if (n <= 0 || guest->dropped_bytes > LINGER_MAX_BYTES)
		remove_guest(acceptor, guest, false);
}

static void refuse(struct acceptor *acceptor, struct guest *guest, int status, const char *reason,
		   const char *detail, enum http_refusal refusal)
{
	answer_raw(guest->fd, status, reason, detail);
	atomic_fetch_add(&acceptor->server->refused[refusal], 1);
	remove_guest(acceptor, guest, false);
}

/* The first byte on a port with TLS. */
static void look_for_tls(struct acceptor *acceptor, struct guest *guest, unsigned char first)
{
	int fd = guest->fd;

	if (first != TLS_HANDSHAKE) {
		refuse(acceptor, guest, 400, "tls_needed",
		       "this port speaks HTTPS only: use https:// in the address",
		       HTTP_REFUSED_MALFORMED);
		return;
	}
	remove_guest(acceptor, guest, true);
	tls_relay_add(acceptor->server->relay, fd);
}

/* Tell the protocol by the bytes that are there; a guest that cannot be told stays one. */
static void look(struct acceptor *acceptor, struct guest *guest)
{
	struct http_server *server = acceptor->server;
	struct sockaddr_storage addr = guest->addr;
	socklen_t addr_len = guest->addr_len;
	char bytes[sizeof(preface) - 1];
	ssize_t n = recv(guest->fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	int fd = guest->fd;
	bool is_h2;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		remove_guest(acceptor, guest, false);
		return;
	}
	if (server->relay && !guest->is_relayed) {
		look_for_tls(acceptor, guest, (unsigned char)bytes[0]);
		return;
	}
	is_h2 = memcmp(bytes, preface, (size_t)n) == 0;
	if (is_h2 && n < PREFACE_TELLS)
		return;
	/* Every request line begins with a letter, after empty lines perhaps; TLS does not. */
	if (!isalpha((unsigned char)bytes[0]) && bytes[0] != '\r' && bytes[0] != '\n') {
		refuse(acceptor, guest, 400, "not_http", "this is a plain HTTP port",
		       HTTP_REFUSED_MALFORMED);
		return;
	}
	remove_guest(acceptor, guest, true);
	if (is_h2)
		front_h2_add(server->h2, fd);
	else
		front_h1_add(server->h1, fd, (const struct sockaddr *)&addr, addr_len);
}

/* ---- accepting ---- */

static void welcome(struct acceptor *acceptor, int fd, const struct sockaddr_storage *addr,
		    socklen_t addr_len)
{
	struct http_server *server = acceptor->server;
	struct guest *guest = calloc(1, sizeof(*guest));
	int on = 1;

	if (!guest)
		abort();
	*guest = (struct guest){.fd = fd,
				.kind = WATCH_FIRST,
				.deadline_ns = clock_monotonic_ns() + server->limits.header_ns,
				.addr = *addr,
				.addr_len = addr_len,
				.next = acceptor->guests};
	acceptor->guests = guest;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	atomic_fetch_add(&server->connections_total, 1);
	if (atomic_fetch_add(&server->connections, 1) >= server->limits.max_connections) {
		refuse(acceptor, guest, 503, "too_many_connections",
		       "the server has as many connections as it takes; try again in a moment",
		       HTTP_REFUSED_CONNECTIONS);
		return;
	}
	watch_first(acceptor, guest);
}

/* No descriptor is left: use the spare one to take the connection, say so and close it. */
static void accept_without_descriptors(struct acceptor *acceptor, int listen_fd)
{
	int fd;

	close(acceptor->spare_fd);
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		answer_raw(fd, 503, "too_many_connections",
			   "the server is out of file descriptors");
		atomic_fetch_add(&acceptor->server->refused[HTTP_REFUSED_CONNECTIONS], 1);
		close(fd);
	}
	acceptor->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_all(struct acceptor *acceptor, int listen_fd)
{
	for (int i = 0; i < EVENTS_AT_ONCE; i++) {
		struct sockaddr_storage addr;
		socklen_t len = sizeof(addr);
		int fd = accept4(listen_fd, (struct sockaddr *)&addr, &len,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0)
			welcome(acceptor, fd, &addr, len);
		else if (errno == EMFILE || errno == ENFILE)
			accept_without_descriptors(acceptor, listen_fd);
		else if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

/* Nobody new, and nobody who has not said anything yet. */
static void stop_listening(struct acceptor *acceptor)
{
	struct guest *next;

	for (size_t i = 0; i < acceptor->server->n_listen; i++)
		close(acceptor->server->listen_fd[i]);
	for (struct guest *guest = acceptor->guests; guest; guest = next) {
		next = guest->next;
		if (guest->kind == WATCH_FIRST)
			remove_guest(acceptor, guest, false);
	}
	acceptor->is_listening = false;
	atomic_store(&acceptor->is_closed, true);
}

/* ---- the loop ---- */

static void check_deadlines(struct acceptor *acceptor, int64_t now_ns)
{
	struct guest *next;

	for (struct guest *guest = acceptor->guests; guest; guest = next) {
		next = guest->next;
		if (now_ns < guest->deadline_ns)
			continue;
		if (guest->kind == WATCH_FIRST)
			refuse(acceptor, guest, 408, "header_timeout", "no request came in time",
			       HTTP_REFUSED_TIMEOUT);
		else
			remove_guest(acceptor, guest, false);
	}
	front_h1_tick(acceptor->server->h1, now_ns);
}

static void on_event(struct acceptor *acceptor, uint64_t data)
{
	uint64_t id = data & ((1ull << KIND_SHIFT) - 1), count;
	struct guest *guest;

	switch ((enum watch_kind)(data >> KIND_SHIFT)) {
	case WATCH_WAKE:
		(void)!read(acceptor->wake_fd, &count, sizeof(count));
		break;
	case WATCH_LISTEN:
		if (acceptor->is_listening)
			accept_all(acceptor, (int)id);
		break;
	case WATCH_HANGUP:
		front_h1_hangup(acceptor->server->h1, id);
		break;
	case WATCH_FIRST:
	case WATCH_LINGER:
		/* An earlier event of this round may have removed it. */
		guest = find_guest(acceptor, (int)id);
		if (guest && guest->kind == WATCH_FIRST)
			look(acceptor, guest);
		else if (guest)
			drop_input(acceptor, guest);
		break;
	}
}

static void *acceptor_run(void *ctx)
{
	struct acceptor *acceptor = ctx;
	int64_t next_tick_ns = 0;

	while (!atomic_load(&acceptor->is_ending)) {
		struct epoll_event events[EVENTS_AT_ONCE];
		int n = epoll_wait(acceptor->epoll_fd, events, EVENTS_AT_ONCE, HTTP_TICK_MS);
		int64_t now_ns = clock_monotonic_ns();

		for (int i = 0; i < n; i++)
			on_event(acceptor, events[i].data.u64);
		take_incoming(acceptor);
		if (now_ns >= next_tick_ns) {
			check_deadlines(acceptor, now_ns);
			next_tick_ns = now_ns + HTTP_TICK_MS * NS_PER_MS;
		}
		if (atomic_load(&acceptor->is_closing) && acceptor->is_listening)
			stop_listening(acceptor);
	}
	return NULL;
}

int acceptor_start(struct http_server *server, struct acceptor **ret_acceptor, struct err *err)
{
	struct acceptor *acceptor = calloc(1, sizeof(*acceptor));
	int r;

	if (!acceptor)
		abort();
	acceptor->server = server;
	acceptor->is_listening = true;
	acceptor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	acceptor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	acceptor->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pthread_mutex_init(&acceptor->lock, NULL);
	r = acceptor->epoll_fd < 0 || acceptor->wake_fd < 0
		    ? err_sys(err, -errno, "cannot start the acceptor")
		    : 0;
	if (r == 0) {
		watch(acceptor, acceptor->wake_fd, WATCH_WAKE, 0, EPOLLIN);
		for (size_t i = 0; i < server->n_listen; i++)
			watch(acceptor, server->listen_fd[i], WATCH_LISTEN,
			      (uint64_t)server->listen_fd[i], EPOLLIN);
		/* Before the thread: from its first connection on others look for the acceptor. */
		*ret_acceptor = acceptor;
		r = thread_begin(&acceptor->thread, "http-accept", acceptor_run, acceptor, err);
	}
	if (r < 0) {
		*ret_acceptor = NULL;
		close(acceptor->epoll_fd);
		close(acceptor->wake_fd);
		close(acceptor->spare_fd);
		free(acceptor);
	}
	return r;
}

void acceptor_stop_listening(struct acceptor *acceptor)
{
	struct timespec pause = clock_timespec(NS_PER_MS);

	atomic_store(&acceptor->is_closing, true);
	wake(acceptor);
	while (!atomic_load(&acceptor->is_closed))
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

void acceptor_free(struct acceptor *acceptor)
{
	if (!acceptor)
		return;
	atomic_store(&acceptor->is_closing, true);
	atomic_store(&acceptor->is_ending, true);
	wake(acceptor);
	pthread_join(acceptor->thread, NULL);
	if (acceptor->is_listening)
		stop_listening(acceptor);
	take_incoming(acceptor);
	while (acceptor->guests)
		remove_guest(acceptor, acceptor->guests, false);
	close(acceptor->epoll_fd);
	close(acceptor->wake_fd);
	close(acceptor->spare_fd);
	pthread_mutex_destroy(&acceptor->lock);
	free(acceptor);
}
