/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a question about stacks selects: one merged profile, narrowed to the stacks that it asks for.  The one place that
 * knows where stacks come from, for the calls of querier.v1 and for /pyroscope/render.
 *
 * The names belong to the cache's entry, which is lent until querier_select_done(): keep it short.
 */
#ifndef SERVER_QUERIER_SELECT_H
#define SERVER_QUERIER_SELECT_H

#include "server/merged_cache.h"
#include "server/querier.h"

struct querier_selection {
	struct merged_entry *entry;
	/* Column 0 is the value; without the stacks and frames not asked for.  The entry's own, or: */
	const struct profile *profile;
	struct profile narrowed;
};

/* By the query, the ids and the narrowing of the call; once for each. */
int querier_select(struct querier *call, struct querier_selection *ret_selection,
		   struct err *err) nodiscard;
void querier_select_done(struct querier *call, struct querier_selection *selection);
/* Two for a comparison; they may share names. */
int querier_select_two(struct querier *const sides[2], struct querier_selection ret_selection[2],
		       struct err *err) nodiscard;
void querier_select_two_done(struct querier *call, struct querier_selection selection[2]);

/* As DOT, titled by the service that the selector names; nothing for a profile without a value. */
void querier_write_dot(const struct selector *selector, const struct profile *profile,
		       int64_t max_nodes, struct buf *out);

#endif
