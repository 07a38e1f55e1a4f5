/* SPDX-License-Identifier: Apache-2.0 */
#include "http/fetcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/vec.h"
#include "http/late_private.h"

#define CONNECT_TIMEOUT_NS (5 * NS_PER_S)
#define HEADER_MAX_BYTES 8192

struct fetch {
	struct http_fetcher *fetcher;
	CURL *curl;
	struct curl_slist *headers;
	struct buf body;
	bool is_too_large;
	int64_t start_ns;
	http_fetch_done_fn *done;
	void *ctx;
	char text[CURL_ERROR_SIZE];
	struct fetch *next, **at; /* among those under way */
};

struct http_fetcher {
	struct late_curl lib;
	CURLM *multi;
	struct fetch *fetches;
	size_t bytes, max_bytes; /* of the bodies of all */
};

int http_fetcher_new(size_t max_bytes, struct http_fetcher **ret_fetcher, struct err *err)
{
	struct http_fetcher *fetcher = xcalloc(1, sizeof(*fetcher));
	int r = late_curl_load(&fetcher->lib, err);

	if (r == 0) {
		fetcher->multi = fetcher->lib.multi_init();
		if (!fetcher->multi)
			r = err_set(err, -ENOMEM, "libcurl cannot start");
	}
	if (r < 0) {
		free(fetcher);
		return r;
	}
	fetcher->max_bytes = max_bytes;
	*ret_fetcher = fetcher;
	return 0;
}

static void fetch_free(struct fetch *fetch)
{
	struct http_fetcher *fetcher = fetch->fetcher;

	*fetch->at = fetch->next;
	if (fetch->next)
		fetch->next->at = fetch->at;
	fetcher->bytes -= fetch->body.len;
	fetcher->lib.multi_remove_handle(fetcher->multi, fetch->curl);
	fetcher->lib.easy_cleanup(fetch->curl);
	fetcher->lib.slist_free_all(fetch->headers);
	buf_done(&fetch->body);
	free(fetch);
}

void http_fetcher_free(struct http_fetcher *fetcher)
{
	if (!fetcher)
		return;
	while (fetcher->fetches)
		fetch_free(fetcher->fetches);
	fetcher->lib.multi_cleanup(fetcher->multi);
	free(fetcher);
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct fetch *fetch = ctx;
	struct http_fetcher *fetcher = fetch->fetcher;
	size_t len = size * n;

	if (len > fetch->body.ceiling - fetch->body.len ||
	    len > fetcher->max_bytes - fetcher->bytes) {
		fetch->is_too_large = true;
		return 0; /* a short count ends the transfer */
	}
	buf_put(&fetch->body, data, len);
	fetcher->bytes += len;
	return len;
}

/* curl_easy_setopt() fails only for options that this libcurl does not know: the build has them. */
static void set_up(struct fetch *fetch, const struct http_fetch *what)
{
	const struct late_curl *lib = &fetch->fetcher->lib;
	CURL *curl = fetch->curl;
	char header[HEADER_MAX_BYTES];

	lib->easy_setopt(curl, CURLOPT_URL, what->url);
	lib->easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	lib->easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	lib->easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	lib->easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	lib->easy_setopt(curl, CURLOPT_USERAGENT, "pyrometer");
	lib->easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(CONNECT_TIMEOUT_NS / NS_PER_MS));
	lib->easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(what->timeout_ns / NS_PER_MS));
	lib->easy_setopt(curl, CURLOPT_ERRORBUFFER, fetch->text);
	lib->easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	lib->easy_setopt(curl, CURLOPT_WRITEDATA, fetch);
	lib->easy_setopt(curl, CURLOPT_PRIVATE, fetch);
	if (!what->authorization)
		return;
	snprintf(header, sizeof(header), "Authorization: %s", what->authorization);
	fetch->headers = lib->slist_append(NULL, header);
	lib->easy_setopt(curl, CURLOPT_HTTPHEADER, fetch->headers);
}

int http_fetcher_start(struct http_fetcher *fetcher, const struct http_fetch *what, struct err *err)
{
	struct fetch *fetch = xcalloc(1, sizeof(*fetch));

	fetch->fetcher = fetcher;
	fetch->curl = fetcher->lib.easy_init();
	if (!fetch->curl) {
		free(fetch);
		return err_set(err, -ENOMEM, "libcurl cannot start");
	}
	buf_init(&fetch->body, what->max_bytes);
	fetch->done = what->done;
	fetch->ctx = what->ctx;
	fetch->start_ns = clock_monotonic_ns();
	fetch->next = fetcher->fetches;
	fetch->at = &fetcher->fetches;
	if (fetch->next)
		fetch->next->at = &fetch->next;
	fetcher->fetches = fetch;
	set_up(fetch, what);
	if (fetcher->lib.multi_add_handle(fetcher->multi, fetch->curl) != CURLM_OK) {
		fetch_free(fetch);
		return err_set(err, -ENOMEM, "libcurl takes no more transfers");
	}
	return 0;
}

static enum http_fetch_failure failure_of(const struct fetch *fetch, CURLcode result)
{
	if (fetch->is_too_large)
		return HTTP_FETCH_TOO_LARGE;
	switch (result) {
	case CURLE_OK:
		return HTTP_FETCH_OK;
	case CURLE_OPERATION_TIMEDOUT:
		return HTTP_FETCH_TIMEOUT;
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_URL_MALFORMAT:
		return HTTP_FETCH_UNREACHABLE;
	default:
		return HTTP_FETCH_BROKEN;
	}
}

static void end(struct fetch *fetch, CURLcode result)
{
	const struct late_curl *lib = &fetch->fetcher->lib;
	struct http_fetched fetched = {
		.failure = failure_of(fetch, result),
		.text = fetch->text[0] ? fetch->text : lib->easy_strerror(result),
		.body = fetch->body.data ? fetch->body.data : "",
		.len = fetch->body.len,
		.duration_ns = clock_monotonic_ns() - fetch->start_ns,
	};
	long status = 0;

	if (fetched.failure == HTTP_FETCH_TOO_LARGE)
		fetched.text = "the answer is larger than what is read of one";
	lib->easy_getinfo(fetch->curl, CURLINFO_RESPONSE_CODE, &status);
	fetched.status = (int)status;
	fetch->done(fetch->ctx, &fetched);
	fetch_free(fetch);
}

void http_fetcher_run(struct http_fetcher *fetcher, int64_t wait_ns)
{
	const struct late_curl *lib = &fetcher->lib;
	int n_running, n_left;
	CURLMsg *message;

	lib->multi_perform(fetcher->multi, &n_running);
	lib->multi_poll(fetcher->multi, NULL, 0, (int)(max_of(wait_ns, 0ll) / NS_PER_MS), NULL);
	lib->multi_perform(fetcher->multi, &n_running);
	while ((message = lib->multi_info_read(fetcher->multi, &n_left))) {
		CURLcode result = message->data.result;
		struct fetch *fetch = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		lib->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &fetch);
		end(fetch, result); /* the message is gone with the handle */
	}
}

void http_fetcher_wake(struct http_fetcher *fetcher)
{
	fetcher->lib.multi_wakeup(fetcher->multi);
}
