/* SPDX-License-Identifier: Apache-2.0 */
#include "http/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/opt.h"
#include "http/late_private.h"

#define CONNECT_TIMEOUT_NS (5 * NS_PER_S)
#define REQUEST_TIMEOUT_NS (30 * NS_PER_S)
/* A server that asks for more is not believed. */
#define RETRY_AFTER_MAX_S 300
#define HEADER_LINE_MAX_BYTES 8192

struct http_client {
	struct late_curl lib;
	CURL *curl;
	struct http_client_opts opts;
	char curl_text[CURL_ERROR_SIZE];
};

/* What the callbacks of one request fill. */
struct transfer {
	struct http_client_answer *answer;
	const volatile bool *is_cancelled;
};

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct transfer *transfer = ctx;
	struct buf *body = &transfer->answer->body;
	size_t len = size * n, room = body->ceiling - body->len;

	if (len > room)
		transfer->answer->is_cut = true;
	buf_put(body, data, min_of(len, room));
	/* A short count ends the transfer; http_client_send() knows that this was our wish. */
	return transfer->answer->is_cut ? 0 : len;
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
	static const char name[] = "retry-after:";
	struct transfer *transfer = ctx;
	size_t len = size * n;
	char text[32];
	int64_t seconds;

	if (len < sizeof(name) - 1 || len > HEADER_LINE_MAX_BYTES ||
	    strncasecmp(data, name, sizeof(name) - 1) != 0)
		return len;
	data += sizeof(name) - 1;
	snprintf(text, sizeof(text), "%.*s", (int)(len - (sizeof(name) - 1)), data);
	text[strcspn(text, "\r\n")] = '\0';
	/* The other form, a date, is not used by any server that we send to. */
	if (opt_parse_int(text + strspn(text, " \t"), 0, RETRY_AFTER_MAX_S, &seconds, NULL) == 0)
		transfer->answer->retry_after_ns = seconds * NS_PER_S;
	return len;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct transfer *transfer = ctx;

	(void)a, (void)b, (void)c, (void)d;
	return transfer->is_cancelled && *transfer->is_cancelled;
}

int http_client_new(const struct http_client_opts *opts, struct http_client **ret_client,
		    struct err *err)
{
	struct http_client *client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		abort();
	r = late_curl_load(&client->lib, err);
	if (r < 0) {
		free(client);
		return r;
	}
	client->curl = client->lib.easy_init();
	if (!client->curl) {
		free(client);
		return err_set(err, -ENOMEM, "libcurl cannot start");
	}
	client->opts = *opts;
	if (!client->opts.connect_timeout_ns)
		client->opts.connect_timeout_ns = CONNECT_TIMEOUT_NS;
	if (!client->opts.timeout_ns)
		client->opts.timeout_ns = REQUEST_TIMEOUT_NS;
	if (!client->opts.max_answer_bytes)
		client->opts.max_answer_bytes = HTTP_CLIENT_MAX_ANSWER_BYTES;
	client->opts.user_agent = strdup(opts->user_agent ? opts->user_agent : "pyrometer");
	client->opts.ca_file = opts->ca_file ? strdup(opts->ca_file) : NULL;
	if (!client->opts.user_agent || (opts->ca_file && !client->opts.ca_file))
		abort();
	*ret_client = client;
	return 0;
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	client->lib.easy_cleanup(client->curl);
	free((char *)client->opts.user_agent);
	free((char *)client->opts.ca_file);
	free(client);
}

static struct curl_slist *header_list(const struct late_curl *lib,
				      const struct http_client_request *request)
{
	struct curl_slist *list = NULL;
	char line[HEADER_LINE_MAX_BYTES];

	for (size_t i = 0; i < request->n_headers; i++) {
		snprintf(line, sizeof(line), "%s: %s", request->headers[i].name,
			 request->headers[i].value);
		list = lib->slist_append(list, line);
	}
	/* libcurl waits a second for "100 Continue" with bodies over 1 MiB; our bodies are smaller.
	 */
	list = lib->slist_append(list, "Expect:");
	if (!list)
		abort();
	return list;
}

/* curl_easy_setopt() fails only for options that this libcurl does not know: the build has them. */
static void set_up(struct http_client *client, const struct http_client_request *request,
		   struct transfer *transfer, struct curl_slist *headers)
{
	const struct late_curl *lib = &client->lib;
	CURL *curl = client->curl;

	lib->easy_reset(curl); /* keeps the connection */
	lib->easy_setopt(curl, CURLOPT_URL, request->url);
	lib->easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	lib->easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	lib->easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	if (client->opts.ca_file)
		lib->easy_setopt(curl, CURLOPT_CAINFO, client->opts.ca_file);
	lib->easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	lib->easy_setopt(curl, CURLOPT_USERAGENT, client->opts.user_agent);
	lib->easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	lib->easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(client->opts.connect_timeout_ns / NS_PER_MS));
	lib->easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(client->opts.timeout_ns / NS_PER_MS));
	lib->easy_setopt(curl, CURLOPT_ERRORBUFFER, client->curl_text);
	lib->easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	lib->easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
	lib->easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	lib->easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
	lib->easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	lib->easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
	lib->easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	if (strcmp(request->method, "GET") != 0) {
		lib->easy_setopt(curl, CURLOPT_POST, 1L);
		lib->easy_setopt(curl, CURLOPT_POSTFIELDS, request->body ? request->body : "");
		lib->easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
		lib->easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	}
}

/* The URL for messages: without user, password and query. */
static void shown_url(const char *url, char *out, size_t cap)
{
	const char *scheme = strstr(url, "://");
	const char *host = scheme ? scheme + 3 : url;
	size_t authority = strcspn(host, "/?#");
	const char *at = memrchr(host, '@', authority);
	const char *name = at ? at + 1 : host;

	snprintf(out, cap, "%.*s%.*s", (int)(host - url), url, (int)strcspn(name, "?#"), name);
}

static int code_of(CURLcode result)
{
	switch (result) {
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return ERR_USAGE;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_ABORTED_BY_CALLBACK:
		return -ECANCELED;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	default:
		return -EIO;
	}
}

static int read_result(struct http_client *client, CURLcode result, const char *url,
		       struct http_client_answer *answer, struct err *err)
{
	const char *type = NULL;
	char shown[256];
	long status = 0;

	client->lib.easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (result != CURLE_OK && !(result == CURLE_WRITE_ERROR && answer->is_cut)) {
		shown_url(url, shown, sizeof(shown));
		if (result == CURLE_ABORTED_BY_CALLBACK)
			return err_set(err, -ECANCELED,
				       "%s: it had not answered when waiting was given up", shown);
		return err_set(err, code_of(result), "%s: %s", shown,
			       client->curl_text[0] ? client->curl_text
						    : client->lib.easy_strerror(result));
	}
	answer->status = (int)status;
	client->lib.easy_getinfo(client->curl, CURLINFO_CONTENT_TYPE, &type);
	snprintf(answer->content_type, sizeof(answer->content_type), "%s", type ? type : "");
	return 0;
}

int http_client_send(struct http_client *client, const struct http_client_request *request,
		     struct http_client_answer *ret_answer, struct err *err)
{
	struct http_client_answer answer = {0};
	struct transfer transfer = {.answer = &answer, .is_cancelled = client->opts.is_cancelled};
	struct curl_slist *headers;
	int r;

	if (request->n_headers > HTTP_CLIENT_MAX_HEADERS)
		return err_set(err, ERR_LIMIT, "more than %d headers", HTTP_CLIENT_MAX_HEADERS);
	headers = header_list(&client->lib, request);
	buf_init(&answer.body, client->opts.max_answer_bytes);
	client->curl_text[0] = '\0';
	set_up(client, request, &transfer, headers);
	r = read_result(client, client->lib.easy_perform(client->curl), request->url, &answer, err);
	client->lib.slist_free_all(headers);
	if (r < 0) {
		buf_done(&answer.body);
		return r;
	}
	*ret_answer = answer;
	return 0;
}

void http_client_answer_done(struct http_client_answer *answer)
{
	buf_done(&answer->body);
}
