/* SPDX-License-Identifier: Apache-2.0 */
#include "server/refusal.h"

#include <string.h>

#include "codec/json.h"
#include "codec/proto.h"
#include "server/rpc.h"

enum shape { SHAPE_OWN, SHAPE_CONNECT, SHAPE_OTLP };

/* "/push.v1.PusherService/Push": what comes first has a package. */
static bool is_method(const char *path)
{
	size_t len = *path ? strcspn(path + 1, "/") : 0;

	return len && memchr(path + 1, '.', len) && path[1 + len] == '/';
}

static enum shape shape_of(const char *path)
{
	if (strcmp(path, "/v1development/profiles") == 0)
		return SHAPE_OTLP;
	if (strcmp(path, "/ingest") == 0 || strncmp(path, "/pyroscope/", 11) == 0)
		return SHAPE_CONNECT;
	return is_method(path) ? SHAPE_CONNECT : SHAPE_OWN;
}

static enum rpc_code code_of(int status)
{
	static const struct {
		int status;
		enum rpc_code code;
	} codes[] = {
		{400, RPC_INVALID_ARGUMENT},   {404, RPC_UNIMPLEMENTED},
		{405, RPC_UNIMPLEMENTED},      {408, RPC_DEADLINE_EXCEEDED},
		{413, RPC_RESOURCE_EXHAUSTED}, {503, RPC_UNAVAILABLE},
	};

	for (size_t i = 0; i < array_len(codes); i++)
		if (codes[i].status == status)
			return codes[i].code;
	return RPC_UNKNOWN;
}

void refusal_put_otlp(struct http_exchange *exchange, int rpc_code, const char *text)
{
	struct http_response *response = &exchange->response;
	struct json_writer json;
	char type[64];

	http_request_media_type(&exchange->request, type, sizeof(type));
	buf_reset(&response->body);
	if (strcmp(type, "application/json") != 0) {
		response->content_type = "application/x-protobuf";
		proto_put_uint(&response->body, 1, (uint64_t)rpc_code);
		proto_put_str(&response->body, 2, text);
		return;
	}
	response->content_type = "application/json";
	json_writer_init(&json, &response->body, JSON_ESCAPE_MARKUP);
	json_object(&json);
	json_member_int(&json, "code", rpc_code);
	json_member_str(&json, "message", text);
	json_end(&json);
}

/* The word of limits.c for it; routes of our own have bodies of their own, which no option changes. */
static const char *limit_of(enum http_refusal refusal, const char *reason, enum shape shape)
{
	if (refusal != HTTP_REFUSED_TOO_LARGE)
		return limits_of_reason(reason) ? reason : http_refusal_name(refusal);
	return shape == SHAPE_OWN ? NULL : "body_size_limit_exceeded";
}

void refusal_dress(const struct limits *limits, struct http_exchange *exchange,
		   enum http_refusal refusal, const char *reason, const char *detail)
{
	int status = exchange->response.status;
	enum shape shape = shape_of(exchange->request.path);
	enum rpc_code code = code_of(status);
	struct err err;

	err_because(&err, ERR_LIMIT, limit_of(refusal, reason, shape), "%s", detail);
	limits_advise(limits, &err);
	if (rpc_dress_grpc(exchange, code, err.text))
		return;
	switch (shape) {
	case SHAPE_OTLP:
		refusal_put_otlp(exchange, code, err.text);
		break;
	case SHAPE_CONNECT:
		rpc_put_error(exchange, code, err.text);
		break;
	case SHAPE_OWN:
		http_fail(exchange, status, reason, "%s", err.text);
		break;
	}
}
