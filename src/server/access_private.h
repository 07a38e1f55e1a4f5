/* SPDX-License-Identifier: Apache-2.0 */
/* What access.c (requests) and session.c (the cookies of the login page) share; `lock` guards all but config. */
#ifndef SERVER_ACCESS_PRIVATE_H
#define SERVER_ACCESS_PRIVATE_H

#include <pthread.h>
#include <sys/stat.h>

#include "server/access.h"
#include "server/token.h"

#define ACCESS_PATH_BYTES 4096
#define ACCESS_MAX_PEERS 256
#define ACCESS_MAX_SESSIONS 1000
#define SESSION_NS (12 * 3600 * NS_PER_S)

/* The cookie itself is not kept: who reads the memory of a session cannot use it. */
struct session {
	uint8_t hash[SHA256_BYTES];
	char token[TOKEN_ID_LEN + 1];	   /* "": no token was asked for */
	char tenant[TENANT_MAX_BYTES + 1]; /* "": the token's, or the only one */
	int64_t expires_ns;		   /* monotonic; 0: a free place */
};

struct failures {
	char peer[HTTP_PEER_BYTES];
	int64_t since_ns;
	size_t n;
};

struct access {
	struct access_config config;
	pthread_mutex_t lock;
	struct token_list tokens;
	bool is_on; /* there is, or was, a token file */
	struct stat file;
	int64_t next_look_ns;
	int64_t latest_s; /* see access_now_s() */
	struct failures failures[ACCESS_MAX_PEERS];
	struct session sessions[ACCESS_MAX_SESSIONS];
	uint64_t n_failures;
};

/* Seconds since 1970 that never go back: a clock that does makes no expired token valid again. */
int64_t access_now_s(struct access *access);
/* Count a wrong token; false when the address has had its share. */
bool access_note_failure(struct access *access, const char *peer);
/* The session of the request's cookie, or NULL. */
struct session *session_find(struct access *access, const struct http_exchange *exchange);
size_t session_count(const struct access *access);
/* {"error","detail"} and, for clients of Connect, the same as {"code","message"}. */
void access_fail(struct http_exchange *exchange, int status, const char *reason,
		 const char *detail);

#endif
