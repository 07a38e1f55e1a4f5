/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "codec/gzip.h"
#include "codec/proto.h"
#include "server/import_private.h"

#define MAX_ANSWER_BYTES ((size_t)64 << 20)
#define MAX_REQUEST_BYTES ((size_t)1 << 20)
#define URL_MAX_BYTES 4096
#define TRIES 6
#define FIRST_PAUSE_NS (NS_PER_S / 2)
#define TIMEOUT_NS (120 * NS_PER_S)
#define SHOWN_ANSWER_BYTES 200
#define MAX_NAMES 10000	   /* of labels, or types: two requests each */
#define MAX_SERIES 1000000 /* of one type: one request each, and one a step */

#define QUERIER "/querier.v1.QuerierService/"

int import_peer_open(struct import_peer *peer, const struct import_side *side,
		     const volatile bool *is_cancelled, struct err *err)
{
	struct http_client_opts opts = {.timeout_ns = TIMEOUT_NS,
					.max_answer_bytes = MAX_ANSWER_BYTES,
					.user_agent = "pyrometer-import",
					.is_cancelled = is_cancelled};
	size_t len = strlen(side->url);

	if ((strncmp(side->url, "http://", 7) != 0 && strncmp(side->url, "https://", 8) != 0) ||
	    len > URL_MAX_BYTES / 2)
		return err_set(err, ERR_USAGE, "'%s' is no address: write it as http://HOST:PORT",
			       side->url);
	while (len && side->url[len - 1] == '/')
		len--;
	peer->side = side;
	peer->is_cancelled = is_cancelled;
	peer->url = xstrndup(side->url, len);
	if (side->token && asprintf(&peer->bearer, "Bearer %s", side->token) < 0)
		abort();
	return http_client_new(&opts, &peer->client, err);
}

void import_peer_close(struct import_peer *peer)
{
	http_client_free(peer->client);
	free(peer->url);
	free(peer->bearer);
	*peer = (struct import_peer){0};
}

/* ---- one request ---- */

static bool is_passing(int r, const struct http_client_answer *answer)
{
	if (r < 0)
		return r == -EIO || r == -ETIMEDOUT || r == -ECONNREFUSED;
	return answer->status == 429 || answer->status == 502 || answer->status == 503 ||
	       answer->status == 504 || answer->status == 507;
}

static int wait_for(const struct import_peer *peer, int64_t ns)
{
	struct timespec slice = clock_timespec(NS_PER_S / 10);
	int64_t until_ns = clock_monotonic_ns() + ns;

	while (clock_monotonic_ns() < until_ns) {
		if (peer->is_cancelled && *peer->is_cancelled)
			return -ECANCELED;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &slice, NULL);
	}
	return 0;
}

static int send_once(struct import_peer *peer, const char *method, const char *path,
		     const struct buf *body, bool is_gzip, struct http_client_answer *ret_answer,
		     struct err *err)
{
	struct http_client_header headers[4] = {{"Content-Type", "application/proto"}};
	struct http_client_request request = {.method = method, .headers = headers, .n_headers = 1};
	char url[URL_MAX_BYTES];

	if (is_gzip)
		headers[request.n_headers++] =
			(struct http_client_header){"Content-Encoding", "gzip"};
	if (peer->side->tenant)
		headers[request.n_headers++] =
			(struct http_client_header){"X-Scope-OrgID", peer->side->tenant};
	if (peer->bearer)
		headers[request.n_headers++] =
			(struct http_client_header){"Authorization", peer->bearer};
	snprintf(url, sizeof(url), "%s%s", peer->url, path);
	request.url = url;
	request.body = body ? body->data : NULL;
	request.body_len = body ? body->len : 0;
	return http_client_send(peer->client, &request, ret_answer, err);
}

/* Tries again what may pass: a server that starts, is busy, or asks to wait. */
static int ask(struct import_peer *peer, const char *method, const char *path,
	       const struct buf *body, bool is_gzip, struct http_client_answer *ret_answer,
	       struct err *err)
{
	int64_t pause_ns = FIRST_PAUSE_NS;

	for (int i = 1;; i++, pause_ns *= 2) {
		int r = send_once(peer, method, path, body, is_gzip, ret_answer, err);
		int64_t wait_ns = pause_ns;

		if (i == TRIES || !is_passing(r, ret_answer))
			return r;
		if (r == 0) {
			wait_ns = max_of(wait_ns, ret_answer->retry_after_ns);
			http_client_answer_done(ret_answer);
		}
		if (wait_for(peer, wait_ns) < 0)
			return err_set(err, -ECANCELED, "stopped while waiting for %s", path);
	}
}

static int refused(const struct import_peer *peer, const char *path,
		   const struct http_client_answer *answer, struct err *err)
{
	char shown[SHOWN_ANSWER_BYTES];

	utf8_printable(shown, sizeof(shown), answer->body.data ? answer->body.data : "",
		       answer->body.len);
	return err_set(err, answer->status == 401 || answer->status == 403 ? -EACCES : -EPROTO,
		       "%s%s answered with status %d: %s", strstr(peer->url, "@") ? "" : peer->url,
		       path, answer->status, shown);
}

/* POST of a proto message; the answer is the caller's to release. */
static int call(struct import_peer *peer, const char *path, const struct buf *body, bool is_gzip,
		struct http_client_answer *ret_answer, struct err *err)
{
	int r = ask(peer, "POST", path, body, is_gzip, ret_answer, err);

	if (r < 0)
		return r;
	if (ret_answer->is_cut)
		r = err_set(err, ERR_LIMIT, "%s: the answer is larger than %zu bytes", path,
			    MAX_ANSWER_BYTES);
	else if (ret_answer->status != 200)
		r = refused(peer, path, ret_answer, err);
	if (r < 0)
		http_client_answer_done(ret_answer);
	return r;
}

int import_peer_probe(struct import_peer *peer, struct err *err)
{
	struct http_client_answer answer = {0};
	int r = ask(peer, "GET", "/api/v1/services?from=0&until=1", NULL, false, &answer, err);

	if (r < 0)
		return r;
	/* Pyroscope has no such path; where its page answers instead, it is HTML. */
	peer->ends_before =
		answer.status == 200 && strncmp(answer.content_type, "application/json", 16) == 0;
	http_client_answer_done(&answer);
	return 0;
}

/* ---- messages ---- */

static const char *text_of(struct arena *arena, const struct proto_field *field)
{
	return arena_strndup(arena, field->bytes ? (const char *)field->bytes : "", field->len);
}

static int64_t last_ms(const struct import_peer *peer, struct import_range range)
{
	return peer->ends_before ? range.until_ms : range.until_ms - 1;
}

/* A question in Protobuf, which is released; with 0 the answer is the caller's to release. */
static int ask_querier(struct import_peer *peer, const char *method, struct buf *request,
		       struct http_client_answer *answer, struct err *err)
{
	int r = call(peer, method, request, false, answer, err);

	buf_done(request);
	return r;
}

/* Strings of field 1 of an answer. */
static int read_texts(const struct http_client_answer *answer, struct arena *arena,
		      struct import_texts *ret_texts, struct err *err)
{
	struct cursor message = cursor_over(answer->body.data, answer->body.len);
	struct import_texts texts = {0};
	struct proto_field field;
	size_t n = 0;

	while (proto_next(&message, &field))
		n += field.number == 1;
	if (message.bad || n > MAX_NAMES)
		return err_set(err, ERR_CORRUPT, "the list of names is malformed or too long");
	texts.items = arena_array(arena, n + 1, sizeof(*texts.items));
	message = cursor_over(answer->body.data, answer->body.len);
	while (proto_next(&message, &field))
		if (field.number == 1)
			texts.items[texts.n++] = text_of(arena, &field);
	*ret_texts = texts;
	return 0;
}

int import_names(struct import_peer *peer, struct import_range range, const char *selector,
		 struct arena *arena, struct import_texts *ret_names, struct err *err)
{
	struct http_client_answer answer = {0};
	struct buf request;
	int r;

	buf_init(&request, MAX_REQUEST_BYTES);
	proto_put_str(&request, 1, selector);
	proto_put_int(&request, 2, range.from_ms);
	proto_put_int(&request, 3, last_ms(peer, range));
	r = ask_querier(peer, QUERIER "LabelNames", &request, &answer, err);
	if (r < 0)
		return r;
	r = read_texts(&answer, arena, ret_names, err);
	http_client_answer_done(&answer);
	return r;
}

/* ProfileType{1 ID, …}: only the ID. */
int import_types(struct import_peer *peer, struct import_range range, struct arena *arena,
		 struct import_texts *ret_types, struct err *err)
{
	struct http_client_answer answer = {0};
	struct buf request;
	int r;

	buf_init(&request, MAX_REQUEST_BYTES);
	proto_put_int(&request, 1, range.from_ms);
	proto_put_int(&request, 2, last_ms(peer, range));
	r = ask_querier(peer, QUERIER "ProfileTypes", &request, &answer, err);
	if (r < 0)
		return r;
	r = read_texts(&answer, arena, ret_types, err);
	for (size_t i = 0; r == 0 && i < ret_types->n; i++) {
		const char *type = ret_types->items[i];
		struct cursor message = cursor_over(type, strlen(type));
		struct proto_field field;

		/* The message holds no NUL: tags, lengths and texts. */
		ret_types->items[i] = "";
		while (proto_next(&message, &field))
			if (field.number == 1)
				ret_types->items[i] = text_of(arena, &field);
	}
	http_client_answer_done(&answer);
	return r;
}

/* Labels{1 repeated LabelPair{1 name, 2 value}} */
static int read_labels(struct cursor message, struct arena *arena, struct labels *into,
		       struct err *err)
{
	struct proto_field field, part;
	int r = 0;

	while (r == 0 && proto_next(&message, &field)) {
		struct cursor pair = proto_message(&field);
		const char *name = "", *value = "";

		while (proto_next(&pair, &part))
			*(part.number == 1 ? &name : &value) = text_of(arena, &part);
		if (pair.bad)
			return err_set(err, ERR_CORRUPT, "a label is malformed");
		if (*name && strncmp(name, "__", 2) != 0)
			r = labels_set(into, arena, name, value, err);
	}
	if (r == 0 && message.bad)
		r = err_set(err, ERR_CORRUPT, "a series is malformed");
	return r;
}

static int read_series(const struct http_client_answer *answer, struct arena *arena,
		       struct import_series_list *ret_list, struct err *err)
{
	struct cursor message = cursor_over(answer->body.data, answer->body.len);
	struct import_series_list list = {0};
	struct proto_field field;
	size_t n = 0;
	int r = 0;

	while (proto_next(&message, &field))
		n += field.number == 2;
	if (message.bad || n > MAX_SERIES)
		return err_set(err, ERR_CORRUPT, "the list of series is malformed or too long");
	list.items = arena_array(arena, n + 1, sizeof(*list.items));
	message = cursor_over(answer->body.data, answer->body.len);
	while (r == 0 && proto_next(&message, &field))
		if (field.number == 2)
			r = read_labels(proto_message(&field), arena, &list.items[list.n++].labels,
					err);
	*ret_list = list;
	return r;
}

int import_list_series(struct import_peer *peer, struct import_range range, const char *selector,
		       const struct import_texts *names, struct arena *arena,
		       struct import_series_list *ret_list, struct err *err)
{
	struct http_client_answer answer = {0};
	struct buf request;
	int r;

	buf_init(&request, MAX_REQUEST_BYTES);
	proto_put_str(&request, 1, selector);
	for (size_t i = 0; i < names->n; i++)
		if (strncmp(names->items[i], "__", 2) != 0)
			proto_put_str(&request, 2, names->items[i]);
	proto_put_int(&request, 3, range.from_ms);
	proto_put_int(&request, 4, last_ms(peer, range));
	r = ask_querier(peer, QUERIER "Series", &request, &answer, err);
	if (r < 0)
		return r;
	r = read_series(&answer, arena, ret_list, err);
	http_client_answer_done(&answer);
	return r;
}

/* ---- steps ---- */

static double double_of(const struct proto_field *field)
{
	double value;

	memcpy(&value, &field->value, sizeof(value));
	return value;
}

static void put_double(struct buf *out, uint32_t number, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	buf_put_varint(out, (uint64_t)number << 3 | PROTO_FIXED64);
	for (int i = 0; i < 8; i++)
		buf_putc(out, (char)(bits >> (8 * i)));
}

/* Point{1 double value, 2 timestamp} */
static void read_point(struct cursor message, struct import_points *points)
{
	struct import_point point = {0};
	struct proto_field field;

	while (proto_next(&message, &field)) {
		if (field.number == 1 && field.wire == PROTO_FIXED64)
			point.value = double_of(&field);
		else if (field.number == 2)
			point.end_ms = (int64_t)field.value;
	}
	if (point.value != 0)
		points->items[points->n++] = point;
}

/* Answer{1 repeated Series{1 labels, 2 repeated Point}}: one series, since nothing is grouped. */
static int read_points(const struct http_client_answer *answer, struct arena *arena,
		       struct import_points *ret_points, struct err *err)
{
	struct cursor message = cursor_over(answer->body.data, answer->body.len);
	/* A point has two bytes at least. */
	struct import_points points = {
		.items = arena_array(arena, answer->body.len / 2 + 1, sizeof(*points.items))};
	struct proto_field series, field;

	while (proto_next(&message, &series)) {
		struct cursor inner = proto_message(&series);

		while (series.number == 1 && proto_next(&inner, &field))
			if (field.number == 2)
				read_point(proto_message(&field), &points);
	}
	if (message.bad)
		return err_set(err, ERR_CORRUPT, "the values over time are malformed");
	*ret_points = points;
	return 0;
}

int import_steps(struct import_peer *peer, struct import_range range, const char *type,
		 const char *selector, int64_t step_ms, bool is_average, struct arena *arena,
		 struct import_points *ret_points, struct err *err)
{
	struct http_client_answer answer = {0};
	struct buf request;
	int r;

	buf_init(&request, MAX_REQUEST_BYTES);
	proto_put_str(&request, 1, type);
	proto_put_str(&request, 2, selector);
	proto_put_int(&request, 3, range.from_ms);
	proto_put_int(&request, 4, last_ms(peer, range));
	put_double(&request, 6, (double)step_ms / 1e3);
	if (is_average)
		proto_put_uint(&request, 7, 1);
	r = ask_querier(peer, QUERIER "SelectSeries", &request, &answer, err);
	if (r < 0)
		return r;
	r = read_points(&answer, arena, ret_points, err);
	http_client_answer_done(&answer);
	return r;
}

int import_profile(struct import_peer *peer, struct import_range range, const char *type,
		   const char *selector, struct buf *pprof, struct err *err)
{
	struct http_client_answer answer = {0};
	struct buf request;
	int r;

	buf_init(&request, MAX_REQUEST_BYTES);
	proto_put_str(&request, 1, type);
	proto_put_str(&request, 2, selector);
	proto_put_int(&request, 3, range.from_ms);
	proto_put_int(&request, 4, last_ms(peer, range));
	r = ask_querier(peer, QUERIER "SelectMergeProfile", &request, &answer, err);
	if (r < 0)
		return r;
	buf_put(pprof, answer.body.data ? answer.body.data : "", answer.body.len);
	http_client_answer_done(&answer);
	return pprof->overflow ? err_set(err, ERR_LIMIT, "a profile is too large") : 0;
}

int import_push(struct import_peer *peer, const struct buf *request, struct err *err)
{
	struct http_client_answer answer = {0};
	struct buf packed;
	int r;

	buf_init(&packed, MAX_ANSWER_BYTES);
	r = gzip_compress(request->data, request->len, GZIP_DEFAULT_LEVEL, &packed, err);
	if (r == 0)
		r = call(peer, "/push.v1.PusherService/Push", &packed, true, &answer, err);
	buf_done(&packed);
	if (r == 0)
		http_client_answer_done(&answer);
	return r;
}
