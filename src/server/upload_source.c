/* SPDX-License-Identifier: Apache-2.0 */
/* PUT /api/v1/source: the text of a service's file, for the lines of its functions. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "server/upload.h"

#define FILE_NAME_MAX_BYTES 4096

static void on_stored(void *ctx, int code, const char *text)
{
	struct http_exchange *exchange = ctx;
	const struct upload_answer *answer = upload_answer_of(code);

	if (code < 0 && code != ERR_DUPLICATE)
		http_fail(exchange, answer->status, answer->word, "%s",
			  text && *text ? text : err_name(code));
	else
		exchange->response.status = 204;
	http_exchange_finish(exchange);
}

void handle_source(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	const struct http_request *request = &exchange->request;
	const char *service = http_request_param(request, "service");
	struct store_source source = {.file = http_request_param(request, "file"),
				      .text = request->body ? (const char *)request->body : "",
				      .len = request->body_len,
				      .time_ns = clock_real_ns()};
	struct err err = {0};
	int r;

	if (!service || !*service || !source.file || !*source.file)
		r = err_set(&err, ERR_USAGE, "the parameters service and file are needed");
	else if (strlen(service) > LABEL_VALUE_MAX_BYTES ||
		 strlen(source.file) > FILE_NAME_MAX_BYTES)
		r = err_set(&err, ERR_USAGE, "the name of the service or file is too long");
	else if (!utf8_is_valid(source.text, source.len))
		r = err_set(&err, ERR_USAGE, "the text is not UTF-8, or holds a NUL");
	else
		r = server->store->ops->put_source(server->store, caller_of(exchange)->tenant,
						   service, &source, on_stored, exchange, &err);
	if (r < 0)
		on_stored(exchange, r, err.text);
}
