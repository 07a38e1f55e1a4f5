/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_SPEEDSCOPE_PRIVATE_H
#define FORMAT_SPEEDSCOPE_PRIVATE_H

#include <stdint.h>

#define SPEEDSCOPE_SCHEMA "https://www.speedscope.app/file-format-schema.json"

/* Units of the format; `scale` to ours. */
struct speedscope_unit {
	const char *name;
	int64_t scale;
	const char *type, *unit; /* of our column, where the file does not name a type */
};

static const struct speedscope_unit speedscope_units[] = {
	{"nanoseconds", 1, "wall", "nanoseconds"},
	{"microseconds", 1000, "wall", "nanoseconds"},
	{"milliseconds", 1000000, "wall", "nanoseconds"},
	{"seconds", 1000000000, "wall", "nanoseconds"},
	{"bytes", 1, "space", "bytes"},
	{"none", 1, "samples", "count"},
};

#endif
