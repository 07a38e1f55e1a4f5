/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adhocprofiles.v1.AdHocProfileService: single files that people look at in Grafana, without a service and a time.
 *
 * A file is kept as it came, in any format that we can read; each look reads it again.  A tenant has the last
 * MOST_PROFILES of them: nothing in the interface could remove one.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "codec/base64.h"
#include "server/adhoc_file.h"
#include "server/caller.h"
#include "server/flamebearer_json.h"
#include "server/keep.h"
#include "server/service_schema.h"
#include "server/unary.h"

#define MOST_PROFILES 100

static struct keep_place place_of(const struct unary *call)
{
	return (struct keep_place){caller_of(call->exchange)->tenant, "adhoc"};
}

static int load(struct adhoc *adhoc, struct unary *call, struct err *err)
{
	struct keep_place place = place_of(call);
	int r;

	if (!keep_name_is_good(adhoc->id) || adhoc_id_time(adhoc->id) < 0)
		return err_set(err, ERR_USAGE,
			       "id '%.200s' is invalid: can only contain [a-zA-Z0-9_-.]",
			       adhoc->id);
	r = keep_read(call->server->keep, &place, adhoc->id, &adhoc->bytes, err);
	if (r == -ENOENT)
		return err_set(err, r, "profile %.200s not found", adhoc->id);
	return r < 0 ? r : adhoc_decode(adhoc, call->server, err);
}

/* ---- answers ---- */

static int check_nodes(int64_t max_nodes, struct err *err)
{
	return max_nodes >= 0 && max_nodes <= FLAME_MAX_NODES
		       ? 0
		       : err_set(err, ERR_USAGE, "max nodes has to be from 0 (the default) to %u",
				 FLAME_MAX_NODES);
}

static int put_flame(struct unary *call, uint32_t number, const struct flamebearer *flame,
		     const struct profile *profile, struct err *err)
{
	struct flamebearer_json out = {.flame = flame, .profile = profile};
	struct buf json;
	int r = 0;

	buf_init(&json, UNARY_MAX_REPLY_BYTES / 2);
	flamebearer_json_whole(&out, &json, &call->exchange->arena);
	if (json.overflow)
		r = err_set(err, ERR_LIMIT, "the flame graph is too large: ask for fewer nodes");
	else
		proto_put_bytes(&call->reply, number, json.data, json.len);
	buf_done(&json);
	return r;
}

static int put_profile(struct unary *call, const struct adhoc *adhoc, struct err *err)
{
	struct flamebearer flame;
	struct buf *out = &call->reply;
	int r;

	proto_put_str(out, 1, adhoc->id);
	proto_put_str(out, 2, adhoc->id + ADHOC_ID_NAME);
	proto_put_int(out, 3, adhoc_id_time(adhoc->id));
	proto_put_str(out, 4, adhoc->type);
	for (size_t i = 0; i < adhoc->profile.n_columns; i++)
		if (adhoc_type_is_first(adhoc, i))
			proto_put_str(out, 5, adhoc_type(adhoc, i));
	flamebearer_init(&flame, &adhoc->shown, adhoc->max_nodes, &call->exchange->arena);
	r = put_flame(call, 6, &flame, &adhoc->shown, err);
	flamebearer_done(&flame);
	return r;
}

/* ---- Upload ---- */

/* Room for one more: the oldest go. */
static int make_room(struct unary *call, const struct keep_place *place, struct err *err)
{
	struct keep_entry *entries;
	size_t n;
	int r = keep_list(call->server->keep, place, &call->exchange->arena, &entries, &n, err);

	for (size_t i = 0; r == 0 && n - i >= MOST_PROFILES; i++)
		r = keep_remove(call->server->keep, place, entries[i].name, err);
	return r;
}

static int keep_upload(struct unary *call, struct adhoc *adhoc, const char *name, struct err *err)
{
	struct keep_place place = place_of(call);
	struct keep *keep = call->server->keep;
	int r = adhoc_id_make(&call->exchange->arena, clock_real_ns() / NS_PER_MS,
			      adhoc_name_clean(&call->exchange->arena, name), &adhoc->id, err);

	if (r < 0)
		return r;
	keep_lock(keep);
	r = make_room(call, &place, err);
	if (r == 0)
		r = keep_write(keep, &place, adhoc->id, adhoc->bytes.data, adhoc->bytes.len, err);
	keep_unlock(keep);
	return r;
}

static int upload(struct unary *call, struct adhoc *adhoc, struct err *err)
{
	struct cursor message = call->request;
	struct proto_field field;
	const char *name = "";
	int r = 0;

	while (r == 0 && proto_next(&message, &field)) {
		if (field.number == 1)
			name = unary_text(call, &field);
		else if (field.number == 2 && field.bytes)
			r = base64_decode((const char *)field.bytes, field.len, &adhoc->bytes, err);
		else if (field.number == 3)
			adhoc->max_nodes = (int64_t)field.value;
	}
	if (r == 0 && message.bad)
		r = err_set(err, ERR_CORRUPT, "the request is malformed");
	if (r == 0)
		r = check_nodes(adhoc->max_nodes, err);
	if (r == 0)
		r = adhoc_decode(adhoc, call->server, err);
	if (r == 0)
		r = keep_upload(call, adhoc, name, err);
	return r < 0 ? r : put_profile(call, adhoc, err);
}

typedef int adhoc_fn(struct unary *call, struct adhoc *adhoc, struct err *err);

/* A call about one file. */
static void answer_with(void *ctx, struct http_exchange *exchange,
			const struct unary_method *method, adhoc_fn *make)
{
	struct unary *call = unary_open(ctx, exchange, method);
	struct adhoc adhoc;
	struct err err;
	int r;

	if (!call)
		return;
	adhoc_init(&adhoc, call->server->config.limits.max_inflated_bytes);
	r = make(call, &adhoc, &err);
	adhoc_done(&adhoc);
	unary_end(call, r, &err);
}

void handle_adhoc_upload(void *ctx, struct http_exchange *exchange)
{
	static const struct unary_method method = {QUERY_VIEW, &service_schema_adhoc_upload,
						   &service_schema_adhoc_profile};

	answer_with(ctx, exchange, &method, upload);
}

/* ---- Get, List ---- */

static int get(struct unary *call, struct adhoc *adhoc, struct err *err)
{
	struct cursor message = call->request;
	struct proto_field field;
	int r;

	while (proto_next(&message, &field)) {
		if (field.number == 1)
			adhoc->id = unary_text(call, &field);
		else if (field.number == 2)
			adhoc->type = unary_text(call, &field);
		else if (field.number == 3)
			adhoc->max_nodes = (int64_t)field.value;
	}
	if (message.bad)
		return err_set(err, ERR_CORRUPT, "the request is malformed");
	r = check_nodes(adhoc->max_nodes, err);
	if (r == 0)
		r = load(adhoc, call, err);
	return r < 0 ? r : put_profile(call, adhoc, err);
}

void handle_adhoc_get(void *ctx, struct http_exchange *exchange)
{
	static const struct unary_method method = {QUERY_VIEW, &service_schema_adhoc_get,
						   &service_schema_adhoc_profile};

	answer_with(ctx, exchange, &method, get);
}

static int list(struct unary *call, struct err *err)
{
	struct keep_place place = place_of(call);
	struct keep_entry *entries;
	size_t n;
	int r = keep_list(call->server->keep, &place, &call->exchange->arena, &entries, &n, err);

	for (size_t i = n; r == 0 && i-- > 0;) { /* newest first */
		size_t begin;

		if (adhoc_id_time(entries[i].name) < 0)
			continue;
		begin = proto_begin(&call->reply, 1);
		proto_put_str(&call->reply, 1, entries[i].name);
		proto_put_str(&call->reply, 2, entries[i].name + ADHOC_ID_NAME);
		proto_put_int(&call->reply, 3, adhoc_id_time(entries[i].name));
		proto_end(&call->reply, begin);
	}
	return r;
}

void handle_adhoc_list(void *ctx, struct http_exchange *exchange)
{
	static const struct unary_method method = {QUERY_SERVICES, &service_schema_nothing,
						   &service_schema_adhoc_list};
	struct unary *call = unary_open(ctx, exchange, &method);
	struct err err;

	if (call)
		unary_end(call, list(call, &err), &err);
}

/* ---- Diff ---- */

static int read_diff(struct unary *call, struct adhoc sides[2], struct err *err)
{
	struct cursor message = call->request;
	struct proto_field field;

	while (proto_next(&message, &field)) {
		if (field.number == 1 || field.number == 2)
			sides[field.number - 1].id = unary_text(call, &field);
		else if (field.number == 3)
			sides[0].type = sides[1].type = unary_text(call, &field);
		else if (field.number == 4)
			sides[0].max_nodes = (int64_t)field.value;
	}
	return message.bad ? err_set(err, ERR_CORRUPT, "the request is malformed")
			   : check_nodes(sides[0].max_nodes, err);
}

static int check_types(struct unary *call, const struct adhoc sides[2], struct err *err)
{
	size_t n_common = 0;

	for (size_t i = 0; i < sides[0].profile.n_columns; i++) {
		const char *type = adhoc_type(&sides[0], i);

		if (!adhoc_type_is_first(&sides[0], i) ||
		    profile_find_column(&sides[1].profile, type, NULL, NULL) < 0)
			continue;
		proto_put_str(&call->reply, 1, type);
		n_common++;
	}
	if (!n_common)
		return err_set(err, ERR_USAGE, "the two profiles have no type in common");
	if (strcmp(sides[0].type, sides[1].type) != 0)
		return err_set(err, ERR_USAGE,
			       "profile type mismatch: left profile uses '%.64s', right profile "
			       "uses '%.64s'; please specify a profile type",
			       sides[0].type, sides[1].type);
	return 0;
}

static int diff(struct unary *call, struct adhoc sides[2], struct err *err)
{
	struct flamebearer flame;
	int r = read_diff(call, sides, err);

	for (int i = 0; r == 0 && i < 2; i++) {
		r = load(&sides[i], call, err);
		if (r < 0)
			return err_prefix(err, r, "%s", i ? "right" : "left");
	}
	if (r == 0)
		r = check_types(call, sides, err);
	if (r < 0)
		return r;
	r = flamebearer_init_double(&flame, &sides[0].shown, &sides[1].shown, sides[0].max_nodes,
				    &call->exchange->arena, err);
	if (r == 0)
		r = put_flame(call, 2, &flame, &sides[0].shown, err);
	flamebearer_done(&flame);
	return r;
}

void handle_adhoc_diff(void *ctx, struct http_exchange *exchange)
{
	static const struct unary_method method = {QUERY_DIFF, &service_schema_adhoc_diff_request,
						   &service_schema_adhoc_diff};
	struct unary *call = unary_open(ctx, exchange, &method);
	struct adhoc sides[2];
	struct err err;
	int r;

	if (!call)
		return;
	for (int i = 0; i < 2; i++)
		adhoc_init(&sides[i], call->server->config.limits.max_inflated_bytes);
	r = diff(call, sides, &err);
	for (int i = 0; i < 2; i++)
		adhoc_done(&sides[i]);
	unary_end(call, r, &err);
}
