/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protobuf wire format, without schemas: a bounded cursor over messages and a writer into a
 * buf.
 *
 *	struct cursor message = cursor_over(data, len);
 *	struct proto_field field;
 *
 *	while (proto_next(&message, &field))
 *		switch (field.number) {
 *		case 1: ... field.value ...
 *		case 2: struct cursor inner = proto_message(&field); ...
 *		}
 *	if (message.bad)
 *		... malformed ...
 *
 * Nothing is copied and nothing recurses.  Groups (wire types 3 and 4, unused since 2008) and the
 * reserved types 6 and 7 are malformed.
 */
#ifndef CODEC_PROTO_H
#define CODEC_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define PROTO_MAX_FIELD_NUMBER ((1u << 29) - 1)

enum proto_wire {
	PROTO_VARINT = 0,
	PROTO_FIXED64 = 1,
	PROTO_BYTES = 2,
	PROTO_FIXED32 = 5,
};

struct proto_field {
	uint32_t number;
	uint8_t wire;	      /* enum proto_wire */
	uint64_t value;	      /* all but PROTO_BYTES, else 0 */
	const uint8_t *bytes; /* PROTO_BYTES: in place, else NULL */
	size_t len;
};

/*
 * A varint: ten bytes at most; bits past the 64th are cut off as every other implementation does it (an
 * int32 -1 of some writers is padded).
 */
struct proto_varint {
	const uint8_t *end; /* behind it; NULL: cut off or too long */
	uint64_t value;
};

/* Of three bytes and more, or cut off. */
struct proto_varint proto_long_varint(const uint8_t *at, const uint8_t *end);

static hot_inline struct proto_varint proto_varint(const uint8_t *at, const uint8_t *end)
{
	if (end - at > 1) {
		if (at[0] < 0x80)
			return (struct proto_varint){at + 1, at[0]};
		if (at[1] < 0x80)
			return (struct proto_varint){at + 2,
						     (at[0] & 0x7fu) | (uint64_t)at[1] << 7};
	}
	return proto_long_varint(at, end);
}

/* As proto_content(), of the kinds of field that hardly anybody uses. */
const uint8_t *proto_other_content(const uint8_t *at, const uint8_t *end, enum proto_wire wire,
				   uint64_t *ret_value);

/*
 * The content of a field whose tag was taken: its end, or NULL.  Inline as proto_next() is: readers of many small
 * messages are made of nothing else, and a call with its structs in memory cost them three times as much.
 */
static hot_inline const uint8_t *proto_content(const uint8_t *at, const uint8_t *end,
					       struct proto_field *field)
{
	struct proto_varint number;
	uint64_t value = 0;

	if (field->wire == PROTO_VARINT) {
		number = proto_varint(at, end);
		field->value = number.value;
		return number.end;
	}
	if (field->wire == PROTO_BYTES) {
		number = proto_varint(at, end);
		if (!number.end || number.value > (size_t)(end - number.end))
			return NULL;
		field->bytes = number.end;
		field->len = (size_t)number.value;
		return number.end + number.value;
	}
	at = proto_other_content(at, end, field->wire, &value);
	field->value = value;
	return at;
}

/*
 * Fields in parts, for messages that come by the ten thousand: a tag is taken whole and compared with
 * constants, what is left is its content.  0 at the end or when malformed (then message->bad).
 *
 *	while ((tag = proto_tag(&message)))
 *		switch (tag) {
 *		case PROTO_TAG(1, PROTO_VARINT): ... proto_take_number(&message) ...
 *		case PROTO_TAG(2, PROTO_BYTES): struct cursor inner = proto_take_message(&message); ...
 *		default: proto_skip(&message, tag);
 *		}
 */
#define PROTO_TAG(number, wire) ((uint32_t)(number) << 3 | (uint32_t)(wire))

static hot_inline uint32_t proto_tag(struct cursor *message) nodiscard;

static hot_inline uint32_t proto_tag(struct cursor *message)
{
	struct proto_varint tag;

	if (message->at == message->end || message->bad)
		return 0;
	if (*message->at >= 1 << 3 && *message->at < 0x80)
		return *message->at++;
	tag = proto_varint(message->at, message->end);
	message->bad =
		!tag.end || tag.value < 1 << 3 || tag.value > PROTO_TAG(PROTO_MAX_FIELD_NUMBER, 7);
	if (message->bad)
		return 0;
	message->at = tag.end;
	return (uint32_t)tag.value;
}

static hot_inline uint64_t proto_take_number(struct cursor *message)
{
	struct proto_varint number = proto_varint(message->at, message->end);

	message->bad = !number.end;
	message->at = number.end ? number.end : message->end;
	return number.value;
}

/* Bad when it is cut off, as `message` is then. */
static hot_inline struct cursor proto_take_message(struct cursor *message)
{
	struct proto_varint len = proto_varint(message->at, message->end);
	struct cursor inner = {.bad = true};

	message->bad = !len.end || len.value > (size_t)(message->end - len.end);
	if (message->bad)
		return inner;
	message->at = len.end + len.value;
	return cursor_over(len.end, (size_t)len.value);
}

/* The content of a field with that tag, whatever it is. */
static hot_inline void proto_skip(struct cursor *message, uint32_t tag)
{
	struct proto_field field = {.wire = tag & 7};
	const uint8_t *at = proto_content(message->at, message->end, &field);

	message->bad = !at;
	message->at = at ? at : message->end;
}

/* The next field; false at the end or when malformed (then message->bad). */
static hot_inline bool proto_next(struct cursor *message, struct proto_field *ret_field) nodiscard;

static hot_inline bool proto_next(struct cursor *message, struct proto_field *ret_field)
{
	uint32_t tag = proto_tag(message);
	struct proto_field field = {.number = tag >> 3, .wire = tag & 7};
	const uint8_t *at;

	if (!tag)
		return false;
	at = proto_content(message->at, message->end, &field);
	if (!at) {
		message->bad = true;
		return false;
	}
	message->at = at;
	*ret_field = field;
	return true;
}

/* The bytes of a field as a message of their own; a field of another wire type gives a bad cursor. */
static inline struct cursor proto_message(const struct proto_field *field)
{
	struct cursor inner = cursor_over(field->bytes, field->len);

	inner.bad = field->wire != PROTO_BYTES;
	return inner;
}

/*
 * The varints of a repeated field, packed or not, one at a time:
 *
 *	struct proto_list list = proto_list(&field);
 *	while (proto_list_next(&list, &value)) ...
 *	if (list.bad) ...
 */
struct proto_list {
	struct cursor packed;
	uint64_t single;
	bool has_single;
	bool bad;
};

static inline struct proto_list proto_list(const struct proto_field *field)
{
	if (field->wire == PROTO_BYTES)
		return (struct proto_list){.packed = cursor_over(field->bytes, field->len)};
	return (struct proto_list){
		.single = field->value,
		.has_single = field->wire == PROTO_VARINT,
		.bad = field->wire != PROTO_VARINT,
	};
}

static hot_inline bool proto_list_next(struct proto_list *list, uint64_t *ret_value) nodiscard;

static hot_inline bool proto_list_next(struct proto_list *list, uint64_t *ret_value)
{
	struct proto_varint next;

	if (list->has_single) {
		list->has_single = false;
		*ret_value = list->single;
		return true;
	}
	if (list->bad || list->packed.at == list->packed.end)
		return false;
	next = proto_varint(list->packed.at, list->packed.end);
	if (!next.end) {
		list->bad = true;
		return false;
	}
	list->packed.at = next.end;
	*ret_value = next.value;
	return true;
}

/* ---- writing: zeros and empty texts too; leave out what is a default ---- */

void proto_put_uint(struct buf *out, uint32_t number, uint64_t value);
void proto_put_int(struct buf *out, uint32_t number, int64_t value); /* ten bytes when negative */
void proto_put_bytes(struct buf *out, uint32_t number, const void *data, size_t len);
void proto_put_str(struct buf *out, uint32_t number, const char *text);

/* A message inside: what is put between begin and end is its content. */
size_t proto_begin(struct buf *out, uint32_t number) nodiscard;
void proto_end(struct buf *out, size_t begin);

#endif
