/* SPDX-License-Identifier: Apache-2.0 */
#include "server/caller.h"

static const struct caller anyone = {
	.tenant = STORE_TENANT_DEFAULT,
	.scopes = SCOPE_INGEST | SCOPE_QUERY | SCOPE_ADMIN,
	.token = "",
};

const struct caller *caller_of(const struct http_exchange *exchange)
{
	return exchange->caller ? exchange->caller : &anyone;
}
