/* SPDX-License-Identifier: Apache-2.0 */
/* /ready: can it take profiles now?  /healthz: is it alive? */
#include "server/server_private.h"

void handle_ready(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct store_stats stats;

	server->store->ops->stats(server->store, &stats);
	if (atomic_load(&server->is_stopping)) {
		http_fail(exchange, 503, "stopping", "the server is stopping");
	} else if (stats.is_full) {
		http_fail(exchange, 503, "disk_full",
			  "the disk is full: profiles are refused, queries are answered");
	} else {
		exchange->response.content_type = "text/plain; charset=utf-8";
		buf_puts(&exchange->response.body, "ready\n");
	}
	http_exchange_finish(exchange);
}

void handle_healthz(void *ctx, struct http_exchange *exchange)
{
	(void)ctx;
	exchange->response.content_type = "text/plain; charset=utf-8";
	buf_puts(&exchange->response.body, "ok\n");
	http_exchange_finish(exchange);
}
