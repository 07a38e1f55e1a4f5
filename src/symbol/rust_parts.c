/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/rust_private.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/utf8.h"
#include "symbol/demangle.h"

#define STEPS_MAX 4096
#define DEPTH_MAX 128
#define PUNYCODE_MAX 256 /* characters of one identifier */

/* ---- the ends: input and output ---- */

void rust_put(struct rust *rust, const char *text, size_t len)
{
	if (rust->is_silent || rust->is_bad)
		return;
	len = min_of(len, rust->cap - 1 - rust->n);
	memcpy(rust->into + rust->n, text, len);
	rust->n += len;
}

void rust_puts(struct rust *rust, const char *text)
{
	rust_put(rust, text, strlen(text));
}

void rust_put_number(struct rust *rust, uint64_t value)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);

	rust_put(rust, text, (size_t)n);
}

char rust_peek(const struct rust *rust)
{
	return rust->at < rust->len ? rust->text[rust->at] : '\0';
}

bool rust_take(struct rust *rust, char c)
{
	if (rust->is_bad || rust_peek(rust) != c || !c)
		return false;
	rust->at++;
	return true;
}

char rust_next(struct rust *rust)
{
	char c = rust_peek(rust);

	if (c)
		rust->at++;
	else
		rust->is_bad = true;
	return c;
}

bool rust_enter(struct rust *rust)
{
	if (rust->is_bad || ++rust->steps > STEPS_MAX || ++rust->depth > DEPTH_MAX)
		rust->is_bad = true;
	return !rust->is_bad;
}

void rust_leave(struct rust *rust)
{
	rust->depth--;
}

/* ---- numbers ---- */

static int digit62(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'Z' ? c - 'A' + 36 : -1;
}

/* "_" is 0, "0_" is 1, ... */
uint64_t rust_base62(struct rust *rust)
{
	uint64_t value = 0;

	if (rust_take(rust, '_'))
		return 0;
	while (!rust->is_bad && !rust_take(rust, '_')) {
		int digit = digit62(rust_next(rust));

		if (digit < 0 || __builtin_mul_overflow(value, 62, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value))
			rust->is_bad = true;
	}
	if (value == UINT64_MAX)
		rust->is_bad = true;
	return value + 1;
}

/* An optional number with its tag: 0 when it is not there, else one more than what stands there. */
uint64_t rust_tagged62(struct rust *rust, char tag)
{
	return rust_take(rust, tag) ? rust_base62(rust) + 1 : 0;
}

static uint64_t decimal(struct rust *rust)
{
	uint64_t value = 0;

	if (rust_peek(rust) < '0' || rust_peek(rust) > '9')
		rust->is_bad = true;
	if (rust_take(rust, '0'))
		return 0;
	while (!rust->is_bad && rust_peek(rust) >= '0' && rust_peek(rust) <= '9') {
		value = value * 10 + (uint64_t)(rust_next(rust) - '0');
		if (value > DEMANGLE_LINKED_MAX)
			rust->is_bad = true;
	}
	return value;
}

/* ---- identifiers ---- */

static uint32_t adapt(uint32_t delta, uint32_t n_points, bool is_first)
{
	uint32_t k = 0;

	delta /= is_first ? 700 : 2;
	for (delta += delta / n_points; delta > 455; k += 36)
		delta /= 35;
	return k + 36 * delta / (delta + 38);
}

/* RFC 3492 with "_" for "-".  Returns how many characters, negative when malformed. */
static int punycode(const char *text, size_t len, uint32_t out[PUNYCODE_MAX])
{
	uint32_t code = 128, i = 0, bias = 72;
	size_t n = 0, at = 0, basic = len;

	while (basic > 0 && text[basic - 1] != '_')
		basic--;
	for (; basic > 0 && n + 1 < basic && n < PUNYCODE_MAX; n++)
		out[n] = (uint8_t)text[n];
	for (at = basic; at < len; n++, i++) {
		uint32_t old = i, weight = 1;

		for (uint32_t k = 36;; k += 36) {
			char c = at < len ? text[at++] : '\0';
			int digit = c >= 'a' && c <= 'z'   ? c - 'a'
				    : c >= '0' && c <= '9' ? c - '0' + 26
							   : -1;
			uint32_t edge = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias, step;

			if (digit < 0 || __builtin_mul_overflow((uint32_t)digit, weight, &step) ||
			    __builtin_add_overflow(i, step, &i))
				return -1;
			if ((uint32_t)digit < edge)
				break;
			if (__builtin_mul_overflow(weight, 36 - edge, &weight))
				return -1;
		}
		uint32_t n_points = (uint32_t)n + 1;

		bias = adapt(i - old, n_points, old == 0);
		code += i / n_points;
		i %= n_points;
		if (n >= PUNYCODE_MAX || code > 0x10ffff)
			return -1;
		memmove(out + i + 1, out + i, (n - i) * sizeof(*out));
		out[i] = code;
	}
	return (int)n;
}

static void put_punycode(struct rust *rust, const char *text, size_t len)
{
	uint32_t codes[PUNYCODE_MAX];
	int n = punycode(text, len, codes);

	if (n < 0)
		rust->is_bad = true;
	for (int i = 0; i < n; i++) {
		char bytes[4];

		rust_put(rust, bytes, utf8_put(bytes, codes[i]));
	}
}

struct rust_name rust_identifier(struct rust *rust)
{
	struct rust_name out = {.is_punycode = rust_take(rust, 'u')};

	out.len = decimal(rust);
	(void)rust_take(rust, '_'); /* where the name begins with a digit or "_" */
	if (rust->is_bad || out.len > rust->len - rust->at) {
		rust->is_bad = true;
		return (struct rust_name){.text = ""};
	}
	out.text = rust->text + rust->at;
	rust->at += out.len;
	return out;
}

void rust_put_identifier(struct rust *rust, const struct rust_name *id)
{
	if (id->is_punycode)
		put_punycode(rust, id->text, id->len);
	else
		rust_put(rust, id->text, id->len);
}

/* ---- references: "B" and a place before it ---- */

/* Returns where to go back to; SIZE_MAX when nothing is to be read there. */
size_t rust_go_back(struct rust *rust)
{
	size_t here = rust->at - 1;
	uint64_t place = rust_base62(rust);
	size_t after = rust->at;

	if (rust->is_bad || place >= here) {
		rust->is_bad = true;
		return SIZE_MAX;
	}
	if (rust->is_silent)
		return SIZE_MAX;
	rust->at = (size_t)place;
	return after;
}
