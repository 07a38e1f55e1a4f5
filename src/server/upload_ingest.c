/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /ingest: Pyroscope's first interface, which Go, Java, .NET and Node clients still use, and what people send
 * by curl.
 *
 *	?name=app{k=v}&from=…&until=…&format=…&sampleRate=…&units=…&aggregationType=…&spyName=…
 *
 * Answers are Pyroscope's: 200 with an empty body; {"code":…,"message":…} with 400 for parameters, 422 for a body
 * that is not what it claims to be, 413 for one that is too large, 429 when there are too many series.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "server/attime.h"
#include "server/rpc.h"
#include "server/upload_ingest_private.h"

/* ---- parameters ---- */

const char *ingest_param(const struct ingest *ingest, const char *name)
{
	const char *value = http_request_param(&ingest->exchange->request, name);

	return value && *value ? value : NULL;
}

static int read_name(struct ingest *ingest, struct err *err)
{
	struct arena *arena = upload_arena(ingest->upload);
	const char *name = ingest_param(ingest, "name");
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
	const char *text = ingest_param(ingest, name);
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

/* The application's name becomes service_name, or app_name beside a label of that name. */
int ingest_service(struct ingest *ingest, struct err *err)
{
	struct arena *arena = upload_arena(ingest->upload);
	const char *label = labels_get(&ingest->labels, LABEL_SERVICE) ? "app_name" : LABEL_SERVICE;
	const char *spy = ingest_param(ingest, "spyName");
	int r = labels_set(&ingest->labels, arena, label, ingest->app, err);

	return r < 0 ? r
		     : labels_set(&ingest->labels, arena, "pyroscope_spy", spy ? spy : UNKNOWN_SPY,
				  err);
}

static int read_encoding(struct ingest *ingest, struct err *err)
{
	return upload_body(ingest->upload, &ingest->exchange->request, &ingest->inflated,
			   &ingest->body, &ingest->len, err);
}

/* ---- the request ---- */

/* Of a body that is not what it claims to be, as Pyroscope puts it: its clients do not send it again. */
static const struct upload_answer unreadable = {.status = 422, .rpc_code = RPC_UNKNOWN};

static void fail(struct http_exchange *exchange, const struct upload_answer *answer,
		 const char *text)
{
	rpc_error(exchange, (enum rpc_code)answer->rpc_code, answer->status, text);
	buf_putc(&exchange->response.body, '\n');
	http_exchange_finish(exchange);
}

static void on_stored(void *ctx, int code, const char *text)
{
	if (code < 0)
		fail(ctx, upload_answer_of(code), text);
	else
		http_exchange_finish(ctx);
}

static int decode(struct ingest *ingest, struct err *err)
{
	const char *aggregation = ingest_param(ingest, "aggregationType");
	int r = read_name(ingest, err);

	ingest->origin.labels = &ingest->labels;
	ingest->origin.is_gauge = aggregation && strcmp(aggregation, "average") == 0;
	if (r == 0)
		r = read_times(ingest, err);
	if (r == 0)
		r = read_encoding(ingest, err);
	if (r < 0)
		return r;
	ingest->is_read = true;
	return ingest_read_body(ingest, err);
}

static const struct upload_answer *answer_of(const struct ingest *ingest, int code)
{
	const struct upload_answer *answer = upload_answer_of(code);

	if (answer->refusal == UPLOAD_MALFORMED ||
	    (ingest->is_read && (answer->status == 400 || answer->status == 415)))
		return &unreadable;
	return answer;
}

void handle_ingest(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct ingest ingest = {.server = server,
				.exchange = exchange,
				.upload = upload_new(server, caller_of(exchange))};
	struct err err;
	int r = decode(&ingest, &err);

	upload_note_body(ingest.upload, exchange->request.body_len, ingest.len);
	buf_done(&ingest.inflated);
	if (r < 0) {
		upload_refused(ingest.upload, &err);
		upload_free(ingest.upload);
		fail(exchange, answer_of(&ingest, r), err.text);
		return;
	}
	upload_commit(ingest.upload, on_stored, exchange);
}
