/* SPDX-License-Identifier: Apache-2.0 */
/* The levels of the store as one table, and the arithmetic of windows and file periods (UTC). */
#ifndef STORE_SQLITE_LEVEL_H
#define STORE_SQLITE_LEVEL_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

/*
 * Spans are no level, but files of their kind (exemplar_block.h): a day each, beside that of the finest level, with
 * an age of their own.
 */
enum {
	LEVEL_FINE,
	LEVEL_1M,
	LEVEL_10M,
	LEVEL_1H,
	LEVEL_1D,
	LEVEL_COUNT,
	LEVEL_SPANS = LEVEL_COUNT,
	LEVEL_FILES, /* kinds of files */
};

struct level {
	const char *name;  /* of its folder */
	int64_t window_ns; /* 0: profiles as they came */
	bool is_monthly;   /* a file holds a month, else a day */
};

extern const struct level levels[LEVEL_FILES];

/* Made of finer levels? */
static inline bool level_is_rolled(int level)
{
	return level > LEVEL_FINE && level < LEVEL_COUNT;
}

/* Start of the window that holds `at_ns`. */
static inline int64_t level_window(int level, int64_t at_ns)
{
	return at_ns - at_ns % levels[level].window_ns;
}

/* The day or month that a file of the level with data at `at_ns` (>= 0) holds. */
struct store_range level_period(int level, int64_t at_ns);
/* Months since year 0: the number of a dictionary's month. */
int level_month(int64_t at_ns);
/* "2026-11-22" or "2026-11" */
void level_period_name(int level, int64_t at_ns, char out[16]);

#endif
