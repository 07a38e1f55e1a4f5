/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/proto_json.h"

#include <string.h>

#include "codec/base64.h"
#include "codec/json.h"
#include "codec/proto.h"

/* An object or an array that is open. */
struct level {
	const struct proto_json_message *message; /* NULL: a list of numbers */
	const struct proto_json_field *list;	  /* of which this is the array */
	size_t begin;				  /* for proto_end(); the document's own has none */
	bool has_begin;
};

struct reader {
	struct buf *out;
	struct level levels[JSON_MAX_DEPTH + 1];
	uint32_t depth;
	uint32_t skipped; /* depth inside of something that the schema does not have */
	const struct proto_json_message *schema;
};

/* ---- which field ---- */

/* "start_time" for "startTime". */
static bool is_name(const char *camel, const char *key)
{
	for (; *camel && *key; camel++, key++) {
		if (*camel >= 'A' && *camel <= 'Z' && *key == '_') {
			if (*++key != *camel - 'A' + 'a')
				return false;
		} else if (*camel != *key) {
			return false;
		}
	}
	return !*camel && !*key;
}

/* The last member of a path, whatever arrays it stands in. */
static void last_key(const char *path, char ret_key[JSON_MAX_KEY_BYTES + 1])
{
	const char *dot = strrchr(path, '.');
	size_t len;

	if (dot)
		path = dot + 1;
	len = min_of(strcspn(path, "["), (size_t)JSON_MAX_KEY_BYTES);
	memcpy(ret_key, path, len);
	ret_key[len] = '\0';
}

static const struct proto_json_field *field_of(const struct reader *reader, const char *path)
{
	const struct level *level = &reader->levels[reader->depth - 1];
	char key[JSON_MAX_KEY_BYTES + 1];

	if (level->list)
		return level->list;
	last_key(path, key);
	for (const struct proto_json_field *field = level->message->fields; field->name; field++)
		if (is_name(field->name, key))
			return field;
	return NULL;
}

/* ---- values ---- */

static int wrong(const struct json_event *event, const char *wanted, struct err *err)
{
	return err_set(err, ERR_CORRUPT, "%s has to be %s",
		       *event->path ? event->path : "the document", wanted);
}

static int read_int(const struct json_event *event, int64_t *ret_value, struct err *err)
{
	uint64_t value = 0;

	if (json_event_int(event, ret_value) == 0)
		return 0;
	/* uint64 and fixed64 reach further than int64. */
	if ((event->kind != JSON_NUMBER && event->kind != JSON_STRING) || !event->len)
		return wrong(event, "an integer", err);
	for (size_t i = 0; i < event->len; i++)
		if (event->text[i] < '0' || event->text[i] > '9' ||
		    __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(event->text[i] - '0'), &value))
			return wrong(event, "an integer", err);
	*ret_value = (int64_t)value;
	return 0;
}

static void put_le64(struct buf *out, uint64_t value)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	buf_put(out, bytes, sizeof(bytes));
}

static void put_tag(struct buf *out, uint32_t number, enum proto_wire wire)
{
	buf_put_varint(out, (uint64_t)number << 3 | wire);
}

static int put_int(struct reader *reader, const struct proto_json_field *field,
		   const struct json_event *event, struct err *err)
{
	bool is_in_list = reader->levels[reader->depth - 1].list != NULL;
	int64_t value;
	int r = read_int(event, &value, err);

	if (r < 0)
		return r;
	switch (field->kind) {
	case PROTO_JSON_INTS:
	case PROTO_JSON_INT64S:
		if (!is_in_list)
			put_tag(reader->out, field->number, PROTO_VARINT);
		buf_put_varint(reader->out, (uint64_t)value);
		break;
	case PROTO_JSON_FIXED64S:
		if (!is_in_list)
			put_tag(reader->out, field->number, PROTO_FIXED64);
		put_le64(reader->out, (uint64_t)value);
		break;
	case PROTO_JSON_FIXED64:
		put_tag(reader->out, field->number, PROTO_FIXED64);
		put_le64(reader->out, (uint64_t)value);
		break;
	default:
		proto_put_int(reader->out, field->number, value);
	}
	return 0;
}

static int put_double(struct reader *reader, const struct proto_json_field *field,
		      const struct json_event *event, struct err *err)
{
	bool is_in_list = reader->levels[reader->depth - 1].list != NULL;
	uint64_t bits;
	double value;

	if (json_event_double(event, &value) < 0)
		return wrong(event, "a number", err);
	memcpy(&bits, &value, sizeof(bits));
	if (field->kind == PROTO_JSON_DOUBLE || !is_in_list)
		put_tag(reader->out, field->number, PROTO_FIXED64);
	put_le64(reader->out, bits);
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_hex(const struct json_event *event)
{
	for (size_t i = 0; i < event->len; i++)
		if (hex_digit(event->text[i]) < 0)
			return false;
	return event->len % 2 == 0;
}

static int put_bytes(struct reader *reader, const struct proto_json_field *field,
		     const struct json_event *event, struct err *err)
{
	size_t begin = proto_begin(reader->out, field->number);
	int r = 0;

	if (field->kind == PROTO_JSON_ID && is_hex(event))
		for (size_t i = 0; i < event->len; i += 2)
			buf_putc(reader->out, (char)(hex_digit(event->text[i]) << 4 |
						     hex_digit(event->text[i + 1])));
	else
		r = base64_decode(event->text, event->len, reader->out, err);
	proto_end(reader->out, begin);
	return r < 0 ? err_prefix(err, r, "%s", event->path) : 0;
}

static int put_enum(struct reader *reader, const struct proto_json_field *field,
		    const struct json_event *event, struct err *err)
{
	if (event->kind != JSON_STRING)
		return put_int(reader, field, event, err);
	for (uint32_t i = 0; field->names[i]; i++)
		if (json_event_is(event, field->names[i])) {
			proto_put_uint(reader->out, field->number, i);
			return 0;
		}
	return wrong(event, "one of the names that it can have", err);
}

static int put_value(struct reader *reader, const struct proto_json_field *field,
		     const struct json_event *event, struct err *err)
{
	switch (field->kind) {
	case PROTO_JSON_MESSAGE:
		return wrong(event, "an object", err);
	case PROTO_JSON_BOOL:
		if (event->kind != JSON_BOOL)
			return wrong(event, "true or false", err);
		proto_put_uint(reader->out, field->number, event->truth);
		return 0;
	case PROTO_JSON_ENUM:
		return put_enum(reader, field, event, err);
	case PROTO_JSON_DOUBLE:
	case PROTO_JSON_DOUBLES:
		return put_double(reader, field, event, err);
	case PROTO_JSON_STRING:
	case PROTO_JSON_BYTES:
	case PROTO_JSON_ID:
		if (event->kind != JSON_STRING)
			return wrong(event, "a text", err);
		if (field->kind != PROTO_JSON_STRING)
			return put_bytes(reader, field, event, err);
		proto_put_bytes(reader->out, field->number, event->text, event->len);
		return 0;
	default:
		return put_int(reader, field, event, err);
	}
}

/* ---- objects and arrays ---- */

static void push(struct reader *reader, struct level level)
{
	reader->levels[reader->depth++] = level;
}

static int begin_object(struct reader *reader, const struct json_event *event, struct err *err)
{
	const struct proto_json_field *field;

	if (!reader->depth) {
		push(reader, (struct level){.message = reader->schema});
		return 0;
	}
	field = field_of(reader, event->path);
	if (!field) {
		reader->skipped = 1;
		return 0;
	}
	if (field->kind != PROTO_JSON_MESSAGE)
		return wrong(event, "no object", err);
	push(reader, (struct level){.message = field->message,
				    .begin = proto_begin(reader->out, field->number),
				    .has_begin = true});
	return 0;
}

static bool is_packed(const struct proto_json_field *field)
{
	return field->kind == PROTO_JSON_INTS || field->kind == PROTO_JSON_INT64S ||
	       field->kind == PROTO_JSON_FIXED64S || field->kind == PROTO_JSON_DOUBLES;
}

static int begin_array(struct reader *reader, const struct json_event *event, struct err *err)
{
	const struct proto_json_field *field = reader->depth ? field_of(reader, event->path) : NULL;
	struct level level = {.list = field};

	if (!reader->depth || (field && reader->levels[reader->depth - 1].list))
		return wrong(event, "no array", err);
	if (!field) {
		reader->skipped = 1;
		return 0;
	}
	if (is_packed(field)) {
		level.begin = proto_begin(reader->out, field->number);
		level.has_begin = true;
	}
	push(reader, level);
	return 0;
}

static void end(struct reader *reader)
{
	struct level *level = &reader->levels[--reader->depth];

	if (level->has_begin)
		proto_end(reader->out, level->begin);
}

static int skip(struct reader *reader, const struct json_event *event)
{
	if (event->kind == JSON_OBJECT_BEGIN || event->kind == JSON_ARRAY_BEGIN)
		reader->skipped++;
	else if (event->kind == JSON_OBJECT_END || event->kind == JSON_ARRAY_END)
		reader->skipped--;
	return 0;
}

static int on_event(void *ctx, const struct json_event *event, struct err *err)
{
	struct reader *reader = ctx;
	const struct proto_json_field *field;
	int r = 0;

	if (reader->skipped)
		return skip(reader, event);
	switch (event->kind) {
	case JSON_NULL:
		break;
	case JSON_OBJECT_BEGIN:
		r = begin_object(reader, event, err);
		break;
	case JSON_ARRAY_BEGIN:
		r = begin_array(reader, event, err);
		break;
	case JSON_OBJECT_END:
	case JSON_ARRAY_END:
		end(reader);
		break;
	default:
		if (!reader->depth)
			return wrong(event, "an object", err);
		field = field_of(reader, event->path);
		r = field ? put_value(reader, field, event, err) : 0;
	}
	if (r == 0 && reader->out->overflow)
		r = err_set(err, ERR_LIMIT, "the message is larger than %zu bytes",
			    reader->out->ceiling);
	return r;
}

int proto_json_read(const struct proto_json_message *schema, const void *text, size_t len,
		    struct buf *out, struct err *err)
{
	struct reader reader = {.out = out, .schema = schema};
	struct json_limits limits = {.max_bytes = len, .max_depth = JSON_MAX_DEPTH};

	return json_read(text, len, &limits, on_event, &reader, err);
}
