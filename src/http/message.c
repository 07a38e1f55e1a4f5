/* SPDX-License-Identifier: Apache-2.0 */
#include "http/message.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "codec/json.h"

#define DETAIL_MAX_BYTES 400

static const char *pair_value(const struct http_pair *pairs, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(pairs[i].name, name) == 0)
			return pairs[i].value;
	return NULL;
}

const char *http_request_param(const struct http_request *request, const char *name)
{
	return pair_value(request->params, request->n_params, name);
}

const char *http_request_header(const struct http_request *request, const char *name)
{
	return pair_value(request->headers, request->n_headers, name);
}

void http_request_media_type(const struct http_request *request, char *out, size_t cap)
{
	const char *type = http_request_header(request, "content-type");
	size_t len = type ? strcspn(type, "; \t,") : 0;

	len = min_of(len, cap - 1);
	for (size_t i = 0; i < len; i++)
		out[i] = (char)tolower((unsigned char)type[i]);
	out[len] = '\0';
}

/* The quality behind a token, as far as "is it zero?" goes: ";q=0", ";q=0.000". */
static bool quality_is_zero(const char *params, size_t len)
{
	const char *q = memmem(params, len, "q=", 2);

	if (!q)
		return false;
	q += 2;
	return strspn(q, "0.") >= strcspn(q, ",; \t") && *q == '0';
}

bool http_list_has(const char *value, const char *token)
{
	size_t token_len = strlen(token);

	while (value && *value) {
		size_t item = strcspn(value, ",");
		size_t skip = strspn(value, " \t");
		size_t name;

		if (skip < item) {
			name = strcspn(value + skip, ",; \t");
			if (name == token_len && strncasecmp(value + skip, token, name) == 0)
				return !quality_is_zero(value + skip + name, item - skip - name);
		}
		value += item + (value[item] == ',');
	}
	return false;
}

static void add_pair(struct arena *arena, struct http_pair *pairs, size_t *n, size_t max,
		     const char *name, const char *value)
{
	char *copy = arena_strndup(arena, value, strlen(value));

	assert(*n < max);
	(void)max;
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	pairs[(*n)++] = (struct http_pair){name, copy};
}

void http_response_header(struct http_exchange *exchange, const char *name, const char *value)
{
	add_pair(&exchange->arena, exchange->response.headers, &exchange->response.n_headers,
		 HTTP_MAX_ANSWER_HEADERS, name, value);
}

void http_response_trailer(struct http_exchange *exchange, const char *name, const char *value)
{
	add_pair(&exchange->arena, exchange->response.trailers, &exchange->response.n_trailers,
		 HTTP_MAX_TRAILERS, name, value);
}

void http_fail(struct http_exchange *exchange, int status, const char *reason, const char *fmt, ...)
{
	struct http_response *response = &exchange->response;
	char raw[2 * DETAIL_MAX_BYTES], detail[DETAIL_MAX_BYTES];
	struct json_writer json;
	va_list args;

	va_start(args, fmt);
	vsnprintf(raw, sizeof(raw), fmt, args);
	va_end(args);
	utf8_printable(detail, sizeof(detail), raw, strlen(raw));
	response->status = status;
	response->content_type = "application/json";
	response->constant = NULL;
	buf_reset(&response->body);
	json_writer_init(&json, &response->body, JSON_ESCAPE_MARKUP);
	json_object(&json);
	json_member_str(&json, "error", reason);
	json_member_str(&json, "detail", detail);
	json_end(&json);
	buf_putc(&response->body, '\n');
}
