/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this folder share.  Who owns what, and when:
 *
 *	READING ──dispatch──▶ RUNNING ──finish──▶ ANSWERED ──sent──▶ freed
 *	   │ (front)             │ (handler)         (front)
 *	   └──refused──▶ ANSWERED└──too late, stop──▶ ABANDONED (the front sends 503 of its own)
 *
 *   1. An exchange has a reference of its front end and, from dispatch to finish, one of its
 *handler.
 *   2. RUNNING becomes ANSWERED or ABANDONED by one compare-and-swap; who wins it wakes the front
 *end.
 *   3. While RUNNING only the handler touches request and response; afterwards, if ANSWERED, only
 *the front end; if ABANDONED the front end reads the request and touches nothing.
 *   4. The front end outlives the wake: http_server_stop() waits for `waking` to be zero.
 */
#ifndef HTTP_PRIVATE_H
#define HTTP_PRIVATE_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "http/http_server.h"

#define HTTP_MAX_LISTEN 8
#define HTTP_TICK_MS 500 /* how often deadlines are looked at */

struct front_h1;
struct front_h2;
struct acceptor;
struct exchange;
struct tls_relay;

struct http_lane_queue {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct exchange *head, **tail;
	size_t n, max;
	bool is_stopping;
	pthread_t *threads;
	unsigned int n_threads;
	const char *name;
};

struct http_server {
	const struct http_config *config;
	struct http_limits limits;
	int listen_fd[HTTP_MAX_LISTEN];
	struct sockaddr_storage listen_addr[HTTP_MAX_LISTEN];
	size_t n_listen;
	struct err left_out[HTTP_MAX_IF_FREE]; /* code 0: it is listened on */
	bool checks_host;		       /* all listeners are loopback, or hosts were given */
	struct acceptor *acceptor;
	struct front_h1 *h1;
	struct front_h2 *h2;
	struct tls_relay *relay; /* NULL: no TLS */
	struct http_lane_queue lanes[HTTP_LANE_COUNT];
	atomic_bool is_stopping;
	atomic_bool is_abandoning; /* nothing may start to run any more */
	atomic_size_t connections; /* open: each thread that closes one counts down */
	atomic_size_t active;	   /* exchanges that a front end holds */
	atomic_size_t waking;	   /* calls of front->wake() under way */
	atomic_size_t in_flight_bytes;
	atomic_uint_fast64_t connections_total, cancelled, in_flight;
	atomic_uint_fast64_t requests[6];
	atomic_uint_fast64_t refused[HTTP_REFUSAL_COUNT];
};

enum exchange_state { EXCHANGE_READING, EXCHANGE_RUNNING, EXCHANGE_ANSWERED, EXCHANGE_ABANDONED };

/* Called from any thread when state leaves RUNNING. */
typedef void exchange_wake_fn(struct exchange *exchange);

struct exchange {
	struct http_exchange pub; /* first: handlers know only this */
	struct http_server *server;
	const struct http_route *route;
	atomic_int refs;
	_Atomic(enum exchange_state) state;
	struct buf body;
	size_t header_bytes;
	int64_t start_ns;   /* headers were complete */
	bool must_close;    /* the connection ends with this answer: the body was not read */
	bool is_malformed;  /* some header breaks the rules; found while they came in */
	bool is_over_limit; /* headers or URI */
	const char *target; /* as sent */
	const char *method_text;
	struct exchange *next; /* in a lane's queue or a front end's list of the finished */

	exchange_wake_fn *wake;
	void *front; /* the front end's own: MHD_Connection, h2 stream */
};

/* ---- exchange.c ---- */
struct exchange *exchange_new(struct http_server *server, exchange_wake_fn *wake, void *front,
			      const char *peer) nodiscard;
void exchange_unref(struct exchange *exchange); /* NULL is fine */
/* The front end lets go: the client has gone or has its answer. */
void exchange_drop(struct exchange *exchange);
void exchange_set_target(struct exchange *exchange, const char *target, size_t len);
void exchange_set_method(struct exchange *exchange, const char *method, size_t len);
void exchange_add_header(struct exchange *exchange, const char *name, size_t name_len,
			 const char *value, size_t value_len);
/* A part of the body; false when that was too much: refused as above. */
bool exchange_add_body(struct exchange *exchange, const void *data, size_t len) nodiscard;
/* The request is complete: hand it to its lane.  It may be finished before this returns. */
void exchange_dispatch(struct exchange *exchange);
/* Too late: if the handler still has it, ABANDON and wake. */
void exchange_abandon(struct exchange *exchange);
void exchange_cancel(struct exchange *exchange); /* the client has gone */
/* In a worker: run the handler, or answer 503 when the server stops. */
void exchange_run(struct exchange *exchange, bool is_stopping);

/* ---- refuse.c ---- */
void exchange_refuse(struct exchange *exchange, enum http_refusal refusal, int status,
		     const char *reason, const char *fmt, ...) printf_like(5, 6);
/* The same for an answer that is made already. */
void exchange_end_refused(struct exchange *exchange, enum http_refusal refusal);
/* The same for one that is finished like a handler's. */
void exchange_tell_refused(struct exchange *exchange, enum http_refusal refusal, int status,
			   const char *reason, const char *detail);
/*
 * A refused exchange in the place of one that others still work on (invariant 3): its request is read, nothing of it
 * is changed or kept, and it must be admitted.  The front end drops it as it drops its own.
 */
struct exchange *exchange_refused_for(const struct exchange *original, enum http_refusal refusal,
				      int status, const char *reason, const char *detail) nodiscard;
/* The 503 for a request that was given up while a handler has it; takes the front end's reference of it. */
struct exchange *exchange_late(struct exchange *exchange) nodiscard;

/* ---- admit.c ---- */
/*
 * The headers are complete: every check of the table of limits, and the route.  False when the
 * request was refused: the answer is made and state is ANSWERED.
 */
bool exchange_admit(struct exchange *exchange) nodiscard;

/* ---- answer.c ---- */
/* Compress, add the headers that every answer has, count it. */
void answer_complete(struct exchange *exchange);
/* Bytes to send behind the head. */
const void *answer_body(const struct exchange *exchange, size_t *ret_len);
/* "HTTP/1.1 503 …" with a JSON body straight to a socket that nothing was sent on yet. */
void answer_raw(int fd, int status, const char *reason, const char *detail);
/* The same with the answer of a refused exchange. */
void answer_send_raw(int fd, const struct exchange *exchange);
const char *http_status_text(int status);

/* ---- target.c ---- */
/* Split and decode "/path?query"; fills path and params.  ERR_USAGE with a text that echoes
 * nothing. */
int target_parse(const char *target, size_t len, struct arena *arena, struct http_request *request,
		 struct err *err) nodiscard;

/* ---- host.c ---- */
int listen_open(struct http_server *server, const char *listen, struct err *err) nodiscard;
bool host_is_allowed(const struct http_server *server, const char *host);
bool host_is_well_formed(const char *host);
/* The address of the other side of a socket, "" when it has none. */
void peer_of(int fd, char out[HTTP_PEER_BYTES]);

/* ---- lane.c ---- */
int lane_start(struct http_lane_queue *lane, const char *name, unsigned int n_threads, size_t max,
	       struct err *err) nodiscard;
bool lane_put(struct http_lane_queue *lane, struct exchange *exchange) nodiscard; /* false: full */
void lane_stop(struct http_lane_queue *lane);
/* A thread that takes no signals. */
int thread_begin(pthread_t *thread, const char *name, void *(*run)(void *), void *ctx,
		 struct err *err) nodiscard;

/* ---- acceptor.c ---- */
int acceptor_start(struct http_server *server, struct acceptor **ret_acceptor,
		   struct err *err) nodiscard;
/* Returns when no connection will be handed to a front end any more. */
void acceptor_stop_listening(struct acceptor *acceptor);
void acceptor_free(struct acceptor *acceptor);
/* Tell front_h1 of the connection `id` when the other side of `fd` hangs up, once. */
void acceptor_watch(struct acceptor *acceptor, int fd, uint64_t id);
void acceptor_unwatch(struct acceptor *acceptor, int fd);
/*
 * Read and drop what a refused client still sends, for a moment, so that closing does not destroy
 * the answer on its way.  Takes the descriptor.
 */
void acceptor_linger(struct acceptor *acceptor, int fd);
/* A connection whose TLS the relay has taken off; counted already.  Takes the descriptor; any thread. */
void acceptor_adopt(struct acceptor *acceptor, int fd);

/* ---- front_h1.c ---- */
int front_h1_start(struct http_server *server, struct front_h1 **ret_front,
		   struct err *err) nodiscard;
void front_h1_stop(struct front_h1 *front);
void front_h1_free(struct front_h1 *front);
/* Takes the descriptor, also on failure. */
void front_h1_add(struct front_h1 *front, int fd, const struct sockaddr *addr, socklen_t len);
void front_h1_hangup(struct front_h1 *front, uint64_t id);
void front_h1_tick(struct front_h1 *front, int64_t now_ns);
/* Tell every request that still runs that it is too late. */
void front_h1_abandon(struct front_h1 *front);

/* ---- front_h2.c ---- */
int front_h2_start(struct http_server *server, struct front_h2 **ret_front,
		   struct err *err) nodiscard;
void front_h2_stop(struct front_h2 *front); /* GOAWAY to all; ends its thread after the last */
void front_h2_abandon(struct front_h2 *front);
void front_h2_free(struct front_h2 *front);
void front_h2_add(struct front_h2 *front, int fd);

#endif
