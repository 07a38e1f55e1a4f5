/* SPDX-License-Identifier: Apache-2.0 */
/* GET /api/v1/functions and /api/v1/changes: lists of functions, a page of rows at a time. */
#include "server/merged_cache.h"
#include "server/question_view.h"

void handle_functions(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct view_request request = {0};
	struct merged_entry *entry;
	struct question question;
	struct view_facts facts;
	struct view_page page;
	struct err err;
	int r;

	if (!question_begin(&question, server, exchange, QUERY_FUNCTIONS))
		return;
	r = question_view_request(&question, &request, &err);
	if (r == 0)
		r = question_page(&question, &page, &err);
	if (r == 0)
		r = merged_cache_take(server->cache, &question.store, question.text, &entry, &err);
	if (r == 0) {
		facts = question_facts(&exchange->arena, &entry->merged);
		exchange->response.content_type = "application/json";
		r = view_write_functions(entry->merged.profile, &request, &page, &facts,
					 &exchange->response.body, &err);
		merged_cache_return(server->cache, entry);
	}
	question_end(&question, r, &err);
}

struct changes {
	struct question question;
	struct view_request request;
	struct view_page page;
};

static int answer_changes(void *ctx, const struct profile *const profiles[2],
			  const struct view_facts facts[2], struct err *err)
{
	struct changes *changes = ctx;

	return view_write_changes(profiles[0], profiles[1], &changes->request, &changes->page,
				  &facts[0], &facts[1], &changes->question.exchange->response.body,
				  err);
}

void handle_changes(void *ctx, struct http_exchange *exchange)
{
	struct changes changes = {0};
	struct err err;
	int r;

	if (!question_begin(&changes.question, ctx, exchange, QUERY_CHANGES))
		return;
	r = question_view_request(&changes.question, &changes.request, &err);
	if (r == 0)
		r = question_page(&changes.question, &changes.page, &err);
	if (r == 0 && changes.page.order == VIEW_BY_NAME)
		r = err_set(&err, ERR_USAGE, "sort: changes come by self or by total");
	if (r == 0)
		r = question_take_two(&changes.question, answer_changes, &changes, &err);
	question_end(&changes.question, r, &err);
}
