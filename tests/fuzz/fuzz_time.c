/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a time, a duration, a number of bytes and numbers of options: within their bounds, or not touched. */
#include "fuzz.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/opt.h"
#include "server/attime.h"

#define NOW_NS 1763800000000000000
#define UNTOUCHED (-77)

static void check(int r, int64_t value, int64_t least)
{
	if (r < 0 ? value != UNTOUCHED : value < least)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t value = UNTOUCHED;
	double number = UNTOUCHED;
	struct arena arena;
	struct err err;
	char *text;
	int r;

	arena_init(&arena);
	text = arena_strndup(&arena, (const char *)data, size);
	r = attime_parse(text, NOW_NS, &value, &err);
	check(r, value, INT64_MIN);
	value = UNTOUCHED;
	r = opt_parse_duration(text, &value, &err);
	check(r, value, 0);
	value = UNTOUCHED;
	r = opt_parse_bytes(text, &value, &err);
	check(r, value, 0);
	value = UNTOUCHED;
	r = opt_parse_pid(text, &value, &err);
	check(r, value, 1);
	value = UNTOUCHED;
	r = opt_parse_int(text, -5, 1000, &value, &err);
	check(r, value, -5);
	r = opt_parse_double(text, -5, 1000, &number, &err);
	if (isnan(number) || number > 1000 || (number < -5 && r >= 0))
		abort();
	arena_done(&arena);
	return 0;
}
