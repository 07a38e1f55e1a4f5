/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many GETs at a time in one thread: for reading targets, each of which may take its time.
 *
 *	r = http_fetcher_start(fetcher, &fetch, err);	as often as there is something to fetch
 *	http_fetcher_run(fetcher, wait_ns);		moves all of them on; calls `done` of those that ended
 *
 * As with http_client: http and https (certificates are verified), no redirect, no cookie, and at most `max_bytes` of
 * an answer; the bytes of all answers under way are limited as well.  One thread owns a fetcher; only
 * http_fetcher_wake() may be called by others.
 */
#ifndef HTTP_FETCHER_H
#define HTTP_FETCHER_H

#include "http/client.h"

struct http_fetcher;

/* Why a fetch has no answer worth reading. */
enum http_fetch_failure {
	HTTP_FETCH_OK,
	HTTP_FETCH_UNREACHABLE, /* no connection, no such host */
	HTTP_FETCH_TIMEOUT,
	HTTP_FETCH_TOO_LARGE,
	HTTP_FETCH_BROKEN, /* the connection ended, or it was not HTTP */
};

struct http_fetched {
	enum http_fetch_failure failure;
	const char *text; /* of the failure; borrowed until done() returns */
	int status;
	const void *body;
	size_t len;
	int64_t duration_ns;
};

typedef void http_fetch_done_fn(void *ctx, const struct http_fetched *fetched);

/* Strings are copied. */
struct http_fetch {
	const char *url;
	const char *authorization; /* value of that header; NULL: none */
	int64_t timeout_ns;
	size_t max_bytes;
	http_fetch_done_fn
		*done; /* once, from http_fetcher_run(); never from http_fetcher_free() */
	void *ctx;
};

/* At most `max_bytes` of answers at a time; one that would pass it fails as too large. */
int http_fetcher_new(size_t max_bytes, struct http_fetcher **ret_fetcher,
		     struct err *err) nodiscard;
void http_fetcher_free(struct http_fetcher *fetcher); /* gives up what is under way; NULL is fine */
int http_fetcher_start(struct http_fetcher *fetcher, const struct http_fetch *fetch,
		       struct err *err) nodiscard;
/* For at most wait_ns, less when something ended or another thread woke it. */
void http_fetcher_run(struct http_fetcher *fetcher, int64_t wait_ns);
void http_fetcher_wake(struct http_fetcher *fetcher);

#endif
