/* SPDX-License-Identifier: Apache-2.0 */
/*
 * push.v1.PusherService/Push: what SDKs, profilecli, Alloy and our own agent send.
 *
 *	PushRequest{1 repeated RawProfileSeries}
 *	RawProfileSeries{1 repeated LabelPair labels, 2 repeated RawSample samples, 3 annotations}
 *	RawSample{1 bytes raw_profile (pprof), 2 string ID}	LabelPair{1 name, 2 value}
 */
#include <stdlib.h>
#include <string.h>

#include "codec/base64.h"
#include "codec/json.h"
#include "codec/proto.h"
#include "server/rpc.h"
#include "server/upload.h"

#define JSON_DEPTH 16
#define UNKNOWN_SERVICE "unknown_service"

/* One series while it is read; labels and samples come in any order, so samples wait. */
struct sample {
	const uint8_t *profile;
	size_t len;
	const char *id;
	struct sample *next;
};

struct series {
	struct labels labels;
	bool is_delta; /* says __delta__="false": nothing is to be subtracted */
	struct sample *first, **last;
	struct series *next;
};

/* The whole request; everything is in the upload's arena. */
struct push {
	struct rpc rpc;
	struct upload *upload;
	struct series *first, **last;
	size_t n_samples;

	/* Reading JSON: the pair, the sample that is open. */
	const char *name, *value;
	struct series *series;
	struct sample *sample;
	struct buf
		decoded; /* base64 of all samples; pieces are referred to by offset until the end */
};

static struct series *new_series(struct push *push)
{
	struct series *series = arena_alloc(upload_arena(push->upload), sizeof(*series));

	series->last = &series->first;
	*push->last = series;
	push->last = &series->next;
	return series;
}

static int new_sample(struct push *push, struct series *series, struct sample **ret_sample,
		      struct err *err)
{
	struct sample *sample = arena_alloc(upload_arena(push->upload), sizeof(*sample));

	if (push->n_samples++ >= upload_limits(push->upload)->max_profiles)
		return err_because(err, ERR_LIMIT, "profiles_limit",
				   "more than %zu profiles in one request",
				   upload_limits(push->upload)->max_profiles);
	*series->last = sample;
	series->last = &sample->next;
	*ret_sample = sample;
	return 0;
}

static int set_label(struct push *push, struct series *series, const char *name, const char *value,
		     struct err *err)
{
	if (strcmp(name, "__delta__") == 0)
		series->is_delta = strcmp(value, "false") == 0;
	/* "__session_id__" …: notes between Pyroscope's own parts. */
	if (strncmp(name, "__", 2) == 0 && strcmp(name, LABEL_METRIC) != 0)
		return 0;
	return labels_set(&series->labels, upload_arena(push->upload), name, value, err);
}

/* ---- proto ---- */

static const char *text_of(struct push *push, const struct proto_field *field)
{
	return field->bytes ? arena_strndup(upload_arena(push->upload), (const char *)field->bytes,
					    field->len)
			    : "";
}

static int read_label(struct push *push, struct series *series, struct cursor message,
		      struct err *err)
{
	const char *name = "", *value = "";
	struct proto_field field;

	while (proto_next(&message, &field)) {
		if (field.number == 1)
			name = text_of(push, &field);
		else if (field.number == 2)
			value = text_of(push, &field);
	}
	if (message.bad)
		return err_set(err, ERR_CORRUPT, "a label is malformed");
	return set_label(push, series, name, value, err);
}

static int read_sample(struct push *push, struct series *series, struct cursor message,
		       struct err *err)
{
	struct proto_field field;
	struct sample *sample = NULL;
	int r = new_sample(push, series, &sample, err);

	if (r < 0)
		return r;
	while (proto_next(&message, &field)) {
		if (field.number == 1) {
			sample->profile = field.bytes;
			sample->len = field.len;
		} else if (field.number == 2) {
			sample->id = text_of(push, &field);
		}
	}
	if (message.bad)
		return err_set(err, ERR_CORRUPT, "a sample is malformed");
	return 0;
}

static int read_series(struct push *push, struct cursor message, struct err *err)
{
	struct series *series = new_series(push);
	struct proto_field field;
	int r = 0;

	while (r == 0 && proto_next(&message, &field)) {
		if (field.number == 1)
			r = read_label(push, series, proto_message(&field), err);
		else if (field.number == 2)
			r = read_sample(push, series, proto_message(&field), err);
	}
	if (r == 0 && message.bad)
		return err_set(err, ERR_CORRUPT, "a series is malformed");
	return r;
}

static int read_proto(struct push *push, struct err *err)
{
	struct cursor message = cursor_over(push->rpc.message, push->rpc.len);
	struct proto_field field;
	int r = 0;

	while (r == 0 && proto_next(&message, &field))
		if (field.number == 1)
			r = read_series(push, proto_message(&field), err);
	if (r == 0 && message.bad)
		return err_set(err, ERR_CORRUPT, "the request is not a PushRequest");
	return r;
}

/* ---- JSON ---- */

static const char *event_text(struct push *push, const struct json_event *event)
{
	return arena_strndup(upload_arena(push->upload), event->text, event->len);
}

static int on_begin(struct push *push, const struct json_event *event, struct err *err)
{
	if (strcmp(event->path, "series[]") == 0)
		push->series = new_series(push);
	else if (strcmp(event->path, "series[].labels[]") == 0)
		push->name = push->value = "";
	else if (strcmp(event->path, "series[].samples[]") == 0)
		return new_sample(push, push->series, &push->sample, err);
	return 0;
}

static int on_string(struct push *push, const struct json_event *event, struct err *err)
{
	static const char samples[] = "series[].samples[].";
	const char *path = event->path;
	size_t before = push->decoded.len;
	int r;

	if (strcmp(path, "series[].labels[].name") == 0)
		push->name = event_text(push, event);
	else if (strcmp(path, "series[].labels[].value") == 0)
		push->value = event_text(push, event);
	if (strncmp(path, samples, sizeof(samples) - 1) != 0)
		return 0;
	path += sizeof(samples) - 1;
	if (strcmp(path, "ID") == 0 || strcmp(path, "id") == 0)
		push->sample->id = event_text(push, event);
	if (strcmp(path, "rawProfile") != 0 && strcmp(path, "raw_profile") != 0)
		return 0;
	r = base64_decode(event->text, event->len, &push->decoded, err);
	/* The buffer may still move: for now only the length is right, see place_samples(). */
	push->sample->len = push->decoded.len - before;
	return r < 0 ? err_prefix(err, r, "rawProfile") : 0;
}

static int on_event(void *ctx, const struct json_event *event, struct err *err)
{
	struct push *push = ctx;

	switch (event->kind) {
	case JSON_OBJECT_BEGIN:
		return on_begin(push, event, err);
	case JSON_OBJECT_END:
		if (strcmp(event->path, "series[].labels[]") == 0)
			return set_label(push, push->series, push->name, push->value, err);
		return 0;
	case JSON_STRING:
		return on_string(push, event, err);
	default:
		return 0;
	}
}

/* The samples' bytes lie in the buffer in the order in which they were read. */
static void place_samples(struct push *push)
{
	const uint8_t *at = (const uint8_t *)push->decoded.data;

	for (struct series *series = push->first; series; series = series->next)
		for (struct sample *sample = series->first; sample; sample = sample->next) {
			sample->profile = at;
			at += sample->len;
		}
}

static int read_json(struct push *push, struct err *err)
{
	struct json_limits limits = {.max_bytes = push->rpc.len, .max_depth = JSON_DEPTH};
	int r = json_read(push->rpc.message, push->rpc.len, &limits, on_event, push, err);

	if (r == 0)
		place_samples(push);
	return r;
}

/* ---- the call ---- */

static int decode_series(struct push *push, struct series *series, struct err *err)
{
	struct upload_origin origin = {.labels = &series->labels,
				       .metric = labels_get(&series->labels, LABEL_METRIC),
				       .may_be_cumulative = !series->is_delta};
	int r = 0;

	if (!labels_get(&series->labels, LABEL_SERVICE))
		r = labels_set(&series->labels, upload_arena(push->upload), LABEL_SERVICE,
			       UNKNOWN_SERVICE, err);
	for (struct sample *sample = series->first; r == 0 && sample; sample = sample->next) {
		origin.id = sample->id;
		r = upload_pprof(push->upload, sample->profile, sample->len, &origin, err);
	}
	return r;
}

static int decode(struct push *push, struct err *err)
{
	int r = push->rpc.is_json ? read_json(push, err) : read_proto(push, err);

	for (struct series *series = push->first; r == 0 && series; series = series->next)
		r = decode_series(push, series, err);
	return r;
}

static void on_stored(void *ctx, int code, const char *text)
{
	struct rpc *rpc = ctx;

	if (code < 0)
		upload_fail(rpc, code, text);
	else
		rpc_reply(rpc, rpc->is_json ? "{}" : "", rpc->is_json ? 2 : 0);
}

void handle_push(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct push *push = arena_alloc(&exchange->arena, sizeof(*push));
	size_t max_bytes = server->config.limits.max_inflated_bytes;
	struct err err;
	int r;

	r = rpc_read(&push->rpc, exchange, &server->budget, max_bytes, &err);
	if (r < 0) {
		upload_unread(server, exchange, &err);
		rpc_refuse(&push->rpc, r, &err);
		return;
	}
	push->last = &push->first;
	push->upload = upload_new(server, caller_of(exchange));
	buf_init(&push->decoded, push->rpc.len);
	upload_note_body(push->upload, exchange->request.body_len, push->rpc.len);
	r = decode(push, &err);
	buf_done(&push->decoded);
	if (r < 0) {
		upload_refused(push->upload, &err);
		upload_free(push->upload);
		upload_fail(&push->rpc, r, err.text);
		return;
	}
	upload_commit(push->upload, on_stored, &push->rpc);
}
