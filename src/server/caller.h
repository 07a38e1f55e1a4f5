/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who makes a request: every handler asks caller_of(exchange), and puts and asks for the data of that tenant only.
 *
 * The caller was made before the body was read (access.h): by the token, and by X-Scope-OrgID where the server has
 * tenants.  It lives as long as the exchange.
 */
#ifndef SERVER_CALLER_H
#define SERVER_CALLER_H

#include "http/message.h"
#include "store/store.h"

/* What a route is for, and what a token may do: bits.  A route that says nothing is for administrators. */
enum scope {
	SCOPE_INGEST = 1,
	SCOPE_QUERY = 2,
	SCOPE_ADMIN = 4,  /* may everything */
	SCOPE_OPEN = 8,	  /* of routes: for everyone, without a token */
	SCOPE_PAGE = 16,  /* of routes: a browser without a session is sent to the login page */
	SCOPE_WHOLE = 32, /* of routes: shows all tenants, thus not for tokens of one (/metrics) */
	SCOPE_ONE =
		64, /* of routes that are asked: keeps something of one tenant, not for several at a time */
};

struct caller {
	const char
		*tenant; /* where a route for queries takes several: "one|two", sorted, each once */
	unsigned int scopes;
	const char *token; /* its id, for logs; "" without one */
	bool has_session;  /* came with the cookie of the login page */
};

/* Never NULL: the default tenant and every scope where nothing guards the server. */
const struct caller *caller_of(const struct http_exchange *exchange);

#endif
