/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Grafana and profilecli ask before they ask for profiles: which version, which features, which build, and services
 * that are not here.
 */
#include "codec/json.h"
#include "server/service_schema.h"
#include "server/unary.h"

#define QUERIER_API 1 /* of version.v1: the interface of querier.v1 */

void handle_version(void *ctx, struct http_exchange *exchange)
{
	static const struct unary_method method = {QUERY_SERVICES, &service_schema_nothing,
						   &service_schema_version};
	struct unary *call = unary_open(ctx, exchange, &method);

	if (!call)
		return;
	proto_put_uint(&call->reply, 1, QUERIER_API);
	unary_end(call, 0, NULL);
}

void handle_features(void *ctx, struct http_exchange *exchange)
{
	static const struct unary_method method = {QUERY_SERVICES, &service_schema_nothing,
						   &service_schema_features};
	/* By the names that Grafana's pages look for. */
	static const struct {
		const char *name, *about;
		bool is_on;
	} features[] = {
		{"pyroscopeRuler", "Metrics from profiles, written to Prometheus.", false},
		{"pyroscopeRulerFunctions", "The same of single functions.", false},
		{"utf8LabelNames", "Label names in any UTF-8.", true},
		{"v2StorageLayer", "Exemplars, heatmaps and selections by id.", true},
	};
	struct unary *call = unary_open(ctx, exchange, &method);

	if (!call)
		return;
	for (size_t i = 0; i < array_len(features); i++) {
		size_t begin = proto_begin(&call->reply, 1);

		proto_put_str(&call->reply, 1, features[i].name);
		if (features[i].is_on)
			proto_put_uint(&call->reply, 2, 1);
		proto_put_str(&call->reply, 3, features[i].about);
		proto_end(&call->reply, begin);
	}
	unary_end(call, 0, NULL);
}

/* There are no uploaded symbols to list. */
void handle_debuginfo_list(void *ctx, struct http_exchange *exchange)
{
	static const struct unary_method method = {QUERY_SERVICES, &service_schema_nothing,
						   &service_schema_nothing};
	struct unary *call = unary_open(ctx, exchange, &method);

	if (call)
		unary_end(call, 0, NULL);
}

/* Services and methods that are not here: 404 where Pyroscope has none of them either, 501 where it has. */
static void refuse(struct server *server, struct http_exchange *exchange, int status)
{
	struct rpc rpc;

	if (rpc_open(&rpc, exchange, &server->budget, &server->config.limits))
		rpc_fail(&rpc, RPC_UNIMPLEMENTED, status, "this server does not have this method");
}

void handle_unknown_method(void *ctx, struct http_exchange *exchange)
{
	refuse(ctx, exchange, 404);
}

void handle_unimplemented(void *ctx, struct http_exchange *exchange)
{
	refuse(ctx, exchange, 0);
}

/* ---- /api/v1/status/… ---- */

void handle_build_info(void *ctx, struct http_exchange *exchange)
{
	static const char *const unknown[] = {"revision", "branch", "buildUser", "buildDate",
					      "goVersion"};
	struct json_writer json;

	(void)ctx;
	exchange->response.content_type = "application/json";
	json_writer_init(&json, &exchange->response.body, 0);
	json_object(&json);
	json_member_str(&json, "status", "success");
	json_key(&json, "data");
	json_object(&json);
	json_member_str(&json, "version", PYROMETER_VERSION);
	for (size_t i = 0; i < array_len(unknown); i++)
		json_member_str(&json, unknown[i], "");
	json_end(&json);
	json_end(&json);
	http_exchange_finish(exchange);
}

/* The limits as YAML, under the names of their options. */
void handle_status_config(void *ctx, struct http_exchange *exchange)
{
	const struct server *server = ctx;
	struct buf *out = &exchange->response.body;
	char value[64];

	exchange->response.content_type = "text/plain; charset=utf-8";
	buf_puts(out, "limits:\n");
	for (const struct opt *row = limit_options; row->name; row++) {
		limits_value_text(&server->config.limits, row, value, sizeof(value));
		buf_printf(out, "    %s: %s\n", row->name, value);
	}
	http_exchange_finish(exchange);
}
