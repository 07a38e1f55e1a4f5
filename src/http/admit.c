/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which requests get in: the table of limits, the rules against ambiguous framing, the host, the route.
 * Everything here is decided from the headers, before a byte of the body is read.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "http/http_private.h"

static bool refuse(struct exchange *exchange, enum http_refusal refusal, int status,
		   const char *reason, const char *detail)
{
	exchange_refuse(exchange, refusal, status, reason, "%s", detail);
	return false;
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

static void take_base_off(struct exchange *exchange)
{
	struct http_request *request = &exchange->pub.request;
	const char *base = exchange->server->config->base;
	size_t len = base ? strlen(base) : 0;

	if (!len || strncmp(request->path, base, len) != 0)
		return;
	if (request->path[len] == '/')
		request->path += len;
	else if (!request->path[len])
		request->path = "/";
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

/* Before the body is looked at: who may not upload learns that first, and nothing of limits. */
static bool admit_caller(struct exchange *exchange)
{
	const struct http_config *config = exchange->server->config;

	if (!config->admit || config->admit(config->ctx, &exchange->pub, exchange->route))
		return true;
	exchange_end_refused(exchange, HTTP_REFUSED_ACCESS);
	return false;
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
	take_base_off(exchange);
	return admit_route(exchange) && admit_caller(exchange) && admit_body(exchange);
}
