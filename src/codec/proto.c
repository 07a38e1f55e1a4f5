/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/proto.h"

#include <string.h>

#define PROTO_MAX_FIELD_NUMBER ((1u << 29) - 1)

/*
 * Varints of protobuf: ten bytes at most; bits past the 64th are cut off as every other
 * implementation does it (an int32 -1 of some writers is padded).
 */
static uint64_t take_long_varint(struct cursor *cursor)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 70 && cursor->at < cursor->end; shift += 7) {
		uint8_t byte = *cursor->at++;

		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	cursor->bad = true;
	return 0;
}

/* Most are of one byte. */
static inline uint64_t take_varint(struct cursor *cursor)
{
	if (cursor->at < cursor->end && *cursor->at < 0x80)
		return *cursor->at++;
	return take_long_varint(cursor);
}

bool proto_next(struct cursor *message, struct proto_field *ret_field)
{
	struct proto_field field = {0};
	uint64_t tag, len;

	if (message->bad || message->at == message->end)
		return false;
	tag = take_varint(message);
	field.wire = tag & 7;
	if (message->bad || tag >> 3 == 0 || tag >> 3 > PROTO_MAX_FIELD_NUMBER) {
		message->bad = true;
		return false;
	}
	field.number = (uint32_t)(tag >> 3);
	switch (field.wire) {
	case PROTO_VARINT:
		field.value = take_varint(message);
		break;
	case PROTO_FIXED64:
		field.value = cursor_le64(message);
		break;
	case PROTO_FIXED32:
		field.value = cursor_le32(message);
		break;
	case PROTO_BYTES:
		len = take_varint(message);
		field.bytes = message->bad ? NULL : cursor_bytes(message, len);
		field.len = field.bytes ? (size_t)len : 0;
		break;
	default:
		message->bad = true;
	}
	if (message->bad)
		return false;
	*ret_field = field;
	return true;
}

struct cursor proto_message(const struct proto_field *field)
{
	struct cursor inner = cursor_over(field->bytes, field->len);

	inner.bad = field->wire != PROTO_BYTES;
	return inner;
}

struct proto_list proto_list(const struct proto_field *field)
{
	if (field->wire == PROTO_BYTES)
		return (struct proto_list){.packed = cursor_over(field->bytes, field->len)};
	return (struct proto_list){
		.single = field->value,
		.has_single = field->wire == PROTO_VARINT,
		.bad = field->wire != PROTO_VARINT,
	};
}

bool proto_list_next(struct proto_list *list, uint64_t *ret_value)
{
	if (list->has_single) {
		list->has_single = false;
		*ret_value = list->single;
		return true;
	}
	if (list->bad || list->packed.at == list->packed.end)
		return false;
	*ret_value = take_varint(&list->packed);
	list->bad = list->packed.bad;
	return !list->bad;
}

static void put_tag(struct buf *out, uint32_t number, enum proto_wire wire)
{
	buf_put_varint(out, (uint64_t)number << 3 | (uint64_t)wire);
}

void proto_put_uint(struct buf *out, uint32_t number, uint64_t value)
{
	put_tag(out, number, PROTO_VARINT);
	buf_put_varint(out, value);
}

void proto_put_int(struct buf *out, uint32_t number, int64_t value)
{
	proto_put_uint(out, number, (uint64_t)value);
}

void proto_put_bytes(struct buf *out, uint32_t number, const void *data, size_t len)
{
	put_tag(out, number, PROTO_BYTES);
	buf_put_varint(out, len);
	buf_put(out, data, len);
}

void proto_put_str(struct buf *out, uint32_t number, const char *text)
{
	proto_put_bytes(out, number, text, strlen(text));
}

/*
 * The length of what follows is not known yet: one byte is kept free for it, and the content moves
 * up by what a longer length needs.  Messages under 128 bytes (all but a few) never move.
 */
size_t proto_begin(struct buf *out, uint32_t number)
{
	put_tag(out, number, PROTO_BYTES);
	buf_putc(out, 0);
	return out->len;
}

void proto_end(struct buf *out, size_t begin)
{
	size_t len = out->len - begin, extra = 0;
	char *at;

	if (out->overflow)
		return;
	for (size_t rest = len >> 7; rest; rest >>= 7)
		extra++;
	if (!buf_room(out, extra))
		return;
	memmove(out->data + begin + extra, out->data + begin, len);
	/* In place: a buf_put() would end the text in the middle of the content. */
	at = out->data + begin - 1;
	for (size_t rest = len; at < out->data + begin + extra; rest >>= 7)
		*at++ = (char)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
	buf_grew(out, extra);
}
