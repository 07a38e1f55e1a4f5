/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /ingest: Pyroscope's first interface, which Go, Java, .NET and Node clients still use.
 *
 *	?name=app{k=v}&from=…&until=…&format=…&sampleRate=…&units=…&aggregationType=…
 *
 * Bodies: collapsed text (the default), format=lines, trie, tree, speedscope, format=pprof as the body or as
 * the part "profile" of a form, with "sample_type_config" beside it.  Answers are Pyroscope's: 200 with an empty
 * body, errors as {"code":…,"message":…}.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/opt.h"
#include "codec/json.h"
#include "http/multipart.h"
#include "server/attime.h"
#include "server/rpc.h"
#include "server/sample_types.h"

#define DEFAULT_RATE_HZ 100
#define MAX_RATE_HZ 1000000
#define CONFIG_MAX_BYTES (64u << 10)
#define CONFIG_MAX_TYPES 64

struct ingest {
	struct server *server;
	struct http_exchange *exchange;
	struct upload *upload;
	struct labels labels;
	char *app;
	struct upload_origin origin;
	const uint8_t *body; /* after Content-Encoding */
	size_t len;
	struct buf inflated;

	/* sample_type_config while it is read */
	struct upload_type *type;
	size_t n_types;
};

/* ---- parameters ---- */

static const char *param(const struct ingest *ingest, const char *name)
{
	const char *value = http_request_param(&ingest->exchange->request, name);

	return value && *value ? value : NULL;
}

static int read_name(struct ingest *ingest, struct err *err)
{
	struct arena *arena = upload_arena(ingest->upload);
	const char *name = param(ingest, "name");
	struct labels all = {0};
	int r;

	if (!name)
		return err_set(err, ERR_USAGE,
			       "the parameter name is missing: ?name=app{label=value}");
	r = labels_parse_app_name(name, arena, &ingest->app, &all, err);
	for (size_t i = 0; r == 0 && i < all.n; i++)
		if (strncmp(all.items[i].name, "__", 2) != 0)
			r = labels_set(&ingest->labels, arena, all.items[i].name,
				       all.items[i].value, err);
	return r < 0 ? err_prefix(err, r, "name") : 0;
}

static int read_time(struct ingest *ingest, const char *name, int64_t *ret_ns, struct err *err)
{
	const char *text = param(ingest, name);
	int r;

	if (!text)
		return 0;
	r = attime_parse(text, clock_real_ns(), ret_ns, err);
	return r < 0 ? err_prefix(err, r, "%s", name) : 0;
}

static int read_times(struct ingest *ingest, struct err *err)
{
	struct upload_origin *origin = &ingest->origin;
	int r = read_time(ingest, "from", &origin->from_ns, err);

	if (r == 0)
		r = read_time(ingest, "until", &origin->until_ns, err);
	if (r == 0 && origin->from_ns && origin->until_ns && origin->until_ns < origin->from_ns)
		r = err_set(err, ERR_USAGE, "until is before from");
	return r;
}

/* Clients send 0 where it does not apply: the default then, as with text that is no number. */
static int64_t sample_rate(const struct ingest *ingest)
{
	const char *text = param(ingest, "sampleRate");
	int64_t rate;

	if (!text || opt_parse_int(text, 1, MAX_RATE_HZ, &rate, NULL) < 0)
		return DEFAULT_RATE_HZ;
	return rate;
}

/* The application's name becomes service_name, or app_name beside a label of that name. */
static int set_service(struct ingest *ingest, struct err *err)
{
	struct arena *arena = upload_arena(ingest->upload);
	const char *label = labels_get(&ingest->labels, LABEL_SERVICE) ? "app_name" : LABEL_SERVICE;
	const char *spy = param(ingest, "spyName");
	int r = labels_set(&ingest->labels, arena, label, ingest->app, err);

	if (r == 0 && spy)
		r = labels_set(&ingest->labels, arena, "pyroscope_spy", spy, err);
	return r;
}

/* ---- sample_type_config: {"inuse_space":{"units":"bytes","aggregation":"average","display-name":"x","cumulative":false}} ---- */

static int begin_type(struct ingest *ingest, const char *name, size_t len, struct err *err)
{
	struct arena *arena = upload_arena(ingest->upload);

	if (ingest->n_types++ == CONFIG_MAX_TYPES)
		return err_set(err, ERR_LIMIT, "more than %d sample types", CONFIG_MAX_TYPES);
	ingest->type = arena_alloc(arena, sizeof(*ingest->type));
	ingest->type->name = arena_strndup(arena, name, len);
	ingest->type->next = (struct upload_type *)(uintptr_t)ingest->origin.types;
	ingest->origin.types = ingest->type;
	return 0;
}

static int on_config(void *ctx, const struct json_event *event, struct err *err)
{
	struct ingest *ingest = ctx;
	struct arena *arena = upload_arena(ingest->upload);
	const char *dot = strchr(event->path, '.');

	if (event->kind == JSON_OBJECT_BEGIN && *event->path && !dot)
		return begin_type(ingest, event->path, strlen(event->path), err);
	if (!dot || !ingest->type)
		return 0;
	if (event->kind == JSON_BOOL && strcmp(dot, ".cumulative") == 0)
		ingest->type->is_cumulative = event->truth;
	if (event->kind != JSON_STRING)
		return 0;
	if (strcmp(dot, ".units") == 0)
		ingest->type->unit = arena_strndup(arena, event->text, event->len);
	else if (strcmp(dot, ".display-name") == 0)
		ingest->type->display_name = arena_strndup(arena, event->text, event->len);
	else if (strcmp(dot, ".aggregation") == 0)
		ingest->type->is_gauge = json_event_is(event, "average");
	return 0;
}

static int read_config(struct ingest *ingest, const struct multipart_part *part, struct err *err)
{
	struct json_limits limits = {.max_bytes = CONFIG_MAX_BYTES, .max_depth = 4};
	int r = json_read(part->data, part->len, &limits, on_config, ingest, err);

	return r < 0 ? err_prefix(err, r, "sample_type_config") : 0;
}

/* ---- bodies ---- */

static int read_pprof(struct ingest *ingest, const void *data, size_t len, struct err *err)
{
	int r = set_service(ingest, err);

	return r < 0 ? r : upload_pprof(ingest->upload, data, len, &ingest->origin, err);
}

static int read_form(struct ingest *ingest, struct err *err)
{
	const char *type = http_request_header(&ingest->exchange->request, "content-type");
	struct multipart_part part, profile = {0};
	struct multipart form;
	int r = multipart_begin(&form, type, ingest->body, ingest->len, err);

	while (r == 0 && (r = multipart_next(&form, &part, err)) == 1) {
		r = 0;
		if (strcmp(part.name, "profile") == 0)
			profile = part;
		else if (strcmp(part.name, "sample_type_config") == 0)
			r = read_config(ingest, &part, err);
		else if (strcmp(part.name, "prev_profile") == 0)
			r = err_set(
				err, ERR_UNSUPPORTED,
				"prev_profile: this client sends cumulative profiles; update it, "
				"newer ones send differences");
	}
	if (r < 0)
		return r;
	if (!profile.data)
		return err_set(err, ERR_USAGE, "the form has no part named profile");
	return read_pprof(ingest, profile.data, profile.len, err);
}

static int read_counts(struct ingest *ingest, enum upload_kind kind, struct err *err)
{
	struct upload_unit unit;
	int r;

	sample_types_of_text(ingest->app, param(ingest, "units"), sample_rate(ingest), &unit);
	r = set_service(ingest, err);
	return r < 0 ? r
		     : upload_counts(ingest->upload, kind, ingest->body, ingest->len,
				     &ingest->origin, &unit, err);
}

/* Names of the formats that only count, as clients spell them in `format` or behind the content type's '+'. */
static const struct {
	const char *name;
	enum upload_kind kind;
} counting[] = {
	{"groups", UPLOAD_GROUPS},	   {"folded", UPLOAD_GROUPS}, {"collapsed", UPLOAD_GROUPS},
	{"lines", UPLOAD_LINES},	   {"trie", UPLOAD_TRIE},     {"tree", UPLOAD_TREE},
	{"speedscope", UPLOAD_SPEEDSCOPE},
};

static int read_body(struct ingest *ingest, struct err *err)
{
	static const char binary[] = "binary/octet-stream+";
	const char *format = param(ingest, "format");
	char type[64];

	http_request_media_type(&ingest->exchange->request, type, sizeof(type));
	if (strcmp(type, "multipart/form-data") == 0 && (!format || strcmp(format, "pprof") == 0))
		return read_form(ingest, err);
	if (format && strcmp(format, "pprof") == 0)
		return read_pprof(ingest, ingest->body, ingest->len, err);
	if (!format)
		format = strncmp(type, binary, strlen(binary)) == 0 ? type + strlen(binary)
								    : "groups";
	for (size_t i = 0; i < array_len(counting); i++)
		if (strcmp(format, counting[i].name) == 0)
			return read_counts(ingest, counting[i].kind, err);
	return err_set(err, ERR_UNSUPPORTED,
		       "this format is not taken; send format=pprof, folded (the default), lines, "
		       "trie, tree or speedscope");
}

static int read_encoding(struct ingest *ingest, struct err *err)
{
	return upload_body(ingest->upload, &ingest->exchange->request, &ingest->inflated,
			   &ingest->body, &ingest->len, err);
}

/* ---- the request ---- */

/* As Pyroscope: 422 for a body that makes no sense, which its clients do not send again. */
static void fail(struct http_exchange *exchange, int code, const char *text)
{
	const struct upload_answer *answer = upload_answer_of(code);
	bool is_body = answer->refusal == UPLOAD_MALFORMED;

	rpc_error(exchange, is_body ? RPC_UNKNOWN : (enum rpc_code)answer->rpc_code,
		  is_body ? 422 : answer->status, text);
	buf_putc(&exchange->response.body, '\n');
	http_exchange_finish(exchange);
}

static void on_stored(void *ctx, int code, const char *text)
{
	if (code < 0)
		fail(ctx, code, text);
	else
		http_exchange_finish(ctx);
}

static int decode(struct ingest *ingest, struct err *err)
{
	const char *aggregation = param(ingest, "aggregationType");
	int r = read_name(ingest, err);

	ingest->origin.labels = &ingest->labels;
	ingest->origin.is_gauge = aggregation && strcmp(aggregation, "average") == 0;
	if (r == 0)
		r = read_times(ingest, err);
	if (r == 0)
		r = read_encoding(ingest, err);
	if (r == 0)
		r = read_body(ingest, err);
	return r;
}

void handle_ingest(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct ingest ingest = {
		.server = server, .exchange = exchange, .upload = upload_new(server, caller_of(exchange))};
	struct err err;
	int r = decode(&ingest, &err);

	atomic_fetch_add(&server->counters.upload_bytes, exchange->request.body_len);
	atomic_fetch_add(&server->counters.inflated_bytes, ingest.len);
	buf_done(&ingest.inflated);
	if (r < 0) {
		upload_count_refusal(server, r);
		upload_free(ingest.upload);
		fail(exchange, r, err.text);
		return;
	}
	upload_commit(ingest.upload, on_stored, exchange);
}
