/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/tls_conn_private.h"

#define EVENTS_AT_ONCE 64
#define DRAIN_NS (500 * NS_PER_MS)

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
		tls_conn_open(relay, item->fd);
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
		tls_conn_close(conn);
	}
}

static void on_event(struct tls_relay *relay, struct tls_relay_conn *conn)
{
	uint64_t count;

	if (conn)
		tls_conn_event(conn);
	else
		(void)!read(relay->wake_fd, &count, sizeof(count));
}

/* After the events of a round, since two of them may be of one connection. */
static void bury(struct tls_relay *relay)
{
	struct tls_relay_conn *next;

	for (struct tls_relay_conn *conn = relay->conns; conn; conn = next) {
		next = conn->next;
		if (conn->is_over)
			tls_conn_close(conn);
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

int tls_relay_reload(struct tls_relay *relay, struct err *err)
{
	struct tls_certificate *fresh;
	int r = tls_certificate_load(relay, &fresh, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&relay->lock);
	tls_certificate_unref(relay, relay->certificate);
	relay->certificate = fresh;
	pthread_mutex_unlock(&relay->lock);
	return 0;
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
		r = tls_certificate_load(relay, &relay->certificate, err);
	if (r == 0 && (relay->epoll_fd < 0 || relay->wake_fd < 0 ||
		       epoll_ctl(relay->epoll_fd, EPOLL_CTL_ADD, relay->wake_fd, &event) < 0))
		r = err_sys(err, -errno, "cannot start TLS");
	if (r == 0)
		r = thread_begin(&relay->thread, "http-tls", tls_relay_run, relay, err);
	if (r == 0) {
		*ret_relay = relay;
		return 0;
	}
	tls_certificate_unref(relay, relay->certificate);
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
		tls_conn_close(relay->conns);
	tls_certificate_unref(relay, relay->certificate);
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
