/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chunk's metadata: a table of strings, and a tree of elements with attributes that are such strings:
 *
 *	root ─ metadata ─ class name="jdk.ExecutionSample" id="101"
 *	                   ├─ field name="stackTrace" class="26" constantPool="true"
 *	                   └─ annotation …
 *
 * The tree is walked with a stack of how many children are left, so that its depth is ours to limit.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "format/jfr_private.h"

#define MAX_DEPTH 16
#define CLASS_DEPTH 2 /* below root and metadata */
#define FIELD_DEPTH 3

/* What an element says about itself, as far as anybody asks. */
struct element {
	const struct jfr_text *tag, *name, *id, *class_id, *constant_pool, *dimension;
};

struct reader {
	struct jfr_types *types;
	struct jfr_cursor at;
	struct jfr_text *strings;
	uint32_t n_strings;
};

static void reader_done(struct reader *reader)
{
	free(reader->strings);
}

static int bad(struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, "not a valid JFR recording: %s", what);
}

/* ---- strings ---- */

/* Names that we look for are ASCII, which is the same in both encodings of one byte a character. */
static bool text_is(const struct jfr_text *text, const char *what)
{
	return text && (text->encoding == JFR_TEXT_UTF8 || text->encoding == JFR_TEXT_LATIN1) &&
	       text->len == strlen(what) && memcmp(text->bytes, what, text->len) == 0;
}

static bool text_number(const struct jfr_text *text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!text || !text->len)
		return false;
	for (size_t i = 0; i < text->len; i++)
		if (text->bytes[i] < '0' || text->bytes[i] > '9' ||
		    __builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, text->bytes[i] - '0', &number))
			return false;
	*ret_number = number;
	return true;
}

static int read_strings(struct reader *reader, struct err *err)
{
	uint32_t n = jfr_u32(&reader->at);

	if (n > cursor_left(&reader->at.bytes))
		return bad(err, "its metadata have more strings than bytes");
	reader->strings = xcalloc(max_of(n, 1u), sizeof(*reader->strings));
	for (; reader->n_strings < n && !reader->at.bytes.bad; reader->n_strings++)
		reader->strings[reader->n_strings] = jfr_text(&reader->at);
	return reader->at.bytes.bad ? bad(err, "the strings of its metadata are malformed") : 0;
}

static const struct jfr_text *read_string(struct reader *reader)
{
	uint32_t index = jfr_u32(&reader->at);

	if (index >= reader->n_strings)
		reader->at.bytes.bad = true;
	return reader->at.bytes.bad ? NULL : &reader->strings[index];
}

/* ---- what names stand for ---- */

static uint8_t slot_of(const struct jfr_text *name)
{
	static const char *const names[JFR_SLOT_COUNT] = {
		[JFR_STACK_TRACE] = "stackTrace",
		[JFR_STATE] = "state",
		[JFR_SAMPLES] = "samples",
		[JFR_TLAB_SIZE] = "tlabSize",
		[JFR_ALLOCATION_SIZE] = "allocationSize",
		[JFR_WEIGHT] = "weight",
		[JFR_SIZE] = "size",
		[JFR_DURATION] = "duration",
		[JFR_CONTEXT] = "contextId",
		[JFR_SPAN] = "spanId",
		[JFR_SPAN_NAME] = "spanName",
		[JFR_TRACE_HIGH] = "traceIdHi",
		[JFR_TRACE_LOW] = "traceIdLo",
		[JFR_ID] = "id",
		[JFR_NAME] = "name",
		[JFR_VALUE] = "value",
		[JFR_TRUNCATED] = "truncated",
		[JFR_FRAMES] = "frames",
		[JFR_METHOD] = "method",
		[JFR_LINE] = "lineNumber",
		[JFR_TYPE] = "type",
		[JFR_STRING_FIELD] = "string",
		[JFR_DESCRIPTION] = "description",
	};

	for (uint8_t slot = 0; slot < JFR_SLOT_COUNT; slot++)
		if (text_is(name, names[slot]))
			return slot;
	return JFR_NO_SLOT;
}

static uint8_t known_of(const struct jfr_text *name)
{
	static const char *const names[JFR_KNOWN_COUNT] = {
		[JFR_OTHER] = "",
		[JFR_TRACE] = "jdk.types.StackTrace",
		[JFR_FRAME] = "jdk.types.StackFrame",
		[JFR_METHOD_TYPE] = "jdk.types.Method",
		[JFR_CLASS] = "java.lang.Class",
		[JFR_SYMBOL] = "jdk.types.Symbol",
		[JFR_TEXT_TYPE] = "java.lang.String",
		[JFR_THREAD_STATE] = "jdk.types.ThreadState",
		[JFR_FRAME_TYPE] = "jdk.types.FrameType",
		[JFR_SETTING] = "jdk.ActiveSetting",
		[JFR_EXECUTION] = "jdk.ExecutionSample",
		[JFR_WALL_CLOCK] = "profiler.WallClockSample",
		[JFR_IN_TLAB] = "jdk.ObjectAllocationInNewTLAB",
		[JFR_OUT_TLAB] = "jdk.ObjectAllocationOutsideTLAB",
		[JFR_ALLOC_SAMPLE] = "jdk.ObjectAllocationSample",
		[JFR_MONITOR] = "jdk.JavaMonitorEnter",
		[JFR_PARK] = "jdk.ThreadPark",
		[JFR_LIVE] = "profiler.LiveObject",
		[JFR_MALLOC] = "profiler.Malloc",
	};

	for (uint8_t known = JFR_OTHER + 1; known < JFR_KNOWN_COUNT; known++)
		if (text_is(name, names[known]))
			return known;
	return JFR_OTHER;
}

static uint8_t shape_of(const struct jfr_text *name)
{
	static const struct {
		const char *name;
		uint8_t shape;
	} shapes[] = {
		{"boolean", JFR_BYTE}, {"byte", JFR_BYTE},     {"char", JFR_SHORT},
		{"short", JFR_SHORT},  {"int", JFR_INT},       {"long", JFR_LONG},
		{"float", JFR_FLOAT},  {"double", JFR_DOUBLE}, {"java.lang.String", JFR_STRING},
	};

	for (size_t i = 0; i < array_len(shapes); i++)
		if (text_is(name, shapes[i].name))
			return shapes[i].shape;
	return JFR_STRUCT;
}

/* ---- elements ---- */

static int add_type(struct jfr_types *types, const struct element *element, struct err *err)
{
	struct jfr_type type = {.shape = shape_of(element->name),
				.known = known_of(element->name),
				.first_field = (uint32_t)types->n_fields};
	bool is_new;

	if (!element->name || !text_number(element->id, &type.id))
		return bad(err, "a class of its metadata has no name or no number");
	*map64_put(&types->by_id, type.id, &is_new) = (uint32_t)types->n_types + 1;
	if (!is_new)
		return bad(err, "two classes of its metadata have one number");
	if (type.known)
		types->known[type.known] = (uint32_t)types->n_types + 1;
	types->types = vec_grow(types->types, &types->types_cap, types->n_types + 1,
				sizeof(*types->types));
	types->types[types->n_types++] = type;
	return 0;
}

static int add_field(struct jfr_types *types, const struct element *element, struct err *err)
{
	struct jfr_type *type = types->n_types ? &types->types[types->n_types - 1] : NULL;
	uint64_t dimension = 0;
	struct jfr_field field = {
		.slot = slot_of(element->name),
		.is_constant = text_is(element->constant_pool, "true"),
	};

	if (!type || !element->name || !text_number(element->class_id, &field.type_id))
		return bad(err, "a field of its metadata has no name or no class");
	field.is_array = text_number(element->dimension, &dimension) && dimension > 0;
	if (field.slot != JFR_NO_SLOT)
		type->n_slots++;
	types->fields = vec_grow(types->fields, &types->fields_cap, types->n_fields + 1,
				 sizeof(*types->fields));
	types->fields[types->n_fields++] = field;
	type->n_fields++;
	return 0;
}

static void read_attribute(struct reader *reader, struct element *element)
{
	const struct jfr_text *name = read_string(reader), *value = read_string(reader);

	if (text_is(name, "name"))
		element->name = value;
	else if (text_is(name, "id"))
		element->id = value;
	else if (text_is(name, "class"))
		element->class_id = value;
	else if (text_is(name, "constantPool"))
		element->constant_pool = value;
	else if (text_is(name, "dimension"))
		element->dimension = value;
}

/* One element without its children, whose number is returned. */
static int read_element(struct reader *reader, int depth, uint32_t *ret_n_children, struct err *err)
{
	struct element element = {.tag = read_string(reader)};
	uint32_t n = jfr_u32(&reader->at);
	int r = 0;

	for (uint32_t i = 0; i < n && !reader->at.bytes.bad; i++)
		read_attribute(reader, &element);
	*ret_n_children = jfr_u32(&reader->at);
	if (reader->at.bytes.bad)
		return bad(err, "its metadata are malformed or cut off");
	if (depth == CLASS_DEPTH && text_is(element.tag, "class"))
		r = add_type(reader->types, &element, err);
	else if (depth == FIELD_DEPTH && text_is(element.tag, "field"))
		r = add_field(reader->types, &element, err);
	return r;
}

static int read_elements(struct reader *reader, struct err *err)
{
	uint32_t left[MAX_DEPTH] = {1}; /* children yet to come, by depth */
	int depth = 0;

	while (depth >= 0) {
		uint32_t n_children;
		int r;

		if (!left[depth]) {
			depth--;
			continue;
		}
		left[depth]--;
		r = read_element(reader, depth, &n_children, err);
		if (r < 0)
			return r;
		if (!n_children)
			continue;
		if (depth + 1 == MAX_DEPTH)
			return bad(err, "its metadata are nested too deeply");
		left[++depth] = n_children;
	}
	return 0;
}

/* Ids of constants are followed by the number alone, so that only what stands in place needs its type. */
static int resolve_fields(struct jfr_types *types, struct err *err)
{
	for (size_t i = 0; i < types->n_fields; i++) {
		struct jfr_field *field = &types->fields[i];
		const uint32_t *index = map64_get(&types->by_id, field->type_id);

		if (!index && !field->is_constant)
			return bad(err, "a field of its metadata is of an unknown class");
		field->type = index ? *index - 1 : 0;
	}
	return 0;
}

int jfr_types_read(struct jfr_types *types, struct jfr_cursor at, struct err *err)
{
	cleanup(reader_done) struct reader reader = {.types = types, .at = at};
	uint64_t type_id;
	int r;

	(void)jfr_u32(&reader.at); /* its size */
	type_id = jfr_u64(&reader.at);
	(void)jfr_u64(&reader.at); /* start */
	(void)jfr_u64(&reader.at); /* duration */
	(void)jfr_u64(&reader.at); /* its number */
	if (reader.at.bytes.bad || type_id != 0)
		return bad(err, "there are no metadata where its header says");
	r = read_strings(&reader, err);
	if (r == 0)
		r = read_elements(&reader, err);
	return r < 0 ? r : resolve_fields(types, err);
}

void jfr_types_done(struct jfr_types *types)
{
	free(types->types);
	free(types->fields);
	map64_done(&types->by_id);
	*types = (struct jfr_types){0};
}

const struct jfr_type *jfr_type_by_id(const struct jfr_types *types, uint64_t id)
{
	const uint32_t *index = map64_get(&types->by_id, id);

	return index ? &types->types[*index - 1] : NULL;
}

const struct jfr_type *jfr_type_known(const struct jfr_types *types, enum jfr_known known)
{
	return types->known[known] ? &types->types[types->known[known] - 1] : NULL;
}
