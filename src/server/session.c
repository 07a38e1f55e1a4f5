/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "server/access_private.h"

#define COOKIE_BYTES 32

int64_t access_now_s(struct access *access)
{
	access->latest_s = max_of(access->latest_s, (int64_t)(clock_real_ns() / NS_PER_S));
	return access->latest_s;
}

void access_fail(struct http_exchange *exchange, int status, const char *reason, const char *detail)
{
	const char *code = status == 401   ? "unauthenticated"
			   : status == 403 ? "permission_denied"
			   : status == 429 ? "resource_exhausted"
					   : "invalid_argument";
	struct json_writer json;

	http_fail(exchange, status, reason, "%s", detail);
	buf_reset(&exchange->response.body);
	json_writer_init(&json, &exchange->response.body, JSON_ESCAPE_MARKUP);
	json_object(&json);
	json_member_str(&json, "error", reason);
	json_member_str(&json, "detail", detail);
	json_member_str(&json, "code", code);
	json_member_str(&json, "message", detail);
	json_end(&json);
	buf_putc(&exchange->response.body, '\n');
}

/* ---- cookies ---- */

/* The value of our cookie in "a=b; pyrometer_session=…; c=d"; of two with that name neither is taken. */
static bool read_cookie(const char *text, char value[SESSION_TEXT_LEN + 1])
{
	size_t name_len = strlen(SESSION_COOKIE), found = 0;

	while (text && *text) {
		size_t len;

		text += strspn(text, " ;");
		len = strcspn(text, ";");
		if (strncmp(text, SESSION_COOKIE "=", name_len + 1) == 0) {
			if (len != name_len + 1 + SESSION_TEXT_LEN)
				return false;
			memcpy(value, text + name_len + 1, SESSION_TEXT_LEN);
			value[SESSION_TEXT_LEN] = '\0';
			found++;
		}
		text += len;
	}
	return found == 1;
}

struct session *session_find(struct access *access, const struct http_exchange *exchange)
{
	const char *text = http_request_header(&exchange->request, "cookie");
	char value[SESSION_TEXT_LEN + 1];
	uint8_t hash[SHA256_BYTES];
	struct session *found = NULL;
	int64_t now_ns = clock_monotonic_ns();

	if (!read_cookie(text, value))
		return NULL;
	sha256(value, SESSION_TEXT_LEN, hash);
	for (size_t i = 0; i < ACCESS_MAX_SESSIONS; i++)
		if (access->sessions[i].expires_ns > now_ns &&
		    sha256_equal(access->sessions[i].hash, hash))
			found = &access->sessions[i];
	return found;
}

size_t session_count(const struct access *access)
{
	int64_t now_ns = clock_monotonic_ns();
	size_t n = 0;

	for (size_t i = 0; i < ACCESS_MAX_SESSIONS; i++)
		n += access->sessions[i].expires_ns > now_ns;
	return n;
}

const char *access_cookie_header(const struct access *access, struct http_exchange *exchange,
				 const char *cookie)
{
	size_t cap = 256 + strlen(access->config.base);
	char *text = arena_alloc(&exchange->arena, cap);

	snprintf(text, cap, SESSION_COOKIE "=%s; Path=%s/; HttpOnly; SameSite=Strict%s%s", cookie,
		 access->config.base, access->config.is_secure ? "; Secure" : "",
		 *cookie ? "" : "; Max-Age=0");
	return text;
}

/* ---- beginning and ending ---- */

/* A free place, else that of the session that ends first. */
static struct session *session_place(struct access *access)
{
	struct session *place = &access->sessions[0];

	for (size_t i = 1; i < ACCESS_MAX_SESSIONS; i++)
		if (access->sessions[i].expires_ns < place->expires_ns)
			place = &access->sessions[i];
	return place;
}

static int session_begin(struct access *access, const struct token *token, const char *tenant,
			 char ret_cookie[SESSION_TEXT_LEN + 1])
{
	struct session *session = session_place(access);
	uint8_t bytes[COOKIE_BYTES];
	struct buf text;

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		abort();
	buf_init(&text, SESSION_TEXT_LEN + 1);
	base64url_encode(bytes, sizeof(bytes), &text);
	memcpy(ret_cookie, text.data, SESSION_TEXT_LEN);
	ret_cookie[SESSION_TEXT_LEN] = '\0';
	buf_done(&text);
	*session = (struct session){.expires_ns = clock_monotonic_ns() + SESSION_NS};
	sha256(ret_cookie, SESSION_TEXT_LEN, session->hash);
	snprintf(session->token, sizeof(session->token), "%s", token ? token->id : "");
	snprintf(session->tenant, sizeof(session->tenant), "%s", tenant ? tenant : "");
	return 0;
}

static int check_login(struct access *access, const char *peer, const char *text,
		       const struct token **ret_token, struct err *err)
{
	*ret_token = NULL;
	if (!access->is_on)
		return 0;
	*ret_token = token_find(&access->tokens, text ? text : "", access_now_s(access));
	if (*ret_token)
		return 0;
	if (!access_note_failure(access, peer))
		return err_set(err, -EBUSY,
			       "Too many wrong tokens from this address: wait a minute.");
	return err_set(err, -EACCES, "This token is not known here, or was revoked.");
}

int access_login(struct access *access, const char *peer, const char *token, const char *tenant,
		 char ret_cookie[SESSION_TEXT_LEN + 1], struct err *err)
{
	const struct token *found;
	bool is_bound;
	int r;

	pthread_mutex_lock(&access->lock);
	r = check_login(access, peer, token, &found, err);
	is_bound = r == 0 && found && strcmp(found->tenant, TENANT_ANY) != 0;
	if (r == 0 && access->config.has_tenants && !is_bound &&
	    (!tenant || !tenant_is_valid(tenant, strlen(tenant)) || strcmp(tenant, "*") == 0))
		r = err_set(err, ERR_USAGE, "Which tenant? (letters, digits and !-_.*'() only)");
	if (r == 0)
		r = session_begin(access, found,
				  access->config.has_tenants && !is_bound ? tenant : NULL,
				  ret_cookie);
	pthread_mutex_unlock(&access->lock);
	return r;
}

void access_logout(struct access *access, const struct http_exchange *exchange)
{
	struct session *session;

	pthread_mutex_lock(&access->lock);
	session = session_find(access, exchange);
	if (session)
		*session = (struct session){0};
	pthread_mutex_unlock(&access->lock);
}
