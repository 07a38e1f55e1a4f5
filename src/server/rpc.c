/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rpc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "codec/gzip.h"
#include "codec/json.h"
#include "codec/zstd.h"

#define FRAME_HEAD_BYTES 5
#define FRAME_COMPRESSED 1
#define FRAME_TRAILERS 0x80

static const char wrong_type[] = "wrong_content_type";

static const struct {
	enum rpc_code code;
	const char *name;
	int status;
} codes[] = {
	{RPC_OK, "ok", 200},
	{RPC_UNKNOWN, "unknown", 500},
	{RPC_INVALID_ARGUMENT, "invalid_argument", 400},
	{RPC_DEADLINE_EXCEEDED, "deadline_exceeded", 504},
	{RPC_NOT_FOUND, "not_found", 404},
	{RPC_ALREADY_EXISTS, "already_exists", 409},
	{RPC_RESOURCE_EXHAUSTED, "resource_exhausted", 429},
	{RPC_UNIMPLEMENTED, "unimplemented", 501},
	{RPC_INTERNAL, "internal", 500},
	{RPC_UNAVAILABLE, "unavailable", 503},
};

static size_t code_place(enum rpc_code code)
{
	for (size_t i = 0; i < array_len(codes); i++)
		if (codes[i].code == code)
			return i;
	return 1;
}

const char *rpc_code_name(enum rpc_code code)
{
	return codes[code_place(code)].name;
}

int rpc_code_status(enum rpc_code code)
{
	return codes[code_place(code)].status;
}

enum rpc_code rpc_code_of(int r)
{
	switch (r) {
	case ERR_USAGE:
	case ERR_CORRUPT: /* of the request; what is damaged in the store is left out there */
		return RPC_INVALID_ARGUMENT;
	case ERR_LIMIT:
		return RPC_RESOURCE_EXHAUSTED;
	case -ENOENT:
		return RPC_NOT_FOUND;
	case -EEXIST:
		return RPC_ALREADY_EXISTS;
	case -ETIME:
		return RPC_DEADLINE_EXCEEDED;
	case ERR_UNSUPPORTED:
		return RPC_UNIMPLEMENTED;
	default:
		return RPC_INTERNAL;
	}
}

/* ---- the request ---- */

struct dress_type {
	const char *type;
	enum rpc_dress dress;
	bool is_json;
};

static bool read_type(struct rpc *rpc)
{
	static const struct dress_type types[] = {
		{"application/proto", RPC_CONNECT, false},
		{"application/json", RPC_CONNECT, true},
		{"application/grpc", RPC_GRPC, false},
		{"application/grpc+proto", RPC_GRPC, false},
		{"application/grpc-web", RPC_GRPC_WEB, false},
		{"application/grpc-web+proto", RPC_GRPC_WEB, false},
	};
	char type[64];

	http_request_media_type(&rpc->exchange->request, type, sizeof(type));
	for (size_t i = 0; i < array_len(types); i++)
		if (strcmp(types[i].type, type) == 0) {
			rpc->dress = types[i].dress;
			rpc->is_json = types[i].is_json;
			return true;
		}
	return false;
}

static int unpack(struct rpc *rpc, const char *encoding, size_t max_bytes, struct err *err)
{
	struct codec_limits limits = codec_limits_of(max_bytes);
	int r;

	if (!encoding || strcasecmp(encoding, "identity") == 0)
		return 0;
	buf_init(&rpc->inflated, max_bytes);
	if (strcasecmp(encoding, "gzip") == 0)
		r = gzip_decompress(rpc->message, rpc->len, &limits, &rpc->loan, &rpc->inflated,
				    err);
	else if (strcasecmp(encoding, "zstd") == 0)
		r = zstd_decompress(rpc->message, rpc->len, &limits, &rpc->loan, &rpc->inflated,
				    err);
	else
		return err_set(err, ERR_UNSUPPORTED,
			       "this encoding is not known; use gzip, zstd or identity");
	rpc->message = (const uint8_t *)rpc->inflated.data;
	rpc->len = rpc->inflated.len;
	return r;
}

/* gRPC: exactly one frame. */
static int unframe(struct rpc *rpc, size_t max_bytes, struct err *err)
{
	const struct http_request *request = &rpc->exchange->request;
	const uint8_t *body = request->body;
	uint32_t len;
	bool is_compressed;

	if (request->body_len < FRAME_HEAD_BYTES)
		return err_set(err, ERR_CORRUPT, "the message has no frame");
	len = (uint32_t)body[1] << 24 | (uint32_t)body[2] << 16 | (uint32_t)body[3] << 8 | body[4];
	is_compressed = body[0] & FRAME_COMPRESSED;
	if (len != request->body_len - FRAME_HEAD_BYTES || (body[0] & ~FRAME_COMPRESSED))
		return err_set(err, ERR_CORRUPT, "the frame's length is not that of the body");
	rpc->message = body + FRAME_HEAD_BYTES;
	rpc->len = len;
	if (!is_compressed)
		return 0;
	if (!http_request_header(request, "grpc-encoding"))
		return err_set(err, ERR_CORRUPT, "a compressed frame, but no grpc-encoding");
	return unpack(rpc, http_request_header(request, "grpc-encoding"), max_bytes, err);
}

static void refuse_type(struct rpc *rpc, const struct err *err)
{
	http_response_header(rpc->exchange, "Accept-Post",
			     "application/proto, application/json, application/grpc");
	http_fail(rpc->exchange, 415, err->reason, "%s", err->text);
	http_exchange_finish(rpc->exchange);
}

void rpc_refuse(struct rpc *rpc, int r, const struct err *err)
{
	if (err->reason && strcmp(err->reason, wrong_type) == 0)
		refuse_type(rpc, err);
	else if (r == ERR_LIMIT)
		rpc_fail(rpc, RPC_RESOURCE_EXHAUSTED, 413, err->text);
	else if (r == ERR_UNSUPPORTED)
		rpc_fail(rpc, RPC_UNIMPLEMENTED, 415, err->text);
	else
		rpc_fail(rpc, RPC_INVALID_ARGUMENT, 0, err->text);
}

int rpc_read(struct rpc *rpc, struct http_exchange *exchange, struct codec_budget *budget,
	     size_t max_bytes, struct err *err)
{
	const struct http_request *request = &exchange->request;

	*rpc = (struct rpc){.exchange = exchange, .loan = codec_loan_from(budget)};
	if (!read_type(rpc))
		return err_because(err, ERR_UNSUPPORTED, wrong_type,
				   "send application/proto, application/json or application/grpc");
	if (rpc->dress != RPC_CONNECT)
		return unframe(rpc, max_bytes, err);
	rpc->message = request->body;
	rpc->len = request->body_len;
	return unpack(rpc, http_request_header(request, "content-encoding"), max_bytes, err);
}

bool rpc_open(struct rpc *rpc, struct http_exchange *exchange, struct codec_budget *budget,
	      const struct limits *limits)
{
	struct err err;
	int r = rpc_read(rpc, exchange, budget, limits->max_inflated_bytes, &err);

	if (r >= 0)
		return true;
	limits_advise(limits, &err);
	rpc_refuse(rpc, r, &err);
	return false;
}

/* ---- the answer ---- */

static void finish(struct rpc *rpc)
{
	struct http_exchange *exchange = rpc->exchange;

	buf_done(&rpc->inflated);
	codec_loan_return(&rpc->loan);
	http_exchange_finish(exchange); /* rpc may be gone with it */
}

static void put_frame(struct buf *out, uint8_t flags, const void *data, size_t len)
{
	const uint8_t head[FRAME_HEAD_BYTES] = {flags, (uint8_t)(len >> 24), (uint8_t)(len >> 16),
						(uint8_t)(len >> 8), (uint8_t)len};

	buf_put(out, head, sizeof(head));
	buf_put(out, data, len);
}

/* grpc-message is percent-encoded: everything but printable ASCII, and '%'. */
static void put_percent(struct buf *out, const char *text)
{
	for (; *text; text++)
		if (*text >= ' ' && *text <= '~' && *text != '%')
			buf_putc(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned char)*text);
}

static void put_status(struct rpc *rpc, enum rpc_code code, const char *text)
{
	struct http_exchange *exchange = rpc->exchange;
	struct buf message, frame;
	char number[12];

	buf_init(&message, 4 * ERR_TEXT_MAX);
	buf_init(&frame, 8 * ERR_TEXT_MAX);
	put_percent(&message, text);
	snprintf(number, sizeof(number), "%d", code);
	exchange->response.content_type =
		rpc->dress == RPC_GRPC ? "application/grpc" : "application/grpc-web+proto";
	exchange->response.is_encoded = true;
	if (rpc->dress == RPC_GRPC) {
		http_response_trailer(exchange, "Grpc-Status", number);
		if (message.len)
			http_response_trailer(exchange, "Grpc-Message", message.data);
	} else {
		buf_printf(&frame, "grpc-status:%s\r\n", number);
		if (message.len)
			buf_printf(&frame, "grpc-message:%s\r\n", message.data);
		put_frame(&exchange->response.body, FRAME_TRAILERS, frame.data, frame.len);
	}
	buf_done(&message);
	buf_done(&frame);
}

void rpc_reply(struct rpc *rpc, const void *message, size_t len)
{
	struct http_response *response = &rpc->exchange->response;

	if (rpc->dress == RPC_CONNECT) {
		response->content_type = rpc->is_json ? "application/json" : "application/proto";
		buf_put(&response->body, message, len);
	} else {
		put_frame(&response->body, 0, message, len);
		put_status(rpc, RPC_OK, "");
	}
	finish(rpc);
}

bool rpc_dress_grpc(struct http_exchange *exchange, enum rpc_code code, const char *text)
{
	struct rpc rpc = {.exchange = exchange};

	if (!read_type(&rpc) || rpc.dress == RPC_CONNECT)
		return false;
	exchange->response.status = 200;
	buf_reset(&exchange->response.body);
	put_status(&rpc, code, text);
	return true;
}

void rpc_error(struct http_exchange *exchange, enum rpc_code code, int status, const char *text)
{
	struct http_response *response = &exchange->response;

	response->status = status ? status : rpc_code_status(code);
	if (response->status == 503 || response->status == 507 || response->status == 429)
		http_response_header(exchange, "Retry-After", response->status == 507 ? "5" : "1");
	rpc_put_error(exchange, code, text);
}

void rpc_put_error(struct http_exchange *exchange, enum rpc_code code, const char *text)
{
	struct http_response *response = &exchange->response;
	struct json_writer json;

	response->content_type = "application/json";
	buf_reset(&response->body);
	json_writer_init(&json, &response->body, JSON_ESCAPE_MARKUP);
	json_object(&json);
	json_member_str(&json, "code", rpc_code_name(code));
	json_member_str(&json, "message", text);
	json_end(&json);
}

void rpc_fail(struct rpc *rpc, enum rpc_code code, int status, const char *text)
{
	if (rpc->dress == RPC_CONNECT)
		rpc_error(rpc->exchange, code, status, text);
	else
		put_status(rpc, code, text);
	finish(rpc);
}
