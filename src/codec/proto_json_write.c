/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "codec/base64.h"
#include "codec/json.h"
#include "codec/proto.h"
#include "codec/proto_json.h"

struct writer {
	struct json_writer json;
	uint32_t depth;
	struct err *err;
};

static int write_message(struct writer *writer, const struct proto_json_message *schema,
			 struct cursor message);

static int malformed(struct writer *writer, const char *name)
{
	return err_set(writer->err, ERR_CORRUPT, "the message is malformed at %s", name);
}

/* ---- values ---- */

/* 64 bits are texts in proto3's JSON: JavaScript's numbers lose some. */
static void write_number(struct writer *writer, enum proto_json_kind kind, uint64_t value)
{
	char text[24];
	double number;

	switch (kind) {
	case PROTO_JSON_INT:
	case PROTO_JSON_INTS:
		json_int(&writer->json, (int64_t)value);
		break;
	case PROTO_JSON_BOOL:
		json_bool(&writer->json, value != 0);
		break;
	case PROTO_JSON_DOUBLE:
	case PROTO_JSON_DOUBLES:
		memcpy(&number, &value, sizeof(number));
		json_double(&writer->json, number);
		break;
	case PROTO_JSON_INT64:
	case PROTO_JSON_INT64S:
		snprintf(text, sizeof(text), "%" PRId64, (int64_t)value);
		json_cstr(&writer->json, text);
		break;
	default:
		snprintf(text, sizeof(text), "%" PRIu64, value);
		json_cstr(&writer->json, text);
	}
}

static void write_bytes(struct writer *writer, enum proto_json_kind kind,
			const struct proto_field *field)
{
	struct buf text;

	if (kind == PROTO_JSON_STRING) {
		json_str(&writer->json, (const char *)field->bytes, field->len);
		return;
	}
	buf_init(&text, field->len * 2 + 8);
	if (kind == PROTO_JSON_ID)
		for (size_t i = 0; i < field->len; i++)
			buf_printf(&text, "%02x", field->bytes[i]);
	else
		base64_encode(field->bytes, field->len, &text);
	json_str(&writer->json, text.data ? text.data : "", text.len);
	buf_done(&text);
}

static int write_value(struct writer *writer, const struct proto_json_field *schema,
		       const struct proto_field *field)
{
	bool has_bytes = schema->kind == PROTO_JSON_STRING || schema->kind == PROTO_JSON_BYTES ||
			 schema->kind == PROTO_JSON_ID;

	if (schema->kind == PROTO_JSON_MESSAGE)
		return field->bytes ? write_message(writer, schema->message, proto_message(field))
				    : malformed(writer, schema->name);
	if (has_bytes != (field->bytes != NULL))
		return malformed(writer, schema->name);
	if (has_bytes)
		write_bytes(writer, schema->kind, field);
	else
		write_number(writer, schema->kind, field->value);
	return 0;
}

/* The numbers of a packed field, or one that stands alone. */
static int write_numbers(struct writer *writer, const struct proto_json_field *schema,
			 const struct proto_field *field)
{
	bool is_fixed = schema->kind == PROTO_JSON_FIXED64S || schema->kind == PROTO_JSON_DOUBLES;
	struct cursor packed = cursor_over(field->bytes, field->len);

	if (!field->bytes) {
		write_number(writer, schema->kind, field->value);
		return 0;
	}
	while (cursor_left(&packed) && !packed.bad) {
		uint64_t value = is_fixed ? cursor_le64(&packed) : cursor_varint(&packed);

		if (!packed.bad)
			write_number(writer, schema->kind, value);
	}
	return packed.bad ? malformed(writer, schema->name) : 0;
}

/* ---- messages ---- */

static bool is_list_of_numbers(enum proto_json_kind kind)
{
	return kind == PROTO_JSON_INTS || kind == PROTO_JSON_INT64S ||
	       kind == PROTO_JSON_FIXED64S || kind == PROTO_JSON_DOUBLES;
}

static int write_field(struct writer *writer, const struct proto_json_field *schema,
		       struct cursor message)
{
	bool is_list = is_list_of_numbers(schema->kind) || (schema->flags & PROTO_JSON_REPEATED);
	bool is_open = false;
	struct proto_field field;
	int r = 0;

	while (r == 0 && proto_next(&message, &field)) {
		if (field.number != schema->number)
			continue;
		if (is_open && !is_list)
			continue; /* the last would count; nobody sends two */
		if (!is_open) {
			json_key(&writer->json, schema->name);
			if (is_list)
				json_array(&writer->json);
			is_open = true;
		}
		r = is_list_of_numbers(schema->kind) ? write_numbers(writer, schema, &field)
						     : write_value(writer, schema, &field);
	}
	if (is_open && is_list)
		json_end(&writer->json);
	return r == 0 && message.bad ? malformed(writer, schema->name) : r;
}

static int write_message(struct writer *writer, const struct proto_json_message *schema,
			 struct cursor message)
{
	int r = 0;

	if (writer->depth++ == JSON_MAX_DEPTH)
		return err_set(writer->err, ERR_LIMIT, "the message is too deep");
	json_object(&writer->json);
	for (const struct proto_json_field *field = schema->fields; r == 0 && field->name; field++)
		r = write_field(writer, field, message);
	json_end(&writer->json);
	writer->depth--;
	return r;
}

int proto_json_write(const struct proto_json_message *schema, const void *data, size_t len,
		     struct buf *out, struct err *err)
{
	struct writer writer = {.err = err};
	int r;

	json_writer_init(&writer.json, out, JSON_ESCAPE_MARKUP);
	r = write_message(&writer, schema, cursor_over(data, len));
	if (r == 0 && out->overflow)
		r = err_set(err, ERR_LIMIT, "the answer is larger than %zu bytes", out->ceiling);
	return r;
}
