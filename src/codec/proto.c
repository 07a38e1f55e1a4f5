/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/proto.h"

#include <endian.h>
#include <string.h>

#define VARINT_MAX_BYTES 10

/* Eight bytes of which one ends it: their seven bits each, closed up in three steps. */
static struct proto_varint varint_of_word(const uint8_t *at, uint64_t word, uint64_t stops)
{
	word &= (stops ^ (stops - 1)) & 0x7f7f7f7f7f7f7f7fu;
	word = (word & 0x007f007f007f007fu) | (word & 0x7f007f007f007f00u) >> 1;
	word = (word & 0x00003fff00003fffu) | (word & 0x3fff00003fff0000u) >> 2;
	word = (word & 0x0fffffffu) | (word & 0x0fffffff00000000u) >> 4;
	return (struct proto_varint){at + __builtin_ctzll(stops) / 8 + 1, word};
}

struct proto_varint proto_long_varint(const uint8_t *at, const uint8_t *end)
{
	uint64_t value = 0, stops;

	if (end - at >= (ptrdiff_t)sizeof(value)) {
		memcpy(&value, at, sizeof(value));
		value = le64toh(value);
		stops = ~value & 0x8080808080808080u;
		if (stops)
			return varint_of_word(at, value, stops);
		value = 0;
	}

	if (end - at > VARINT_MAX_BYTES)
		end = at + VARINT_MAX_BYTES;
	for (unsigned int shift = 0; at < end; shift += 7) {
		uint8_t byte = *at++;

		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return (struct proto_varint){at, value};
	}
	return (struct proto_varint){0};
}

const uint8_t *proto_other_content(const uint8_t *at, const uint8_t *end, enum proto_wire wire,
				   uint64_t *ret_value)
{
	size_t n = wire == PROTO_FIXED64 ? 8 : 4;
	uint64_t value = 0;

	if ((wire != PROTO_FIXED64 && wire != PROTO_FIXED32) || (size_t)(end - at) < n)
		return NULL;
	for (size_t i = 0; i < n; i++)
		value |= (uint64_t)at[i] << (8 * i);
	*ret_value = value;
	return at + n;
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
