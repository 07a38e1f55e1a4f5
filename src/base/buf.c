/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_CAP 256

void buf_init(struct buf *buf, size_t ceiling)
{
	*buf = (struct buf){.ceiling = ceiling};
}

void buf_done(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){0};
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->overflow = false;
	if (buf->data)
		buf->data[0] = '\0';
}

char *buf_room(struct buf *buf, size_t len)
{
	if (len > buf->ceiling || buf->len > buf->ceiling - len) {
		buf->overflow = true;
		return NULL;
	}
	if (buf->len + len + 1 > buf->cap) {
		size_t cap = buf->cap ? buf->cap : BUF_FIRST_CAP;

		while (cap < buf->len + len + 1)
			cap *= 2;
		buf->data = realloc(buf->data, cap);
		if (!buf->data)
			abort();
		buf->cap = cap;
	}
	return buf->data + buf->len;
}

void buf_grew(struct buf *buf, size_t len)
{
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_drop(struct buf *buf, size_t len)
{
	len = min_of(len, buf->len);
	if (len == 0)
		return;
	memmove(buf->data, buf->data + len, buf->len - len);
	buf->len -= len;
	buf->data[buf->len] = '\0';
}

void buf_cut(struct buf *buf, size_t len)
{
	if (len >= buf->len)
		return;
	buf->len = len;
	buf->data[len] = '\0';
}

void buf_put(struct buf *buf, const void *data, size_t len)
{
	char *room = buf_room(buf, len);

	if (!room)
		return;
	if (len)
		memcpy(room, data, len);
	buf_grew(buf, len);
}

void buf_putc(struct buf *buf, char c)
{
	buf_put(buf, &c, 1);
}

void buf_puts(struct buf *buf, const char *text)
{
	buf_put(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
	char small[256];
	va_list args, again;
	int len;

	va_start(args, fmt);
	va_copy(again, args);
	len = vsnprintf(small, sizeof(small), fmt, args);
	if (len >= 0 && (size_t)len < sizeof(small)) {
		buf_put(buf, small, (size_t)len);
	} else if (len >= 0) {
		char *room = buf_room(buf, (size_t)len);

		if (room) {
			vsnprintf(room, (size_t)len + 1, fmt, again);
			buf_grew(buf, (size_t)len);
		}
	}
	va_end(again);
	va_end(args);
}

void buf_put_varint(struct buf *buf, uint64_t value)
{
	uint8_t bytes[10];
	size_t n = 0;

	while (value > 0x7f) {
		bytes[n++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	bytes[n++] = (uint8_t)value;
	buf_put(buf, bytes, n);
}

void buf_put_zigzag(struct buf *buf, int64_t value)
{
	buf_put_varint(buf, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

char *buf_take(struct buf *buf, size_t *ret_len)
{
	char *data = buf->data ? buf->data : calloc(1, 1);

	if (!data)
		abort();
	*ret_len = buf->len;
	buf->data = NULL;
	buf->len = buf->cap = 0;
	return data;
}

uint64_t cursor_varint(struct cursor *cursor)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint8_t byte;

		if (cursor->bad || cursor->at == cursor->end)
			break;
		byte = *cursor->at++;
		if (shift == 63 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	cursor->bad = true;
	return 0;
}

int64_t cursor_zigzag(struct cursor *cursor)
{
	uint64_t value = cursor_varint(cursor);

	return (int64_t)(value >> 1 ^ -(value & 1));
}

const uint8_t *cursor_bytes(struct cursor *cursor, uint64_t len)
{
	const uint8_t *at = cursor->at;

	if (cursor->bad || len > cursor_left(cursor)) {
		cursor->bad = true;
		return NULL;
	}
	cursor->at += len;
	return at;
}

uint8_t cursor_u8(struct cursor *cursor)
{
	const uint8_t *p = cursor_bytes(cursor, 1);

	return p ? *p : 0;
}

uint32_t cursor_le32(struct cursor *cursor)
{
	const uint8_t *p = cursor_bytes(cursor, 4);
	uint32_t value = 0;

	for (int i = 3; p && i >= 0; i--)
		value = value << 8 | p[i];
	return value;
}

uint64_t cursor_le64(struct cursor *cursor)
{
	const uint8_t *p = cursor_bytes(cursor, 8);
	uint64_t value = 0;

	for (int i = 7; p && i >= 0; i--)
		value = value << 8 | p[i];
	return value;
}
