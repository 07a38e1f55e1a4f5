/* SPDX-License-Identifier: Apache-2.0 */
/* What every answer has in common: compression, security headers, counting. */
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "codec/gzip.h"
#include "http/http_private.h"

/* Below this gzip and its header cost more than they save. */
#define GZIP_LEAST_BYTES 1024
/* Level 1 makes JSON of flame graphs 8 times smaller at 4 ms a MiB; level 6 12 % smaller at 4 times
 * that. */
#define GZIP_ANSWER_LEVEL 1
#define RAW_MAX_BYTES ((size_t)16 << 10) /* headers and the few lines of a refusal */

const char *http_status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
		{200, "OK"},
		{204, "No Content"},
		{400, "Bad Request"},
		{408, "Request Timeout"},
		{413, "Content Too Large"},
		{503, "Service Unavailable"},
	};

	for (size_t i = 0; i < array_len(texts); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Error";
}

const void *answer_body(const struct exchange *exchange, size_t *ret_len)
{
	const struct http_response *response = &exchange->pub.response;

	*ret_len = response->constant ? response->constant_len : response->body.len;
	return response->constant ? response->constant : response->body.data;
}

static bool is_text(const char *type)
{
	return type &&
	       (strncmp(type, "text/", 5) == 0 || strncmp(type, "application/json", 16) == 0 ||
		strstr(type, "javascript") || strstr(type, "svg"));
}

static void compress(struct exchange *exchange)
{
	struct http_response *response = &exchange->pub.response;
	const char *accept = http_request_header(&exchange->pub.request, "accept-encoding");
	struct buf packed;
	const void *data;
	size_t len;

	if (response->is_encoded || !is_text(response->content_type))
		return;
	http_response_header(&exchange->pub, "Vary", "Accept-Encoding");
	data = answer_body(exchange, &len);
	if (len < GZIP_LEAST_BYTES || !http_list_has(accept, "gzip"))
		return;
	buf_init(&packed, len + len / 8 + GZIP_LEAST_BYTES); /* what libdeflate asks for */
	if (gzip_compress(data, len, GZIP_ANSWER_LEVEL, &packed, NULL) < 0 || packed.len >= len) {
		buf_done(&packed);
		return;
	}
	buf_done(&response->body);
	response->body = packed;
	response->constant = NULL;
	http_response_header(&exchange->pub, "Content-Encoding", "gzip");
}

static const char default_policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
	"connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
	"frame-ancestors 'none'; require-trusted-types-for 'script'";

static void add_common_headers(struct exchange *exchange)
{
	static const struct http_pair common[] = {
		{"X-Content-Type-Options", "nosniff"},
		/* Not no-referrer: forms of our own pages would come with "Origin: null". */
		{"Referrer-Policy", "same-origin"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
	};
	struct http_exchange *pub = &exchange->pub;
	const char *policy = pub->response.policy;
	char timing[48];

	http_response_header(pub, "Content-Security-Policy", policy ? policy : default_policy);
	for (size_t i = 0; i < array_len(common); i++)
		http_response_header(pub, common[i].name, common[i].value);
	if (exchange->server->relay)
		http_response_header(pub, "Strict-Transport-Security", "max-age=31536000");
	http_response_header(pub, "Cache-Control", pub->response.cache_control);
	if (pub->response.content_type)
		http_response_header(pub, "Content-Type", pub->response.content_type);
	snprintf(timing, sizeof(timing), "app;dur=%.1f",
		 (double)(clock_monotonic_ns() - exchange->start_ns) / NS_PER_MS);
	http_response_header(pub, "Server-Timing", timing);
}

void answer_complete(struct exchange *exchange)
{
	struct http_response *response = &exchange->pub.response;
	int class = response->status / 100;

	if (response->body.overflow) {
		response->n_headers = 0;
		http_fail(&exchange->pub, 500, "answer_too_large",
			  "the answer is larger than %zu bytes; ask for a part of it",
			  HTTP_MAX_ANSWER_BYTES);
	}
	compress(exchange);
	add_common_headers(exchange);
	atomic_fetch_add(&exchange->server->requests[class >= 1 && class <= 5 ? class : 0], 1);
}

void answer_raw(int fd, int status, const char *reason, const char *detail)
{
	char body[256], text[768];
	int body_len, len;

	body_len = snprintf(body, sizeof(body), "{\"error\":\"%s\",\"detail\":\"%s\"}\n", reason,
			    detail);
	len = snprintf(
		text, sizeof(text),
		"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
		"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
		"Content-Security-Policy: default-src 'none'\r\n%sConnection: close\r\n\r\n%s",
		status, http_status_text(status), body_len,
		status == 503 ? "Retry-After: 1\r\n" : "", body);
	/* The socket's buffer is empty, so this is sent whole or the client has gone. */
	(void)!send(fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void put_pairs(struct buf *out, const struct http_pair *pairs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s: %s\r\n", pairs[i].name, pairs[i].value);
}

/* Without chunks there are no trailers: gRPC reads its status among the headers then ("trailers only"). */
void answer_send_raw(int fd, const struct exchange *exchange)
{
	const struct http_response *response = &exchange->pub.response;
	struct buf text;
	const void *body;
	size_t len;

	body = answer_body(exchange, &len);
	buf_init(&text, RAW_MAX_BYTES);
	buf_printf(&text, "HTTP/1.1 %d %s\r\n", response->status,
		   http_status_text(response->status));
	put_pairs(&text, response->headers, response->n_headers);
	put_pairs(&text, response->trailers, response->n_trailers);
	buf_printf(&text, "Content-Length: %zu\r\nConnection: close\r\n\r\n", len);
	buf_put(&text, body, len);
	(void)!send(fd, text.data, text.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	buf_done(&text);
}
