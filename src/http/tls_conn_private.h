/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the relay is made of, for its three files: tls_certificate.c (the files of certificate and key), tls_conn.c (one
 * connection: its handshake, then bytes each way) and tls_relay.c (all of them: the loop, the other threads' calls).
 * The invariants are numbered in tls_private.h; all here is the relay's thread's, but what its lock guards.
 */
#ifndef HTTP_TLS_CONN_PRIVATE_H
#define HTTP_TLS_CONN_PRIVATE_H

#include "http/late_tls_private.h"
#include "http/tls_private.h"

#define RECORD_BYTES 16384

struct tls_certificate {
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
	struct tls_certificate *certificate;
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
	struct tls_certificate *certificate;
	struct tls_relay_conn *conns;
	struct incoming *incoming;
};

/* ---- tls_certificate.c ---- */
/* With one reference; fails with what is wrong with the files. */
int tls_certificate_load(struct tls_relay *relay, struct tls_certificate **ret_certificate,
			 struct err *err) nodiscard;
/* With the lock held; NULL is fine. */
void tls_certificate_unref(struct tls_relay *relay, struct tls_certificate *certificate);

/* ---- tls_conn.c ---- */
/* Takes the descriptor. */
void tls_conn_open(struct tls_relay *relay, int fd);
void tls_conn_close(struct tls_relay_conn *conn);
/* Something may be done: do it.  A connection that is over then says so, and waits to be closed. */
void tls_conn_event(struct tls_relay_conn *conn);

#endif
