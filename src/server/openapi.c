/* SPDX-License-Identifier: Apache-2.0 */
/* GET /api/v1/openapi.json, and under the name that Pyroscope has for the description of its own */
#include "server/openapi.h"

#include <string.h>

#include "server/server_private.h"

void handle_openapi(void *ctx, struct http_exchange *exchange)
{
	struct http_response *response = &exchange->response;

	(void)ctx;
	response->content_type = "application/json";
	response->constant = (const unsigned char *)openapi_text;
	response->constant_len = strlen(openapi_text);
	http_exchange_finish(exchange);
}
