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
	for (;;) {
		scan->at += strspn(scan->at, " \t\r\n");
		if (*scan->at != '#')
			return *scan->at;
		scan->at += strcspn(scan->at, "\n"); /* a comment, as in PromQL */
	}
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

/* ---- escapes, as in Go's strings ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The character that a letter after a backslash stands for, NUL for none. */
static char escaped_letter(char c)
{
	static const char letters[] = "abfnrtv\\\"'", meanings[] = "\a\b\f\n\r\t\v\\\"'";
	const char *found = c ? strchr(letters, c) : NULL;

	return found ? meanings[found - letters] : 0;
}

/* `n` digits of base 8 or 16 behind `at`; UINT32_MAX when they are not there. */
static uint32_t escaped_number(const char *at, int n, uint32_t base)
{
	uint32_t value = 0;

	for (int i = 0; i < n; i++) {
		int digit = hex_digit(at[i]);

		if (digit < 0 || (uint32_t)digit >= base)
			return UINT32_MAX;
		value = value * base + (uint32_t)digit;
	}
	return value;
}

/* The numbers of an escape: \123, \x7f, \u20ac, \U0001f600. */
struct escape {
	char letter; /* 0: none, octal */
	int n;
	uint32_t base;
	bool is_byte;
};

/* Steps over an escape behind its backslash; returns how many bytes it became, 0: it is none. */
static size_t unescape(struct label_scan *scan, char *out)
{
	static const struct escape escapes[] = {
		{'x', 2, 16, true}, {'u', 4, 16, false}, {'U', 8, 16, false}, {0, 3, 8, true}};
	const struct escape *escape = escapes;
	uint32_t code;

	*out = escaped_letter(*scan->at);
	if (*out) {
		scan->at++;
		return 1;
	}
	while (escape->letter && escape->letter != *scan->at)
		escape++;
	code = escaped_number(scan->at + (escape->letter != 0), escape->n, escape->base);
	if (!code || code > (escape->is_byte ? 0xff : 0x10ffff) ||
	    (code >= 0xd800 && code < 0xe000))
		return 0;
	scan->at += escape->n + (escape->letter != 0);
	if (!escape->is_byte)
		return utf8_put(out, code);
	*out = (char)code;
	return 1;
}

int label_scan_string(struct label_scan *scan, const char **ret_text, struct err *err)
{
	char quote = label_scan_peek(scan), *out;
	size_t n = 0;

	if (!quote || !strchr("\"'`", quote))
		return label_scan_fail(scan, "a quoted text", err);
	out = arena_alloc(scan->arena,
			  strlen(scan->at)); /* no escape is shorter than what it says */
	for (scan->at++; *scan->at != quote;) {
		size_t len = 1;

		if (!*scan->at)
			return label_scan_fail(scan, "a closing quote", err);
		if (*scan->at == '\\' && quote != '`') {
			scan->at++;
			len = unescape(scan, out + n);
			if (!len)
				return label_scan_fail(scan,
						       "one of \\ \" ' a b f n r t v x u U or "
						       "octal digits after \\",
						       err);
		} else {
			out[n] = *scan->at++;
		}
		n += len;
	}
	scan->at++;
	out[n] = '\0';
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
