/* SPDX-License-Identifier: Apache-2.0 */
#include "server/querier.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define DEFAULT_QUERY_NS (30 * NS_PER_S)
#define TYPE_PARTS 5
#define LATEST_MS (INT64_MAX / NS_PER_MS) /* nanoseconds have room for no more */

void querier_put_text(struct buf *out, uint32_t number, const char *text)
{
	if (*text)
		proto_put_str(out, number, text);
}

void querier_put_label(struct buf *out, uint32_t number, const char *name, const char *value)
{
	size_t begin = proto_begin(out, number);

	proto_put_str(out, 1, name);
	proto_put_str(out, 2, value);
	proto_end(out, begin);
}

/* ---- the request ---- */

static const char *text_of(struct querier *call, const struct proto_field *field)
{
	return field->bytes ? arena_strndup(&call->exchange->arena, (const char *)field->bytes,
					    field->len)
			    : "";
}

static int add_text(struct querier *call, const struct proto_field *field, const char **texts,
		    size_t *n, size_t max, struct err *err)
{
	const char *text = text_of(call, field);

	if (!*text)
		return 0;
	if (*n == max)
		return err_set(err, ERR_LIMIT, "more than %zu names or matchers", max);
	texts[(*n)++] = text;
	return 0;
}

static int take_param(struct querier *call, enum querier_param param,
		      const struct proto_field *field, struct err *err)
{
	switch (param) {
	case QUERIER_START:
		call->start_ms = (int64_t)field->value;
		break;
	case QUERIER_END:
		call->end_ms = (int64_t)field->value;
		break;
	case QUERIER_TYPE:
		call->type = text_of(call, field);
		break;
	case QUERIER_SELECTOR:
		call->selector_text = text_of(call, field);
		break;
	case QUERIER_MATCHERS:
		return add_text(call, field, call->matchers, &call->n_matchers,
				QUERIER_MAX_MATCHERS, err);
	case QUERIER_NAME:
		call->name = text_of(call, field);
		break;
	case QUERIER_NAMES:
		return add_text(call, field, call->names, &call->n_names, QUERIER_MAX_NAMES, err);
	case QUERIER_MAX_NODES:
		call->max_nodes = (int64_t)field->value;
		break;
	case QUERIER_FORMAT:
		call->format = (int64_t)field->value;
		break;
	case QUERIER_STEP:
		memcpy(&call->step_s, &field->value, sizeof(call->step_s));
		break;
	case QUERIER_AGGREGATION:
		call->aggregation = (int64_t)field->value;
		break;
	case QUERIER_LIMIT:
		call->limit = (int64_t)field->value;
		break;
	case QUERIER_NONE:
		break;
	}
	return 0;
}

static int read_params(struct querier *call, struct cursor message, struct err *err)
{
	struct proto_field field;
	int r = 0;

	call->type = call->selector_text = call->name = "";
	while (r == 0 && proto_next(&message, &field))
		if (field.number < QUERIER_FIELDS)
			r = take_param(call, (enum querier_param)call->method->params[field.number],
				       &field, err);
	if (r == 0 && message.bad)
		r = err_set(err, ERR_CORRUPT, "the request is malformed");
	return r;
}

/* As proto, whatever it came as. */
static int read_request(struct querier *call, struct err *err)
{
	struct rpc *rpc = &call->rpc;
	struct buf *proto = &call->json_request;
	int r;

	call->request = cursor_over(rpc->message, rpc->len);
	if (rpc->is_json) {
		buf_init(proto, rpc->len * 2 + 64);
		r = proto_json_read(call->method->request, rpc->message, rpc->len, proto, err);
		if (r < 0)
			return r;
		call->request = cursor_over(proto->data ? proto->data : "", proto->len);
	}
	return read_params(call, call->request, err);
}

/* "name:sample_type:sample_unit:period_type:period_unit", a sixth part (":delta") is left out. */
static int check_type(struct querier *call, struct err *err)
{
	char *type = arena_strndup(&call->exchange->arena, call->type, strlen(call->type));
	int parts = 1;

	for (char *c = type; *c; c++)
		if (*c == ':' && parts++ == TYPE_PARTS)
			*c-- = '\0';
	if (parts < TYPE_PARTS || parts > TYPE_PARTS + 1)
		return err_set(err, ERR_USAGE,
			       "profile-type selection must be of the form "
			       "<name>:<sample-type>:<sample-unit>:<period-type>:<period-unit>"
			       "(:delta), got: \"%s\"",
			       call->type);
	call->type = type;
	return 0;
}

static int read_range(struct querier *call, struct err *err)
{
	if (!call->start_ms && !call->end_ms && call->method->needs_range)
		return err_set(err, ERR_USAGE, "missing time range in the query");
	if (call->start_ms > call->end_ms && call->end_ms)
		return err_set(err, ERR_USAGE, "query start time is after end time");
	if (!call->end_ms)
		call->end_ms = LATEST_MS;
	if (call->start_ms < 0 || call->end_ms < 0)
		return err_set(err, ERR_USAGE, "start and end are milliseconds since 1970");
	call->start_ms = min_of(call->start_ms, LATEST_MS - 1);
	call->end_ms = min_of(call->end_ms, LATEST_MS);
	return 0;
}

static int read_selector(struct querier *call, struct err *err)
{
	struct arena *arena = &call->exchange->arena;
	size_t len = strlen(call->type) + strlen(call->selector_text) + 1;
	char *text = arena_alloc(arena, len);

	snprintf(text, len, "%s%s", call->type, call->selector_text);
	call->text = text;
	return *text ? selector_parse(text, arena, &call->selector, err) : 0;
}

static int prepare(struct querier *call, struct err *err)
{
	const struct server *server = call->server;
	int64_t limit_ns = server->config.query_ns ? server->config.query_ns : DEFAULT_QUERY_NS;
	bool has_type = call->method->params[1] == QUERIER_TYPE;
	int r = read_range(call, err);

	if (r == 0 && has_type)
		r = check_type(call, err);
	if (r == 0)
		r = read_selector(call, err);
	call->query = (struct store_query){
		.tenant = STORE_TENANT_DEFAULT,
		.selector = &call->selector,
		.range = {call->start_ms * NS_PER_MS, call->end_ms * NS_PER_MS},
		.deadline_ns = min_of(call->start_ns + limit_ns, call->exchange->deadline_ns),
		.is_cancelled = &call->exchange->is_cancelled,
	};
	return r;
}

struct querier *querier_side(struct querier *call, uint32_t number, struct err *err)
{
	struct querier *side = arena_alloc(&call->exchange->arena, sizeof(*side));
	struct cursor message = call->request, own = cursor_over("", 0);
	struct proto_field field;
	int r;

	while (proto_next(&message, &field))
		if (field.number == number)
			own = proto_message(&field);
	side->server = call->server;
	side->exchange = call->exchange;
	side->method = call->method->side;
	side->start_ns = call->start_ns;
	side->sides = call->sides;
	call->sides = side;
	r = read_params(side, own, err);
	if (r == 0)
		r = prepare(side, err);
	return r < 0 ? NULL : side;
}

struct querier *querier_open(struct server *server, struct http_exchange *exchange,
			     const struct querier_method *method)
{
	struct querier *call = arena_alloc(&exchange->arena, sizeof(*call));
	struct err err = {0};
	int r;

	call->server = server;
	call->exchange = exchange;
	call->method = method;
	call->start_ns = clock_monotonic_ns();
	if (!rpc_open(&call->rpc, exchange, &server->budget,
		      server->config.limits.max_inflated_bytes))
		return NULL;
	buf_init(&call->reply, QUERIER_MAX_REPLY_BYTES);
	r = read_request(call, &err);
	if (r == 0)
		r = prepare(call, &err);
	if (r == 0)
		return call;
	querier_end(call, r, &err);
	return NULL;
}

/* ---- the answer ---- */

static enum rpc_code code_of(int r)
{
	switch (r) {
	case ERR_USAGE:
	case ERR_CORRUPT: /* of the request; what is damaged in the store is left out there */
		return RPC_INVALID_ARGUMENT;
	case ERR_LIMIT:
		return RPC_RESOURCE_EXHAUSTED;
	case -ENOENT:
		return RPC_NOT_FOUND;
	case -ETIME:
		return RPC_DEADLINE_EXCEEDED;
	case ERR_UNSUPPORTED:
		return RPC_UNIMPLEMENTED;
	default:
		return RPC_INTERNAL;
	}
}

static int reply(struct querier *call, struct err *err)
{
	const char *data = call->reply.data ? call->reply.data : "";
	struct buf json;
	int r;

	if (call->reply.overflow)
		return err_set(err, ERR_LIMIT, "the answer is larger than %u MiB: ask for less",
			       QUERIER_MAX_REPLY_BYTES >> 20);
	if (!call->rpc.is_json) {
		rpc_reply(&call->rpc, data, call->reply.len);
		return 0;
	}
	buf_init(&json, QUERIER_MAX_REPLY_BYTES);
	r = proto_json_write(call->method->reply, data, call->reply.len, &json, err);
	if (r == 0)
		rpc_reply(&call->rpc, json.data, json.len);
	buf_done(&json);
	return r;
}

void querier_end(struct querier *call, int r, const struct err *err)
{
	struct server_counters *counters = &call->server->counters;
	int64_t elapsed_ns = clock_monotonic_ns() - call->start_ns;
	struct err own = {0};

	for (struct querier *one = call; one; one = one->sides)
		selector_done(&one->selector);
	atomic_fetch_add(&counters->queries[call->method->kind], 1);
	atomic_fetch_add(&counters->query_us[call->method->kind],
			 (uint64_t)(elapsed_ns / NS_PER_US));
	if (r == 0) {
		r = reply(call, &own);
		err = &own;
	}
	buf_done(&call->reply);
	buf_done(&call->json_request);
	if (r < 0) {
		atomic_fetch_add(&counters->query_failures, 1);
		rpc_fail(&call->rpc, code_of(r), 0, err->text);
	}
}
