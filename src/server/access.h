/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets in: every request passes access_admit() before a byte of its body is read, and leaves with a caller
 * (caller.h) or with 401, 403 or 429.
 *
 *   1. Without a token file (token.h) everyone may everything.  Once there was one, nobody gets in without a
 *      token until the server starts again, even if the file is removed.
 *   2. A token comes as "Authorization: Bearer TOKEN", as the password of basic authentication (the name does
 *      not matter), or was given to the login page, which sets a cookie.  Never in a URL.
 *   3. The tenant is the token's.  Where the token is for every tenant, or there are no tokens, and the server
 *      has tenants (--tenants), X-Scope-OrgID says which, and its absence is 401 as with Pyroscope; without
 *      --tenants the header is not looked at.  "one|two" asks both at a time: only questions take that, and
 *      what puts or keeps something answers 401 as Pyroscope does.
 *   4. Revoking a token ends its sessions and its use on open connections within a second.
 *   5. Wrong tokens are counted by address: beyond max-login-failures a minute that address is told 429 for wrong
 *      ones.  A right token always gets in, so nobody can lock out others.
 *
 * Any thread; one mutex, held for microseconds.
 */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include "http/http_server.h"
#include "server/caller.h"

#define SESSION_COOKIE "pyrometer_session"
#define SESSION_TEXT_LEN 43

struct access;

struct access_config {
	const char *dir;  /* that may hold a token file; NULL: there are no tokens */
	const char *base; /* path before every other, "" or "/pyrometer" */
	bool has_tenants;
	bool is_secure;	     /* TLS: cookies are for it alone */
	size_t max_failures; /* a minute, of one address */
};

/* Strings are borrowed.  Fails when there is a token file that cannot be trusted. */
int access_new(const struct access_config *config, struct access **ret_access,
	       struct err *err) nodiscard;
void access_free(struct access *access);
/* Can it be the path before every other?  "/a/b" of letters, digits and -_.~, at most 200; or "". */
int access_check_base(const char *base, struct err *err) nodiscard;
/* Read the token file now, not in half a second. */
int access_reload(struct access *access, struct err *err) nodiscard;

/* See http_config.admit. */
bool access_admit(struct access *access, struct http_exchange *exchange,
		  const struct http_route *route);

/* Is a token, or a tenant, asked for? */
bool access_asks_token(struct access *access);
bool access_asks_tenant(struct access *access);

/* Counters for /metrics. */
struct access_stats {
	uint64_t failures, sessions;
	bool is_on;
};
void access_stats(struct access *access, struct access_stats *ret_stats);

/* ---- sessions of the login page (login.c) ---- */

/*
 * Begin a session with a token and, where the token leaves it open, a tenant; either may be NULL when it is not
 * asked for.  The cookie's value in `ret_cookie`.  -EACCES: wrong token; -EBUSY: too many wrong ones; ERR_USAGE.
 */
int access_login(struct access *access, const char *peer, const char *token, const char *tenant,
		 char ret_cookie[SESSION_TEXT_LEN + 1], struct err *err) nodiscard;
/* End the session of the request's cookie, if there is one. */
void access_logout(struct access *access, const struct http_exchange *exchange);
/* "pyrometer_session=…; Path=/; HttpOnly; …" in the arena; "" as `cookie` makes the browser forget it. */
const char *access_cookie_header(const struct access *access, struct http_exchange *exchange,
				 const char *cookie);

#endif
