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

/* What one entry adds to the line; reads it whole. */
static int64_t take_location(struct cursor *cursor, unsigned code)
{
	int64_t delta = 0;

	switch (code) {
	case LOCATION_NONE:
		break;
	case LOCATION_LONG:
		delta = take_signed(cursor);
		(void)take_varint(cursor); /* end line */
		(void)take_varint(cursor); /* columns */
		(void)take_varint(cursor);
		break;
	case LOCATION_NO_COLUMNS:
		delta = take_signed(cursor);
		break;
	case LOCATION_ONE_LINE_0 ... LOCATION_ONE_LINE_2:
		delta = code - LOCATION_ONE_LINE_0;
		(void)cursor_bytes(cursor, 2);
		break;
	default:
		(void)cursor_bytes(cursor, 1);
		break;
	}
	return delta;
}

static uint32_t find_location(const uint8_t *table, size_t len, int64_t line, int64_t offset)
{
	struct cursor cursor = cursor_over(table, len);
	int64_t end = 0;

	while (cursor_left(&cursor)) {
		uint8_t first = cursor_u8(&cursor);
		unsigned code = first >> 3 & 15;

		line += take_location(&cursor, code);
		end += 2 * ((first & 7) + 1);
		if (cursor.bad || !(first & 0x80))
			return 0;
		if (end > offset)
			return code == LOCATION_NONE ? 0 : as_line(line);
	}
	return 0;
}

uint32_t lines_find(enum layout_lines lines, const uint8_t *table, size_t len, uint32_t first_line,
		    int64_t offset)
{
	if (offset < 0)
		return as_line(first_line);
	switch (lines) {
	case LINES_LNOTAB_UNSIGNED:
		return find_lnotab(table, len, first_line, offset, false);
	case LINES_LNOTAB:
		return find_lnotab(table, len, first_line, offset, true);
	case LINES_RANGES:
		return find_ranges(table, len, first_line, offset);
	case LINES_LOCATION:
		return find_location(table, len, first_line, offset);
	}
	return 0;
}
