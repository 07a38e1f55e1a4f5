/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The login page: plain HTML and a form, no script, so that it works before anything else does.
 *
 *	GET /login	the form, or "signed in" and a button that ends the session
 *	POST /login	token=…&tenant=…: sets the cookie and goes to the page
 *	POST /logout	ends the session
 *
 * Forms of other sites are refused before a handler sees them (http/admit.c: Origin and Sec-Fetch-Site), and the
 * cookie is SameSite=Strict.  After logging in the way always leads to the page's first view: an address to go on to
 * would be one that a stranger can choose.
 */
#include <errno.h>
#include <string.h>

#include "server/access.h"
#include "server/plain_page.h"
#include "server/server_private.h"

static void put_field(struct buf *out, const char *name, const char *label, const char *type)
{
	buf_printf(out,
		   "<label>%s<input name=\"%s\" type=\"%s\" required autocomplete=\"%s\" "
		   "maxlength=\"150\"></label>\n",
		   label, name, type,
		   strcmp(type, "password") == 0 ? "current-password" : "organization");
}

static void put_form(struct buf *out, struct server *server, const char *problem)
{
	bool asks_token = access_asks_token(server->access);

	buf_printf(out, "<h1>Sign in</h1>\n<form method=\"post\" action=\"%s/login\">\n",
		   server->config.base);
	if (problem)
		buf_printf(out, "<p role=\"alert\">%s</p>\n", problem);
	if (asks_token)
		put_field(out, "token", "Token", "password");
	if (access_asks_tenant(server->access))
		put_field(out, "tenant", "Tenant", "text");
	buf_puts(out, "<button>Sign in</button>\n</form>\n");
	if (asks_token)
		buf_puts(out,
			 "<p>A token is made with <code>pyrometer token create</code> where the "
			 "server runs.</p>\n");
}

static void put_signed_in(struct buf *out, const struct server *server)
{
	const char *base = server->config.base;

	buf_printf(out,
		   "<h1>Signed in</h1>\n<p><a href=\"%s/\">Go to the profiles</a></p>\n"
		   "<form method=\"post\" action=\"%s/logout\"><button>Sign out</button></form>\n",
		   base, base);
}

static void put_login(struct server *server, struct http_exchange *exchange, const char *problem)
{
	struct buf *out = &exchange->response.body;

	plain_page_begin(exchange, server->config.base, "Sign in");
	if (caller_of(exchange)->has_session && !problem)
		put_signed_in(out, server);
	else
		put_form(out, server, problem);
	plain_page_end(exchange);
}

static void go_to(struct http_exchange *exchange, const struct server *server, const char *path)
{
	size_t len = strlen(server->config.base) + strlen(path) + 1;
	char *where = arena_alloc(&exchange->arena, len);

	snprintf(where, len, "%s%s", server->config.base, path);
	exchange->response.status = 303;
	http_response_header(exchange, "Location", where);
}

static const char *field(const struct http_pair *pairs, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(pairs[i].name, name) == 0)
			return pairs[i].value;
	return NULL;
}

static int log_in(struct server *server, struct http_exchange *exchange, struct err *err)
{
	const struct http_request *request = &exchange->request;
	char cookie[SESSION_TEXT_LEN + 1];
	struct http_pair *pairs = NULL;
	size_t n = 0;
	int r = http_form_parse(&exchange->arena, request->body, request->body_len, &pairs, &n,
				err);

	if (r == 0)
		r = access_login(server->access, exchange->peer, field(pairs, n, "token"),
				 field(pairs, n, "tenant"), cookie, err);
	if (r == 0)
		http_response_header(exchange, "Set-Cookie",
				     access_cookie_header(server->access, exchange, cookie));
	return r;
}

void handle_login(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct err err;
	int r;

	if (exchange->request.method != HTTP_POST) {
		put_login(server, exchange, NULL);
	} else {
		r = log_in(server, exchange, &err);
		if (r == 0) {
			go_to(exchange, server, "/");
		} else {
			put_login(server, exchange,
				  r == ERR_USAGE || r == -EACCES || r == -EBUSY
					  ? err.text
					  : "The form cannot be read.");
			exchange->response.status = r == -EBUSY ? 429 : r == -EACCES ? 401 : 400;
		}
	}
	http_exchange_finish(exchange);
}

void handle_logout(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;

	access_logout(server->access, exchange);
	http_response_header(exchange, "Set-Cookie",
			     access_cookie_header(server->access, exchange, ""));
	go_to(exchange, server, "/login");
	http_exchange_finish(exchange);
}
