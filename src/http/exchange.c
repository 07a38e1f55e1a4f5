/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/http_private.h"

struct exchange *exchange_new(struct http_server *server, exchange_wake_fn *wake, void *front,
			      const char *peer)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));

	if (!exchange)
		abort();
	exchange->server = server;
	exchange->wake = wake;
	exchange->front = front;
	snprintf(exchange->pub.peer, sizeof(exchange->pub.peer), "%s", peer);
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
		exchange_refuse(exchange, HTTP_REFUSED_MEMORY, 503, "busy",
				"too many bytes of uploads are under way; try again in a moment");
		return false;
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
	exchange_tell_refused(exchange, HTTP_REFUSED_QUEUE, 503, "busy",
			      "too many requests are waiting; try again in a moment");
	http_exchange_finish(&exchange->pub);
}

void exchange_run(struct exchange *exchange, bool is_stopping)
{
	bool is_cancelled = __atomic_load_n(&exchange->pub.is_cancelled, __ATOMIC_RELAXED);

	if (is_stopping) {
		exchange_tell_refused(exchange, HTTP_REFUSED_STOPPING, 503, "stopping",
				      "the server is stopping");
		http_exchange_finish(&exchange->pub);
		return;
	}
	/* Left, or given up: a flood of requests that nobody waits for costs no handler. */
	if (is_cancelled) {
		http_fail(&exchange->pub, 503, "cancelled",
			  "the client closed the connection before the answer was made");
		http_exchange_finish(&exchange->pub);
		return;
	}
	exchange->route->handler(exchange->server->config->ctx, &exchange->pub);
}

/* Leave RUNNING if nobody did. */
static void leave_running(struct exchange *exchange, enum exchange_state state)
{
	enum exchange_state running = EXCHANGE_RUNNING;
	struct http_server *server = exchange->server;

	atomic_fetch_add(&server->waking, 1);
	if (atomic_compare_exchange_strong(&exchange->state, &running, state))
		exchange->wake(exchange);
	atomic_fetch_sub(&server->waking, 1);
}

void http_exchange_finish(struct http_exchange *pub)
{
	struct exchange *exchange = container_of(pub, struct exchange, pub);
	struct http_server *server = exchange->server;

	/* Given up: the front end has said so, and this answer is nobody's. */
	if (atomic_load(&exchange->state) != EXCHANGE_ABANDONED)
		answer_complete(exchange);
	body_free(exchange);
	leave_running(exchange, EXCHANGE_ANSWERED);
	atomic_fetch_sub(&server->in_flight, 1);
	exchange_unref(exchange);
}

void exchange_abandon(struct exchange *exchange)
{
	__atomic_store_n(&exchange->pub.is_cancelled, true, __ATOMIC_RELAXED);
	leave_running(exchange, EXCHANGE_ABANDONED);
}
