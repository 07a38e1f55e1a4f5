/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/transport.h"
#include "base/cleanup.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "http/client.h"

#define URL_MAX_BYTES 2048
#define MAX_HEADERS 4

struct http_transport {
	struct http_client *client;
	char *url; /* without a final slash */
	char *token_file, *token, *tenant;
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

static int add_headers(struct http_transport *http, const struct agent_request *request,
		       char bearer[sizeof("Bearer ") + CREDENTIALS_TOKEN_MAX_BYTES],
		       struct http_client_header headers[MAX_HEADERS], size_t *ret_n,
		       struct err *err)
{
	const struct agent_credentials shown = {.token_file = http->token_file,
						.token = http->token};
	char token[CREDENTIALS_TOKEN_MAX_BYTES + 1] = "";
	size_t n = 0;
	int r = agent_token(&shown, token, err);

	if (r < 0)
		return r;
	snprintf(bearer, sizeof("Bearer ") + CREDENTIALS_TOKEN_MAX_BYTES, "Bearer %s", token);
	headers[n++] = (struct http_client_header){"Content-Type", request->content_type};
	if (request->content_encoding)
		headers[n++] =
			(struct http_client_header){"Content-Encoding", request->content_encoding};
	if (*token)
		headers[n++] = (struct http_client_header){"Authorization", bearer};
	if (http->tenant)
		headers[n++] = (struct http_client_header){"X-Scope-OrgID", http->tenant};
	*ret_n = n;
	return 0;
}

static int transport_send(void *ctx, const struct agent_request *request,
			  struct agent_answer *ret_answer, struct err *err)
{
	struct http_transport *http = ctx;
	cleanup(http_client_answer_done) struct http_client_answer answer = {0};
	cleanup(buf_done) struct buf url = {.ceiling = 4 * URL_MAX_BYTES};
	char bearer[sizeof("Bearer ") + CREDENTIALS_TOKEN_MAX_BYTES];
	struct http_client_header headers[MAX_HEADERS];
	struct http_client_request sent = {
		.method = request->method,
		.headers = headers,
		.body = request->body,
		.body_len = request->body_len,
	};
	int r = add_headers(http, request, bearer, headers, &sent.n_headers, err);

	if (r < 0)
		return r;
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
	free(http->token_file);
	free(http->token);
	free(http->tenant);
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

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

int transport_http_new(const char *url, const struct agent_credentials *credentials,
		       struct agent_transport *ret_transport, struct err *err)
{
	struct http_transport *http;
	struct http_client_opts opts = {.user_agent = "pyrometer", .ca_file = credentials->ca_file};
	char token[CREDENTIALS_TOKEN_MAX_BYTES + 1];
	size_t len = strlen(url);
	int r = check_url(url, err);

	if (r == 0)
		r = agent_token(credentials, token, err); /* a mistake shows at once */
	if (r < 0)
		return r;
	http = xcalloc(1, sizeof(*http));
	while (len && url[len - 1] == '/')
		len--;
	http->url = xstrndup(url, len);
	http->token_file = copy(credentials->token_file);
	http->token = copy(credentials->token);
	http->tenant = copy(credentials->tenant);
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
