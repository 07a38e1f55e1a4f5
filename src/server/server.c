/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server.h"

#include <stdlib.h>

#include "base/clock.h"
#include "server/access.h"
#include "server/caller.h"
#include "server/delta.h"
#include "server/keep.h"
#include "server/merged_cache.h"
#include "server/plain_page.h"
#include "server/refusal.h"
#include "server/reject.h"
#include "server/reject_show.h"
#include "server/scrape.h"
#include "server/server_private.h"
#include "store/sqlite/sqlite_store.h"

/* What decompressed uploads may hold together: four of the largest. */
#define BUDGET_BODIES 4
#define SOURCE_MAX_BYTES ((size_t)2 << 20)
#define LOGIN_MAX_BYTES ((size_t)4 << 10)

#define QUERIER "/querier.v1.QuerierService"
#define ADHOC "/adhocprofiles.v1.AdHocProfileService"
#define DEBUGINFO "/debuginfo.v1alpha1.DebuginfoService"
#define OTLP_SERVICE "/opentelemetry.proto.collector.profiles.v1development.ProfilesService"

static const struct http_route routes[] = {
	{"/push.v1.PusherService/Push", HTTP_ALLOW_POST, HTTP_LANE_INGEST, handle_push, 0,
	 SCOPE_INGEST},
	{"/ingest", HTTP_ALLOW_POST, HTTP_LANE_INGEST, handle_ingest, 0, SCOPE_INGEST},
	{"/pyroscope/ingest", HTTP_ALLOW_POST, HTTP_LANE_INGEST, handle_ingest, 0, SCOPE_INGEST},
	{"/v1development/profiles", HTTP_ALLOW_POST, HTTP_LANE_INGEST, handle_otlp_http, 0,
	 SCOPE_INGEST},
	{OTLP_SERVICE "/Export", HTTP_ALLOW_POST, HTTP_LANE_INGEST, handle_otlp_grpc, 0,
	 SCOPE_INGEST},
	{"/api/v1/source", HTTP_ALLOW_PUT, HTTP_LANE_INGEST, handle_source, SOURCE_MAX_BYTES,
	 SCOPE_INGEST},
	{QUERIER "/ProfileTypes", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_types, 0,
	 SCOPE_QUERY},
	{QUERIER "/LabelNames", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_names, 0,
	 SCOPE_QUERY},
	{QUERIER "/LabelValues", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_values, 0,
	 SCOPE_QUERY},
	{QUERIER "/Series", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_series, 0,
	 SCOPE_QUERY},
	{QUERIER "/SelectSeries", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_select_series, 0,
	 SCOPE_QUERY},
	{QUERIER "/SelectMergeStacktraces", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_stacks,
	 0, SCOPE_QUERY},
	{QUERIER "/SelectMergeProfile", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_profile, 0,
	 SCOPE_QUERY},
	{QUERIER "/SelectMergeSpanProfile", HTTP_ALLOW_POST, HTTP_LANE_QUERY,
	 handle_querier_span_profile, 0, SCOPE_QUERY},
	{QUERIER "/SelectHeatmap", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_heatmap, 0,
	 SCOPE_QUERY},
	{QUERIER "/Diff", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_diff, 0, SCOPE_QUERY},
	{QUERIER "/GetProfileStats", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_stats, 0,
	 SCOPE_QUERY},
	{QUERIER "/AnalyzeQuery", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_querier_analyze, 0,
	 SCOPE_QUERY},
	/* Whatever else a client of theirs asks for: behind all of their methods. */
	{QUERIER "/*", HTTP_ALLOW_POST, HTTP_LANE_QUICK, handle_unknown_method, 0, SCOPE_QUERY},
	{"/settings.v1.SettingsService/Get", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_settings_get,
	 0, SCOPE_QUERY | SCOPE_ONE},
	{"/settings.v1.SettingsService/Set", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_settings_set,
	 0, SCOPE_QUERY | SCOPE_ONE},
	{"/settings.v1.SettingsService/Delete", HTTP_ALLOW_POST, HTTP_LANE_QUERY,
	 handle_settings_delete, 0, SCOPE_QUERY | SCOPE_ONE},
	{"/settings.v1.RecordingRulesService/*", HTTP_ALLOW_POST, HTTP_LANE_QUICK,
	 handle_unknown_method, 0, SCOPE_QUERY},
	{ADHOC "/Upload", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_adhoc_upload, 0,
	 SCOPE_QUERY | SCOPE_ONE},
	{ADHOC "/Get", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_adhoc_get, 0,
	 SCOPE_QUERY | SCOPE_ONE},
	{ADHOC "/List", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_adhoc_list, 0,
	 SCOPE_QUERY | SCOPE_ONE},
	{ADHOC "/Diff", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_adhoc_diff, 0,
	 SCOPE_QUERY | SCOPE_ONE},
	{"/version.v1.Version/Version", HTTP_ALLOW_POST, HTTP_LANE_QUICK, handle_version, 0,
	 SCOPE_QUERY},
	{"/capabilities.v1.FeatureFlagsService/GetFeatureFlags", HTTP_ALLOW_POST, HTTP_LANE_QUICK,
	 handle_features, 0, SCOPE_QUERY},
	{DEBUGINFO "/ListDebuginfo", HTTP_ALLOW_POST, HTTP_LANE_QUICK, handle_debuginfo_list, 0,
	 SCOPE_QUERY},
	{DEBUGINFO "/*", HTTP_ALLOW_POST, HTTP_LANE_QUICK, handle_unimplemented, 0, SCOPE_QUERY},
	{"/vcs.v1.VCSService/*", HTTP_ALLOW_POST, HTTP_LANE_QUICK, handle_unimplemented, 0,
	 SCOPE_QUERY},
	{"/api/v1/status/buildinfo", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_build_info, 0,
	 SCOPE_QUERY},
	{"/api/v1/status/config", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_status_config, 0,
	 SCOPE_ADMIN},
	{"/pyroscope/render", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_render, 0, SCOPE_QUERY},
	{"/pyroscope/render-diff", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_render_diff, 0,
	 SCOPE_QUERY},
	{"/pyroscope/label-values", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_render_values, 0,
	 SCOPE_QUERY},
	{"/api/v1/services", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_services, 0, SCOPE_QUERY},
	{"/api/v1/labels", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_labels, 0, SCOPE_QUERY},
	{"/api/v1/labels/*", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_label_values, 0, SCOPE_QUERY},
	{"/api/v1/timeline", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_timeline, 0, SCOPE_QUERY},
	{"/api/v1/view", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_view, 0, SCOPE_QUERY},
	{"/api/v1/diff", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_diff, 0, SCOPE_QUERY},
	{"/api/v1/lines", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_lines, 0, SCOPE_QUERY},
	{"/api/v1/export", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_export, 0, SCOPE_QUERY},
	{"/api/v1/functions", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_functions, 0, SCOPE_QUERY},
	{"/api/v1/changes", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_changes, 0, SCOPE_QUERY},
	{"/api/v1/breakdown", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_breakdown, 0, SCOPE_QUERY},
	{"/api/v1/exemplars", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_exemplars, 0, SCOPE_QUERY},
	{"/api/v1/delete", HTTP_ALLOW_POST, HTTP_LANE_QUERY, handle_delete, 0, SCOPE_ADMIN},
	{"/api/v1/jobs", HTTP_ALLOW_GET, HTTP_LANE_QUERY, handle_jobs, 0, SCOPE_ADMIN},
	{"/api/v1/targets", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_targets, 0,
	 SCOPE_QUERY | SCOPE_WHOLE},
	{"/targets", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_targets_page, 0,
	 SCOPE_QUERY | SCOPE_WHOLE | SCOPE_PAGE},
	{"/api/v1/status", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_status, 0, SCOPE_QUERY},
	{"/status", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_status_page, 0,
	 SCOPE_QUERY | SCOPE_PAGE},
	{"/api/v1/openapi.json", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_openapi, 0, SCOPE_QUERY},
	{"/api/swagger.json", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_openapi, 0, SCOPE_QUERY},
	{"/ready", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_ready, 0, SCOPE_OPEN},
	{"/healthz", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_healthz, 0, SCOPE_OPEN},
	{"/metrics", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_metrics, 0, SCOPE_QUERY | SCOPE_WHOLE},
	{"/api/v1/limits", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_limits, 0, SCOPE_QUERY},
	{"/api/v1/rejections", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_rejections, 0,
	 SCOPE_QUERY | SCOPE_ONE},
	{"/rejections", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_rejections_page, 0,
	 SCOPE_QUERY | SCOPE_ONE | SCOPE_PAGE},
	{"/login", HTTP_ALLOW_GET | HTTP_ALLOW_POST, HTTP_LANE_QUICK, handle_login, LOGIN_MAX_BYTES,
	 SCOPE_OPEN},
	{"/logout", HTTP_ALLOW_POST, HTTP_LANE_QUICK, handle_logout, LOGIN_MAX_BYTES, SCOPE_OPEN},
	{"/plain.css", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_plain_style, 0, SCOPE_OPEN},
	{"/favicon.svg", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_page, 0, SCOPE_OPEN},
	{"/", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_page, 0, SCOPE_QUERY | SCOPE_PAGE},
	{"/*", HTTP_ALLOW_GET, HTTP_LANE_QUICK, handle_page, 0, SCOPE_QUERY | SCOPE_PAGE},
	{0},
};

void server_config_init(struct server_config *config, const char *dir)
{
	*config = (struct server_config){.base = ""};
	limits_init(&config->limits);
	store_config_init(&config->store, dir);
}

static int open_store(struct server *server, struct err *err)
{
	server->store = server->config.given_store;
	if (server->store)
		return 0;
	return sqlite_store_open(&server->config.store, &server->store, err);
}

static bool on_admit(void *ctx, struct http_exchange *exchange, const struct http_route *route)
{
	struct server *server = ctx;

	return access_admit(server->access, exchange, route);
}

static void on_dress(void *ctx, struct http_exchange *exchange, enum http_refusal refusal,
		     const char *reason, const char *detail)
{
	const struct server *server = ctx;

	refusal_dress(&server->config.limits, exchange, refusal, reason, detail);
}

/* What HTTP refuses of uploads shows beside what the decoders refuse. */
static void on_refused(void *ctx, const struct http_exchange *exchange, enum http_refusal refusal)
{
	struct server *server = ctx;

	reject_show_note_http(server, exchange, refusal);
}

static int start_access(struct server *server, struct err *err)
{
	const struct server_config *config = &server->config;
	struct access_config access = {
		.dir = config->given_store ? NULL : config->store.dir,
		.base = config->base,
		.has_tenants = config->has_tenants,
		.is_secure = config->tls_cert,
		.max_failures = config->limits.max_login_failures,
	};

	int r = access_check_base(config->base, err);

	return r < 0 ? r : access_new(&access, &server->access, err);
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
		.admit = on_admit,
		.dress = on_dress,
		.refused = on_refused,
		.base = config->base,
		.tls_cert = config->tls_cert,
		.tls_key = config->tls_key,
		.limits = limits_http(&config->limits),
		.workers = {[HTTP_LANE_QUERY] = (unsigned int)config->limits.max_queries},
	};
	return http_server_start(&server->http_config, &server->http, err);
}

static void server_free(struct server *server)
{
	scraper_stop(server->scraper); /* it puts into the store */
	/* Answers that were put off come from the store's thread: it ends before the HTTP server. */
	if (server->store && !server->config.given_store)
		server->store->ops->close(server->store);
	scraper_free(server->scraper);
	http_server_free(server->http);
	merged_cache_free(server->cache);
	keep_free(server->keep);
	delta_table_free(server->delta);
	access_free(server->access);
	rejects_free(server->rejects);
	free(server);
}

/* What the file says now, instead of what it said before. */
static int scrape(struct server *server, struct err *err)
{
	struct scraper *scraper = NULL;
	int r = scraper_start(server, server->config.scrape_file, atomic_load(&server->scraper),
			      &scraper, err);

	if (r == 0)
		atomic_store(&server->scraper, scraper);
	return r;
}

int server_start(const struct server_config *config, struct server **ret_server, struct err *err)
{
	struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		abort();
	server->config = *config;
	limits_set_store(&config->limits, &server->config.store);
	server->start_ns = clock_real_ns();
	codec_budget_init(&server->budget, BUDGET_BODIES * config->limits.max_inflated_bytes);
	server->budget.max_ratio = config->limits.max_inflate_ratio;
	server->rejects = rejects_new();
	r = start_access(server, err);
	if (r == 0)
		r = open_store(server, err);
	if (r == 0) {
		server->cache = merged_cache_new(server->store);
		server->keep = keep_new(config->given_store ? NULL : config->store.dir);
		server->delta = delta_table_new(config->limits.max_delta_bytes);
		if (config->scrape_file)
			r = scrape(server, err);
	}
	if (r == 0)
		r = start_http(server, err);
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

bool server_asks_token(const struct server *server)
{
	return access_asks_token(server->access);
}

int server_reload(struct server *server, struct err *err)
{
	int r = http_server_reload_tls(server->http, err);

	if (r == 0)
		r = access_reload(server->access, err);
	return r < 0 || !server->config.scrape_file ? r : scrape(server, err);
}
