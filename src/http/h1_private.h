/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1, for front_h1.c (connections, requests and answers) and h1_clock.c (phases and their time).  The invariants are
 * numbered in front_h1.c.
 */
#ifndef HTTP_H1_PRIVATE_H
#define HTTP_H1_PRIVATE_H

#include "http/http_private.h"
#include "http/late_private.h"

enum h1_phase { H1_IDLE, H1_BODY, H1_RUNNING, H1_WRITING };

struct h1_conn {
	struct front_h1 *front;
	uint64_t id;
	int fd;
	char peer[HTTP_PEER_BYTES];
	struct exchange *exchange; /* NULL while IDLE */
	struct h1_conn *prev, *next;
	bool must_linger;

	/* Written under the front's lock, and read under it by the acceptor's thread. */
	enum h1_phase phase;
	bool is_watched;       /* the acceptor looks for a hang-up */
	bool is_counted;       /* bytes_acked is set */
	int64_t since_ns;      /* the phase began */
	uint64_t bytes_before; /* received until the last answer was sent */
	uint64_t bytes_acked;  /* in WRITING, when it was first looked at */
	int64_t first_byte_ns; /* of the next request, in IDLE; 0: not seen */
};

struct front_h1 {
	struct late_mhd lib;
	struct http_server *server;
	struct MHD_Daemon *daemon;
	pthread_mutex_t lock; /* of the list */
	struct h1_conn *list;
	uint64_t last_id;
};

/* ---- h1_clock.c ---- */

/* The phase begins now. */
void h1_enter(struct h1_conn *conn, enum h1_phase phase);

#endif
