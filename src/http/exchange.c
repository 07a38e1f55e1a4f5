/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "http/http_private.h"

const char *http_refusal_name(enum http_refusal refusal)
{
	static const char *const names[HTTP_REFUSAL_COUNT] = {
		[HTTP_REFUSED_CONNECTIONS] = "connections",
		[HTTP_REFUSED_QUEUE] = "queue",
		[HTTP_REFUSED_MEMORY] = "memory",
		[HTTP_REFUSED_TIMEOUT] = "timeout",
		[HTTP_REFUSED_TOO_LARGE] = "too_large",
		[HTTP_REFUSED_HEADERS] = "headers",
		[HTTP_REFUSED_HOST] = "host",
		[HTTP_REFUSED_MALFORMED] = "malformed",
		[HTTP_REFUSED_NOT_FOUND] = "not_found",
		[HTTP_REFUSED_METHOD] = "method",
		[HTTP_REFUSED_STOPPING] = "stopping",
	};

	return names[refusal];
}

struct exchange *exchange_new(struct http_server *server, exchange_wake_fn *wake, void *front)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));

	if (!exchange)
		abort();
	exchange->server = server;
	exchange->wake = wake;
	exchange->front = front;
	exchange->start_ns = clock_monotonic_ns();
	exchange->method_text = "";
	exchange->target = "";
	atomic_init(&exchange->refs, 1);
	atomic_init(&exchange->state, EXCHANGE_READING);
	arena_init(&exchange->pub.arena);
	buf_init(&exchange->body, server->limits.max_body_bytes);
	buf_init(&exchange->pub.response.body, HTTP_MAX_ANSWER_BYTES);
	exchange->pub.response.status = 200;
	exchange->pub.response.cache_control = "no-store";
	exchange->pub.request.headers = arena_array(&exchange->pub.arena, HTTP_MAX_HEADERS,
						    sizeof(*exchange->pub.request.headers));
	exchange->pub.request.path = exchange->pub.request.tail = "";
	atomic_fetch_add(&server->active, 1);
	return exchange;
}

static void body_free(struct exchange *exchange)
{
	atomic_fetch_sub(&exchange->server->in_flight_bytes, exchange->body.len);
	buf_done(&exchange->body);
}

void exchange_unref(struct exchange *exchange)
{
	if (!exchange || atomic_fetch_sub(&exchange->refs, 1) != 1)
		return;
	body_free(exchange);
	buf_done(&exchange->pub.response.body);
	arena_done(&exchange->pub.arena);
	free(exchange);
}

void exchange_drop(struct exchange *exchange)
{
	struct http_server *server = exchange->server;

	exchange_unref(exchange);
	atomic_fetch_sub(&server->active, 1);
}

void exchange_cancel(struct exchange *exchange)
{
	__atomic_store_n(&exchange->pub.is_cancelled, true, __ATOMIC_RELAXED);
	if (atomic_load(&exchange->state) == EXCHANGE_RUNNING)
		atomic_fetch_add(&exchange->server->cancelled, 1);
}

/* ---- what comes in ---- */

void exchange_set_target(struct exchange *exchange, const char *target, size_t len)
{
	if (len > exchange->server->limits.max_uri_bytes)
		exchange->is_over_limit = true;
	else
		exchange->target = arena_strndup(&exchange->pub.arena, target, len);
}

void exchange_set_method(struct exchange *exchange, const char *method, size_t len)
{
	static const char *const names[] = {
		[HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",
		[HTTP_PUT] = "PUT", [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS",
	};
	struct http_request *request = &exchange->pub.request;

	request->method = HTTP_OTHER;
	for (size_t i = 0; i < array_len(names); i++)
		if (strlen(names[i]) == len && memcmp(names[i], method, len) == 0)
			request->method = (enum http_method)i;
	exchange->method_text = "seen";
}

static bool is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("!#$%&'*+-.^_`|~", text[i]))
			return false;
	return len > 0 && !memchr(text, '\0', len);
}

static bool is_field_value(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
			return false;
	return true;
}

void exchange_add_header(struct exchange *exchange, const char *name, size_t name_len,
			 const char *value, size_t value_len)
{
	struct http_request *request = &exchange->pub.request;
	struct arena *arena = &exchange->pub.arena;
	char *own;

	exchange->header_bytes += name_len + value_len + 4; /* ": " and the line's end */
	if (exchange->header_bytes > exchange->server->limits.max_header_bytes ||
	    request->n_headers == HTTP_MAX_HEADERS) {
		exchange->is_over_limit = true;
		return;
	}
	if (!is_token(name, name_len) || !is_field_value(value, value_len)) {
		exchange->is_malformed = true;
		return;
	}
	own = arena_strndup(arena, name, name_len);
	for (char *c = own; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	request->headers[request->n_headers++] =
		(struct http_pair){own, arena_strndup(arena, value, value_len)};
}

/* ---- refusing ---- */

static bool refuse(struct exchange *exchange, enum http_refusal refusal, int status,
		   const char *reason, const char *detail)
{
	exchange_refuse(exchange, refusal, status, reason, "%s", detail);
	return false;
}

void exchange_refuse(struct exchange *exchange, enum http_refusal refusal, int status,
		     const char *reason, const char *fmt, ...)
{
	char detail[ERR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	http_fail(&exchange->pub, status, reason, "%s", detail);
	if (status == 503)
		http_response_header(&exchange->pub, "Retry-After", "1");
	atomic_fetch_add(&exchange->server->refused[refusal], 1);
	answer_complete(exchange);
	atomic_store(&exchange->state, EXCHANGE_ANSWERED);
}

static size_t count_header(const struct http_request *request, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < request->n_headers; i++)
		n += strcmp(request->headers[i].name, name) == 0;
	return n;
}

/* What two readers of the same bytes could take for two different requests. */
static bool admit_framing(struct exchange *exchange)
{
	const struct http_request *request = &exchange->pub.request;
	const char *coding = http_request_header(request, "transfer-encoding");
	const char *expect = http_request_header(request, "expect");
	struct {
		bool is_bad;
		int status;
		const char *detail;
	} rules[] = {
		{exchange->is_malformed, 400,
		 "a header holds a character that is not allowed there"},
		{count_header(request, "content-length") > 1, 400, "two Content-Length headers"},
		{coding && http_request_header(request, "content-length"), 400,
		 "both Content-Length and Transfer-Encoding"},
		{count_header(request, "transfer-encoding") > 1, 400,
		 "two Transfer-Encoding headers"},
		{coding && strcasecmp(coding, "chunked") != 0, 501,
		 "the only transfer coding served is chunked"},
		{count_header(request, "host") > 1, 400, "two Host headers"},
		{expect && strcasecmp(expect, "100-continue") != 0, 417,
		 "the only expectation served is 100-continue"},
	};

	for (size_t i = 0; i < array_len(rules); i++)
		if (rules[i].is_bad)
			return refuse(exchange, HTTP_REFUSED_MALFORMED, rules[i].status,
				      "bad_request", rules[i].detail);
	return true;
}

static bool admit_size(struct exchange *exchange)
{
	const struct http_limits *limits = &exchange->server->limits;

	if (!exchange->is_over_limit)
		return true;
	if (!*exchange->target)
		exchange_refuse(exchange, HTTP_REFUSED_HEADERS, 414, "uri_too_long",
				"the URL is longer than %zu bytes", limits->max_uri_bytes);
	else
		exchange_refuse(exchange, HTTP_REFUSED_HEADERS, 431, "headers_too_large",
				"the headers are more than %d or larger than %zu bytes",
				HTTP_MAX_HEADERS, limits->max_header_bytes);
	return false;
}

/*
 * A page of another site must not make this browser's user upload or delete: browsers say where a
 * request comes from, programs do not.
 */
static bool is_cross_site(const struct http_request *request, const char *host)
{
	const char *origin = http_request_header(request, "origin");
	const char *site = http_request_header(request, "sec-fetch-site");
	const char *name;

	if (request->method == HTTP_GET || request->method == HTTP_HEAD)
		return false;
	if (site && strcasecmp(site, "cross-site") == 0)
		return true;
	if (!origin)
		return false;
	name = strstr(origin, "://");
	return !name || strcasecmp(name + 3, host) != 0;
}

static bool admit_origin(struct exchange *exchange)
{
	const struct http_request *request = &exchange->pub.request;
	const char *host = http_request_header(request, "host");

	if (!host || !host_is_well_formed(host))
		return refuse(exchange, HTTP_REFUSED_MALFORMED, 400, "bad_host",
			      "the Host header is missing or not a host");
	if (!host_is_allowed(exchange->server, host))
		return refuse(exchange, HTTP_REFUSED_HOST, 421, "wrong_host",
			      "this server does not answer for that host name; start it with "
			      "--host NAME to allow it");
	if (is_cross_site(request, host))
		return refuse(exchange, HTTP_REFUSED_HOST, 403, "cross_site",
			      "requests that change something are not taken from other sites");
	return true;
}

/* ---- routing ---- */

static bool route_fits(const struct http_route *route, const char *path, const char **ret_tail)
{
	size_t len = strlen(route->path);

	if (len && route->path[len - 1] == '*') {
		if (strncmp(route->path, path, len - 1) != 0)
			return false;
		*ret_tail = path + len - 1;
		return true;
	}
	*ret_tail = "";
	return strcmp(route->path, path) == 0;
}

static bool method_is_allowed(const struct http_route *route, enum http_method method)
{
	return route->methods & 1u << (method == HTTP_HEAD ? HTTP_GET : method);
}

static void set_allow(struct exchange *exchange, unsigned int methods)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%s%s", methods & HTTP_ALLOW_GET ? "GET, HEAD, " : "",
		 methods & HTTP_ALLOW_POST ? "POST, " : "",
		 methods & HTTP_ALLOW_PUT ? "PUT, " : "");
	if (text[0])
		text[strlen(text) - 2] = '\0';
	http_response_header(&exchange->pub, "Allow", text);
}

static bool admit_route(struct exchange *exchange)
{
	struct http_request *request = &exchange->pub.request;
	const struct http_route *route = exchange->server->config->routes;
	unsigned int methods = 0;

	if (request->method == HTTP_OTHER)
		return refuse(exchange, HTTP_REFUSED_METHOD, 501, "unknown_method",
			      "this method is not served anywhere");
	for (; route->path; route++) {
		const char *tail;

		if (!route_fits(route, request->path, &tail))
			continue;
		/* What answers for every path does not make a path exist, nor take another's methods. */
		if (strcmp(route->path, "/*") != 0)
			methods |= route->methods;
		else if (methods)
			break;
		if (method_is_allowed(route, request->method)) {
			request->tail = tail;
			exchange->route = route;
			return true;
		}
	}
	if (!methods)
		return refuse(exchange, HTTP_REFUSED_NOT_FOUND, 404, "not_found",
			      "there is nothing at this path");
	set_allow(exchange, methods);
	return refuse(exchange, HTTP_REFUSED_METHOD, 405, "wrong_method",
		      "this path is not served with this method; see the header Allow");
}

static bool admit_body(struct exchange *exchange)
{
	const char *text = http_request_header(&exchange->pub.request, "content-length");
	size_t max = exchange->route->max_body_bytes ? exchange->route->max_body_bytes
						     : exchange->server->limits.max_body_bytes;

	exchange->body.ceiling = max;
	/* libmicrohttpd and nghttp2 have refused what is no number. */
	if (!text || (strlen(text) < 19 && strtoull(text, NULL, 10) <= max))
		return true;
	exchange_refuse(exchange, HTTP_REFUSED_TOO_LARGE, 413, "body_too_large",
			"the body is larger than %zu bytes; send less at a time", max);
	return false;
}

bool exchange_admit(struct exchange *exchange)
{
	struct http_request *request = &exchange->pub.request;
	struct err err;

	exchange->start_ns = clock_monotonic_ns();
	exchange->pub.deadline_ns = exchange->start_ns + exchange->server->limits.request_ns;
	if (atomic_load(&exchange->server->is_stopping))
		return refuse(exchange, HTTP_REFUSED_STOPPING, 503, "stopping",
			      "the server is stopping; try again in a moment");
	if (!admit_size(exchange) || !admit_framing(exchange) || !admit_origin(exchange))
		return false;
	if (request->method != HTTP_OTHER &&
	    target_parse(exchange->target, strlen(exchange->target), &exchange->pub.arena, request,
			 &err) < 0)
		return refuse(exchange, HTTP_REFUSED_MALFORMED, 400, "bad_url", err.text);
	return admit_route(exchange) && admit_body(exchange);
}

bool exchange_add_body(struct exchange *exchange, const void *data, size_t len)
{
	struct http_server *server = exchange->server;

	if (len > exchange->body.ceiling - exchange->body.len) {
		exchange_refuse(exchange, HTTP_REFUSED_TOO_LARGE, 413, "body_too_large",
				"the body is larger than %zu bytes; send less at a time",
				exchange->body.ceiling);
		return false;
	}
	if (atomic_fetch_add(&server->in_flight_bytes, len) + len >
	    server->limits.max_in_flight_bytes) {
		atomic_fetch_sub(&server->in_flight_bytes, len);
		return refuse(exchange, HTTP_REFUSED_MEMORY, 503, "busy",
			      "too many bytes of uploads are under way; try again in a moment");
	}
	buf_put(&exchange->body, data, len);
	return true;
}

/* ---- handler's part ---- */

void exchange_dispatch(struct exchange *exchange)
{
	struct http_request *request = &exchange->pub.request;
	struct http_server *server = exchange->server;

	request->body = (const uint8_t *)exchange->body.data;
	request->body_len = exchange->body.len;
	atomic_fetch_add(&exchange->refs, 1);
	atomic_fetch_add(&server->in_flight, 1);
	atomic_store(&exchange->state, EXCHANGE_RUNNING);
	if (lane_put(&server->lanes[exchange->route->lane], exchange))
		return;
	http_fail(&exchange->pub, 503, "busy",
		  "too many requests are waiting; try again in a moment");
	http_response_header(&exchange->pub, "Retry-After", "1");
	atomic_fetch_add(&server->refused[HTTP_REFUSED_QUEUE], 1);
	http_exchange_finish(&exchange->pub);
}

void exchange_run(struct exchange *exchange, bool is_stopping)
{
	bool is_cancelled = __atomic_load_n(&exchange->pub.is_cancelled, __ATOMIC_RELAXED);

	/* Nobody waits for the answer: a flood of requests that are given up at once costs no handler. */
	if (is_stopping || is_cancelled || atomic_load(&exchange->state) != EXCHANGE_RUNNING) {
		http_fail(&exchange->pub, 503, "stopping", "the server is stopping");
		http_exchange_finish(&exchange->pub);
		return;
	}
	exchange->route->handler(exchange->server->config->ctx, &exchange->pub);
}

/* Leave RUNNING if nobody did; true when this call did. */
static bool leave_running(struct exchange *exchange, enum exchange_state state)
{
	enum exchange_state running = EXCHANGE_RUNNING;
	struct http_server *server = exchange->server;

	atomic_fetch_add(&server->waking, 1);
	if (atomic_compare_exchange_strong(&exchange->state, &running, state)) {
		exchange->wake(exchange);
		atomic_fetch_sub(&server->waking, 1);
		return true;
	}
	atomic_fetch_sub(&server->waking, 1);
	return false;
}

void http_exchange_finish(struct http_exchange *pub)
{
	struct exchange *exchange = container_of(pub, struct exchange, pub);
	struct http_server *server = exchange->server;

	answer_complete(exchange);
	body_free(exchange);
	leave_running(exchange, EXCHANGE_ANSWERED);
	atomic_fetch_sub(&server->in_flight, 1);
	exchange_unref(exchange);
}

void exchange_abandon(struct exchange *exchange)
{
	__atomic_store_n(&exchange->pub.is_cancelled, true, __ATOMIC_RELAXED);
	if (leave_running(exchange, EXCHANGE_ABANDONED))
		atomic_fetch_add(&exchange->server->refused[HTTP_REFUSED_TIMEOUT], 1);
}
