/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics: Prometheus text.  No label holds anything that a client sent, so the number of lines
 * never grows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/delta.h"
#include "server/merged_cache.h"
#include "server/reject_show.h"
#include "server/scrape.h"
#include "server/upload.h"

struct metric {
	const char *name, *type, *help;
	uint64_t value;
};

static void put_head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP pyrometer_%s %s\n# TYPE pyrometer_%s %s\n", name, help, name, type);
}

static void put_all(struct buf *out, const struct metric *metrics, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		put_head(out, metrics[i].name, metrics[i].type, metrics[i].help);
		buf_printf(out, "pyrometer_%s %" PRIu64 "\n", metrics[i].name, metrics[i].value);
	}
}

static void put_http(struct buf *out, const struct server *server)
{
	struct http_stats stats;

	http_server_stats(server->http, &stats);
	put_all(out,
		(struct metric[]){
			{"http_connections", "gauge", "Open connections.", stats.connections},
			{"http_connections_total", "counter", "Connections accepted.",
			 stats.connections_total},
			{"http_in_flight", "gauge", "Requests being handled or queued.",
			 stats.in_flight},
			{"http_in_flight_bytes", "gauge", "Bytes of request bodies held.",
			 stats.in_flight_bytes},
			{"http_cancelled_total", "counter", "Requests whose client left.",
			 stats.cancelled},
		},
		5);
	put_head(out, "http_requests_total", "counter", "Answers by class of status.");
	for (int i = 1; i < 6; i++)
		buf_printf(out, "pyrometer_http_requests_total{code=\"%dxx\"} %" PRIu64 "\n", i,
			   stats.requests[i]);
	put_head(out, "http_refused_total", "counter",
		 "Requests refused before a handler saw them.");
	for (int i = 0; i < HTTP_REFUSAL_COUNT; i++)
		buf_printf(out, "pyrometer_http_refused_total{reason=\"%s\"} %" PRIu64 "\n",
			   http_refusal_name((enum http_refusal)i), stats.refused[i]);
}

static void put_uploads(struct buf *out, struct server *server)
{
	struct server_counters *counters = &server->counters;

	put_all(out,
		(struct metric[]){
			{"uploads_total", "counter", "Uploads acknowledged.",
			 atomic_load(&counters->uploads)},
			{"profiles_total", "counter", "Profiles stored.",
			 atomic_load(&counters->profiles)},
			{"profiles_duplicate_total", "counter",
			 "Profiles acknowledged that were known already.",
			 atomic_load(&counters->duplicates)},
			{"upload_bytes_total", "counter", "Bytes of uploads as sent.",
			 atomic_load(&counters->upload_bytes)},
			{"upload_inflated_bytes_total", "counter",
			 "Bytes of uploads without the transport's compression.",
			 atomic_load(&counters->inflated_bytes)},
			{"span_samples_spoilt_total", "counter",
			 "Samples that name a span or trace by what is no id.",
			 atomic_load(&counters->spoilt_spans)},
			{"inflated_bytes", "gauge", "Bytes of decompressed uploads held now.",
			 atomic_load(&server->budget.in_flight_bytes)},
		},
		7);
	put_head(out, "uploads_refused_total", "counter", "Uploads refused, by reason.");
	for (int i = 0; i < UPLOAD_REFUSAL_COUNT; i++)
		buf_printf(out, "pyrometer_uploads_refused_total{reason=\"%s\"} %" PRIu64 "\n",
			   upload_refusal_name((enum upload_refusal)i),
			   (uint64_t)atomic_load(&counters->refused[i]));
}

static void put_counters(struct buf *out, struct server *server)
{
	struct delta_stats stats;

	delta_stats(server->delta, &stats);
	put_all(out,
		(struct metric[]){
			{"delta_series", "gauge", "Series whose profiles count up.", stats.series},
			{"delta_bytes", "gauge", "Bytes of their counts.", stats.bytes},
			{"delta_forgotten_total", "counter",
			 "Series forgotten for want of room: their next profile counts nothing.",
			 stats.forgotten},
		},
		3);
	put_head(out, "delta_profiles_total", "counter",
		 "Cumulative profiles, by what became of them.");
	buf_printf(out,
		   "pyrometer_delta_profiles_total{as=\"difference\"} %" PRIu64 "\n"
		   "pyrometer_delta_profiles_total{as=\"base\"} %" PRIu64 "\n"
		   "pyrometer_delta_profiles_total{as=\"restart\"} %" PRIu64 "\n"
		   "pyrometer_delta_profiles_total{as=\"late\"} %" PRIu64 "\n",
		   stats.counted, stats.bases, stats.restarts, stats.late);
}

static void put_scrapes(struct buf *out, struct server *server)
{
	struct scraper_stats stats;

	scraper_stats(server->scraper, &stats);
	put_all(out,
		(struct metric[]){
			{"scrape_targets", "gauge", "Targets that are scraped.", stats.targets},
			{"scrape_profiles", "gauge", "Profiles of all targets.", stats.profiles},
			{"scrape_profiles_up", "gauge", "Of these, those whose last scrape worked.",
			 stats.profiles_up},
			{"scrapes_total", "counter", "Scrapes that ended.", stats.scrapes},
			{"scrape_failures_total", "counter", "Of these, those that failed.",
			 stats.failures},
			{"scrape_late_total", "counter",
			 "Scrapes left out, since the one before had not ended.", stats.late},
			{"scrape_bytes_total", "counter", "Bytes of answers.", stats.bytes},
		},
		7);
	put_head(out, "scrape_duration_seconds_total", "counter", "Time that scrapes took.");
	buf_printf(out, "pyrometer_scrape_duration_seconds_total %.3f\n", stats.seconds);
}

static void put_queries(struct buf *out, struct server *server)
{
	static const char *const names[QUERY_KIND_COUNT] = {
		[QUERY_SERVICES] = "services",	 [QUERY_LABELS] = "labels",
		[QUERY_TIMELINE] = "timeline",	 [QUERY_VIEW] = "view",
		[QUERY_DIFF] = "diff",		 [QUERY_LINES] = "lines",
		[QUERY_EXPORT] = "export",	 [QUERY_FUNCTIONS] = "functions",
		[QUERY_CHANGES] = "changes",	 [QUERY_BREAKDOWN] = "breakdown",
		[QUERY_EXEMPLARS] = "exemplars", [QUERY_DELETE] = "delete",
	};
	struct server_counters *counters = &server->counters;
	struct merged_cache_stats cache;

	merged_cache_stats(server->cache, &cache);
	put_head(out, "query_duration_seconds", "summary", "Queries and the time they took.");
	for (int i = 0; i < QUERY_KIND_COUNT; i++) {
		buf_printf(out, "pyrometer_query_duration_seconds_count{kind=\"%s\"} %" PRIu64 "\n",
			   names[i], (uint64_t)atomic_load(&counters->queries[i]));
		buf_printf(out, "pyrometer_query_duration_seconds_sum{kind=\"%s\"} %.6f\n",
			   names[i], (double)atomic_load(&counters->query_us[i]) / 1e6);
	}
	put_all(out,
		(struct metric[]){
			{"query_failures_total", "counter", "Queries that ended in an error.",
			 atomic_load(&counters->query_failures)},
			{"merged_cache_hits_total", "counter",
			 "Merged profiles found in the cache.", cache.hits},
			{"merged_cache_misses_total", "counter", "Merged profiles made.",
			 cache.misses},
			{"merged_cache_nodes", "gauge", "Stack nodes in the cache.", cache.nodes},
		},
		4);
}

static void put_store(struct buf *out, struct server *server)
{
	struct store_stats stats;

	server->store->ops->stats(server->store, &stats);
	put_all(out,
		(struct metric[]){
			{"store_puts_total", "counter", "Profiles given to the store.", stats.puts},
			{"store_rejected_total", "counter", "Profiles that the store refused.",
			 stats.rejected},
			{"store_commits_total", "counter", "Transactions on disk.", stats.commits},
			{"store_blocks", "gauge", "Blocks on disk.", stats.blocks},
			{"store_bytes", "gauge", "Bytes on disk.", stats.bytes_on_disk},
			{"store_series", "gauge", "Series known.", stats.series},
			{"store_stack_nodes", "gauge", "Nodes of the dictionaries.",
			 stats.stack_nodes},
			{"store_strings", "gauge", "Distinct texts.", stats.strings},
			{"store_spans_total", "counter", "Spans of profiles kept.", stats.spans},
			{"store_span_samples_left_out_total", "counter",
			 "Samples of spans past the limits, or older than spans are kept: in "
			 "their profile only.",
			 stats.span_samples_left_out},
			{"store_queue_depth", "gauge", "Profiles that wait for the writer.",
			 stats.queue_depth},
			{"store_damaged_blocks", "gauge",
			 "Blocks found damaged since the start: left out of answers, which say so.",
			 stats.damaged_blocks},
			{"store_damaged_files", "gauge", "Block files set aside as damaged.",
			 stats.damaged_files},
			{"store_is_full", "gauge", "1 while the disk is full.", stats.is_full},
		},
		14);
}

/* Seconds of CPU that this process has used. */
static double cpu_seconds(void)
{
	return (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / (double)NS_PER_S;
}

static uint64_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void put_process(struct buf *out, const struct server *server)
{
	put_head(out, "process_cpu_seconds_total", "counter", "CPU time of the server.");
	buf_printf(out, "pyrometer_process_cpu_seconds_total %.3f\n", cpu_seconds());
	put_all(out,
		(struct metric[]){
			{"process_resident_bytes", "gauge", "Resident memory.", resident_bytes()},
			{"process_start_time_seconds", "gauge", "When the server started.",
			 (uint64_t)(server->start_ns / NS_PER_S)},
		},
		2);
}

void handle_metrics(void *ctx, struct http_exchange *exchange)
{
	struct buf *out = &exchange->response.body;

	exchange->response.content_type = "text/plain; version=0.0.4; charset=utf-8";
	put_http(out, ctx);
	put_uploads(out, ctx);
	put_counters(out, ctx);
	put_scrapes(out, ctx);
	put_queries(out, ctx);
	put_store(out, ctx);
	put_process(out, ctx);
	reject_show_metrics(ctx, out, &exchange->arena);
	http_exchange_finish(exchange);
}
