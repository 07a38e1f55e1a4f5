/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/level.h"

#include "base/clock.h"

#define MINUTE_NS (60 * NS_PER_S)
#define HOUR_NS (60 * MINUTE_NS)
#define DAY_NS (24 * HOUR_NS)

const struct level levels[LEVEL_FILES] = {
	[LEVEL_FINE] = {"10s", 0, false},
	[LEVEL_1M] = {"1m", MINUTE_NS, false},
	[LEVEL_10M] = {"10m", 10 * MINUTE_NS, true},
	[LEVEL_1H] = {"1h", HOUR_NS, true},
	[LEVEL_1D] = {"1d", DAY_NS, true},
	[LEVEL_SPANS] = {"spans", 0, false},
};

static struct tm utc(int64_t at_ns)
{
	time_t seconds = at_ns / NS_PER_S;
	struct tm parts;

	gmtime_r(&seconds, &parts);
	return parts;
}

static int64_t month_start(struct tm parts)
{
	struct tm first = {.tm_year = parts.tm_year, .tm_mon = parts.tm_mon, .tm_mday = 1};

	return timegm(&first) * NS_PER_S;
}

struct store_range level_period(int level, int64_t at_ns)
{
	int64_t day = at_ns - at_ns % DAY_NS;
	struct tm parts;
	int64_t from;

	if (!levels[level].is_monthly)
		return (struct store_range){day, day + DAY_NS};
	parts = utc(at_ns);
	from = month_start(parts);
	parts.tm_mon++; /* timegm() turns month 12 into January */
	return (struct store_range){from, month_start(parts)};
}

int level_month(int64_t at_ns)
{
	struct tm parts = utc(at_ns);

	return (parts.tm_year + 1900) * 12 + parts.tm_mon;
}

void level_period_name(int level, int64_t at_ns, char out[16])
{
	struct tm parts = utc(at_ns);

	strftime(out, 16, levels[level].is_monthly ? "%Y-%m" : "%Y-%m-%d", &parts);
}
