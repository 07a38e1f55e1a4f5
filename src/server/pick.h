/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids that a question picks profiles, traces and spans by, as texts: all lists that are not empty have to agree.
 *
 *	r = pick_add(&pick.spans, arena, text, err);
 *	r = pick_read(&pick, arena, &query, &text, err);
 *
 * Everything lives in the arena of the exchange.
 */
#ifndef SERVER_PICK_H
#define SERVER_PICK_H

#include "store/store.h"

#define PICK_MAX_IDS 1000

struct pick_ids {
	const char **items;
	size_t n;
};

struct pick {
	struct pick_ids profiles, traces, spans;
};

/* The text is kept as it is, not copied.  ERR_LIMIT past PICK_MAX_IDS. */
int pick_add(struct pick_ids *ids, struct arena *arena, const char *text,
	     struct err *err) nodiscard;
/*
 * The ids into the query, and into the text that its answer is cached by; without any both stay as they are.  ERR_USAGE
 * for what is none.  Once for each question.
 */
int pick_read(const struct pick *pick, struct arena *arena, struct store_query *query,
	      const char **text, struct err *err) nodiscard;

#endif
