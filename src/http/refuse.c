/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What HTTP answers itself, because no handler saw the request or none was done in time.
 *
 * Every refusal takes one way: the answer is made, counted, dressed as clients of its path read it (http_config.dress)
 * and told to who lists refusals.  Where the exchange is another thread's, a stand-in is refused in its place.
 */
#include <string.h>

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
		[HTTP_REFUSED_ACCESS] = "access",
	};

	return names[refusal];
}

void exchange_tell_refused(struct exchange *exchange, enum http_refusal refusal, int status,
			   const char *reason, const char *detail)
{
	const struct http_config *config = exchange->server->config;

	http_fail(&exchange->pub, status, reason, "%s", detail);
	if (status == 503)
		http_response_header(&exchange->pub, "Retry-After",
				     refusal == HTTP_REFUSED_TIMEOUT ? "5" : "1");
	atomic_fetch_add(&exchange->server->refused[refusal], 1);
	if (config->refused)
		config->refused(config->ctx, &exchange->pub, refusal);
	if (config->dress)
		config->dress(config->ctx, &exchange->pub, refusal, reason, detail);
}

static void end_answered(struct exchange *exchange)
{
	answer_complete(exchange);
	atomic_store(&exchange->state, EXCHANGE_ANSWERED);
}

void exchange_refuse(struct exchange *exchange, enum http_refusal refusal, int status,
		     const char *reason, const char *fmt, ...)
{
	char detail[ERR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	exchange_tell_refused(exchange, refusal, status, reason, detail);
	end_answered(exchange);
}

void exchange_end_refused(struct exchange *exchange, enum http_refusal refusal)
{
	const struct http_config *config = exchange->server->config;

	atomic_fetch_add(&exchange->server->refused[refusal], 1);
	if (config->refused)
		config->refused(config->ctx, &exchange->pub, refusal);
	end_answered(exchange);
}

struct exchange *exchange_refused_for(const struct exchange *original, enum http_refusal refusal,
				      int status, const char *reason, const char *detail)
{
	struct exchange *exchange =
		exchange_new(original->server, original->wake, original->front, original->pub.peer);
	struct http_pair *headers = exchange->pub.request.headers;

	exchange->start_ns = original->start_ns;
	exchange->pub.caller = original->pub.caller;
	exchange->pub.request = original->pub.request;
	exchange->must_close = true;
	exchange_refuse(exchange, refusal, status, reason, "%s", detail);
	/* From here on the original may end, and its texts with it. */
	exchange->pub.caller = NULL;
	exchange->pub.request = (struct http_request){
		.method = original->pub.request.method, .path = "", .tail = "", .headers = headers};
	return exchange;
}

struct exchange *exchange_late(struct exchange *exchange)
{
	struct exchange *late = exchange_refused_for(
		exchange, HTTP_REFUSED_TIMEOUT, 503, "timeout",
		"the server could not answer in time; try again or ask for less");

	exchange_drop(exchange);
	return late;
}
