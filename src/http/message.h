/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request and its answer, the same for HTTP/1.1, HTTP/2 and gRPC: handlers never learn which.
 *
 * Texts of a request live in the exchange's arena: until http_exchange_finish().  They are valid
 * UTF-8 without NUL (header values may hold any byte but control characters); names of headers are
 * lower case. What a handler puts into an answer lives in the arena too, or is constant, or is the
 * answer's own buffer.
 */
#ifndef HTTP_MESSAGE_H
#define HTTP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define HTTP_MAX_PARAMS 128
#define HTTP_MAX_HEADERS 100
#define HTTP_MAX_ANSWER_HEADERS 16
#define HTTP_MAX_TRAILERS 4
#define HTTP_PEER_BYTES 46 /* INET6_ADDRSTRLEN */
#define HTTP_MAX_ANSWER_BYTES ((size_t)256 << 20)

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_OTHER
};

struct http_pair {
	const char *name;
	const char *value;
};

struct http_request {
	enum http_method method;  /* HEAD is answered by GET's handler, the body is then left out */
	const char *path;	  /* decoded once; begins with '/', has no "..", no "//" */
	const char *tail;	  /* what stands for the '*' of the route, else "" */
	struct http_pair *params; /* of the query string, decoded, in order */
	size_t n_params;
	struct http_pair *headers;
	size_t n_headers;
	const uint8_t *body; /* whole, as sent: Content-Encoding is the handler's business */
	size_t body_len;
};

/* First value of that name, or NULL. */
const char *http_request_param(const struct http_request *request, const char *name);
const char *http_request_header(const struct http_request *request, const char *name);
/* The media type of Content-Type without its parameters, lower case, "" when there is none. */
void http_request_media_type(const struct http_request *request, char *out, size_t cap);
/*
 * The fields of a form (application/x-www-form-urlencoded), decoded into the arena, in order.  ERR_USAGE, or ERR_LIMIT
 * with more than HTTP_MAX_PARAMS.
 */
int http_form_parse(struct arena *arena, const void *data, size_t len, struct http_pair **ret_pairs,
		    size_t *ret_n, struct err *err) nodiscard;
/* Does the list in `value` ("gzip, deflate;q=0.5") hold `token` with a quality above 0? */
bool http_list_has(const char *value, const char *token);

struct http_response {
	int status;		   /* 200 unless changed */
	const char *content_type;  /* NULL: none */
	const char *cache_control; /* "no-store" unless changed */
	const char
		*policy; /* Content-Security-Policy, when it is not the one that everything has */
	struct buf body; /* own bytes, at most HTTP_MAX_ANSWER_BYTES … */
	const void *constant; /* … or bytes that live as long as the server, when not NULL */
	size_t constant_len;
	bool is_encoded; /* Content-Encoding is set already, or must not be */
	struct http_pair headers[HTTP_MAX_ANSWER_HEADERS];
	size_t n_headers;
	/* Sent behind the body (gRPC's status); an answer with trailers is sent in chunks over
	 * HTTP/1.1. */
	struct http_pair trailers[HTTP_MAX_TRAILERS];
	size_t n_trailers;
};

/* One request on its way: given to a handler, handed back by http_exchange_finish(). */
struct http_exchange {
	struct http_request request;
	struct http_response response;
	struct arena arena;
	int64_t deadline_ns; /* monotonic: later than this nobody waits for the answer */
	/* Set when the client has gone or the server stops: read it with __atomic_load_n(). */
	bool is_cancelled;
	const void *caller; /* what http_config.admit made of who asks; NULL: nobody looked */
	char peer
		[HTTP_PEER_BYTES]; /* address of the other side, without its port; "" when unknown */
};

/*
 * The answer is complete: send it.  A handler calls this exactly once, from any thread, before or
 * after it returns; the exchange is not its own any more afterwards.
 */
void http_exchange_finish(struct http_exchange *exchange);

/* Add a header or trailer; control characters in the value become '?'. */
void http_response_header(struct http_exchange *exchange, const char *name, const char *value);
void http_response_trailer(struct http_exchange *exchange, const char *name, const char *value);

/*
 * Make the answer {"error":reason,"detail":…}: what was wrong and what to do, one line, at most 400
 * bytes.  `reason` is one of a fixed set of words.  Does not finish.
 */
void http_fail(struct http_exchange *exchange, int status, const char *reason, const char *fmt, ...)
	printf_like(4, 5);

#endif
