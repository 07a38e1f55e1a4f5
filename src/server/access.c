/* SPDX-License-Identifier: Apache-2.0 */
#include "server/access.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/base64.h"
#include "server/access_private.h"

#define LOOK_NS (500 * NS_PER_MS) /* at the token file */
#define BASE_MAX_BYTES 200
#define AUTHORIZATION_MAX_BYTES 1024

/* ---- the token file ---- */

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mode == b->st_mode && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* With the lock held. */
static int load(struct access *access, struct err *err)
{
	struct token_list list = {0};
	int r = token_list_load(access->config.dir, &list, err);

	if (r < 0 && r != -ENOENT)
		return r;
	access->is_on |= r == 0;
	token_list_done(&access->tokens);
	access->tokens = list;
	return 0;
}

/* With the lock held: has the file changed?  One that cannot be read lets nobody in (promise 1). */
static void look(struct access *access)
{
	int64_t now_ns = clock_monotonic_ns();
	char path[ACCESS_PATH_BYTES];
	struct stat info = {0};
	struct err err;

	if (!access->config.dir || now_ns < access->next_look_ns)
		return;
	access->next_look_ns = now_ns + LOOK_NS;
	snprintf(path, sizeof(path), "%s/" TOKEN_FILE, access->config.dir);
	if (stat(path, &info) < 0)
		info = (struct stat){0};
	if (same_file(&info, &access->file))
		return;
	access->file = info;
	if (load(access, &err) < 0) {
		access->is_on = true;
		token_list_done(&access->tokens);
		log_error("%s: nobody gets in until this is mended", err.text);
	}
}

int access_new(const struct access_config *config, struct access **ret_access, struct err *err)
{
	struct access *access = calloc(1, sizeof(*access));
	int r;

	if (!access)
		abort();
	access->config = *config;
	pthread_mutex_init(&access->lock, NULL);
	r = config->dir ? load(access, err) : 0;
	if (r < 0) {
		access_free(access);
		return r;
	}
	*ret_access = access;
	return 0;
}

void access_free(struct access *access)
{
	if (!access)
		return;
	token_list_done(&access->tokens);
	pthread_mutex_destroy(&access->lock);
	free(access);
}

int access_check_base(const char *base, struct err *err)
{
	bool is_good = strlen(base) <= BASE_MAX_BYTES && !strstr(base, "/.");

	for (const char *c = base; *c && is_good; c++)
		is_good = *c == '/'
				  ? c[1] && c[1] != '/'
				  : c > base && (isalnum((unsigned char)*c) || strchr("-_.~", *c));
	if (is_good)
		return 0;
	return err_set(err, ERR_USAGE,
		       "--base-path '%s' is not a path such as /pyrometer (letters, digits and "
		       "-_.~, no / at the end)",
		       base);
}

int access_reload(struct access *access, struct err *err)
{
	int r;

	pthread_mutex_lock(&access->lock);
	r = access->config.dir ? load(access, err) : 0;
	pthread_mutex_unlock(&access->lock);
	return r;
}

bool access_asks_token(struct access *access)
{
	bool is_on;

	pthread_mutex_lock(&access->lock);
	look(access);
	is_on = access->is_on;
	pthread_mutex_unlock(&access->lock);
	return is_on;
}

bool access_asks_tenant(struct access *access)
{
	return access->config.has_tenants;
}

void access_stats(struct access *access, struct access_stats *ret_stats)
{
	pthread_mutex_lock(&access->lock);
	*ret_stats = (struct access_stats){.failures = access->n_failures,
					   .sessions = session_count(access),
					   .is_on = access->is_on};
	pthread_mutex_unlock(&access->lock);
}

/* ---- wrong tokens ---- */

bool access_note_failure(struct access *access, const char *peer)
{
	int64_t now_ns = clock_monotonic_ns();
	struct failures *place = &access->failures[0];

	access->n_failures++;
	for (size_t i = 0; i < ACCESS_MAX_PEERS; i++) {
		struct failures *one = &access->failures[i];

		if (strcmp(one->peer, peer) == 0) {
			place = one;
			break;
		}
		if (one->since_ns < place->since_ns)
			place = one;
	}
	if (strcmp(place->peer, peer) != 0 || now_ns - place->since_ns > 60 * NS_PER_S) {
		*place = (struct failures){.since_ns = now_ns};
		snprintf(place->peer, sizeof(place->peer), "%s", peer);
	}
	return ++place->n <= access->config.max_failures;
}

/* ---- what the request says ---- */

static const char *only_header(const struct http_request *request, const char *name, size_t *ret_n)
{
	const char *found = NULL;

	*ret_n = 0;
	for (size_t i = 0; i < request->n_headers; i++)
		if (strcmp(request->headers[i].name, name) == 0) {
			found = request->headers[i].value;
			++*ret_n;
		}
	return *ret_n == 1 ? found : NULL;
}

/* The password of "user:password"; it may hold colons. */
static const char *basic_password(struct arena *arena, const char *text)
{
	struct buf plain;
	const char *colon, *password = "";

	buf_init(&plain, AUTHORIZATION_MAX_BYTES);
	if (base64_decode(text, strlen(text), &plain, NULL) == 0 && plain.len) {
		colon = memchr(plain.data, ':', plain.len);
		if (colon && !memchr(plain.data, '\0', plain.len))
			password = arena_strndup(arena, colon + 1,
						 plain.len - (size_t)(colon + 1 - plain.data));
	}
	buf_done(&plain);
	return password;
}

/* The token of the header Authorization; NULL: there is none, "": it is of no use. */
static const char *authorization(struct http_exchange *exchange)
{
	size_t n;
	const char *text = only_header(&exchange->request, "authorization", &n);

	if (!n)
		return NULL;
	if (!text || strlen(text) > AUTHORIZATION_MAX_BYTES)
		return "";
	if (strncasecmp(text, "bearer ", 7) == 0)
		return text + 7;
	if (strncasecmp(text, "basic ", 6) == 0)
		return basic_password(&exchange->arena, text + 6);
	return "";
}

/* ---- deciding ---- */

struct verdict {
	int status; /* 0: admitted */
	const char *reason, *detail;
};

static const struct verdict admitted;

/* "*" is what tokens for every tenant have in its place. */
static bool tenant_may_be(const char *name)
{
	return tenant_is_valid(name, strlen(name)) && strcmp(name, TENANT_ANY) != 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "two|one|two" as "one|two", so that one set of tenants has one name; NULL where one of them cannot be. */
static const char *canonical_tenants(struct arena *arena, const char *asked, size_t *ret_n)
{
	char *text = arena_strndup(arena, asked, strlen(asked)), *names[STORE_MAX_TENANTS];
	char *all = arena_alloc(arena, strlen(asked) + 1), *end = all;
	size_t n = 0;

	*ret_n = 0;
	for (char *next = text; next;) {
		char *bar = strchr(next, STORE_TENANT_BETWEEN);

		if (bar)
			*bar++ = '\0';
		if (n == STORE_MAX_TENANTS || !tenant_may_be(next))
			return NULL;
		names[n++] = next;
		next = bar;
	}
	qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++) {
		if (i && strcmp(names[i - 1], names[i]) == 0)
			continue;
		if (end > all)
			*end++ = STORE_TENANT_BETWEEN;
		end = stpcpy(end, names[i]);
		++*ret_n;
	}
	return all;
}

/* Pyroscope says it of uploads, in these words. */
static const struct verdict several_tenants = {401, "several_tenants",
					       "multiple org IDs present: X-Scope-OrgID has to "
					       "name one tenant, only queries are for several"};

/* Promise 3; `fixed`: the tenant of the token or session. */
static struct verdict find_tenant(struct access *access, struct http_exchange *exchange,
				  const struct http_route *route, const char *fixed,
				  struct caller *caller)
{
	size_t n, n_tenants = 1;
	const char *asked = only_header(&exchange->request, "x-scope-orgid", &n);
	bool is_open = route->access & (SCOPE_OPEN | SCOPE_PAGE | SCOPE_WHOLE);
	bool takes_several = (route->access & SCOPE_QUERY) && !(route->access & SCOPE_ONE);

	if (asked)
		asked = canonical_tenants(&exchange->arena, asked, &n_tenants);
	if (fixed) {
		caller->tenant = arena_strndup(&exchange->arena, fixed, strlen(fixed));
		if (n && access->config.has_tenants && (!asked || strcmp(asked, fixed) != 0))
			return (struct verdict){
				403, "wrong_tenant",
				"this token is for another tenant than X-Scope-OrgID"};
		return admitted;
	}
	if (!access->config.has_tenants || (!n && is_open))
		return admitted;
	if (!n)
		return (struct verdict){401, "no_tenant", "no org id: send X-Scope-OrgID"};
	if (!asked)
		return (struct verdict){400, "bad_tenant",
					"X-Scope-OrgID is not the name of a tenant, at most 150 "
					"letters, digits and !-_.*'(), nor up to 16 of them with | "
					"between"};
	if (n_tenants > 1 && !takes_several)
		return several_tenants;
	caller->tenant = asked;
	return admitted;
}

static struct verdict check_scope(const struct http_route *route, const struct caller *caller,
				  bool is_bound)
{
	unsigned int needed = route->access & (SCOPE_INGEST | SCOPE_QUERY | SCOPE_ADMIN);

	if (!needed && !(route->access & SCOPE_OPEN))
		needed = SCOPE_ADMIN;
	if (needed && !(caller->scopes & (needed | SCOPE_ADMIN)))
		return (struct verdict){
			403, "wrong_scope",
			"this token may not do that: make one with the scope it needs "
			"(pyrometer token create --scope)"};
	if ((route->access & SCOPE_WHOLE) && is_bound)
		return (struct verdict){403, "wrong_tenant",
					"this shows all tenants, and the token is for one"};
	return admitted;
}

/* Who is it?  With the lock held; `ret_fixed` lives as long as the lock is held. */
static struct verdict identify(struct access *access, struct http_exchange *exchange,
			       struct caller *caller, const char **ret_fixed)
{
	const char *text = authorization(exchange);
	const struct session *session = text ? NULL : session_find(access, exchange);
	const struct token *token = NULL;

	*ret_fixed = NULL;
	caller->scopes = SCOPE_INGEST | SCOPE_QUERY | SCOPE_ADMIN;
	caller->has_session = session;
	if (session && session->tenant[0])
		*ret_fixed = session->tenant;
	if (!access->is_on)
		return admitted;
	if (session)
		token = token_by_id(&access->tokens, session->token, access_now_s(access));
	else if (text)
		token = token_find(&access->tokens, text, access_now_s(access));
	if (token) {
		caller->scopes = token->scopes;
		caller->token = arena_strndup(&exchange->arena, token->id, TOKEN_ID_LEN);
		if (strcmp(token->tenant, TENANT_ANY) != 0)
			*ret_fixed = token->tenant;
		return admitted;
	}
	caller->scopes = 0;
	if (text && !access_note_failure(access, exchange->peer))
		return (struct verdict){429, "login_failures",
					"too many wrong tokens from this address: wait a minute "
					"(serve --max-login-failures)"};
	return (struct verdict){
		401, "unauthenticated",
		text ? "this token is not known here, or was revoked"
		     : "a token is needed: Authorization: Bearer TOKEN (see pyrometer "
		       "token create)"};
}

/* What a page of another site could make this browser do, beyond what http/admit.c refuses. */
static bool is_forged(const struct http_exchange *exchange, const struct caller *caller)
{
	const struct http_request *request = &exchange->request;

	return caller->has_session && request->method != HTTP_GET && request->method != HTTP_HEAD &&
	       !http_request_header(request, "origin") &&
	       !http_request_header(request, "sec-fetch-site");
}

static struct verdict decide(struct access *access, struct http_exchange *exchange,
			     const struct http_route *route, struct caller *caller)
{
	struct verdict verdict;
	const char *fixed;

	look(access);
	verdict = identify(access, exchange, caller, &fixed);
	if (route->access & SCOPE_OPEN)
		return admitted;
	if (verdict.status == 0 && is_forged(exchange, caller))
		return (struct verdict){
			403, "cross_site",
			"a browser's request does not say which page it comes from"};
	if (verdict.status == 0)
		verdict = check_scope(route, caller, fixed);
	if (verdict.status == 0)
		verdict = find_tenant(access, exchange, route, fixed, caller);
	return verdict;
}

/* ---- answers ---- */

static bool wants_page(const struct http_exchange *exchange, const struct http_route *route)
{
	const char *accept = http_request_header(&exchange->request, "accept");

	return (route->access & SCOPE_PAGE) && http_list_has(accept, "text/html");
}

static void send_to_login(const struct access *access, struct http_exchange *exchange)
{
	size_t len = strlen(access->config.base) + sizeof("/login");
	char *where = arena_alloc(&exchange->arena, len);

	snprintf(where, len, "%s/login", access->config.base);
	exchange->response.status = 303;
	http_response_header(exchange, "Location", where);
}

static void refuse(const struct access *access, struct http_exchange *exchange,
		   const struct http_route *route, const struct verdict *verdict)
{
	if (verdict->status == 401 && wants_page(exchange, route)) {
		send_to_login(access, exchange);
		return;
	}
	access_fail(exchange, verdict->status, verdict->reason, verdict->detail);
	if (verdict->status == 401)
		http_response_header(exchange, "WWW-Authenticate", "Bearer realm=\"pyrometer\"");
	if (verdict->status == 429)
		http_response_header(exchange, "Retry-After", "60");
}

bool access_admit(struct access *access, struct http_exchange *exchange,
		  const struct http_route *route)
{
	struct caller *caller = arena_alloc(&exchange->arena, sizeof(*caller));
	struct verdict verdict;

	*caller = (struct caller){.tenant = STORE_TENANT_DEFAULT, .token = ""};
	exchange->caller = caller;
	pthread_mutex_lock(&access->lock);
	verdict = decide(access, exchange, route, caller);
	pthread_mutex_unlock(&access->lock);
	if (verdict.status == 0)
		return true;
	refuse(access, exchange, route, &verdict);
	return false;
}
