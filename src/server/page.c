/* SPDX-License-Identifier: Apache-2.0 */
/* The web page: files that the build made, found by path, cached by checksum. */
#include <string.h>

#include "server/server_private.h"
#include "server/web_assets.h"

static const char not_built[] =
	"This pyrometer was built without its web page (Node 18 or newer was missing, or "
	"-Dweb=disabled).\n"
	"Everything else works: profiles are taken and kept, and /api/v1/ answers queries.\n";

static const struct web_asset *find_asset(const char *path)
{
	/* The page routes by itself below /s/; /explore was Pyroscope's page. */
	bool is_page = strncmp(path, "/s/", 3) == 0 || strcmp(path, "/explore") == 0;

	return web_asset_find(is_page ? "/" : path);
}

/* The page itself, whose links are absolute, where they begin with `base`. */
static void put_rebased(struct http_exchange *exchange, const struct web_asset *asset,
			const char *base)
{
	static const char link[] = "=\"/";
	const char *at = (const char *)asset->bytes, *end = at + asset->n_bytes;
	struct buf *out = &exchange->response.body;

	for (const char *next; at < end; at = next) {
		next = memmem(at, (size_t)(end - at), link, sizeof(link) - 1);
		next = next ? next + 2 : end; /* behind the quote */
		buf_put(out, at, (size_t)(next - at));
		if (next < end)
			buf_puts(out, base);
	}
}

static void put_bytes(struct http_exchange *exchange, const struct web_asset *asset)
{
	struct http_response *response = &exchange->response;
	const char *accept = http_request_header(&exchange->request, "accept-encoding");

	response->is_encoded = true;
	http_response_header(exchange, "Vary", "Accept-Encoding");
	if (asset->gzip && http_list_has(accept, "gzip")) {
		response->constant = asset->gzip;
		response->constant_len = asset->n_gzip;
		http_response_header(exchange, "Content-Encoding", "gzip");
	} else {
		response->constant = asset->bytes;
		response->constant_len = asset->n_bytes;
	}
}

static void put_asset(struct http_exchange *exchange, const struct web_asset *asset,
		      const char *base)
{
	struct http_response *response = &exchange->response;
	const char *known = http_request_header(&exchange->request, "if-none-match");

	response->content_type = asset->mime;
	response->policy = asset->policy;
	response->cache_control =
		asset->is_immutable ? "public, max-age=31536000, immutable" : "no-cache";
	http_response_header(exchange, "ETag", asset->etag);
	if (known && strstr(known, asset->etag))
		response->status = 304;
	else if (*base && strcmp(asset->path, "/") == 0)
		put_rebased(exchange, asset, base);
	else
		put_bytes(exchange, asset);
}

void handle_page(void *ctx, struct http_exchange *exchange)
{
	const struct server *server = ctx;
	const char *path = exchange->request.path;
	const struct web_asset *asset = find_asset(path);

	if (asset) {
		put_asset(exchange, asset, server->config.base);
	} else if (strcmp(path, "/") == 0 && !web_is_built()) {
		exchange->response.content_type = "text/plain; charset=utf-8";
		buf_puts(&exchange->response.body, not_built);
	} else {
		http_fail(exchange, 404, "not_found", "there is nothing at this path");
	}
	http_exchange_finish(exchange);
}
