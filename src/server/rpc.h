/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unary calls of the services that Pyroscope has: one message in, one message out, in four dresses.
 *
 *	Connect	application/proto or application/json, Content-Encoding; errors are
 *		{"code":"invalid_argument","message":"…"} with an HTTP status
 *	gRPC	application/grpc[+proto]: frames of flag, length, message; the status in trailers,
 *		over HTTP/2 or HTTP/1.1
 *	gRPC-Web application/grpc-web[+proto]: as gRPC, the trailers in a last frame of the body
 *
 * A handler opens the call, reads `message` (decompressed; proto unless is_json), and ends it with
 * rpc_reply() or rpc_fail(), which finish the exchange.  The message lives until then.
 */
#ifndef SERVER_RPC_H
#define SERVER_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/budget.h"
#include "http/message.h"
#include "server/limits.h"

/* Numbers are gRPC's. */
enum rpc_code {
	RPC_OK = 0,
	RPC_UNKNOWN = 2,
	RPC_INVALID_ARGUMENT = 3,
	RPC_DEADLINE_EXCEEDED = 4,
	RPC_NOT_FOUND = 5,
	RPC_ALREADY_EXISTS = 6,
	RPC_RESOURCE_EXHAUSTED = 8,
	RPC_UNIMPLEMENTED = 12,
	RPC_INTERNAL = 13,
	RPC_UNAVAILABLE = 14,
};

enum rpc_dress { RPC_CONNECT, RPC_GRPC, RPC_GRPC_WEB };

struct rpc {
	struct http_exchange *exchange;
	enum rpc_dress dress;
	bool is_json;
	const uint8_t *message;
	size_t len;
	struct buf inflated;
	struct codec_loan loan; /* for this message and what is inflated from it */
};

/*
 * Understand the request.  False when it was refused and finished: 415, bad frame, over a limit.  The
 * rpc is in the exchange's arena or the caller's object that lives as long.
 */
bool rpc_open(struct rpc *rpc, struct http_exchange *exchange, struct codec_budget *budget,
	      const struct limits *limits) nodiscard;
/* The same in two steps, for who has to do something with the error before the exchange ends. */
int rpc_read(struct rpc *rpc, struct http_exchange *exchange, struct codec_budget *budget,
	     size_t max_bytes, struct err *err) nodiscard;
void rpc_refuse(struct rpc *rpc, int r, const struct err *err);
/* The answer: `message` is proto, or JSON text when rpc->is_json. */
void rpc_reply(struct rpc *rpc, const void *message, size_t len);
/* `status`: for Connect, when it is not the code's own (413 says more than 429); 0: the code's. */
void rpc_fail(struct rpc *rpc, enum rpc_code code, int status, const char *text);

/* "invalid_argument", and the HTTP status that goes with it. */
const char *rpc_code_name(enum rpc_code code);
int rpc_code_status(enum rpc_code code);
/* For an error of a request: -errno or ERR_. */
enum rpc_code rpc_code_of(int r);

/*
 * The error of an interface that is no call but answers as one: {"code":…,"message":…} on the exchange, which is not
 * finished.  `status` 0: the code's.
 */
void rpc_error(struct http_exchange *exchange, enum rpc_code code, int status, const char *text);
/* Its body alone, in the place of what is there. */
void rpc_put_error(struct http_exchange *exchange, enum rpc_code code, const char *text);
/* Turn an answer into the status of a gRPC call, not finished; false when the request is none. */
bool rpc_dress_grpc(struct http_exchange *exchange, enum rpc_code code, const char *text);

#endif
