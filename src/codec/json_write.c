/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "codec/json.h"

void json_writer_init(struct json_writer *json, struct buf *out, uint32_t flags)
{
	*json = (struct json_writer){.out = out, .flags = flags};
}

/* Before every value and key: the comma that separates it from the one before. */
static void begin_item(struct json_writer *json)
{
	uint64_t bit = 1ull << json->depth % JSON_MAX_DEPTH;

	if (json->after_key) {
		json->after_key = false;
		return;
	}
	if (json->has_items & bit)
		buf_putc(json->out, ',');
	json->has_items |= bit;
}

static void open_level(struct json_writer *json, bool is_array)
{
	begin_item(json);
	buf_putc(json->out, is_array ? '[' : '{');
	json->depth++;
	assert(json->depth < JSON_MAX_DEPTH);
	json->has_items &= ~(1ull << json->depth);
	json->is_array &= ~(1ull << json->depth);
	json->is_array |= (uint64_t)is_array << json->depth;
}

void json_object(struct json_writer *json)
{
	open_level(json, false);
}

void json_array(struct json_writer *json)
{
	open_level(json, true);
}

void json_end(struct json_writer *json)
{
	assert(json->depth > 0);
	buf_putc(json->out, json->is_array >> json->depth & 1 ? ']' : '}');
	json->depth--;
}

static bool is_plain(char c, uint32_t flags)
{
	unsigned char byte = (unsigned char)c;

	if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\')
		return false;
	return !(flags & JSON_ESCAPE_MARKUP) || (c != '<' && c != '>' && c != '&');
}

/* Control characters, and what turns the direction of reading or ends a line of a script: files are looked at, too. */
static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

static void put_escaped(struct buf *out, uint32_t code, uint32_t flags)
{
	static const char letters[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
				       ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
	char bytes[4];

	if (code < sizeof(letters) && letters[code])
		buf_printf(out, "\\%c", letters[code]);
	else if (!code)
		buf_puts(out, "\xef\xbf\xbd");
	else if (is_control(code) ||
		 ((flags & JSON_ESCAPE_MARKUP) && (code == '<' || code == '>' || code == '&')))
		buf_printf(out, "\\u%04x", code);
	else
		buf_put(out, bytes, utf8_put(bytes, code));
}

static void put_quoted(struct buf *out, const char *text, size_t len, uint32_t flags)
{
	buf_putc(out, '"');
	while (len) {
		size_t plain = 0, taken;
		uint32_t code;

		while (plain < len && is_plain(text[plain], flags))
			plain++;
		buf_put(out, text, plain);
		text += plain;
		len -= plain;
		if (!len)
			break;
		taken = utf8_next(text, len, &code);
		put_escaped(out, code, flags);
		text += taken;
		len -= taken;
	}
	buf_putc(out, '"');
}

void json_key(struct json_writer *json, const char *key)
{
	begin_item(json);
	put_quoted(json->out, key, strlen(key), json->flags);
	buf_putc(json->out, ':');
	json->after_key = true;
}

void json_str(struct json_writer *json, const char *text, size_t len)
{
	begin_item(json);
	put_quoted(json->out, text, len, json->flags);
}

void json_cstr(struct json_writer *json, const char *text)
{
	if (text)
		json_str(json, text, strlen(text));
	else
		json_null(json);
}

/* ---- numbers: long tables of them are most of what is written, so no printf ---- */

#define NUMBER_MAX_BYTES 20

static char *put_decimal(char *at, uint64_t value)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	char digits[NUMBER_MAX_BYTES];
	size_t first = sizeof(digits);

	for (; value >= 10; value /= 100)
		memcpy(&digits[first -= 2], &pairs[value % 100 * 2], 2);
	if (value || first == sizeof(digits))
		digits[--first] = (char)('0' + value);
	memcpy(at, &digits[first], sizeof(digits) - first);
	return at + (sizeof(digits) - first);
}

static char *put_number(char *at, int64_t value)
{
	if (value >= 0)
		return put_decimal(at, (uint64_t)value);
	*at = '-';
	return put_decimal(at + 1, -(uint64_t)value);
}

static void put_one(struct buf *out, uint64_t value, bool is_negative)
{
	char text[NUMBER_MAX_BYTES + 1] = "-";
	const char *end = put_decimal(text + is_negative, value);

	buf_put(out, text, (size_t)(end - text));
}

void json_int(struct json_writer *json, int64_t value)
{
	begin_item(json);
	put_one(json->out, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
}

void json_uint(struct json_writer *json, uint64_t value)
{
	begin_item(json);
	put_one(json->out, value, false);
}

/* So many get their room at once. */
#define NUMBERS_AT_ONCE 64

static void put_numbers(struct buf *out, const int64_t *values, size_t n, bool is_first)
{
	char *room = buf_room(out, n * (NUMBER_MAX_BYTES + 2)), *at = room;

	for (size_t i = 0; room && i < n; i++) {
		if (i || !is_first)
			*at++ = ',';
		at = put_number(at, values[i]);
	}
	if (room)
		buf_grew(out, (size_t)(at - room));
}

void json_ints(struct json_writer *json, const int64_t *values, size_t n)
{
	json_array(json);
	for (size_t i = 0; i < n; i += NUMBERS_AT_ONCE)
		put_numbers(json->out, values + i, min_of((size_t)NUMBERS_AT_ONCE, n - i), !i);
	json_end(json);
}

void json_uints(struct json_writer *json, const uint32_t *values, size_t n)
{
	json_array(json);
	for (size_t i = 0; i < n; i += NUMBERS_AT_ONCE) {
		size_t some = min_of((size_t)NUMBERS_AT_ONCE, n - i);
		int64_t wide[NUMBERS_AT_ONCE];

		for (size_t k = 0; k < some; k++)
			wide[k] = values[i + k];
		put_numbers(json->out, wide, some, !i);
	}
	json_end(json);
}

void json_double(struct json_writer *json, double value)
{
	char text[32];

	if (!isfinite(value)) {
		json_null(json);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	json_raw(json, text, strlen(text));
}

void json_bool(struct json_writer *json, bool value)
{
	json_raw(json, value ? "true" : "false", value ? 4 : 5);
}

void json_null(struct json_writer *json)
{
	json_raw(json, "null", 4);
}

void json_raw(struct json_writer *json, const char *text, size_t len)
{
	begin_item(json);
	buf_put(json->out, text, len);
}

void json_member_str(struct json_writer *json, const char *key, const char *text)
{
	json_key(json, key);
	json_cstr(json, text);
}

void json_member_int(struct json_writer *json, const char *key, int64_t value)
{
	json_key(json, key);
	json_int(json, value);
}

void json_member_uint(struct json_writer *json, const char *key, uint64_t value)
{
	json_key(json, key);
	json_uint(json, value);
}

void json_member_double(struct json_writer *json, const char *key, double value)
{
	json_key(json, key);
	json_double(json, value);
}

void json_member_bool(struct json_writer *json, const char *key, bool value)
{
	json_key(json, key);
	json_bool(json, value);
}
