/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every limit of the server, in one table: LIMIT_OPTIONS below.  From it come the options of `pyrometer serve`, the
 * defaults, the advice in refusals ("raise it with --max-samples") and
 * GET /api/v1/limits; docs/LIMITS.md shows it, and a test compares the two.
 *
 * A refusal finds its limit by the reason of its error (struct err.reason): limits_of_reason().  Reasons are
 * Pyroscope's words where it has one, since dashboards know them (pyroscope_discarded_samples_total).
 */
#ifndef SERVER_LIMITS_H
#define SERVER_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/opt.h"
#include "http/http_server.h"
#include "store/store.h"

/* Numbers and bytes are whole and positive; times are nanoseconds. */
struct limits {
	size_t max_body_bytes, max_inflated_bytes, max_inflate_ratio;
	size_t max_samples, max_depth, max_profiles;
	size_t max_labels, max_label_name_bytes, max_label_value_bytes;
	size_t max_series, max_spans_per_minute, max_delta_bytes;
	int64_t accept_future_ns;
	size_t max_connections, max_streams, max_header_bytes, max_uri_bytes;
	size_t max_waiting, max_in_flight_bytes;
	int64_t header_ns, request_ns, idle_ns;
	int64_t query_ns;
	size_t max_queries;
	size_t max_login_failures;
};

/* Rows of an option table that fill the struct limits at offset `at`. */
#define LIMIT_ROW(at, member, option, type, value, standard_, least_, most_)                       \
	.name = (option), .kind = (type), .offset = (at) + offsetof(struct limits, member),        \
	.arg = (value), .standard = (standard_), .least = (least_), .most = (most_)

#define LIMIT_OPTIONS(at)                                                                          \
	{LIMIT_ROW(at, max_body_bytes, "max-body", OPT_BYTES, "BYTES", "16MiB", 1024, 4e9),        \
	 .heading = "limits (what is beyond them is refused, and the answer names the option)",    \
	 .help = "body of one request, as sent"},                                                  \
		{LIMIT_ROW(at, max_inflated_bytes, "max-inflated", OPT_BYTES, "BYTES", "64MiB",    \
			   1024, 16e9),                                                            \
		 .help = "the same body with everything in it decompressed"},                      \
		{LIMIT_ROW(at, max_inflate_ratio, "max-ratio", OPT_INT, "N", "200", 2, 1e6),       \
		 .help = "times that a body may grow when decompressed, after the first 1MiB"},    \
		{LIMIT_ROW(at, max_samples, "max-samples", OPT_INT, "N", "200000", 1, 1e8),        \
		 .help = "samples in one profile"},                                                \
		{LIMIT_ROW(at, max_depth, "max-depth", OPT_INT, "N", "1024", 16, 65536),           \
		 .help = "frames stored of one stack; of a deeper one both ends are"},             \
		{LIMIT_ROW(at, max_profiles, "max-profiles", OPT_INT, "N", "1000", 1, 1000),       \
		 .help = "profiles in one request"},                                               \
		{LIMIT_ROW(at, max_labels, "max-labels", OPT_INT, "N", "30", 2, LABELS_MAX),       \
		 .help = "labels of a series"},                                                    \
		{LIMIT_ROW(at, max_label_name_bytes, "max-label-name", OPT_BYTES, "BYTES", "1KiB", \
			   16, LABEL_NAME_MAX_BYTES),                                              \
		 .help = "name of a label"},                                                       \
		{LIMIT_ROW(at, max_label_value_bytes, "max-label-value", OPT_BYTES, "BYTES",       \
			   "2KiB", 16, LABEL_VALUE_MAX_BYTES),                                     \
		 .help = "value of a label"},                                                      \
		{LIMIT_ROW(at, max_series, "max-series", OPT_INT, "N", "5000", 1, 1e6),            \
		 .help = "series of one tenant"},                                                  \
		{LIMIT_ROW(at, max_spans_per_minute, "max-spans", OPT_INT, "N", "20000", 0, 1e9),  \
		 .help = "spans kept of one series in a minute; samples of others are in no span " \
			 "profile"},                                                               \
		{LIMIT_ROW(at, max_delta_bytes, "max-counters", OPT_BYTES, "BYTES", "64MiB", 4096, \
			   1e12),                                                                  \
		 .help = "memory for the counts of one tenant's cumulative profiles; beyond it "   \
			 "the "                                                                    \
			 "series that waited longest is forgotten"},                               \
		{LIMIT_ROW(at, accept_future_ns, "accept-future", OPT_DURATION, "TIME", "10m", 0,  \
			   86400e9),                                                               \
		 .help = "how far ahead of this machine's clock a profile may end"},               \
		{LIMIT_ROW(at, max_connections, "max-connections", OPT_INT, "N", "512", 1, 1e5),   \
		 .help = "open connections"},                                                      \
		{LIMIT_ROW(at, max_streams, "max-streams", OPT_INT, "N", "100", 1, 10000),         \
		 .help = "requests at a time in one HTTP/2 connection"},                           \
		{LIMIT_ROW(at, max_header_bytes, "max-headers", OPT_BYTES, "BYTES", "16KiB", 1024, \
			   24 << 10),                                                              \
		 .help = "headers of one request"},                                                \
		{LIMIT_ROW(at, max_uri_bytes, "max-uri", OPT_BYTES, "BYTES", "8KiB", 256,          \
			   16 << 10),                                                              \
		 .help = "URL of one request"},                                                    \
		{LIMIT_ROW(at, max_waiting, "max-waiting", OPT_INT, "N", "256", 1, 1e6),           \
		 .help = "requests of one kind (uploads, queries) that wait for their turn"},      \
		{LIMIT_ROW(at, max_in_flight_bytes, "max-in-flight", OPT_BYTES, "BYTES", "256MiB", \
			   1024, 1e12),                                                            \
		 .help = "bodies of all requests under way together"},                             \
		{LIMIT_ROW(at, header_ns, "header-timeout", OPT_DURATION, "TIME", "10s", 1e8,      \
			   3600e9),                                                                \
		 .help = "from a request's first byte to the end of its headers"},                 \
		{LIMIT_ROW(at, request_ns, "request-timeout", OPT_DURATION, "TIME", "60s", 1e8,    \
			   86400e9),                                                               \
		 .help = "from the end of the headers to the answer"},                             \
		{LIMIT_ROW(at, idle_ns, "idle-timeout", OPT_DURATION, "TIME", "75s", 1e8,          \
			   86400e9),                                                               \
		 .help = "silence between two requests of one connection"},                        \
		{LIMIT_ROW(at, query_ns, "query-timeout", OPT_DURATION, "TIME", "30s", 1e8,        \
			   86400e9),                                                               \
		 .help = "time that one query may take; it ends at once when its client leaves"},  \
		{LIMIT_ROW(at, max_queries, "max-queries", OPT_INT, "N", "2", 1, 256),             \
		 .help = "queries that run at a time; others wait"},                               \
	{                                                                                          \
		LIMIT_ROW(at, max_login_failures, "max-login-failures", OPT_INT, "N", "10", 1,     \
			  1e6),                                                                    \
			.help = "wrong tokens a minute from one address, before it has to wait"    \
	}

/* The table by itself; offsets are within struct limits. */
extern const struct opt limit_options[];

/* The defaults. */
void limits_init(struct limits *limits);
/* The row of the limit behind a reason, or NULL: no option changes it. */
const struct opt *limits_of_reason(const char *reason);
/* What stands in the row's member, as one would type it: "16MiB", "30s". */
void limits_value_text(const struct limits *limits, const struct opt *row, char *out, size_t cap);
/* Append to an error what its limit is and which option changes it, when its reason has a limit. */
void limits_advise(const struct limits *limits, struct err *err);

/* The parts that the rooms below need. */
struct http_limits limits_http(const struct limits *limits);
struct format_limits;
void limits_set_format(const struct limits *limits, struct format_limits *format);
void limits_set_store(const struct limits *limits, struct store_config *store);

#endif
