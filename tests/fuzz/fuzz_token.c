/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the file of tokens: it is read whole or not at all, and nobody is found who is not in it. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "server/caller.h"
#include "server/token.h"

static void check(const struct token_list *list, const struct token *token)
{
	const unsigned int known = SCOPE_INGEST | SCOPE_QUERY | SCOPE_ADMIN;

	if (!token->scopes || (token->scopes & ~known) || strlen(token->id) != TOKEN_ID_LEN ||
	    !tenant_is_valid(token->tenant, strlen(token->tenant)) ||
	    strlen(token->name) > TOKEN_NAME_MAX_BYTES)
		abort();
	for (const char *c = token->name; *c; c++)
		if ((unsigned char)*c < ' ')
			abort();
	if (token_by_id(list, token->id, 0) &&
	    token_by_id(list, token->id, 0) != token) /* ids are each once */
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char forged[] = "pyro_00c0ffee_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	struct token_list list = {0};
	struct err err = {0};

	if (token_list_read(data, size, "tokens", &list, &err) == 0) {
		for (size_t i = 0; i < list.n; i++)
			check(&list, &list.items[i]);
		if (list.n > TOKEN_MAX)
			abort();
		(void)token_find(&list, forged, 1);
	} else if (list.items || !err.text[0]) {
		abort();
	}
	token_list_done(&list);
	return 0;
}
