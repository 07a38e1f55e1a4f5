/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and texts of JFR: LEB128 of at most nine bytes, or big-endian; texts in four encodings. */
#include "base/utf8.h"
#include "format/jfr_private.h"

static uint64_t big_endian(struct cursor *at, size_t n)
{
	const uint8_t *bytes = cursor_bytes(at, n);
	uint64_t value = 0;

	for (size_t i = 0; bytes && i < n; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* Seven bits a byte, lowest first; the ninth byte has all of its eight. */
static uint64_t leb128(struct cursor *at)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint8_t byte = cursor_u8(at);

		if (shift == 56)
			return value | (uint64_t)byte << shift;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			break;
	}
	return value;
}

uint64_t jfr_number(struct jfr_cursor *at, size_t n_bytes)
{
	return at->is_compressed ? leb128(&at->bytes) : big_endian(&at->bytes, n_bytes);
}

uint64_t jfr_u64(struct jfr_cursor *at)
{
	return jfr_number(at, 8);
}

uint32_t jfr_u32(struct jfr_cursor *at)
{
	uint64_t value = jfr_number(at, 4);

	if (value > UINT32_MAX)
		at->bytes.bad = true;
	return at->bytes.bad ? 0 : (uint32_t)value;
}

/* ---- texts ---- */

/* Compressed code units have one to three bytes; the length of the whole is known only behind the last. */
static void skip_chars(struct jfr_cursor *at, uint32_t n)
{
	if (!at->is_compressed) {
		(void)cursor_bytes(&at->bytes, 2ull * n);
		return;
	}
	for (uint32_t i = 0; i < n && !at->bytes.bad; i++)
		(void)leb128(&at->bytes);
}

struct jfr_text jfr_text(struct jfr_cursor *at)
{
	struct jfr_text text = {.encoding = cursor_u8(&at->bytes)};
	uint32_t n;

	switch (text.encoding) {
	case JFR_TEXT_NULL:
	case JFR_TEXT_EMPTY:
		break;
	case JFR_TEXT_CONSTANT:
		text.constant = jfr_u64(at);
		break;
	case JFR_TEXT_UTF8:
	case JFR_TEXT_LATIN1:
		text.len = jfr_u32(at);
		text.bytes = cursor_bytes(&at->bytes, text.len);
		break;
	case JFR_TEXT_CHARS:
		n = jfr_u32(at);
		text.bytes = at->bytes.at;
		skip_chars(at, n);
		text.len = (size_t)(at->bytes.at - text.bytes);
		break;
	default:
		at->bytes.bad = true;
	}
	return at->bytes.bad ? (struct jfr_text){0} : text;
}

static void put_code(struct buf *out, uint32_t code)
{
	char bytes[4];

	buf_put(out, bytes, utf8_put(bytes, code));
}

static void decode_latin1(const struct jfr_text *text, struct buf *out)
{
	for (size_t i = 0; i < min_of(text->len, (size_t)JFR_TEXT_MAX_BYTES); i++)
		put_code(out, text->bytes[i]);
}

/* Pairs of surrogates are one character, half a pair is none. */
static void decode_chars(const struct jfr_text *text, bool is_compressed, struct buf *out)
{
	struct jfr_cursor at = {cursor_over(text->bytes, text->len), is_compressed};
	uint32_t high = 0;

	for (size_t i = 0; cursor_left(&at.bytes) && i < JFR_TEXT_MAX_BYTES; i++) {
		uint32_t unit = (uint16_t)jfr_number(&at, 2);

		if (unit >= 0xd800 && unit < 0xdc00) {
			high = unit;
			continue;
		}
		if (unit >= 0xdc00 && unit < 0xe000)
			unit = high ? 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00) : 0xfffd;
		high = 0;
		put_code(out, unit);
	}
}

void jfr_text_decode(const struct jfr_text *text, bool is_compressed, struct buf *out)
{
	if (text->encoding == JFR_TEXT_UTF8 && text->len)
		buf_put(out, text->bytes, min_of(text->len, (size_t)JFR_TEXT_MAX_BYTES));
	else if (text->encoding == JFR_TEXT_LATIN1)
		decode_latin1(text, out);
	else if (text->encoding == JFR_TEXT_CHARS)
		decode_chars(text, is_compressed, out);
}
