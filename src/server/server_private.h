/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: the server itself, its counters, and the handlers by route. */
#ifndef SERVER_PRIVATE_H
#define SERVER_PRIVATE_H

#include <stdatomic.h>

#include "codec/budget.h"
#include "server/server.h"

/* Why an upload was not stored, after HTTP let it in.  Names are words of /metrics. */
enum upload_refusal {
	UPLOAD_MALFORMED,
	UPLOAD_INVALID,
	UPLOAD_TOO_LARGE,
	UPLOAD_UNSUPPORTED,
	UPLOAD_SERIES_LIMIT,
	UPLOAD_BUSY,
	UPLOAD_DISK_FULL,
	UPLOAD_INTERNAL,
	UPLOAD_REFUSAL_COUNT,
};

enum query_kind {
	QUERY_SERVICES,
	QUERY_LABELS,
	QUERY_TIMELINE,
	QUERY_VIEW,
	QUERY_DIFF,
	QUERY_LINES,
	QUERY_EXPORT,
	QUERY_FUNCTIONS,
	QUERY_CHANGES,
	QUERY_BREAKDOWN,
	QUERY_EXEMPLARS,
	QUERY_DELETE,
	QUERY_KIND_COUNT,
};

struct server_counters {
	atomic_uint_fast64_t uploads, profiles, upload_bytes, inflated_bytes, duplicates;
	atomic_uint_fast64_t spoilt_spans; /* samples that name a span by what is no id */
	atomic_uint_fast64_t refused[UPLOAD_REFUSAL_COUNT];
	atomic_uint_fast64_t queries[QUERY_KIND_COUNT], query_us[QUERY_KIND_COUNT];
	atomic_uint_fast64_t query_failures;
};

struct keep;
struct merged_cache;
struct delta_table;
struct scraper;
struct access;
struct rejects;

struct server {
	struct server_config config;
	struct http_config http_config;
	struct http_server *http;
	struct store *store;
	struct codec_budget budget; /* of everything that is inflated */
	struct merged_cache *cache;
	struct keep *keep;	   /* of clients, beside the store */
	_Atomic(struct scraper *) scraper; /* NULL: nothing is scraped */
	struct delta_table *delta; /* counters that uploads are compared with */
	struct access *access;
	struct rejects *rejects;
	struct server_counters counters;
	int64_t start_ns; /* real time */
	atomic_bool is_stopping;
};

/* Handlers; ctx is the server. */
http_handler_fn handle_push;			    /* upload_push.c */
http_handler_fn handle_otlp_http, handle_otlp_grpc; /* upload_otlp.c */
http_handler_fn handle_ingest;			    /* upload_ingest.c */
http_handler_fn handle_source;			    /* upload_source.c */
http_handler_fn handle_delete, handle_jobs;	    /* erase.c */
http_handler_fn handle_services;		    /* question_services.c */
http_handler_fn handle_labels;
http_handler_fn handle_label_values;
http_handler_fn handle_timeline; /* question_timeline.c */
http_handler_fn handle_view;	 /* question_flame.c */
http_handler_fn handle_diff;
http_handler_fn handle_lines;
http_handler_fn handle_export;
http_handler_fn handle_functions, handle_changes; /* question_lists.c */
http_handler_fn handle_breakdown;		  /* question_breakdown.c */
http_handler_fn handle_exemplars;		  /* question_exemplars.c */
http_handler_fn handle_openapi;			  /* openapi.c */
http_handler_fn handle_querier_types;		  /* querier_labels.c */
http_handler_fn handle_querier_names, handle_querier_values, handle_querier_series;
http_handler_fn handle_querier_stats, handle_querier_analyze;
http_handler_fn handle_querier_select_series; /* querier_series.c */
http_handler_fn handle_querier_stacks, handle_querier_profile, handle_querier_diff,
	handle_querier_span_profile;
http_handler_fn handle_querier_heatmap; /* querier_heatmap.c */		 /* querier_flame.c */
http_handler_fn handle_render, handle_render_diff, handle_render_values; /* render.c */
http_handler_fn handle_settings_get, handle_settings_set, handle_settings_delete; /* settings.c */
http_handler_fn handle_adhoc_upload, handle_adhoc_get, handle_adhoc_list,
	handle_adhoc_diff; /* adhoc.c */
http_handler_fn handle_version, handle_features, handle_debuginfo_list, handle_build_info,
	handle_status_config, handle_unknown_method, handle_unimplemented; /* services.c */
http_handler_fn handle_ready;						   /* health.c */
http_handler_fn handle_healthz;
http_handler_fn handle_status, handle_status_page; /* status.c */
http_handler_fn handle_metrics;						  /* metrics.c */
http_handler_fn handle_page;						  /* page.c */
http_handler_fn handle_login, handle_logout;				  /* login.c */
http_handler_fn handle_rejections, handle_rejections_page, handle_limits; /* reject_show.c */

#endif
