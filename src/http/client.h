/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small blocking HTTP client, for sending bodies to one server again and again.
 *
 *	struct http_client *client;
 *	r = http_client_new(&opts, &client, err);
 *	...
 *	r = http_client_send(client, &request, &answer, err);
 *	if (r == 0 && answer.status / 100 == 2)
 *		...
 *
 * It keeps its connection between calls, speaks http and https (certificates are verified), follows
 * no redirect, uses no proxy but the environment's, stores no cookie, and reads at most
 * `max_answer_bytes` of an answer: the server is not trusted.  One thread uses a client at a time.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define HTTP_CLIENT_MAX_ANSWER_BYTES (64u << 10)
#define HTTP_CLIENT_MAX_HEADERS 32

struct http_client;

/* Zeros mean the defaults. */
struct http_client_opts {
	int64_t connect_timeout_ns; /* 5 s */
	int64_t timeout_ns;	    /* of a whole request, 30 s */
	size_t max_answer_bytes;    /* HTTP_CLIENT_MAX_ANSWER_BYTES; what is longer is cut off */
	const char *user_agent;	    /* "pyrometer"; copied */
	const char *ca_file; /* PEM, trusted instead of the system's; copied; NULL: the system's */
	/*
	 * Another thread or a signal handler sets it to end a request early (within about a second,
	 * -ECANCELED); may be NULL.
	 */
	const volatile bool *is_cancelled;
};

struct http_client_header {
	const char *name;
	const char *value;
};

/* Everything is borrowed until http_client_send() returns. */
struct http_client_request {
	const char *method; /* "POST", "PUT", "GET" */
	const char *url;    /* absolute; user:password@ becomes basic authentication */
	const struct http_client_header *headers;
	size_t n_headers; /* at most HTTP_CLIENT_MAX_HEADERS */
	const void *body;
	size_t body_len;
};

struct http_client_answer {
	int status;		/* 200, 503, … */
	int64_t retry_after_ns; /* of the header Retry-After in seconds, at most 5 min; 0: none */
	char content_type[64];	/* "" when there was none; cut off when longer */
	struct buf body;	/* as received; http_client_answer_done() frees it */
	bool is_cut;		/* the body was longer than max_answer_bytes */
};

int http_client_new(const struct http_client_opts *opts, struct http_client **ret_client,
		    struct err *err) nodiscard;
void http_client_free(struct http_client *client);

/*
 * Send one request and read the answer.  Returns 0 when an answer came, whatever its status;
 * ERR_USAGE for a URL that is none, -ETIMEDOUT, -ECANCELED, -ECONNREFUSED, or -EIO when there was
 * no answer (trying again may help).  No password appears in err.
 */
int http_client_send(struct http_client *client, const struct http_client_request *request,
		     struct http_client_answer *ret_answer, struct err *err) nodiscard;
void http_client_answer_done(struct http_client_answer *answer); /* all-zero is fine */

#endif
