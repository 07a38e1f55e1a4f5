/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens: who may do what, kept as hashes in one file of the data directory.
 *
 *	pyro_3f9c2a1b_<43 characters>		shown once, by `pyrometer token create`
 *	3f9c2a1b ingest,query shop <sha256> <created> <expires> <name>	a line of DATA/tokens
 *
 * The secret has 256 random bits, so that a plain hash keeps it; the id before it is no secret and is what lists, logs
 * and `revoke` say.  The file belongs to its owner alone (0600, refused otherwise) and is replaced as a whole, under a
 * lock, so that commands and a running server may use it at the same time; the server looks at it twice a second.
 * While it exists the server asks for tokens: with the last one revoked it lets nobody in.
 */
#ifndef SERVER_TOKEN_H
#define SERVER_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "codec/sha256.h"

#define TOKEN_FILE "tokens"
#define TOKEN_ID_LEN 8
#define TOKEN_SECRET_LEN 43
#define TOKEN_TEXT_LEN (5 + TOKEN_ID_LEN + 1 + TOKEN_SECRET_LEN)
#define TOKEN_NAME_MAX_BYTES 64
#define TOKEN_MAX 1000

#define TENANT_MAX_BYTES 150
#define TENANT_ANY "*" /* of tokens: for every tenant, the request says which */

struct token {
	char id[TOKEN_ID_LEN + 1];
	unsigned int scopes; /* caller.h: ingest, query, admin */
	char tenant[TENANT_MAX_BYTES + 1];
	uint8_t hash[SHA256_BYTES];
	int64_t created_s, expires_s; /* since 1970; expires 0: never */
	char name[TOKEN_NAME_MAX_BYTES + 1];
};

struct token_list {
	struct token *items;
	size_t n;
};

/* All tokens of a data directory.  -ENOENT: it has no token file; ERR_CORRUPT, -EPERM: it cannot be trusted. */
int token_list_load(const char *dir, struct token_list *ret_list, struct err *err) nodiscard;
/* The same of a file's bytes; `path` is for the words of the error. */
int token_list_read(const void *text, size_t len, const char *path, struct token_list *ret_list,
		    struct err *err) nodiscard;
void token_list_done(struct token_list *list); /* all-zero is fine */
/* The token of that text that is valid at `now_s`, or NULL; as long for a wrong id as for a wrong secret. */
const struct token *token_find(const struct token_list *list, const char *text, int64_t now_s);
const struct token *token_by_id(const struct token_list *list, const char *id, int64_t now_s);

/* Make one like `model` (scopes, tenant, expires_s, name); its text, and its id in `model`. */
int token_create(const char *dir, struct token *model, char ret_text[TOKEN_TEXT_LEN + 1],
		 struct err *err) nodiscard;
/* -ENOENT when there is no such id. */
int token_revoke(const char *dir, const char *id, struct err *err) nodiscard;

/* "ingest,query" and back; ERR_USAGE for another word. */
int token_scopes_parse(const char *text, unsigned int *ret_scopes, struct err *err) nodiscard;
void token_scopes_text(unsigned int scopes, char out[32]);

/* The rule of Pyroscope (dskit): letters, digits and !-_.*'(), at most 150, neither "." nor "..". */
bool tenant_is_valid(const char *name, size_t len);

#endif
