/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shapes of refusals, for those that HTTP makes itself (too large, too slow, too many, no such path) and that look
 * like those of the path's handlers then:
 *
 *	gRPC and gRPC-Web, by the content type		200 and grpc-status, grpc-message
 *	/v1development/profiles				google.rpc.Status, proto or JSON
 *	/package.Service/Method, /ingest, /pyroscope/	{"code","message"}, as Connect's and Pyroscope's clients read it
 *	everything else					{"error","detail"}
 *
 * Any thread; nothing is kept.
 */
#ifndef SERVER_REFUSAL_H
#define SERVER_REFUSAL_H

#include "http/http_server.h"
#include "server/limits.h"

/* See http_config.dress; appends which limit it was and how to change it. */
void refusal_dress(const struct limits *limits, struct http_exchange *exchange,
		   enum http_refusal refusal, const char *reason, const char *detail);

/* The body of an error of OTLP by HTTP, as the request's content type has it; the status is the caller's. */
void refusal_put_otlp(struct http_exchange *exchange, int rpc_code, const char *text);

#endif
