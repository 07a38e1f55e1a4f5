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

/* `n` bytes at `at`, little-endian. */
uint64_t proto_fixed(const uint8_t *at, size_t n);

/*
 * The content of a field whose tag was taken: its end, or NULL.  Inline as proto_next() is: readers of many small
 * messages are made of nothing else, and a call with its structs in memory cost them three times as much.
 */
static hot_inline const uint8_t *proto_content(const uint8_t *at, const uint8_t *end,
					       struct proto_field *field)
{
	struct proto_varint number;
	size_t n;

	switch (field->wire) {
	case PROTO_VARINT:
		number = proto_varint(at, end);
		field->value = number.value;
		return number.end;
	case PROTO_BYTES:
		number = proto_varint(at, end);
		if (!number.end || number.value > (size_t)(end - number.end))
			return NULL;
		field->bytes = number.end;
		field->len = (size_t)number.value;
		return number.end + number.value;
	case PROTO_FIXED64:
	case PROTO_FIXED32:
		n = field->wire == PROTO_FIXED64 ? 8 : 4;
		if ((size_t)(end - at) < n)
			return NULL;
		field->value = proto_fixed(at, n);
		return at + n;
	default:
		return NULL;
	}
}

/* The next field; false at the end or when malformed (then message->bad). */
static hot_inline bool proto_next(struct cursor *message, struct proto_field *ret_field) nodiscard;

static hot_inline bool proto_next(struct cursor *message, struct proto_field *ret_field)
{
	struct proto_field field = {0};
	struct proto_varint tag;
	const uint8_t *at = NULL;

	if (message->bad || message->at == message->end)
		return false;
	tag = proto_varint(message->at, message->end);
	field.number = (uint32_t)(tag.value >> 3);
	field.wire = tag.value & 7;
	if (tag.end && field.number && tag.value >> 3 <= PROTO_MAX_FIELD_NUMBER)
		at = proto_content(tag.end, message->end, &field);
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
