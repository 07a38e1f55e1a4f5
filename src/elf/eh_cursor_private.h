/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading forward through bytes that may end anywhere.  A read past the end gives 0 and leaves `bad` set,
 * which is looked at once, after several reads.
 */
#ifndef ELF_EH_CURSOR_PRIVATE_H
#define ELF_EH_CURSOR_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct eh_cursor {
	const uint8_t *at, *end;
	uint64_t vaddr; /* of `at` */
	bool bad;
};

static inline size_t eh_left(const struct eh_cursor *cursor)
{
	return (size_t)(cursor->end - cursor->at);
}

static inline const uint8_t *eh_take(struct eh_cursor *cursor, uint64_t len)
{
	const uint8_t *at = cursor->at;

	if (len > eh_left(cursor)) {
		cursor->bad = true;
		cursor->at = cursor->end;
		return NULL;
	}
	cursor->at += len;
	cursor->vaddr += len;
	return at;
}

/* A little-endian number of 1, 2, 4 or 8 bytes. */
static inline uint64_t eh_fixed(struct eh_cursor *cursor, unsigned len)
{
	const uint8_t *at = eh_take(cursor, len);
	uint64_t value = 0;

	if (at)
		memcpy(&value, at, len);
	return value;
}

static inline uint8_t eh_byte(struct eh_cursor *cursor)
{
	return (uint8_t)eh_fixed(cursor, 1);
}

/* Bits past the 64th are dropped, as producers pad with zeros. */
static inline uint64_t eh_uleb(struct eh_cursor *cursor)
{
	uint64_t value = 0;

	for (unsigned shift = 0;; shift += 7) {
		uint8_t byte = eh_byte(cursor);

		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
}

static inline int64_t eh_sleb(struct eh_cursor *cursor)
{
	uint64_t value = 0;

	for (unsigned shift = 0;; shift += 7) {
		uint8_t byte = eh_byte(cursor);

		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (byte & 0x40 && shift + 7 < 64)
			value |= ~0ull << (shift + 7);
		return (int64_t)value;
	}
}

#define EH_PE_OMIT 0xff

/*
 * A pointer in one of the encodings of DW_EH_PE_*: absolute, relative to its own place or to `data_base`
 * (0: not allowed).  The others, and indirect ones, are for languages' own data and leave `bad` set.
 */
uint64_t eh_pointer(struct eh_cursor *cursor, uint8_t encoding, uint64_t data_base);

#endif
