/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenTelemetry's profiles: POST /v1development/profiles, and ProfilesService/Export by gRPC.
 *
 * Taken as format/otlp.h says.  A service is what service.name says, of a sample before that of its resource,
 * else "unknown_service:" and the name of the program.  A profile that is broken is rejected alone, in the
 * answer's partial_success; the others are on disk when the answer comes.
 *
 *	ExportProfilesServiceResponse{1 partial_success{1 rejected_profiles, 2 error_message}}
 *	google.rpc.Status{1 code, 2 message}, the body of an error by HTTP
 */
#include <stdio.h>
#include <string.h>

#include "codec/json.h"
#include "codec/proto.h"
#include "format/otlp.h"
#include "server/otlp_json.h"
#include "server/refusal.h"
#include "server/rpc.h"
#include "server/sample_types.h"
#include "server/upload.h"

#define PROCESS_LABEL "process.executable.name"
#define UNKNOWN_SERVICE "unknown_service"
#define ANSWER_MAX_BYTES 4096

/* Lives in the exchange's arena, until it is answered. */
struct otlp {
	struct server *server;
	struct http_exchange *exchange;
	struct rpc rpc; /* of gRPC */
	bool is_grpc, is_json;
	struct upload *upload;
	struct otlp_result result;

	/* The profile at hand. */
	struct labels labels;
	struct upload_origin origin;
	char id[OTLP_ID_BYTES];
	struct upload_split split;
};

/* ---- profiles ---- */

static int name_service(struct otlp *otlp, struct err *err)
{
	struct arena *arena = upload_arena(otlp->upload);
	const char *program = labels_get(&otlp->labels, PROCESS_LABEL);
	char name[LABEL_VALUE_MAX_BYTES];

	if (labels_get(&otlp->labels, LABEL_SERVICE))
		return 0;
	if (program)
		snprintf(name, sizeof(name), UNKNOWN_SERVICE ":%.*s", 1024, program);
	else
		snprintf(name, sizeof(name), UNKNOWN_SERVICE);
	return labels_set(&otlp->labels, arena, LABEL_SERVICE, name, err);
}

/* Labels of the request live as long as its resource, ours as long as the upload. */
static int copy_labels(struct otlp *otlp, const struct labels *labels, struct err *err)
{
	int r = 0;

	otlp->labels = (struct labels){0};
	for (size_t i = 0; r == 0 && i < labels->n; i++)
		if (strncmp(labels->items[i].name, "__", 2) != 0)
			r = labels_set(&otlp->labels, upload_arena(otlp->upload),
				       labels->items[i].name, labels->items[i].value, err);
	return r;
}

static int on_begin(void *ctx, const struct otlp_profile *profile, struct err *err)
{
	struct otlp *otlp = ctx;
	int r = copy_labels(otlp, profile->labels, err);

	if (r == 0)
		r = name_service(otlp, err);
	snprintf(otlp->id, sizeof(otlp->id), "%s", profile->id);
	otlp->origin = (struct upload_origin){.labels = &otlp->labels, .id = otlp->id};
	if (*profile->type && !sample_types_metric_of(profile->type))
		otlp->origin.metric = arena_strndup(upload_arena(otlp->upload), profile->type, 128);
	upload_split_begin(&otlp->split, otlp->upload, &otlp->origin);
	return r;
}

/* A sample may belong to another service than its resource. */
static int on_series(void *ctx, const struct labels *labels, struct profile **ret_profile,
		     struct err *err)
{
	struct otlp *otlp = ctx;
	const char *service = labels_get(labels, LABEL_SERVICE);
	struct labels before = otlp->labels;
	int r = 0;

	if (service)
		r = labels_set(&otlp->labels, upload_arena(otlp->upload), LABEL_SERVICE, service,
			       err);
	if (r == 0)
		r = upload_split_series(&otlp->split, labels, ret_profile, err);
	otlp->labels = before;
	return r;
}

static void on_end(void *ctx, int code)
{
	struct otlp *otlp = ctx;

	if (code < 0)
		upload_split_drop(&otlp->split);
}

static int on_close(void *ctx, struct err *err)
{
	struct otlp *otlp = ctx;

	return upload_split_end(&otlp->split, err);
}

static int decode(struct otlp *otlp, const uint8_t *data, size_t len, struct err *err)
{
	struct otlp_sink sink = {
		.begin = on_begin,
		.close = on_close,
		.end = on_end,
		.split = {.series = on_series, .ctx = otlp, .keeps_spans = true},
		.ctx = otlp,
	};

	return otlp_read(data, len, upload_format_limits(otlp->upload), upload_names(otlp->upload),
			 &sink, &otlp->result, err);
}

/* As it came: proto, or JSON that stands for it. */
static int decode_message(struct otlp *otlp, const uint8_t *data, size_t len, struct err *err)
{
	struct buf proto;
	int r;

	if (!otlp->is_json)
		return decode(otlp, data ? data : (const uint8_t *)"", len, err);
	buf_init(&proto, upload_limits(otlp->upload)->max_inflated_bytes);
	r = otlp_json_read(data, len, &proto, err);
	if (r == 0)
		r = decode(otlp, proto.data ? (const uint8_t *)proto.data : (const uint8_t *)"",
			   proto.len, err);
	buf_done(&proto);
	return r;
}

/* ---- answers ---- */

static void put_answer(const struct otlp *otlp, struct buf *out)
{
	const struct otlp_result *result = &otlp->result;
	struct json_writer json;
	size_t begin;

	if (otlp->is_json) {
		json_writer_init(&json, out, JSON_ESCAPE_MARKUP);
		json_object(&json);
		if (result->n_rejected) {
			json_key(&json, "partialSuccess");
			json_object(&json);
			json_key(&json,
				 "rejectedProfiles"); /* 64 bits are texts in proto3's JSON */
			char number[24];
			snprintf(number, sizeof(number), "%u", result->n_rejected);
			json_cstr(&json, number);
			json_member_str(&json, "errorMessage", result->why);
			json_end(&json);
		}
		json_end(&json);
	} else if (result->n_rejected) {
		begin = proto_begin(out, 1);
		proto_put_uint(out, 1, result->n_rejected);
		proto_put_str(out, 2, result->why);
		proto_end(out, begin);
	}
}

static void answer(struct otlp *otlp)
{
	struct http_response *response = &otlp->exchange->response;
	struct buf grpc;

	if (!otlp->is_grpc) {
		response->content_type =
			otlp->is_json ? "application/json" : "application/x-protobuf";
		put_answer(otlp, &response->body);
		http_exchange_finish(otlp->exchange);
		return;
	}
	buf_init(&grpc, ANSWER_MAX_BYTES);
	put_answer(otlp, &grpc);
	rpc_reply(&otlp->rpc, grpc.data ? grpc.data : "", grpc.len);
	buf_done(&grpc);
}

static void fail_http(struct otlp *otlp, const struct upload_answer *told, const char *text)
{
	otlp->exchange->response.status = told->status;
	if (told->status == 429 || told->status == 503 || told->status == 507)
		http_response_header(otlp->exchange, "Retry-After", "5");
	refusal_put_otlp(otlp->exchange, told->rpc_code, text);
	http_exchange_finish(otlp->exchange);
}

static void fail(struct otlp *otlp, int code, const char *text)
{
	if (otlp->is_grpc)
		upload_fail(&otlp->rpc, code, text);
	else
		fail_http(otlp, upload_answer_of(code), text);
}

static void on_stored(void *ctx, int code, const char *text)
{
	if (code < 0)
		fail(ctx, code, text);
	else
		answer(ctx);
}

/* ---- requests ---- */

/* `r` and `err`: of the decoding. */
static void finish(struct otlp *otlp, int r, struct err *err, size_t inflated_bytes)
{
	upload_note_body(otlp->upload, otlp->exchange->request.body_len, inflated_bytes);
	for (uint32_t i = 0; r == 0 && i < otlp->result.n_rejected; i++) {
		err_set(err, ERR_CORRUPT, "%s", otlp->result.why);
		upload_refused_profile(otlp->upload, err);
	}
	if (r == 0) {
		upload_commit(otlp->upload, on_stored, otlp);
		return;
	}
	upload_refused(otlp->upload, err);
	upload_free(otlp->upload);
	fail(otlp, r, err->text);
}

static struct otlp *otlp_new(struct server *server, struct http_exchange *exchange)
{
	struct otlp *otlp = arena_alloc(&exchange->arena, sizeof(*otlp));

	otlp->server = server;
	otlp->exchange = exchange;
	return otlp;
}

void handle_otlp_grpc(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct otlp *otlp = otlp_new(server, exchange);
	struct err err = {0};
	int r;

	otlp->is_grpc = true;
	r = rpc_read(&otlp->rpc, exchange, &server->budget,
		     server->config.limits.max_inflated_bytes, &err);
	if (r < 0) {
		upload_unread(server, exchange, &err);
		rpc_refuse(&otlp->rpc, r, &err);
		return;
	}
	otlp->is_json = otlp->rpc.is_json;
	otlp->upload = upload_new(server, caller_of(exchange));
	r = decode_message(otlp, otlp->rpc.message, otlp->rpc.len, &err);
	finish(otlp, r, &err, otlp->rpc.len);
}

static int decode_http(struct otlp *otlp, size_t *ret_len, struct err *err)
{
	struct buf inflated = {0};
	const uint8_t *body;
	int r = upload_body(otlp->upload, &otlp->exchange->request, &inflated, &body, ret_len, err);

	if (r == 0)
		r = decode_message(otlp, body, *ret_len, err);
	buf_done(&inflated);
	return r;
}

void handle_otlp_http(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct otlp *otlp = otlp_new(server, exchange);
	struct err err = {0};
	size_t len = 0;
	char type[64];
	int r;

	http_request_media_type(&exchange->request, type, sizeof(type));
	otlp->is_json = strcmp(type, "application/json") == 0;
	otlp->upload = upload_new(server, caller_of(exchange));
	if (!otlp->is_json && strcmp(type, "application/x-protobuf") != 0)
		r = err_set(&err, ERR_UNSUPPORTED,
			    "send OTLP profiles as application/x-protobuf or application/json");
	else
		r = decode_http(otlp, &len, &err);
	finish(otlp, r, &err, len);
}
