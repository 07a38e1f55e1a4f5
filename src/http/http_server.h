/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server: one port, two front ends, one request and response struct.
 *
 * An acceptor thread looks at the first bytes of each connection without taking them: the preface
 *of HTTP/2 ("PRI * HTTP/2.0") goes to nghttp2, everything else to libmicrohttpd, which is handed
 *the very socket.  gRPC works over both (over HTTP/1.1 its status travels in trailers).
 *
 *	connection ──▶ acceptor ──▶ front_h1 (libmicrohttpd's thread) ──▶ exchange ──▶ lane's queue
 *	                   │                                                 ▲           │
 *	                   └──────▶ front_h2 (nghttp2, one thread)  ─────────┘        worker:
 *handler answer ◀── http_exchange_finish()
 *
 * Promises
 *   1. A handler runs in a worker thread of its route's lane, with the whole body in memory; it may
 *      finish later, from any thread (an upload is acknowledged when the store says so).
 *   2. Every limit of struct http_limits holds before a handler sees a request, and the answer
 *names the limit.  A body that is announced as too large is refused before it is read.
 *   3. Every answer carries the security headers, also 404 and 413; only what libmicrohttpd itself
 *      refuses (a request that is not HTTP) has none, and no body of ours.
 *   4. A client that goes away sets is_cancelled of its exchange; during an upload within HTTP_TICK_MS.
 *   5. http_server_stop() takes no new request, lets those in flight finish for stop_ns, then tells
 *      the rest 503.  It leaves no thread and no socket behind.
 *
 * Cost: about 30 µs of CPU a request besides the handler's, 170 µs with a new connection (relaying bytes
 * to libmicrohttpd through a socket pair instead of handing it the socket: 55 µs, and 500 instead of 300
 * for a body of 1 MB); an idle connection holds less than 64 KiB.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "http/message.h"

/* Requests of one lane wait only for each other: a slow query never holds up an upload. */
enum http_lane { HTTP_LANE_QUICK, HTTP_LANE_INGEST, HTTP_LANE_QUERY, HTTP_LANE_COUNT };

struct http_limits {
	size_t max_connections;	    /* 512; one more is told 503 */
	size_t max_header_bytes;    /* 16 KiB: names and values of one request; 431 */
	size_t max_uri_bytes;	    /* 8 KiB; 414 */
	size_t max_body_bytes;	    /* 16 MiB, as sent; 413.  A route may have a lower one */
	size_t max_inflated_bytes;  /* 64 MiB: for handlers, which inflate; 413 */
	size_t max_in_flight_bytes; /* 256 MiB: bodies of all requests together; 503 */
	size_t max_streams;	    /* 100 at a time in one HTTP/2 connection */
	size_t max_queue;	    /* 256 waiting in one lane; 503 with Retry-After */
	size_t min_rate_bytes; /* 1 KiB/s in the mean, after 5 s of a body or 30 s of an answer */
	int64_t header_ns;     /* 10 s from the first byte to the end of the headers; 408 */
	int64_t request_ns;    /* 60 s from the headers to the answer; 408 or 503 */
	int64_t idle_ns;       /* 75 s between two requests; closed */
	int64_t stop_ns;       /* 5 s; see promise 5 */
};

extern const struct http_limits http_limits_default;

typedef void http_handler_fn(void *ctx, struct http_exchange *exchange);

/* Bits of http_route.methods; HEAD is allowed where GET is. */
enum {
	HTTP_ALLOW_GET = 1 << HTTP_GET,
	HTTP_ALLOW_POST = 1 << HTTP_POST,
	HTTP_ALLOW_PUT = 1 << HTTP_PUT
};

struct http_route {
	const char
		*path; /* "/ready", or with a '*' at the end: "/assets/" "*"; NULL ends the table */
	unsigned int methods;
	enum http_lane lane;
	http_handler_fn *handler;
	size_t max_body_bytes; /* 0: that of the limits */
	unsigned int access;   /* whom the route is for: the meaning is http_config.admit's */
};

#define HTTP_MAX_IF_FREE 4u

/* Why requests were refused before a handler saw them: names are fixed words. */
enum http_refusal {
	HTTP_REFUSED_CONNECTIONS,
	HTTP_REFUSED_QUEUE,
	HTTP_REFUSED_MEMORY,
	HTTP_REFUSED_TIMEOUT,
	HTTP_REFUSED_TOO_LARGE,
	HTTP_REFUSED_HEADERS,
	HTTP_REFUSED_HOST,
	HTTP_REFUSED_MALFORMED,
	HTTP_REFUSED_NOT_FOUND,
	HTTP_REFUSED_METHOD,
	HTTP_REFUSED_STOPPING,
	HTTP_REFUSED_ACCESS, /* by http_config.admit */
	HTTP_REFUSAL_COUNT,
};
const char *http_refusal_name(enum http_refusal refusal);

struct http_config {
	const char *const *listen; /* "127.0.0.1:4040", "[::1]:4040", "localhost:0" */
	size_t n_listen;
	/* More of them: one that cannot be had is left out, and http_server_left_out() says why. */
	const char *const *listen_if_free;
	size_t n_if_free; /* at most HTTP_MAX_IF_FREE */
	/*
	 * Host names that requests may come for, besides localhost and plain addresses.  They are
	 * checked when some are given or every listener is on a loopback address, so that a foreign
	 * web page cannot reach the server through a name of its own (DNS rebinding).
	 */
	const char *const *hosts;
	size_t n_hosts;
	/*
	 * PEM files of a certificate (with its chain) and its key: every listener speaks TLS then, and tells who
	 * speaks plain HTTP so.  NULL: plain HTTP.
	 */
	const char *tls_cert, *tls_key;
	/*
	 * A path that requests may have before that of a route, "/pyrometer", for proxies that do not take it off;
	 * NULL or "": none.
	 */
	const char *base;
	const struct http_route *routes; /* the first that fits wins */
	void *ctx;			 /* for handlers, admit, dress and refused */
	/*
	 * May this request go on to its route?  Called when the headers are complete and before a byte of the body
	 * is read, in a front end's thread: it must not block.  It sets exchange->caller and returns true, or makes
	 * an answer (http_fail(), a redirect) and returns false.  NULL: everyone may everything.
	 */
	bool (*admit)(void *ctx, struct http_exchange *exchange, const struct http_route *route);
	/*
	 * Put a refusal of HTTP's own ({"error","detail"}, its status is set) into the shape that clients of the
	 * request's path read.  The path is "" when the request was no good before it was looked at.  Any thread, must
	 * not block; NULL: it stays as it is.
	 */
	void (*dress)(void *ctx, struct http_exchange *exchange, enum http_refusal refusal,
		      const char *reason, const char *detail);
	/* A request was refused before a handler saw it; the answer is made.  Must not block; may be NULL. */
	void (*refused)(void *ctx, const struct http_exchange *exchange, enum http_refusal refusal);
	struct http_limits limits;
	unsigned int workers[HTTP_LANE_COUNT]; /* 0: 1 quick, 2 ingest, 2 query */
};

struct http_stats {
	uint64_t connections; /* open now */
	uint64_t connections_total;
	uint64_t requests[6]; /* answered, by the first digit of the status */
	uint64_t refused[HTTP_REFUSAL_COUNT];
	uint64_t in_flight; /* requests that a handler has, or that wait for one */
	uint64_t in_flight_bytes;
	uint64_t cancelled; /* clients that did not wait for their answer */
};

struct http_server;

/*
 * Listen and serve.  ERR_USAGE for an address that is none, -EADDRINUSE, -EACCES, -EADDRNOTAVAIL
 * with a text for the person who started it.  Config and routes are borrowed until
 * http_server_free().
 */
int http_server_start(const struct http_config *config, struct http_server **ret_server,
		      struct err *err) nodiscard;
/*
 * Promise 5.  Returns when no connection and no worker is left; only calls of
 * http_exchange_finish() for answers that were put off (and that nobody waits for any more) may
 * still come.
 */
void http_server_stop(struct http_server *server);
/* After http_server_stop() and after the last put-off finish (close the store before). */
void http_server_free(struct http_server *server);

/* Read the certificate and its key again; on failure they stay as they are.  Nothing to do without TLS. */
int http_server_reload_tls(struct http_server *server, struct err *err) nodiscard;

/* Port of the i-th listener: the kernel's choice where 0 was asked for. */
uint16_t http_server_port(const struct http_server *server, size_t i);
/* Why the i-th of listen_if_free is not listened on; NULL: it is. */
const char *http_server_left_out(const struct http_server *server, size_t i);
void http_server_stats(const struct http_server *server, struct http_stats *ret_stats);

/* Is the address (as in http_config.listen) a loopback one?  ERR_USAGE when it is no address. */
int http_listen_is_loopback(const char *listen, bool *ret_is_loopback, struct err *err) nodiscard;

#endif
