/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/transport.h"
#include "base/cleanup.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "http/client.h"

#define URL_MAX_BYTES 2048

struct http_transport {
	struct http_client *client;
	char *url; /* without a final slash */
	volatile bool is_cancelled;
};

static void fill_answer(const struct http_client_answer *from, struct agent_answer *answer)
{
	*answer = (struct agent_answer){
		.status = from->status,
		.retry_after_ns = from->retry_after_ns,
	};
	if (from->body.len)
		utf8_printable(answer->text, sizeof(answer->text), from->body.data, from->body.len);
}

static int transport_send(void *ctx, const struct agent_request *request,
			  struct agent_answer *ret_answer, struct err *err)
{
	struct http_transport *http = ctx;
	cleanup(http_client_answer_done) struct http_client_answer answer = {0};
	cleanup(buf_done) struct buf url = {.ceiling = 4 * URL_MAX_BYTES};
	const struct http_client_header headers[] = {
		{"Content-Type", request->content_type},
		{"Content-Encoding", request->content_encoding},
	};
	struct http_client_request sent = {
		.method = request->method,
		.headers = headers,
		.n_headers = request->content_encoding ? 2 : 1,
		.body = request->body,
		.body_len = request->body_len,
	};
	int r;

	buf_puts(&url, http->url);
	buf_puts(&url, request->path);
	if (url.overflow)
		return err_set(err, ERR_LIMIT, "the address of a request is too long");
	sent.url = url.data;
	r = http_client_send(http->client, &sent, &answer, err);
	if (r == 0)
		fill_answer(&answer, ret_answer);
	return r;
}

static void transport_cancel(void *ctx)
{
	struct http_transport *http = ctx;

	http->is_cancelled = true;
}

static void transport_free(void *ctx)
{
	struct http_transport *http = ctx;

	if (!http)
		return;
	http_client_free(http->client);
	free(http->url);
	free(http);
}

/* What comes behind "://"; whether there is such a host is seen when something is sent. */
static bool names_a_host(const char *authority)
{
	size_t len = strcspn(authority, "/?#");
	const char *at = memrchr(authority, '@', len);
	const char *host = at ? at + 1 : authority;

	if (host == authority + len || *host == ':')
		return false;
	if (*host == '[' && !memchr(host, ']', (size_t)(authority + len - host)))
		return false;
	for (const char *c = authority; *c; c++)
		if (*c <= ' ' || *c == 0x7f)
			return false;
	return true;
}

static int check_url(const char *url, struct err *err)
{
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return err_set(err, ERR_USAGE,
			       "'%s' is no address to push to: write it as http://HOST:PORT", url);
	if (!names_a_host(strstr(url, "://") + 3))
		return err_set(err, ERR_USAGE,
			       "'%s' names no host to push to: write it as http://HOST:PORT", url);
	if (strlen(url) > URL_MAX_BYTES || strpbrk(url, "?#"))
		return err_set(err, ERR_USAGE,
			       "the address to push to is too long or has a query: write it as "
			       "http://HOST:PORT");
	return 0;
}

int transport_http_new(const char *url, struct agent_transport *ret_transport, struct err *err)
{
	struct http_transport *http;
	struct http_client_opts opts = {.user_agent = "pyrometer"};
	size_t len = strlen(url);
	int r = check_url(url, err);

	if (r < 0)
		return r;
	http = xcalloc(1, sizeof(*http));
	while (len && url[len - 1] == '/')
		len--;
	http->url = xstrndup(url, len);
	opts.is_cancelled = &http->is_cancelled;
	r = http_client_new(&opts, &http->client, err);
	if (r < 0) {
		transport_free(http);
		return r;
	}
	*ret_transport = (struct agent_transport){
		.send = transport_send,
		.cancel = transport_cancel,
		.free = transport_free,
		.ctx = http,
	};
	return 0;
}
