/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/label_scan.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

bool label_name_begins(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool label_name_goes_on(char c)
{
	return label_name_begins(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
}

char label_scan_peek(struct label_scan *scan)
{
	scan->at += strspn(scan->at, " \t\r\n");
	return *scan->at;
}

bool label_scan_take(struct label_scan *scan, char c)
{
	if (label_scan_peek(scan) != c)
		return false;
	scan->at++;
	return true;
}

int label_scan_fail(const struct label_scan *scan, const char *what, struct err *err)
{
	size_t place = (size_t)(scan->at - scan->text) + 1;
	uint32_t code;

	if (!*scan->at)
		return err_set(err, ERR_USAGE, "character %zu: expected %s, found the end", place,
			       what);
	return err_set(err, ERR_USAGE, "character %zu: expected %s, found '%.*s'", place, what,
		       (int)utf8_next(scan->at, strlen(scan->at), &code), scan->at);
}

/* The character that an escape stands for, NUL for an escape that is none. */
static char unescaped(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case '\\':
	case '"':
	case '\'':
		return c;
	default:
		return 0;
	}
}

int label_scan_string(struct label_scan *scan, const char **ret_text, struct err *err)
{
	char quote = label_scan_peek(scan), *out;
	size_t n = 0;

	if (!quote || !strchr("\"'`", quote))
		return label_scan_fail(scan, "a quoted text", err);
	out = arena_alloc(scan->arena, strlen(scan->at));
	for (scan->at++; *scan->at != quote; scan->at++) {
		char c = *scan->at;

		if (c == '\\' && quote != '`') {
			c = unescaped(*++scan->at);
			if (!c)
				return label_scan_fail(scan, "one of \\ \" ' n r t after \\", err);
		}
		if (!c)
			return label_scan_fail(scan, "a closing quote", err);
		out[n++] = c;
	}
	scan->at++;
	*ret_text = out;
	return 0;
}

int label_scan_name(struct label_scan *scan, const char **ret_name, struct err *err)
{
	char first = label_scan_peek(scan);
	size_t n = 0;

	if (first && strchr("\"'`", first))
		return label_scan_string(scan, ret_name, err);
	if (!label_name_begins(first))
		return label_scan_fail(scan, "a label name", err);
	while (label_name_goes_on(scan->at[n]))
		n++;
	*ret_name = arena_strndup(scan->arena, scan->at, n);
	scan->at += n;
	return 0;
}
