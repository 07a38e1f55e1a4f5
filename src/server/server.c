/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server.h"

#include <stdlib.h>

#include "base/clock.h"
#include "server/merged_cache.h"
#include "server/server_private.h"
#include "store/sqlite/sqlite_store.h"

/* What decompressed uploads may hold together: four of the largest. */
#define BUDGET_BODIES 4
#define SOURCE_MAX_BYTES ((size_t)2 << 20)

#define QUERIER "/querier.v1.QuerierService"
#define OTLP_SERVICE "/opentelemetry.proto.collector.profiles.v1development.ProfilesService"

static const struct http_route routes[] = {
	{"/push.v1.PusherService/Push", HTTP_ALLOW_POST, HTTP_LANE_INGEST, handle_push, 0},
	{"/ingest", HTTP_ALLOW_POST, HTTP_LANE_INGEST, handle_ingest, 0},
	{"/pyroscope/ingest", HTTP_ALLOW_POST, HTTP_LANE_INGEST, handle_ingest, 0},
	{"/v1development/profiles", HTTP_ALLOW_POST, HTTP_LANE_INGEST, handle_otlp_http, 0},
	{OTLP_SERVICE "/Export", HTTP_ALLOW_POST, HTTP_LANE_INGEST, handle_otlp_grpc, 0},
	{"/api/v1/source", HTTP_ALLOW_PUT, HTTP_LANE_INGEST, handle_source, SOURCE_MAX_BYTES},
	{QUERIER "/ProfileTypes", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_types, 0},
	{QUERIER "/LabelNames", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_names, 0},
	{QUERIER "/LabelValues", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_values, 0},
	{QUERIER "/Series", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_series, 0},
	{QUERIER "/SelectSeries", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_select_series,
	 0},
	{QUERIER "/SelectMergeStacktraces", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_stacks,
	 0},
	{QUERIER "/SelectMergeProfile", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_profile,
	 0},
	{QUERIER "/Diff", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_diff, 0},
	{QUERIER "/GetProfileStats", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_stats, 0},
	{QUERIER "/AnalyzeQuery", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_analyze, 0},
	{"/pyroscope/render", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_render, 0},
	{"/pyroscope/render-diff", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_render_diff, 0},
	{"/api/v1/services", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_services, 0},
	{"/api/v1/labels", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_labels, 0},
	{"/api/v1/labels/*", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_label_values, 0},
	{"/api/v1/timeline", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_timeline, 0},
	{"/api/v1/view", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_view, 0},
	{"/api/v1/diff", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_diff, 0},
	{"/api/v1/lines", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_lines, 0},
	{"/api/v1/export", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_export, 0},
	{"/api/v1/functions", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_functions, 0},
	{"/api/v1/changes", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_changes, 0},
	{"/api/v1/breakdown", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_breakdown, 0},
	{"/ready", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_ready, 0},
	{"/healthz", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_healthz, 0},
	{"/metrics", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_metrics, 0},
	{"/", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_page, 0},
	{"/*", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_page, 0},
	{0},
};

void server_config_init(struct server_config *config, const char *dir)
{
	*config = (struct server_config){.limits = http_limits_default};
	store_config_init(&config->store, dir);
}

static int open_store(struct server *server, struct err *err)
{
	server->store = server->config.given_store;
	if (server->store)
		return 0;
	return sqlite_store_open(&server->config.store, &server->store, err);
}

static int start_http(struct server *server, struct err *err)
{
	const struct server_config *config = &server->config;

	server->http_config = (struct http_config){
		.listen = config->listen,
		.n_listen = config->n_listen,
		.listen_if_free = config->listen_if_free,
		.n_if_free = config->n_if_free,
		.hosts = config->hosts,
		.n_hosts = config->n_hosts,
		.routes = routes,
		.ctx = server,
		.limits = config->limits,
	};
	return http_server_start(&server->http_config, &server->http, err);
}

static void server_free(struct server *server)
{
	/* Answers that were put off come from the store's thread: it ends before the HTTP server. */
	if (server->store && !server->config.given_store)
		server->store->ops->close(server->store);
	http_server_free(server->http);
	merged_cache_free(server->cache);
	free(server);
}

int server_start(const struct server_config *config, struct server **ret_server, struct err *err)
{
	struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		abort();
	server->config = *config;
	server->start_ns = clock_real_ns();
	codec_budget_init(&server->budget, BUDGET_BODIES * config->limits.max_inflated_bytes);
	r = open_store(server, err);
	if (r == 0) {
		server->cache = merged_cache_new(server->store);
		r = start_http(server, err);
	}
	if (r < 0) {
		server_free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

void server_stop(struct server *server)
{
	if (!server)
		return;
	atomic_store(&server->is_stopping, true);
	http_server_stop(server->http);
	server_free(server);
}

uint16_t server_port(const struct server *server, size_t i)
{
	return http_server_port(server->http, i);
}

const char *server_left_out(const struct server *server, size_t i)
{
	return http_server_left_out(server->http, i);
}
