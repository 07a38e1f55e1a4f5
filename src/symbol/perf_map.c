/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "symbol/jit.h"

#define LINE_MAX_BYTES (64u << 10)

/* A hex number, with or without "0x"; returns what is behind it, NULL when there is none. */
static const char *take_hex(const char *at, const char *end, uint64_t *ret_value)
{
	uint64_t value = 0;
	int n = 0;

	if (end - at > 2 && at[0] == '0' && (at[1] | 32) == 'x')
		at += 2;
	for (; at < end && n < 17; at++, n++) {
		char c = (char)(*at | 32);

		if (*at >= '0' && *at <= '9')
			value = value << 4 | (uint64_t)(*at - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	*ret_value = value;
	return n > 0 && n <= 16 ? at : NULL;
}

static const char *skip_blanks(const char *at, const char *end)
{
	while (at && at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

static void read_line(struct jit_code *code, const char *at, const char *end)
{
	uint64_t start, size;

	while (end > at && (end[-1] == '\r' || end[-1] == ' '))
		end--;
	at = take_hex(skip_blanks(at, end), end, &start);
	if (!at || at >= end || (*at != ' ' && *at != '\t'))
		return;
	at = take_hex(skip_blanks(at, end), end, &size);
	if (!at || at >= end || (*at != ' ' && *at != '\t'))
		return;
	at = skip_blanks(at, end);
	if (at < end)
		jit_code_add(code, start, size, at, (size_t)(end - at));
}

size_t perf_map_read(struct jit_code *code, const void *data, size_t len, bool is_end)
{
	const char *text = data, *at = text, *end = text + len, *stop;

	for (; at < end && (stop = memchr(at, '\n', (size_t)(end - at))); at = stop + 1)
		read_line(code, at, stop);
	/* Half a line is still being written, unless it is no line at all. */
	if (at == text && len > LINE_MAX_BYTES && !is_end)
		return len;
	return (size_t)(at - text);
}
