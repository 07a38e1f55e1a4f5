/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/base64.h"
#include "server/access.h"
#include "server/token.h"

#define MAX_HEADERS 4
#define MAX_FAILURES 3

struct fixture {
	char dir[64];
	struct access *access;
	struct token tokens[4];
	char texts[4][TOKEN_TEXT_LEN + 1];
	struct http_exchange exchange;
	struct http_pair headers[MAX_HEADERS];
};

enum { INGEST, QUERY, ADMIN, OF_SHOP };

static const struct http_route upload = {.path = "/in", .access = SCOPE_INGEST},
			       question = {.path = "/out", .access = SCOPE_QUERY},
			       keeping = {.path = "/one", .access = SCOPE_QUERY | SCOPE_ONE},
			       removal = {.path = "/rm", .access = SCOPE_ADMIN},
			       whole = {.path = "/all", .access = SCOPE_QUERY | SCOPE_WHOLE},
			       open_to_all = {.path = "/login", .access = SCOPE_OPEN},
			       unsaid = {.path = "/unsaid"};

static struct fixture *prepare(bool has_tokens, bool has_tenants)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct access_config config = {.base = "", .max_failures = MAX_FAILURES};
	struct err err;

	snprintf(f->dir, sizeof(f->dir), "/tmp/test_access.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->tokens[INGEST] = (struct token){.scopes = SCOPE_INGEST, .tenant = TENANT_ANY};
	f->tokens[QUERY] = (struct token){.scopes = SCOPE_QUERY, .tenant = TENANT_ANY};
	f->tokens[ADMIN] = (struct token){.scopes = SCOPE_ADMIN, .tenant = TENANT_ANY};
	f->tokens[OF_SHOP] = (struct token){.scopes = SCOPE_QUERY, .tenant = "shop"};
	for (size_t i = 0; has_tokens && i < array_len(f->tokens); i++)
		assert_int_equal(token_create(f->dir, &f->tokens[i], f->texts[i], &err), 0);
	config.dir = f->dir;
	config.has_tenants = has_tenants;
	assert_int_equal(access_new(&config, &f->access, &err), 0);
	return f;
}

static int begin_guarded(void **state)
{
	*state = prepare(true, false);
	return 0;
}

static int begin_shared(void **state)
{
	*state = prepare(true, true);
	return 0;
}

static int begin_tenants(void **state)
{
	*state = prepare(false, true);
	return 0;
}

static int end(void **state)
{
	static const char *const names[] = {TOKEN_FILE, TOKEN_FILE ".lock"};
	struct fixture *f = *state;
	char path[96];

	access_free(f->access);
	for (size_t i = 0; i < array_len(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void request(struct fixture *f, enum http_method method)
{
	f->exchange = (struct http_exchange){
		.request = {.method = method, .path = "/", .headers = f->headers},
		.response = {.status = 200},
		.peer = "192.0.2.1",
	};
	arena_init(&f->exchange.arena);
	buf_init(&f->exchange.response.body, 4096);
}

static void with(struct fixture *f, const char *name, const char *value)
{
	assert_true(f->exchange.request.n_headers < MAX_HEADERS);
	f->headers[f->exchange.request.n_headers++] = (struct http_pair){name, value};
}

static void bearer(struct fixture *f, const char *text)
{
	with(f, "authorization", arena_printf(&f->exchange.arena, "Bearer %s", text));
}

/* The status of the refusal, or 0; the tenant of who was let in. */
static int decide(struct fixture *f, const struct http_route *route, char ret_tenant[64])
{
	bool is_in = access_admit(f->access, &f->exchange, route);
	int status = is_in ? 0 : f->exchange.response.status;
	const struct caller *caller = f->exchange.caller;

	if (ret_tenant)
		snprintf(ret_tenant, 64, "%s", is_in ? caller->tenant : "");
	buf_done(&f->exchange.response.body);
	arena_done(&f->exchange.arena);
	return status;
}

static int ask(struct fixture *f, const struct http_route *route, const char *text)
{
	request(f, HTTP_POST);
	if (text)
		bearer(f, text);
	return decide(f, route, NULL);
}

static void a_token_opens_what_its_scope_says(void **state)
{
	static const struct {
		const struct http_route *route;
		int nobody, ingest, query, admin;
	} rows[] = {
		{&upload, 401, 0, 403, 0},    {&question, 401, 403, 0, 0},
		{&removal, 401, 403, 403, 0}, {&unsaid, 401, 403, 403, 0},
		{&open_to_all, 0, 0, 0, 0},   {&whole, 401, 403, 0, 0},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < array_len(rows); i++) {
		assert_int_equal(ask(f, rows[i].route, NULL), rows[i].nobody);
		assert_int_equal(ask(f, rows[i].route, f->texts[INGEST]), rows[i].ingest);
		assert_int_equal(ask(f, rows[i].route, f->texts[QUERY]), rows[i].query);
		assert_int_equal(ask(f, rows[i].route, f->texts[ADMIN]), rows[i].admin);
	}
	assert_int_equal(ask(f, &whole, f->texts[OF_SHOP]), 403);
}

static void wrong_tokens_have_their_share_and_right_ones_always_get_in(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < MAX_FAILURES; i++)
		assert_int_equal(ask(f, &question, "pyro_wrong"), 401);
	assert_int_equal(ask(f, &question, "pyro_wrong"), 429);
	assert_int_equal(ask(f, &question, f->texts[QUERY]), 0);
	assert_int_equal(ask(f, &question, NULL), 401); /* no guess: it is not counted */
	request(f, HTTP_POST);
	bearer(f, "pyro_wrong");
	snprintf(f->exchange.peer, sizeof(f->exchange.peer), "192.0.2.2");
	assert_int_equal(decide(f, &question, NULL), 401);
}

static void a_password_is_a_token_whatever_the_name(void **state)
{
	struct fixture *f = *state;
	const char *const names[] = {"", "someone", "a b"};
	char plain[128];
	struct buf text;

	for (size_t i = 0; i < array_len(names); i++) {
		int len = snprintf(plain, sizeof(plain), "%s:%s", names[i], f->texts[QUERY]);

		request(f, HTTP_GET);
		buf_init(&text, 512);
		base64_encode(plain, (size_t)len, &text);
		with(f, "authorization", arena_printf(&f->exchange.arena, "basic %s", text.data));
		assert_int_equal(decide(f, &question, NULL), 0);
		buf_done(&text);
	}
}

static void what_is_no_authorization_lets_nobody_in(void **state)
{
	static const char *const values[] = {
		"",	   "Bearer",	 "Bearer ",  "Bearer  x",  "Basic",
		"Basic !", "Basic Og==", "Digest x", "Basic OgA=", /* a NUL behind the colon */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < array_len(values); i++) {
		request(f, HTTP_GET);
		with(f, "authorization", values[i]);
		assert_in_set(decide(f, &question, NULL), ((LargestIntegralType[]){401, 429}), 2);
	}
	request(f, HTTP_GET); /* two of them: neither */
	bearer(f, f->texts[QUERY]);
	bearer(f, f->texts[QUERY]);
	assert_in_set(decide(f, &question, NULL), ((LargestIntegralType[]){401, 429}), 2);
}

static void a_tenant_is_the_tokens_or_the_headers(void **state)
{
	struct fixture *f = *state;
	static const struct {
		int token;
		const char *asked;
		int status;
		const char *tenant;
	} rows[] = {
		{QUERY, NULL, 401, ""},
		{QUERY, "shop", 0, "shop"},
		{QUERY, "../shop", 400, ""},
		{QUERY, "..", 400, ""},
		{QUERY, "*", 400, ""},
		{QUERY, "", 400, ""},
		{QUERY, "two|one|two", 0, "one|two"},
		{QUERY, "a|../b", 400, ""},
		{OF_SHOP, NULL, 0, "shop"},
		{OF_SHOP, "shop", 0, "shop"},
		{OF_SHOP, "cart", 403, ""},
		{OF_SHOP, "shop|cart", 403, ""},
		{OF_SHOP, "../shop", 403, ""},
	};
	char tenant[64];

	for (size_t i = 0; i < array_len(rows); i++) {
		request(f, HTTP_GET);
		bearer(f, f->texts[rows[i].token]);
		if (rows[i].asked)
			with(f, "x-scope-orgid", rows[i].asked);
		if (decide(f, &question, tenant) != rows[i].status)
			fail_msg("row %zu", i);
		assert_string_equal(tenant, rows[i].tenant);
	}
}

static void several_tenants_are_asked_and_not_written_to(void **state)
{
	struct fixture *f = *state;
	char tenant[64];

	request(f, HTTP_POST);
	with(f, "x-scope-orgid", "one|two");
	assert_int_equal(decide(f, &upload, tenant), 401);
	request(f, HTTP_POST);
	with(f, "x-scope-orgid", "one|two");
	assert_int_equal(decide(f, &keeping, tenant), 401);
	request(f, HTTP_GET);
	with(f, "x-scope-orgid", "one");
	with(f, "x-scope-orgid", "two"); /* two headers name nobody */
	assert_int_equal(decide(f, &question, tenant), 400);
}

static const char *cookie_of(struct fixture *f, int token)
{
	static char header[128];
	char cookie[SESSION_TEXT_LEN + 1];
	struct err err;

	assert_int_equal(access_login(f->access, "192.0.2.1", f->texts[token], NULL, cookie, &err),
			 0);
	snprintf(header, sizeof(header), SESSION_COOKIE "=%s", cookie);
	return header;
}

static int ask_with_cookie(struct fixture *f, enum http_method method, const char *cookie,
			   const char *origin)
{
	request(f, method);
	with(f, "cookie", cookie);
	if (origin)
		with(f, "origin", origin);
	return decide(f, method == HTTP_GET ? &question : &removal, NULL);
}

static void a_session_needs_an_origin_to_change_something(void **state)
{
	struct fixture *f = *state;
	const char *cookie = cookie_of(f, ADMIN);

	assert_int_equal(ask_with_cookie(f, HTTP_GET, cookie, NULL), 0);
	assert_int_equal(ask_with_cookie(f, HTTP_POST, cookie, NULL), 403);
	assert_int_equal(ask_with_cookie(f, HTTP_POST, cookie, "http://localhost"), 0);
}

/* Fixation: a cookie that was there before the login is not the session's, and each login has its own. */
static void a_session_is_what_the_server_made(void **state)
{
	struct fixture *f = *state;
	char first[128], planted[128];

	snprintf(planted, sizeof(planted), SESSION_COOKIE "=%043d", 0);
	assert_int_equal(ask_with_cookie(f, HTTP_GET, planted, NULL), 401);
	snprintf(first, sizeof(first), "%s", cookie_of(f, QUERY));
	assert_string_not_equal(first, cookie_of(f, QUERY));
	assert_int_equal(ask_with_cookie(f, HTTP_GET, planted, NULL), 401);
	assert_int_equal(ask_with_cookie(f, HTTP_GET, first, NULL), 0);
	first[strlen(first) - 1] ^= 1;
	assert_int_equal(ask_with_cookie(f, HTTP_GET, first, NULL), 401);
}

static void a_session_ends_with_its_token_and_when_it_is_left(void **state)
{
	struct fixture *f = *state;
	char one[128], other[128];
	struct err err;

	snprintf(one, sizeof(one), "%s", cookie_of(f, QUERY));
	snprintf(other, sizeof(other), "%s", cookie_of(f, ADMIN));
	request(f, HTTP_POST);
	with(f, "cookie", one);
	access_logout(f->access, &f->exchange);
	assert_int_equal(decide(f, &question, NULL), 401);
	assert_int_equal(ask_with_cookie(f, HTTP_GET, other, NULL), 0);
	assert_int_equal(token_revoke(f->dir, f->tokens[ADMIN].id, &err), 0);
	assert_int_equal(access_reload(f->access, &err), 0);
	assert_int_equal(ask_with_cookie(f, HTTP_GET, other, NULL), 401);
}

static void once_asked_for_tokens_are_asked_for(void **state)
{
	struct fixture *f = *state;
	char path[96];
	struct err err;

	snprintf(path, sizeof(path), "%s/" TOKEN_FILE, f->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(access_reload(f->access, &err), 0);
	assert_true(access_asks_token(f->access));
	assert_int_equal(ask(f, &question, NULL), 401);
	assert_int_equal(ask(f, &question, f->texts[ADMIN]), 401);
}

static void a_base_path_is_letters_between_slashes(void **state)
{
	static const char *const good[] = {"", "/a", "/a/b-c_d.e~"};
	static const char *const bad[] = {"a",	     "/",    "/a/",  "//a",  "/a//b", "/..",
					  "/a/../b", "/a b", "/<b>", "/a\"", "/a?b"};

	(void)state;
	for (size_t i = 0; i < array_len(good); i++)
		assert_int_equal(access_check_base(good[i], NULL), 0);
	for (size_t i = 0; i < array_len(bad); i++)
		assert_int_equal(access_check_base(bad[i], NULL), ERR_USAGE);
}

#define GUARDED(name) cmocka_unit_test_setup_teardown(name, begin_guarded, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GUARDED(a_token_opens_what_its_scope_says),
		GUARDED(wrong_tokens_have_their_share_and_right_ones_always_get_in),
		GUARDED(a_password_is_a_token_whatever_the_name),
		GUARDED(what_is_no_authorization_lets_nobody_in),
		cmocka_unit_test_setup_teardown(a_tenant_is_the_tokens_or_the_headers, begin_shared,
						end),
		cmocka_unit_test_setup_teardown(several_tenants_are_asked_and_not_written_to,
						begin_tenants, end),
		GUARDED(a_session_needs_an_origin_to_change_something),
		GUARDED(a_session_is_what_the_server_made),
		GUARDED(a_session_ends_with_its_token_and_when_it_is_left),
		GUARDED(once_asked_for_tokens_are_asked_for),
		cmocka_unit_test(a_base_path_is_letters_between_slashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
