/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define DAY_NS (24 * 3600 * NS_PER_S)

void store_merged_done(struct store_merged *merged)
{
	if (!merged)
		return;
	if (merged->profile)
		profile_done(merged->profile);
	free(merged->profile);
	names_free(merged->names);
	free(merged->missing);
	*merged = (struct store_merged){0};
}

void store_config_init(struct store_config *config, const char *dir)
{
	*config = (struct store_config){
		.dir = dir,
		.retention.age_ns = {7 * DAY_NS, 31 * DAY_NS, 92 * DAY_NS, 366 * DAY_NS, 0},
		.max_series = 5000,
		.max_stack_nodes = 1000000,
		.accept_future_ns = 600 * NS_PER_S,
		.retention.span_age_ns = 2 * DAY_NS,
		.max_spans_per_minute = 20000,
	};
}

bool store_unit_is_time(const char *unit)
{
	return strcmp(unit, "nanoseconds") == 0;
}
