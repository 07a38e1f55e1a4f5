/* SPDX-License-Identifier: Apache-2.0 */
#include "server/querier.h"

#include <string.h>

#include "base/clock.h"
#include "server/caller.h"
#include "server/derived.h"
#include "server/stack_filter.h"

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

void querier_put_bits(struct buf *out, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	for (int i = 0; i < 8; i++)
		buf_putc(out, (char)(bits >> (8 * i)));
}

void querier_put_double(struct buf *out, uint32_t number, double value)
{
	buf_put_varint(out, (uint64_t)number << 3 | PROTO_FIXED64);
	querier_put_bits(out, value);
}

/* ---- the request ---- */

static int add_text(struct querier *call, const struct proto_field *field, const char **texts,
		    size_t *n, size_t max, struct err *err)
{
	const char *text = unary_text(&call->unary, field);

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
		call->type = unary_text(&call->unary, field);
		break;
	case QUERIER_SELECTOR:
		call->selector_text = unary_text(&call->unary, field);
		break;
	case QUERIER_MATCHERS:
		return add_text(call, field, call->matchers, &call->n_matchers,
				QUERIER_MAX_MATCHERS, err);
	case QUERIER_NAME:
		call->name = unary_text(&call->unary, field);
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
	case QUERIER_EXEMPLARS:
		call->exemplars = (int64_t)field->value;
		break;
	case QUERIER_QUERY_TYPE:
		call->query_type = (int64_t)field->value;
		break;
	case QUERIER_STACKS:
		return stack_filter_read(proto_message(field), &call->exchange->arena,
					 &call->narrow, err);
	case QUERIER_PROFILE_IDS:
		return pick_add(&call->pick.profiles, &call->exchange->arena,
				unary_text(&call->unary, field), err);
	case QUERIER_TRACE_IDS:
		return pick_add(&call->pick.traces, &call->exchange->arena,
				unary_text(&call->unary, field), err);
	case QUERIER_SPAN_IDS:
		return pick_add(&call->pick.spans, &call->exchange->arena,
				unary_text(&call->unary, field), err);
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

int querier_check_type(struct arena *arena, const char *type, const char **ret_type,
		       struct err *err)
{
	char *own = arena_strndup(arena, type, strlen(type));
	int parts = 1;

	for (char *c = own; *c; c++)
		if (*c == ':' && parts++ == TYPE_PARTS)
			*c-- = '\0';
	if (parts < TYPE_PARTS || parts > TYPE_PARTS + 1)
		return err_set(err, ERR_USAGE,
			       "profile-type selection must be of the form "
			       "<name>:<sample-type>:<sample-unit>:<period-type>:<period-unit>"
			       "(:delta), got: \"%s\"",
			       type);
	*ret_type = own;
	return 0;
}

static int read_range(struct querier *call, struct err *err)
{
	if (call->method->needs_range && (!call->start_ms || !call->end_ms))
		return err_set(err, ERR_USAGE, "missing time range in the query");
	if (call->start_ms > call->end_ms && call->end_ms)
		return err_set(err, ERR_USAGE, "query start time is after end time");
	if (!call->end_ms)
		call->end_ms = LATEST_MS;
	call->start_ms = max_of(min_of(call->start_ms, LATEST_MS - 1), (int64_t)0);
	call->end_ms = max_of(min_of(call->end_ms, LATEST_MS), (int64_t)0);
	/* What there is at a moment may be asked; nothing can be selected in one. */
	if (!call->method->needs_range)
		call->end_ms = max_of(call->end_ms, call->start_ms + 1);
	return 0;
}

/* The type goes in as it is: it may hold characters that no metric's name has. */
static int read_selector(struct querier *call, struct err *err)
{
	struct arena *arena = &call->exchange->arena;
	struct selector *selector = &call->selector;
	int r;

	if (!*call->selector_text)
		return err_set(err, ERR_USAGE, "a label selector is needed; {} takes everything");
	r = selector_parse(call->selector_text, arena, selector, err);
	if (r < 0)
		return err_prefix(err, r, "parsing label selector \"%.200s\"", call->selector_text);
	r = derived_resolve(selector, arena, err);
	if (r == 0)
		r = selector_add(selector, LABEL_TYPE, MATCH_EQ, call->type, err);
	if (r < 0)
		return r;
	call->text = arena_printf(arena, "%s%s", call->type, call->selector_text);
	return 0;
}

static bool has_name(const struct querier *call, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(call->names[i], name) == 0)
			return true;
	return false;
}

/* The store groups by what it has; the rest is the same for all series of the type. */
static int split_groups(struct querier *call, struct err *err)
{
	struct arena *arena = &call->exchange->arena;
	size_t n = 0;
	int r = 0;

	call->says_service = has_name(call, call->n_names, LABEL_SERVICE);
	call->says_derived_service = has_name(call, call->n_names, DERIVED_SERVICE);
	for (size_t i = 0; r == 0 && i < call->n_names; i++) {
		const char *name = call->names[i];
		const char *value = derived_value(arena, call->type, name);

		if (strcmp(name, DERIVED_SERVICE) == 0)
			name = LABEL_SERVICE;
		if (value)
			r = labels_set(&call->constants, arena, name, value, err);
		else if (!has_name(call, n, name))
			call->names[n++] = name;
	}
	call->n_names = n;
	return r;
}

void querier_put_group(struct querier *call, struct buf *out, uint32_t number,
		       const struct labels *group)
{
	struct arena *arena = &call->exchange->arena;
	const char *service = labels_get(group, LABEL_SERVICE);
	struct labels all = *group;
	int r = 0;

	for (size_t i = 0; r == 0 && i < call->constants.n; i++)
		r = labels_set(&all, arena, call->constants.items[i].name,
			       call->constants.items[i].value, NULL);
	if (r == 0 && call->says_derived_service)
		r = labels_set(&all, arena, DERIVED_SERVICE, service, NULL);
	if (r == 0 && call->says_derived_service && !call->says_service)
		r = labels_set(&all, arena, LABEL_SERVICE, NULL, NULL);
	for (size_t i = 0; i < all.n; i++) /* with r < 0, of more than LABELS_MAX, the first */
		querier_put_label(out, number, all.items[i].name, all.items[i].value);
}

static int prepare(struct querier *call, struct err *err)
{
	bool has_type = call->method->params[1] == QUERIER_TYPE;
	int r = read_range(call, err);

	if (r == 0 && has_type)
		r = querier_check_type(&call->exchange->arena, call->type, &call->type, err);
	if (r == 0 && has_type)
		r = read_selector(call, err);
	if (r == 0 && has_type)
		r = split_groups(call, err);
	call->query = question_ask(
		call->server, call->exchange, &call->selector,
		(struct store_range){call->start_ms * NS_PER_MS, call->end_ms * NS_PER_MS},
		call->unary.start_ns);
	return r;
}

struct querier *querier_side(struct querier *call, uint32_t number, struct err *err)
{
	struct querier *side = arena_alloc(&call->exchange->arena, sizeof(*side));
	struct cursor message = call->unary.request, own = cursor_over("", 0);
	struct proto_field field;
	int r;

	while (proto_next(&message, &field))
		if (field.number == number)
			own = proto_message(&field);
	side->server = side->unary.server = call->server;
	side->exchange = side->unary.exchange = call->exchange;
	side->unary.start_ns = call->unary.start_ns;
	side->method = call->method->side;
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
	if (!unary_begin(&call->unary, server, exchange, &method->unary))
		return NULL;
	r = read_params(call, call->unary.request, &err);
	if (r == 0)
		r = prepare(call, &err);
	if (r == 0)
		return call;
	querier_end(call, r, &err);
	return NULL;
}

void querier_end(struct querier *call, int r, const struct err *err)
{
	for (struct querier *one = call; one; one = one->sides) {
		selector_done(&one->selector);
		narrow_done(&one->narrow);
	}
	unary_end(&call->unary, r, err);
}
