/* SPDX-License-Identifier: Apache-2.0 */
#include "server/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "format/format.h"

#define KIB 1024

const struct opt limit_options[] = {LIMIT_OPTIONS(0), {0}};

/* Which limit a reason speaks of; the reasons are those of the rooms that refuse. */
static const struct {
	const char *reason, *option;
} reasons[] = {
	{"body_size_limit_exceeded", "max-body"},
	{"profile_size_limit", "max-inflated"},
	{"inflate_ratio_limit", "max-ratio"},
	{"samples_limit", "max-samples"},
	{"profiles_limit", "max-profiles"},
	{"max_label_names_per_series", "max-labels"},
	{"label_name_too_long", "max-label-name"},
	{"label_value_too_long", "max-label-value"},
	{"series_limit", "max-series"},
	{"connections", "max-connections"},
	{"headers", "max-headers"},
	{"uri_too_long", "max-uri"},
	{"queue", "max-waiting"},
	{"memory", "max-in-flight"},
	{"query_timeout", "query-timeout"},
	{"login_failures", "max-login-failures"},
};

void limits_init(struct limits *limits)
{
	*limits = (struct limits){0};
	opt_set_standards(limit_options, limits);
}

static const char *option_of_reason(const char *reason)
{
	for (size_t i = 0; reason && i < array_len(reasons); i++)
		if (strcmp(reasons[i].reason, reason) == 0)
			return reasons[i].option;
	return NULL;
}

const struct opt *limits_of_reason(const char *reason)
{
	const char *option = option_of_reason(reason);

	for (const struct opt *row = limit_options; option && row->name; row++)
		if (strcmp(row->name, option) == 0)
			return row;
	return NULL;
}

static void bytes_text(int64_t value, char *out, size_t cap)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
	size_t unit = 0;

	while (value && value % KIB == 0 && unit + 1 < array_len(units)) {
		value /= KIB;
		unit++;
	}
	snprintf(out, cap, "%" PRId64 "%s", value, unit ? units[unit] : "");
}

static void duration_text(int64_t value, char *out, size_t cap)
{
	if (value % (60 * NS_PER_S) == 0 && value > 120 * NS_PER_S)
		snprintf(out, cap, "%lldm", value / (60 * NS_PER_S));
	else if (value % NS_PER_S == 0)
		snprintf(out, cap, "%llds", value / NS_PER_S);
	else
		snprintf(out, cap, "%lldms", value / NS_PER_MS);
}

void limits_value_text(const struct limits *limits, const struct opt *row, char *out, size_t cap)
{
	int64_t value;

	memcpy(&value, (const char *)limits + row->offset, sizeof(value));
	if (row->kind == OPT_BYTES)
		bytes_text(value, out, cap);
	else if (row->kind == OPT_DURATION)
		duration_text(value, out, cap);
	else
		snprintf(out, cap, "%" PRId64, value);
}

void limits_advise(const struct limits *limits, struct err *err)
{
	const struct opt *row = limits_of_reason(err->reason);
	char value[32];

	if (!row)
		return;
	limits_value_text(limits, row, value, sizeof(value));
	err_suffix(err, err->code, " (the limit is %s: change it with serve --%s)", value,
		   row->name);
}

struct http_limits limits_http(const struct limits *limits)
{
	struct http_limits http = http_limits_default;

	http.max_connections = limits->max_connections;
	http.max_header_bytes = limits->max_header_bytes;
	http.max_uri_bytes = limits->max_uri_bytes;
	http.max_body_bytes = limits->max_body_bytes;
	http.max_inflated_bytes = limits->max_inflated_bytes;
	http.max_in_flight_bytes = limits->max_in_flight_bytes;
	http.max_streams = limits->max_streams;
	http.max_queue = limits->max_waiting;
	http.header_ns = limits->header_ns;
	http.request_ns = limits->request_ns;
	http.idle_ns = limits->idle_ns;
	return http;
}

void limits_set_format(const struct limits *limits, struct format_limits *format)
{
	format->max_inflated_bytes = limits->max_inflated_bytes;
	format->max_samples = (uint32_t)limits->max_samples;
	format->max_depth = (uint32_t)limits->max_depth;
}

void limits_set_store(const struct limits *limits, struct store_config *store)
{
	store->max_series = (uint32_t)limits->max_series;
	store->max_spans_per_minute = (uint32_t)limits->max_spans_per_minute;
	store->accept_future_ns = limits->accept_future_ns;
}
