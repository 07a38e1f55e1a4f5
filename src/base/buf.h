/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer with a ceiling given at birth.
 *
 * Appending past the ceiling appends nothing and sets `overflow`, which stays set: writers append
 * freely and check once at the end.  `data` always has a NUL behind its last byte, so that a text
 * can be used as a C string.  An object of one thread; nothing here fails but by the ceiling.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <endian.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"

struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t ceiling; /* most bytes it may ever hold */
	bool overflow;
};

void buf_init(struct buf *buf, size_t ceiling);
void buf_done(struct buf *buf);	 /* all-zero is fine */
void buf_reset(struct buf *buf); /* empty, keeps its memory */
/* Forget the first `len` bytes (at most all); the rest moves to the front. */
void buf_drop(struct buf *buf, size_t len);
/* Keep the first `len` bytes (at most all). */
void buf_cut(struct buf *buf, size_t len);

void buf_put(struct buf *buf, const void *data, size_t len);
void buf_putc(struct buf *buf, char c);
void buf_puts(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *fmt, ...) printf_like(2, 3);

/* Unsigned LEB128, as protobuf and our own formats use it; signed values zigzag. */
void buf_put_varint(struct buf *buf, uint64_t value);
void buf_put_zigzag(struct buf *buf, int64_t value);

/*
 * Room for `len` more bytes, to be written in place and then counted with buf_grew().  NULL when
 * the ceiling does not allow it (overflow is set).
 */
char *buf_room(struct buf *buf, size_t len) nodiscard;
void buf_grew(struct buf *buf, size_t len);

/* Hand over the bytes (free() them); the buffer is empty afterwards. */
char *buf_take(struct buf *buf, size_t *ret_len) nodiscard;

/*
 * A reader over bytes that somebody else owns.  Every get fails softly: past the end or malformed
 * it returns 0 and sets `bad`, which stays set.
 */
struct cursor {
	const uint8_t *at;
	const uint8_t *end;
	bool bad;
};

static inline struct cursor cursor_over(const void *data, size_t len)
{
	const uint8_t *at = data;

	return (struct cursor){.at = at,
			       .end = len ? at + len : at}; /* NULL + 0 has no meaning in C */
}

static inline size_t cursor_left(const struct cursor *cursor)
{
	return (size_t)(cursor->end - cursor->at);
}

uint64_t cursor_varint(struct cursor *cursor);
int64_t cursor_zigzag(struct cursor *cursor);
uint8_t cursor_u8(struct cursor *cursor);
uint32_t cursor_le32(struct cursor *cursor);
uint64_t cursor_le64(struct cursor *cursor);
/* `len` bytes in place, or NULL (and bad). */
const uint8_t *cursor_bytes(struct cursor *cursor, uint64_t len);

/*
 * cursor_varint() for long lists of numbers whose length nobody can guess: inline, and without a branch on the length
 * while eight bytes are left.
 */
static hot_inline uint64_t cursor_list_varint(struct cursor *cursor)
{
	struct cursor slow = *cursor; /* a copy, so that the caller's stays in registers */
	uint64_t word = 0, ends = 0;

	if (cursor_left(cursor) >= sizeof(word)) {
		memcpy(&word, cursor->at, sizeof(word));
		word = le64toh(word);
		ends = ~word & 0x8080808080808080u;
	}
	if (!ends) {
		word = cursor_varint(&slow);
		*cursor = slow;
		return word;
	}
	cursor->at += __builtin_ctzll(ends) / 8 + 1;
	word &= (ends ^ (ends - 1)) & 0x7f7f7f7f7f7f7f7fu;
	/* Groups of 7 bits move together: two, four, eight at a time. */
	word = (word & 0x7f007f007f007f00u) >> 1 | (word & 0x007f007f007f007fu);
	word = (word & 0xffff0000ffff0000u) >> 2 | (word & 0x0000ffff0000ffffu);
	return (word & 0xffffffff00000000u) >> 4 | (word & 0x00000000ffffffffu);
}

static hot_inline int64_t cursor_list_zigzag(struct cursor *cursor)
{
	uint64_t value = cursor_list_varint(cursor);

	return (int64_t)(value >> 1 ^ -(value & 1));
}

#endif
