/* SPDX-License-Identifier: Apache-2.0 */
#include "server/stack_filter.h"

#include <string.h>

/* ---- the schema ---- */

static const struct proto_json_field location_fields[] = {
	{"name", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message location = {location_fields};

static const struct proto_json_field pgo_fields[] = {
	{"keepLocations", 1, PROTO_JSON_INT, NULL, 0, NULL},
	{"aggregateCallees", 2, PROTO_JSON_BOOL, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message pgo = {pgo_fields};

static const struct proto_json_field frame_fields[] = {
	{"includeFunctionNames", 1, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"excludeFunctionNames", 2, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"includeRegexes", 3, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"excludeRegexes", 4, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{0},
};
static const struct proto_json_message frames = {frame_fields};

static const struct proto_json_field filter_fields[] = {
	{"callSite", 1, PROTO_JSON_MESSAGE, &location, PROTO_JSON_REPEATED, NULL},
	{"goPgo", 2, PROTO_JSON_MESSAGE, &pgo, 0, NULL},
	{"frameFilter", 3, PROTO_JSON_MESSAGE, &frames, 0, NULL},
	{0},
};
const struct proto_json_message stack_filter_schema = {filter_fields};

/* ---- reading ---- */

/* Room for NARROW_MAX_NAMES is taken with the first. */
static int add_name(const char *name, size_t len, struct arena *arena, const char ***names,
		    size_t *n, struct err *err)
{
	if (*n == NARROW_MAX_NAMES)
		return err_set(err, ERR_LIMIT, "more than %d functions in a stack_trace_selector",
			       NARROW_MAX_NAMES);
	if (!*names)
		*names = arena_array(arena, NARROW_MAX_NAMES, sizeof(**names));
	(*names)[(*n)++] = arena_strndup(arena, name, len);
	return 0;
}

static int malformed(struct err *err)
{
	return err_set(err, ERR_CORRUPT, "the stack_trace_selector is malformed");
}

static int read_location(struct cursor message, struct arena *arena, struct narrow *narrow,
			 struct err *err)
{
	struct proto_field field, name = {.bytes = (const uint8_t *)""};

	while (proto_next(&message, &field))
		if (field.number == 1 && field.bytes)
			name = field;
	if (message.bad)
		return malformed(err);
	return add_name((const char *)name.bytes, name.len, arena, &narrow->call_site,
			&narrow->n_call_site, err);
}

static int read_pgo(struct cursor message, struct narrow *narrow, struct err *err)
{
	struct proto_field field;

	narrow->is_pgo = true;
	while (proto_next(&message, &field)) {
		if (field.number == 1)
			narrow->pgo_frames = (uint32_t)field.value;
		else if (field.number == 2)
			narrow->pgo_aggregates_leafs = field.value != 0;
	}
	return message.bad ? malformed(err) : 0;
}

static int read_frame(const struct proto_field *field, struct arena *arena, struct narrow *narrow,
		      struct err *err)
{
	bool is_include = field->number == 1 || field->number == 3;
	struct narrow_list *list = is_include ? &narrow->include : &narrow->exclude;
	const char *text = (const char *)field->bytes;

	if (!text || field->number > 4)
		return 0;
	if (field->number <= 2)
		return add_name(text, field->len, arena, &list->names, &list->n_names, err);
	return narrow_add_expression(list, arena_strndup(arena, text, field->len), err);
}

static int read_frames(struct cursor message, struct arena *arena, struct narrow *narrow,
		       struct err *err)
{
	struct proto_field field;
	int r = 0;

	while (r == 0 && proto_next(&message, &field))
		r = read_frame(&field, arena, narrow, err);
	return r == 0 && message.bad ? malformed(err) : r;
}

int stack_filter_read(struct cursor message, struct arena *arena, struct narrow *narrow,
		      struct err *err)
{
	struct proto_field field;
	int r = 0;

	while (r == 0 && proto_next(&message, &field)) {
		if (field.number == 1)
			r = read_location(proto_message(&field), arena, narrow, err);
		else if (field.number == 2)
			r = read_pgo(proto_message(&field), narrow, err);
		else if (field.number == 3)
			r = read_frames(proto_message(&field), arena, narrow, err);
	}
	return r == 0 && message.bad ? malformed(err) : r;
}
