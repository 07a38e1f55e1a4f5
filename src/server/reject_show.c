/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	GET /api/v1/rejections	{"rejections":[{"tenant","service","reason","option","count","last","detail"}]}
 *	GET /rejections		the same as a page
 *	GET /api/v1/limits	{"limits":[{"option","value","default","help"}]}
 */
#include "server/reject_show.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/opt.h"
#include "codec/json.h"
#include "server/plain_page.h"
#include "server/reject.h"
#include "server/upload.h"

/* ---- in ---- */

/* What no reader had a closer word for; Pyroscope's words where it has one. */
static const char *reason_of_code(int code)
{
	switch (upload_answer_of(code)->refusal) {
	case UPLOAD_MALFORMED:
		return "malformed_profile";
	case UPLOAD_INVALID:
		return "invalid_request";
	case UPLOAD_TOO_LARGE:
		return "profile_size_limit";
	case UPLOAD_SERIES_LIMIT:
		return "series_limit";
	case UPLOAD_UNSUPPORTED:
		return "unsupported_format";
	case UPLOAD_BUSY:
		return "rate_limited";
	case UPLOAD_DISK_FULL:
		return "disk_full";
	default:
		return "internal";
	}
}

void reject_show_note(struct server *server, const struct caller *caller, const char *service,
		      struct reject_loss loss, struct err *err)
{
	struct reject reject = {
		.tenant = caller->tenant,
		.service = service,
		.reason = err->reason ? err->reason : reason_of_code(err->code),
		.text = err->text,
		.count = 1,
		.loss = loss,
		.last_ns = clock_real_ns(),
	};

	limits_advise(&server->config.limits, err);
	rejects_note(server->rejects, &reject);
}

static bool is_upload(const struct http_request *request)
{
	static const char *const paths[] = {"/push.v1.", "/ingest", "/pyroscope/ingest",
					    "/v1development/profiles",
					    "/opentelemetry.proto.collector."};

	for (size_t i = 0; i < array_len(paths); i++)
		if (strncmp(request->path, paths[i], strlen(paths[i])) == 0)
			return true;
	return false;
}

static const char *reason_of_http(enum http_refusal refusal)
{
	return refusal == HTTP_REFUSED_TOO_LARGE ? "body_size_limit_exceeded"
						 : http_refusal_name(refusal);
}

/* What its head announced; nothing of it was kept. */
static uint64_t announced_bytes(const struct http_request *request)
{
	const char *text = http_request_header(request, "content-length");
	int64_t bytes = 0;

	if (text && opt_parse_int(text, 0, INT64_MAX, &bytes, NULL) < 0)
		return 0;
	return (uint64_t)bytes;
}

void reject_show_note_http(struct server *server, const struct http_exchange *exchange,
			   enum http_refusal refusal)
{
	struct reject_loss loss = {1, 0};
	struct err err;

	if (!is_upload(&exchange->request))
		return;
	loss.bytes = announced_bytes(&exchange->request);
	err_because(&err, ERR_LIMIT, reason_of_http(refusal), "refused with HTTP status %d",
		    exchange->response.status);
	reject_show_note(server, caller_of(exchange), "", loss, &err);
}

/* ---- out ---- */

/* Tenants see their own; without tenants there is one. */
static size_t list(struct server *server, struct http_exchange *exchange, struct reject **ret_list)
{
	return rejects_list(server->rejects, caller_of(exchange)->tenant, &exchange->arena,
			    ret_list);
}

static void time_text(int64_t time_ns, char out[32])
{
	time_t seconds = (time_t)(time_ns / NS_PER_S);
	struct tm tm;

	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
}

void handle_rejections(void *ctx, struct http_exchange *exchange)
{
	struct reject *rejects;
	size_t n = list(ctx, exchange, &rejects);
	struct json_writer json;

	exchange->response.content_type = "application/json";
	json_writer_init(&json, &exchange->response.body, JSON_ESCAPE_MARKUP);
	json_object(&json);
	json_key(&json, "rejections");
	json_array(&json);
	for (size_t i = 0; i < n; i++) {
		const struct opt *option = limits_of_reason(rejects[i].reason);

		json_object(&json);
		json_member_str(&json, "service", rejects[i].service);
		json_member_str(&json, "reason", rejects[i].reason);
		json_member_str(&json, "option", option ? option->name : "");
		json_member_int(&json, "count", (int64_t)rejects[i].count);
		json_member_int(&json, "last", rejects[i].last_ns / NS_PER_MS);
		json_member_str(&json, "detail", rejects[i].text);
		json_end(&json);
	}
	json_end(&json);
	json_end(&json);
	http_exchange_finish(exchange);
}

static void put_row(struct buf *out, const struct reject *reject)
{
	char when[32];

	time_text(reject->last_ns, when);
	buf_printf(out, "<tr><td>%s</td><td class=\"number\">%" PRIu64 "</td><td>", when,
		   reject->count);
	plain_page_text(out, reject->service);
	buf_puts(out, "</td><td>");
	plain_page_text(out, reject->reason);
	buf_puts(out, "</td><td>");
	plain_page_text(out, reject->text);
	buf_puts(out, "</td></tr>\n");
}

void handle_rejections_page(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct buf *out = &exchange->response.body;
	struct reject *rejects;
	size_t n = list(server, exchange, &rejects);

	plain_page_begin(exchange, server->config.base, "Rejections");
	buf_puts(out, "<h1>Rejections</h1>\n");
	if (!n) {
		buf_puts(out, "<p>No profile was refused since this server started.</p>\n");
	} else {
		buf_puts(out, "<table>\n<thead><tr><th>Last</th><th>Times</th><th>Service</th>"
			      "<th>Reason</th><th>What the client was told</th></tr></thead>\n"
			      "<tbody>\n");
		for (size_t i = 0; i < n; i++)
			put_row(out, &rejects[i]);
		buf_puts(out, "</tbody>\n</table>\n");
	}
	buf_printf(out, "<p><a href=\"%s/status\">Status</a> <a href=\"%s/\">Profiles</a></p>\n",
		   server->config.base, server->config.base);
	plain_page_end(exchange);
	http_exchange_finish(exchange);
}

void handle_limits(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct json_writer json;
	char value[32];

	exchange->response.content_type = "application/json";
	json_writer_init(&json, &exchange->response.body, JSON_ESCAPE_MARKUP);
	json_object(&json);
	json_key(&json, "limits");
	json_array(&json);
	for (const struct opt *row = limit_options; row->name; row++) {
		limits_value_text(&server->config.limits, row, value, sizeof(value));
		json_object(&json);
		json_member_str(&json, "option", row->name);
		json_member_str(&json, "value", value);
		json_member_str(&json, "default", row->standard);
		json_member_str(&json, "help", row->help);
		json_end(&json);
	}
	json_end(&json);
	json_end(&json);
	http_exchange_finish(exchange);
}

void reject_show_metrics(struct server *server, struct buf *out, struct arena *arena)
{
	static const struct {
		const char *name, *help;
		size_t at; /* in struct reject_counter */
	} rows[] = {
		{"pyrometer_rejected_total", "Uploads refused, by tenant and reason.",
		 offsetof(struct reject_counter, count)},
		{"pyroscope_discarded_samples_total", "Samples of refused profiles.",
		 offsetof(struct reject_counter, loss.samples)},
		{"pyroscope_discarded_bytes_total", "Bytes of refused profiles, inflated.",
		 offsetof(struct reject_counter, loss.bytes)},
	};
	struct reject_counter *counters;
	size_t n = rejects_counters(server->rejects, arena, &counters);

	for (size_t row = 0; row < array_len(rows); row++) {
		const char *name = rows[row].name;

		buf_printf(out, "# HELP %s %s\n# TYPE %s counter\n", name, rows[row].help, name);
		for (size_t i = 0; i < n; i++)
			buf_printf(out, "%s{reason=\"%s\",tenant=\"%s\"} %" PRIu64 "\n", name,
				   counters[i].reason, counters[i].tenant,
				   *(const uint64_t *)((const char *)&counters[i] + rows[row].at));
	}
}
