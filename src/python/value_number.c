/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as Python writes them: ints of any size, reals with the fewest digits that tell them apart. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python/value.h"

#define REAL_MAX_DIGITS 21 /* of an 80-bit real */
#define REAL_TEXT_MAX 64
#define LEAST_POINT (-4) /* repr() writes 1e-05, but 0.0001 */
#define MOST_POINT 16	 /* and 1e+16, but 1000000000000000.0 */

/* ---- ints ---- */

#define DIGIT_BITS 30
#define DECIMAL_STEP 1000000000u /* nine decimal digits at a time */
#define DECIMAL_STEP_DIGITS 9
#define INT_MAX_DIGITS                                                                             \
	512 /* of 30 bits: 4,600 decimal ones; Python itself refuses more than 4,300 */

static size_t count_bits(const uint32_t *digits, size_t n)
{
	return n ? (n - 1) * DIGIT_BITS + (32 - (size_t)__builtin_clz(digits[n - 1] | 1)) : 0;
}

/* Divides in place and returns the remainder. */
static uint32_t divide(uint32_t *digits, size_t n)
{
	uint64_t rest = 0;

	for (size_t i = n; i-- > 0;) {
		rest = rest << DIGIT_BITS | digits[i];
		digits[i] = (uint32_t)(rest / DECIMAL_STEP);
		rest %= DECIMAL_STEP;
	}
	return (uint32_t)rest;
}

void value_digits(struct value_reader *reader, const uint32_t *digits, size_t n, bool is_negative)
{
	uint32_t left[INT_MAX_DIGITS], groups[INT_MAX_DIGITS + 8];
	size_t n_groups = 0;

	while (n && !digits[n - 1])
		n--;
	if (n > INT_MAX_DIGITS) {
		value_printf(reader, "<int of %zu bits>", count_bits(digits, n));
		return;
	}
	memcpy(left, digits, n * sizeof(*left));
	do {
		groups[n_groups++] = divide(left, n);
		while (n && !left[n - 1])
			n--;
	} while (n);
	value_printf(reader, "%s%u", is_negative ? "-" : "", groups[n_groups - 1]);
	for (size_t i = n_groups - 1; i-- > 0;)
		value_printf(reader, "%0*u", DECIMAL_STEP_DIGITS, groups[i]);
}

/* ---- reals ---- */

/* Half precision has no type of C here: two are the same when they lie less than half a step apart. */
static bool is_same_half(long double a, long double b)
{
	int exponent;

	(void)frexpl(a, &exponent);
	long double step = ldexpl(1, (exponent < -13 ? -13 : exponent) - 11);
	return fabsl(a - b) < step / 2;
}

static bool is_same(long double value, const char *text, enum value_real kind)
{
	switch (kind) {
	case REAL_HALF:
		return is_same_half(value, strtold(text, NULL));
	case REAL_SINGLE:
		return strtof(text, NULL) == (float)value;
	case REAL_DOUBLE:
		return strtod(text, NULL) == (double)value;
	default:
		return strtold(text, NULL) == value;
	}
}

/* "d.ddde±x" with the fewest digits; returns the exponent. */
static int shortest(long double value, enum value_real kind, char digits[REAL_TEXT_MAX])
{
	char text[REAL_TEXT_MAX];
	size_t n = 0;

	for (int places = 0; places <= REAL_MAX_DIGITS; places++) {
		snprintf(text, sizeof(text), "%.*Le", places, fabsl(value));
		if (is_same(fabsl(value), text, kind))
			break;
	}
	const char *e = strchr(text, 'e');
	for (const char *at = text; at < e; at++)
		if (*at >= '0' && *at <= '9')
			digits[n++] = *at;
	digits[n] = '\0';
	return (int)strtol(e + 1, NULL, 10);
}

static void put_fixed(char *out, const char *digits, int exponent, bool with_point)
{
	int n = (int)strlen(digits), point = exponent + 1;
	size_t at = 0;

	if (point <= 0) {
		out[at++] = '0';
		out[at++] = '.';
		for (int i = point; i < 0; i++)
			out[at++] = '0';
	}
	for (int i = 0; i < n || i < point; i++) {
		if (i == point && i > 0)
			out[at++] = '.';
		out[at++] = i < n ? digits[i] : '0';
	}
	if (with_point && point >= n) {
		out[at++] = '.';
		out[at++] = '0';
	}
	out[at] = '\0';
}

static void put_scientific(char *out, const char *digits, int exponent)
{
	snprintf(out, 2 * REAL_TEXT_MAX, "%c%s%se%c%02d", digits[0], digits[1] ? "." : "",
		 digits + 1, exponent < 0 ? '-' : '+', abs(exponent));
}

void value_real(struct value_reader *reader, long double value, enum value_real kind,
		bool with_point)
{
	char digits[REAL_TEXT_MAX], text[2 * REAL_TEXT_MAX];

	if (isnan(value) || isinf(value)) {
		value_printf(reader, "%s", isnan(value) ? "nan" : signbit(value) ? "-inf" : "inf");
		return;
	}
	int exponent = shortest(value, kind, digits);
	if (exponent < LEAST_POINT || exponent >= MOST_POINT)
		put_scientific(text, digits, exponent);
	else
		put_fixed(text, digits, exponent, with_point);
	value_printf(reader, "%s%s", signbit(value) ? "-" : "", text);
}

void value_complex(struct value_reader *reader, long double re, long double im,
		   enum value_real kind)
{
	bool has_real = re != 0 || signbit(re);

	if (has_real) {
		value_text(reader, "(", 1);
		value_real(reader, re, kind, false);
		if (!signbit(im) || isnan(im))
			value_text(reader, "+", 1);
	}
	value_real(reader, im, kind, false);
	value_text(reader, "j", 1);
	if (has_real)
		value_close(reader, ")");
}
