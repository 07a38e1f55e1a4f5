/* SPDX-License-Identifier: Apache-2.0 */
/* What the questions share that look at merged profiles: how to see them, facts, the second range, pages of rows. */
#ifndef SERVER_QUESTION_VIEW_H
#define SERVER_QUESTION_VIEW_H

#include "format/view.h"
#include "server/question.h"

/* Column 0 of a merged profile is the value with all states united. */
#define QUESTION_COLUMN 0

#define QUESTION_ROWS 100
#define QUESTION_MAX_ROWS 10000

/* group, threads, max_nodes, states, search, root, focus, callers, inverted: borrowed from the request. */
int question_view_request(const struct question *question, struct view_request *request,
			  struct err *err) nodiscard;
/* sort, offset, limit. */
int question_page(const struct question *question, struct view_page *ret_page,
		  struct err *err) nodiscard;
/* What the store knows beside the profile; the gaps live in the arena. */
struct view_facts question_facts(struct arena *arena, const struct store_merged *merged);
/* from_b and until_b and, where given, query_b. */
struct question_second {
	struct selector own; /* of query_b */
	struct store_query store;
	const char *text; /* of its selector, for the cache */
};
int question_second_read(struct question *question, struct question_second *second,
			 struct err *err) nodiscard;
void question_second_done(struct question_second *second); /* all-zero is fine */

/*
 * The merged profiles of both ranges, lent to `answer` for as long as it runs; the second is read from the request.
 * Returns what it returned, or an error.
 */
typedef int question_pair_fn(void *ctx, const struct profile *const profiles[2],
			     const struct view_facts facts[2], struct err *err);
int question_take_two(struct question *question, question_pair_fn *answer, void *ctx,
		      struct err *err) nodiscard;

#endif
