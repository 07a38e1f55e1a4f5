/* SPDX-License-Identifier: Apache-2.0 */
#include "server/attime.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define DAY_S 86400ll
/* Longest number of an offset: 999,999,999 years overflow, 999,999,999 s do not. */
#define OFFSET_MAX_DIGITS 9

static const struct {
	const char *name;
	int64_t seconds;
} units[] = {
	/* Longer names first: "mon" and "min" begin with "m". */
	{"mon", 30 * DAY_S}, {"min", 60},      {"s", 1},	  {"m", 60},	      {"h", 3600},
	{"d", DAY_S},	     {"w", 7 * DAY_S}, {"M", 30 * DAY_S}, {"y", 365 * DAY_S},
};

static int fail(const char *text, struct err *err)
{
	return err_set(err, ERR_USAGE,
		       "'%.40s' is not a time; use seconds or milliseconds since 1970, or now-1h",
		       text);
}

/* YYYYMMDD: 1; 0 when it is no date (then it counts seconds); of a year past 2262, which nanoseconds cannot tell, < 0. */
static int parse_date(const char *digits, int64_t *ret_ns)
{
	long number = strtol(digits, NULL, 10);
	struct tm date = {.tm_year = (int)(number / 10000) - 1900,
			  .tm_mon = (int)(number / 100 % 100) - 1,
			  .tm_mday = (int)(number % 100)};
	struct tm normal = date;
	time_t seconds = timegm(&normal);

	if (date.tm_year < 70 || normal.tm_mon != date.tm_mon || normal.tm_mday != date.tm_mday)
		return 0;
	return __builtin_mul_overflow(seconds, NS_PER_S, ret_ns) ? -1 : 1;
}

static int parse_number(const char *text, size_t len, int64_t *ret_ns, struct err *err)
{
	int64_t factor = len == 13 ? NS_PER_MS : len == 16 ? NS_PER_US : len == 19 ? 1 : NS_PER_S;
	int64_t number, ns;
	int date = len == 8 ? parse_date(text, &ns) : 0;

	if (date < 0 || len > 19)
		return fail(text, err);
	number = strtoll(text, NULL, 10); /* saturates */
	if (!date && __builtin_mul_overflow(number, factor, &ns))
		return fail(text, err);
	*ret_ns = ns;
	return 0;
}

/* One "+5min" at *at; moves on. */
static int parse_offset(const char **at, int64_t *ns, struct err *err)
{
	int64_t sign = **at == '-' ? -1 : 1, number, offset;
	const char *digits = *at + 1;
	size_t len = strspn(digits, "0123456789");

	if ((**at != '-' && **at != '+') || !len || len > OFFSET_MAX_DIGITS)
		return fail(*at, err);
	number = strtoll(digits, NULL, 10);
	for (size_t i = 0; i < array_len(units); i++) {
		size_t name = strlen(units[i].name);

		if (strncmp(digits + len, units[i].name, name) != 0)
			continue;
		if (__builtin_mul_overflow(sign * number, units[i].seconds * NS_PER_S, &offset) ||
		    __builtin_add_overflow(*ns, offset, ns))
			return fail(*at, err);
		*at = digits + len + name;
		/* "minutes", "hours": what follows of the word says nothing new. */
		while (isalpha((unsigned char)**at))
			(*at)++;
		return 0;
	}
	return fail(*at, err);
}

int attime_parse(const char *text, int64_t now_ns, int64_t *ret_ns, struct err *err)
{
	size_t digits = strspn(text, "0123456789");
	const char *at = text;
	int64_t ns = now_ns;

	if (digits && !text[digits])
		return parse_number(text, digits, ret_ns, err);
	if (strncmp(at, "now", 3) == 0)
		at += 3;
	else if (*at != '-' && *at != '+')
		return fail(text, err);
	while (*at)
		if (parse_offset(&at, &ns, err) < 0)
			return fail(text, err);
	*ret_ns = ns;
	return 0;
}
