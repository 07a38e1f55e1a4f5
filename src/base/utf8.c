/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

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

bool utf8_is_valid(const char *text, size_t len)
{
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

/* Characters that move a cursor, turn the reading direction or take no room. */
static bool code_is_unprintable(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x2069) ||
	       code == 0xfeff || code == 0x061c;
}

static size_t copy_text(char *dst, size_t cap, const char *src, size_t len, bool printable)
{
	size_t out = 0;

	while (len) {
		char piece[16];
		uint32_t code;
		size_t n = utf8_next(src, len, &code), put;

		if (printable && code_is_unprintable(code))
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

/* Wide ranges by block: enough to keep columns straight without depending on the locale. */
static bool code_is_wide(uint32_t code)
{
	return (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) ||
	       (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
	       (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
	       (code >= 0xffe0 && code <= 0xffe6) || (code >= 0x1f300 && code <= 0x1f64f) ||
	       (code >= 0x1f900 && code <= 0x1f9ff) || (code >= 0x20000 && code <= 0x3fffd);
}

static bool code_is_mark(uint32_t code)
{
	return (code >= 0x0300 && code <= 0x036f) || (code >= 0x1ab0 && code <= 0x1aff) ||
	       (code >= 0x20d0 && code <= 0x20ff) || (code >= 0xfe00 && code <= 0xfe0f) ||
	       (code >= 0xfe20 && code <= 0xfe2f);
}

size_t utf8_columns(const char *text, size_t len)
{
	size_t columns = 0;

	while (len) {
		uint32_t code;
		size_t n = utf8_next(text, len, &code);

		columns += code_is_mark(code) ? 0 : code_is_wide(code) ? 2 : 1;
		text += n;
		len -= n;
	}
	return columns;
}
