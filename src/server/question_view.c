/* SPDX-License-Identifier: Apache-2.0 */
#include "server/question_view.h"

#include <string.h>

#include "base/clock.h"
#include "profile/flame.h"
#include "server/merged_cache.h"

static int read_group(const struct question *question, struct view_request *request,
		      struct err *err)
{
	const char *group = question_param(question, "group");
	const char *threads = question_param(question, "threads");
	int r = view_group_parse(group ? group : "function", &request->group, err);

	if (r < 0)
		return r;
	if (threads && strcmp(threads, "merged") != 0 && strcmp(threads, "split") != 0)
		return err_set(err, ERR_USAGE, "threads is merged or split");
	request->is_split = threads && strcmp(threads, "split") == 0;
	return 0;
}

int question_view_request(const struct question *question, struct view_request *request,
			  struct err *err)
{
	const char *states = question_param(question, "states");
	int64_t max_nodes, inverted;
	int r = read_group(question, request, err);

	if (r == 0)
		r = question_int(question, "max_nodes", 1, FLAME_MAX_NODES, FLAME_DEFAULT_NODES,
				 &max_nodes, err);
	if (r == 0)
		r = question_int(question, "inverted", 0, 1, 0, &inverted, err);
	if (r == 0 && states)
		r = view_states_parse(states, &request->states, err);
	if (r < 0)
		return r;
	request->column = QUESTION_COLUMN;
	request->max_nodes = (uint32_t)max_nodes;
	request->search = question_param(question, "search");
	request->root = question_param(question, "root");
	request->focus = question_param(question, "focus");
	request->callers = question_param(question, "callers");
	request->is_inverted = inverted;
	return 0;
}

struct view_facts question_facts(struct arena *arena, const struct store_merged *merged)
{
	struct view_gap *gaps = arena_array(arena, merged->n_missing + 1, sizeof(*gaps));

	for (size_t i = 0; i < merged->n_missing; i++)
		gaps[i] = (struct view_gap){merged->missing[i].from_ns / NS_PER_MS,
					    merged->missing[i].until_ns / NS_PER_MS};
	return (struct view_facts){
		.covered_ms = merged->covered_ns / NS_PER_MS,
		.wall_ms = merged->wall_covered_ns / NS_PER_MS,
		.series = merged->n_series,
		.is_partial = merged->is_partial,
		.missing = gaps,
		.n_missing = merged->n_missing,
	};
}

int question_second_read(struct question *question, struct question_second *second, struct err *err)
{
	const char *own = question_param(question, "query_b");
	int64_t from_ms, until_ms;
	int r = question_range(question, "from_b", "until_b", &from_ms, &until_ms, err);

	*second = (struct question_second){.text = own ? own : question->text};
	if (r == 0 && own) {
		r = selector_parse(own, &question->exchange->arena, &second->own, err);
		if (r < 0)
			return err_prefix(err, r, "query_b");
	}
	if (r < 0)
		return r;
	second->store = question->store;
	second->store.selector = own ? &second->own : &question->selector;
	second->store.range = (struct store_range){from_ms * NS_PER_MS, until_ms * NS_PER_MS};
	return 0;
}

void question_second_done(struct question_second *second)
{
	selector_done(&second->own);
}

static int lend_two(struct question *question, const struct question_second *second,
		    question_pair_fn *answer, void *ctx, struct err *err)
{
	const struct store_query both[2] = {question->store, second->store};
	const char *const texts[2] = {question->text, second->text};
	struct merged_cache *cache = question->server->cache;
	const struct profile *profiles[2];
	struct merged_entry *entry[2];
	struct view_facts facts[2];
	int r = merged_cache_take_two(cache, both, texts, entry, err);

	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++) {
		facts[i] = question_facts(&question->exchange->arena, &entry[i]->merged);
		profiles[i] = entry[i]->merged.profile;
	}
	question->exchange->response.content_type = "application/json";
	r = answer(ctx, profiles, facts, err);
	merged_cache_return(cache, entry[0]);
	if (entry[1] != entry[0])
		merged_cache_return(cache, entry[1]);
	return r;
}

int question_take_two(struct question *question, question_pair_fn *answer, void *ctx,
		      struct err *err)
{
	struct question_second second;
	int r = question_second_read(question, &second, err);

	if (r == 0)
		r = lend_two(question, &second, answer, ctx, err);
	question_second_done(&second);
	return r;
}

int question_page(const struct question *question, struct view_page *ret_page, struct err *err)
{
	const char *sort = question_param(question, "sort");
	int64_t offset, limit;
	int r = view_order_parse(sort ? sort : "self", &ret_page->order, err);

	if (r == 0)
		r = question_int(question, "offset", 0, INT32_MAX, 0, &offset, err);
	if (r == 0)
		r = question_int(question, "limit", 1, QUESTION_MAX_ROWS, QUESTION_ROWS, &limit,
				 err);
	if (r < 0)
		return r;
	ret_page->offset = (size_t)offset;
	ret_page->limit = (size_t)limit;
	return 0;
}
