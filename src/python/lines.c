/* SPDX-License-Identifier: Apache-2.0 */
#include "python/lines.h"

#include "base/buf.h"

#define LINE_MAX INT32_MAX
#define NO_LINE (-128) /* the delta of a 3.10 range without a line */

static uint32_t as_line(int64_t line)
{
	return line > 0 && line <= LINE_MAX ? (uint32_t)line : 0;
}

/*
 * Objects/lnotab_notes.txt of 3.9: the line changes at an address; what lies before keeps the old one.  Up to 3.5
 * (bpo-26107) lines could only grow.
 */
static uint32_t find_lnotab(const uint8_t *table, size_t len, int64_t line, int64_t offset,
			    bool is_signed)
{
	int64_t addr = 0;

	for (size_t i = 0; i + 1 < len; i += 2) {
		addr += table[i];
		if (addr > offset)
			break;
		line += is_signed ? (int8_t)table[i + 1] : table[i + 1];
	}
	return as_line(line);
}

/* Objects/lnotab_notes.txt of 3.10: each pair is a range of `delta` bytes, at line + its line delta. */
static uint32_t find_ranges(const uint8_t *table, size_t len, int64_t line, int64_t offset)
{
	int64_t end = 0;

	for (size_t i = 0; i + 1 < len; i += 2) {
		int delta = (int8_t)table[i + 1];

		end += table[i];
		if (delta != NO_LINE)
			line += delta;
		if (end > offset)
			return delta == NO_LINE ? 0 : as_line(line);
	}
	return 0;
}

/* PEP 657's codes of an entry, in the bits 3-6 of its first byte. */
enum {
	LOCATION_ONE_LINE_0 = 10,
	LOCATION_ONE_LINE_2 = 12,
	LOCATION_NO_COLUMNS = 13,
	LOCATION_LONG = 14,
	LOCATION_NONE = 15,
};

/* Six bits a byte, bit 6 says that more follow.  A varint longer than 32 bits' worth is damage. */
static uint32_t take_varint(struct cursor *cursor)
{
	uint32_t value = 0;

	for (unsigned shift = 0; shift < 36; shift += 6) {
		uint8_t byte = cursor_u8(cursor);

		value |= (uint32_t)((uint64_t)(byte & 63) << shift);
		if (!(byte & 64))
			return value;
	}
	cursor->bad = true;
	return 0;
}

static int64_t take_signed(struct cursor *cursor)
{
	uint32_t value = take_varint(cursor);

	return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

/* What one entry says: what it adds to the line, and its first column (from 0; -1: none).  Reads it whole. */
struct location {
	int64_t delta;
	int64_t column;
};

static struct location take_location(struct cursor *cursor, unsigned code)
{
	struct location location = {.column = -1};

	switch (code) {
	case LOCATION_NONE:
		break;
	case LOCATION_LONG:
		location.delta = take_signed(cursor);
		(void)take_varint(cursor); /* end line */
		location.column = (int64_t)take_varint(cursor) - 1;
		(void)take_varint(cursor); /* end column */
		break;
	case LOCATION_NO_COLUMNS:
		location.delta = take_signed(cursor);
		break;
	case LOCATION_ONE_LINE_0 ... LOCATION_ONE_LINE_2:
		location.delta = code - LOCATION_ONE_LINE_0;
		location.column = cursor_u8(cursor);
		(void)cursor_u8(cursor);
		break;
	default: /* the code has the upper bits of the column, three more lead the byte */
		location.column = code * 8 + (cursor_u8(cursor) >> 4 & 7);
		break;
	}
	return location;
}

static struct place as_place(int64_t line, int64_t column)
{
	struct place place = {.line = as_line(line)};

	if (place.line && column >= 0 && column < LINE_MAX)
		place.column = (uint32_t)column + 1;
	return place;
}

static struct place find_location(const uint8_t *table, size_t len, int64_t line, int64_t offset)
{
	struct cursor cursor = cursor_over(table, len);
	int64_t end = 0;

	while (cursor_left(&cursor)) {
		uint8_t first = cursor_u8(&cursor);
		unsigned code = first >> 3 & 15;
		struct location location = take_location(&cursor, code);

		line += location.delta;
		end += 2 * ((first & 7) + 1);
		if (cursor.bad || !(first & 0x80))
			break;
		if (end > offset && code == LOCATION_NONE)
			break;
		if (end > offset)
			return as_place(line, location.column);
	}
	return (struct place){0};
}

struct place lines_find(enum layout_lines lines, const uint8_t *table, size_t len,
			uint32_t first_line, int64_t offset)
{
	if (offset < 0)
		return as_place(first_line, -1);
	switch (lines) {
	case LINES_LNOTAB_UNSIGNED:
		return as_place(find_lnotab(table, len, first_line, offset, false), -1);
	case LINES_LNOTAB:
		return as_place(find_lnotab(table, len, first_line, offset, true), -1);
	case LINES_RANGES:
		return as_place(find_ranges(table, len, first_line, offset), -1);
	case LINES_LOCATION:
		return find_location(table, len, first_line, offset);
	}
	return (struct place){0};
}
