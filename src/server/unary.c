/* SPDX-License-Identifier: Apache-2.0 */
#include "server/unary.h"

#include "base/clock.h"
#include "server/question.h"

const char *unary_text(struct unary *call, const struct proto_field *field)
{
	return field->bytes ? arena_strndup(&call->exchange->arena, (const char *)field->bytes,
					    field->len)
			    : "";
}

/* As proto, whatever it came as. */
static int read_request(struct unary *call, struct err *err)
{
	struct rpc *rpc = &call->rpc;
	struct buf *proto = &call->json_request;
	int r;

	call->request = cursor_over(rpc->message, rpc->len);
	if (!rpc->is_json)
		return 0;
	buf_init(proto, rpc->len * 2 + 64);
	r = proto_json_read(call->method->request, rpc->message, rpc->len, proto, err);
	call->request = cursor_over(proto->data ? proto->data : "", proto->len);
	return r;
}

bool unary_begin(struct unary *call, struct server *server, struct http_exchange *exchange,
		 const struct unary_method *method)
{
	struct err err = {0};
	int r;

	*call = (struct unary){.server = server,
			       .exchange = exchange,
			       .method = method,
			       .start_ns = clock_monotonic_ns()};
	if (!rpc_open(&call->rpc, exchange, &server->budget, &server->config.limits))
		return false;
	buf_init(&call->reply, UNARY_MAX_REPLY_BYTES);
	r = read_request(call, &err);
	if (r < 0)
		unary_end(call, r, &err);
	return r >= 0;
}

struct unary *unary_open(struct server *server, struct http_exchange *exchange,
			 const struct unary_method *method)
{
	struct unary *call = arena_alloc(&exchange->arena, sizeof(*call));

	return unary_begin(call, server, exchange, method) ? call : NULL;
}

/* ---- the answer ---- */

static int reply(struct unary *call, struct err *err)
{
	const char *data = call->reply.data ? call->reply.data : "";
	struct buf json;
	int r;

	if (call->reply.overflow)
		return err_set(err, ERR_LIMIT, "the answer is larger than %u MiB: ask for less",
			       UNARY_MAX_REPLY_BYTES >> 20);
	if (!call->rpc.is_json) {
		rpc_reply(&call->rpc, data, call->reply.len);
		return 0;
	}
	buf_init(&json, UNARY_MAX_REPLY_BYTES);
	r = proto_json_write(call->method->reply, data, call->reply.len, &json, err);
	if (r == 0)
		rpc_reply(&call->rpc, json.data, json.len);
	buf_done(&json);
	return r;
}

/* A request beyond one of the limits that options change is too large, whatever else a limit may be. */
static int status_of(int r, const struct err *err)
{
	return r == ERR_LIMIT && limits_of_reason(err->reason) ? 413 : 0;
}

static void fail(struct unary *call, int r, const struct err *err)
{
	struct err told = *err;

	limits_advise(&call->server->config.limits, &told);
	rpc_fail(&call->rpc, rpc_code_of(r), status_of(r, err), told.text);
}

void unary_end(struct unary *call, int r, const struct err *err)
{
	struct buf message = call->reply, request = call->json_request;
	struct err own = {0};

	question_count(call->server, call->method->kind, call->start_ns, r >= 0);
	if (r >= 0) {
		r = reply(
			call,
			&own); /* the exchange, and the call in it, are gone when that went well */
		err = &own;
	}
	if (r < 0)
		fail(call, r, err);
	buf_done(&message);
	buf_done(&request);
}
