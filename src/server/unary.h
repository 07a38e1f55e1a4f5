/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One unary call of a service, as its method sees it: a message in and a message out, both as proto, whatever dress
 * they travel in (rpc.h); JSON is turned into proto and back by the schemas of the method.
 *
 *	struct unary *call = unary_open(server, exchange, &method);
 *	if (!call)
 *		return;			(refused and finished)
 *	... read call->request, append the answer to call->reply ...
 *	unary_end(call, r, &err);	(finishes: the answer, or the error of r)
 *
 * A method that knows more of its requests than this (querier.h) has a struct unary inside, and opens it with
 * unary_begin().
 */
#ifndef SERVER_UNARY_H
#define SERVER_UNARY_H

#include "codec/proto.h"
#include "codec/proto_json.h"
#include "server/rpc.h"
#include "server/server_private.h"

#define UNARY_MAX_REPLY_BYTES (256u << 20)

struct unary_method {
	enum query_kind kind; /* it is counted as */
	const struct proto_json_message *request, *reply;
};

struct unary {
	struct server *server;
	struct http_exchange *exchange;
	const struct unary_method *method;
	struct rpc rpc;
	struct buf json_request; /* as proto */
	struct cursor request;	 /* that, or what came as proto */
	struct buf reply;
	int64_t start_ns; /* monotonic */
};

/* In the exchange's arena; NULL: refused and finished. */
struct unary *unary_open(struct server *server, struct http_exchange *exchange,
			 const struct unary_method *method) nodiscard;
/* The same in the caller's object, which lives as long as the exchange. */
bool unary_begin(struct unary *call, struct server *server, struct http_exchange *exchange,
		 const struct unary_method *method) nodiscard;
/* With r < 0 the error, else the reply; `call` is gone afterwards. */
void unary_end(struct unary *call, int r, const struct err *err);

/* The text of a field, in the arena; "" for a field that holds no text. */
const char *unary_text(struct unary *call, const struct proto_field *field);

#endif
