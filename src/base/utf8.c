/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

struct code_range {
	uint32_t first, last;
};

#include "base/gen/unicode_width.h"

#define UTF8_REPLACEMENT 0xfffdu

size_t utf8_next(const char *text, size_t len, uint32_t *ret_code)
{
	const uint8_t *p = (const uint8_t *)text;
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	size_t need = p[0] < 0x80 ? 1 : (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : 4;
	uint32_t code = p[0];

	*ret_code = UTF8_REPLACEMENT;
	if (need == 1) {
		*ret_code = code;
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4 || need > len)
		return 1;
	code = p[0] & (0x7f >> need);
	for (size_t i = 1; i < need; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 1;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code < least[need] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 1;
	*ret_code = code;
	return need;
}

size_t utf8_put(char dst[4], uint32_t code)
{
	if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		code = UTF8_REPLACEMENT;
	if (code < 0x80) {
		dst[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		dst[0] = (char)(0xc0 | code >> 6);
		dst[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		dst[0] = (char)(0xe0 | code >> 12);
		dst[1] = (char)(0x80 | (code >> 6 & 0x3f));
		dst[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	dst[0] = (char)(0xf0 | code >> 18);
	dst[1] = (char)(0x80 | (code >> 12 & 0x3f));
	dst[2] = (char)(0x80 | (code >> 6 & 0x3f));
	dst[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* Of eight bytes: is each of them 1 to 127? */
static bool are_plain(const char *bytes)
{
	const uint64_t ones = 0x0101010101010101u, highs = ones << 7;
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	/* A zero borrows from its highest bit. */
	return !((word | (word - ones)) & highs);
}

bool utf8_is_valid(const char *text, size_t len)
{
	size_t word = sizeof(uint64_t), whole = len;

	for (; len >= word && are_plain(text); len -= word)
		text += word;
	/* The rest with some of what was looked at. */
	if (len < word && whole >= word && are_plain(text + len - word))
		return true;
	while (len) {
		uint32_t code;
		size_t n = utf8_next(text, len, &code);

		if (!code || (n == 1 && code == UTF8_REPLACEMENT))
			return false;
		text += n;
		len -= n;
	}
	return true;
}

bool utf8_code_is_printable(uint32_t code)
{
	bool is_control = code < 0x20 || (code >= 0x7f && code < 0xa0);
	bool is_format = code == 0xad || code == 0x061c || code == 0x180e ||
			 (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
			 (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
			 (code >= 0xfff9 && code <= 0xfffb) || (code >= 0xe0000 && code <= 0xe0fff);

	return !is_control && !is_format;
}

static size_t copy_text(char *dst, size_t cap, const char *src, size_t len, bool printable)
{
	size_t out = 0;

	while (len) {
		char piece[16];
		uint32_t code;
		size_t n = utf8_next(src, len, &code), put;

		if (printable && !utf8_code_is_printable(code))
			put = (size_t)snprintf(piece, sizeof(piece),
					       code < 0x100 ? "\\x%02x" : "\\u%04x", code);
		else
			put = utf8_put(piece, code ? code : UTF8_REPLACEMENT);
		if (out + put >= cap)
			break;
		memcpy(dst + out, piece, put);
		out += put;
		src += n;
		len -= n;
	}
	dst[out] = '\0';
	return out;
}

size_t utf8_clean(char *dst, size_t cap, const char *src, size_t len)
{
	return copy_text(dst, cap, src, len, false);
}

size_t utf8_printable(char *dst, size_t cap, const char *src, size_t len)
{
	return copy_text(dst, cap, src, len, true);
}

static bool range_has(const struct code_range *ranges, size_t n, uint32_t code)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (code > ranges[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && code >= ranges[low].first;
}

int utf8_code_columns(uint32_t code)
{
	if (code < 0x300)
		return 1;
	if (range_has(mark_ranges, array_len(mark_ranges), code))
		return 0;
	return range_has(wide_ranges, array_len(wide_ranges), code) ? 2 : 1;
}

bool utf8_code_runs_left(uint32_t code)
{
	return code >= 0x590 && range_has(leftward_ranges, array_len(leftward_ranges), code);
}

size_t utf8_columns(const char *text, size_t len)
{
	size_t columns = 0;

	while (len) {
		uint32_t code;
		size_t n = utf8_next(text, len, &code);

		columns += (size_t)utf8_code_columns(code);
		text += n;
		len -= n;
	}
	return columns;
}
