/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/base64.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char for_urls[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(const uint8_t *data, size_t len, const char *alphabet, bool padded,
		   struct buf *out)
{
	for (; len; data += min_of(len, (size_t)3), len -= min_of(len, (size_t)3)) {
		uint32_t bits = (uint32_t)data[0] << 16;
		char text[4] = "====";
		size_t n = len >= 3 ? 4 : len + 1;

		if (len > 1)
			bits |= (uint32_t)data[1] << 8;
		if (len > 2)
			bits |= data[2];
		for (size_t i = 0; i < n; i++)
			text[i] = alphabet[bits >> (18 - 6 * i) & 63];
		buf_put(out, text, padded ? 4 : n);
	}
}

void base64_encode(const void *data, size_t len, struct buf *out)
{
	encode(data, len, standard, true, out);
}

void base64url_encode(const void *data, size_t len, struct buf *out)
{
	encode(data, len, for_urls, false, out);
}

/* The six bits of a character of either alphabet, or 64. */
static uint32_t bits_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0' + 52);
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : 64;
}

int base64_decode(const char *text, size_t len, struct buf *out, struct err *err)
{
	char *room, *at;
	uint32_t bits = 0;

	if (len % 4 == 0)
		for (int i = 0; i < 2 && len && text[len - 1] == '='; i++)
			len--;
	if (len % 4 == 1)
		return err_set(err, ERR_CORRUPT, "base64 text of an impossible length");
	room = at = buf_room(out, len / 4 * 3 + 2);
	if (!room)
		return err_set(err, ERR_LIMIT, "base64 text is over the limit of %zu bytes",
			       out->ceiling);
	for (size_t i = 0; i < len; i++) {
		uint32_t six = bits_of(text[i]);

		if (six == 64)
			return err_set(err, ERR_CORRUPT,
				       "byte %zu of the base64 text is not base64", i);
		bits = bits << 6 | six;
		if (i % 4)
			*at++ = (char)(bits >> (6 - i % 4 * 2) & 0xff);
	}
	buf_grew(out, (size_t)(at - room));
	return 0;
}
