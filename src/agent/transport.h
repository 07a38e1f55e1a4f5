/* SPDX-License-Identifier: Apache-2.0 */
/* How the agent's requests reach a server: HTTP in life, anything in a test. */
#ifndef AGENT_TRANSPORT_H
#define AGENT_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "agent/credentials.h"
#include "base/err.h"

struct agent_request {
	const char *method; /* "POST", "PUT" */
	const char *path;   /* with query, below the server's URL: "/push.v1.PusherService/Push" */
	const char *content_type;
	const char *content_encoding; /* "gzip", or NULL */
	const void *body;
	size_t body_len;
};

struct agent_answer {
	int status;
	int64_t retry_after_ns; /* 0: the server did not say */
	char text[160];		/* beginning of the body, printable: why it was refused */
};

struct agent_transport {
	/* 0 when an answer came, whatever its status; negative when none did (worth trying again). */
	int (*send)(void *ctx, const struct agent_request *request, struct agent_answer *ret_answer,
		    struct err *err);
	/* Make a send() that runs in another thread return soon; may be NULL. */
	void (*cancel)(void *ctx);
	void (*free)(void *ctx); /* may be NULL */
	void *ctx;
};

/* HTTP to `url`, with what it shows there (copied); ERR_USAGE when that is no http:// or https:// URL. */
int transport_http_new(const char *url, const struct agent_credentials *credentials,
		       struct agent_transport *ret_transport, struct err *err) nodiscard;

#endif
