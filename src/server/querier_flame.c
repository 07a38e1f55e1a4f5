/* SPDX-License-Identifier: Apache-2.0 */
/* SelectMergeStacktraces, SelectMergeProfile, Diff: what is selected as one flame graph, one pprof, a comparison. */
#include <string.h>

#include "format/pprof.h"
#include "server/flamebearer.h"
#include "server/merged_cache.h"
#include "server/querier.h"
#include "server/sample_types.h"

#define VALUE_COLUMN 0
#define FORMAT_FLAME 1

static const struct querier_method querier_select = {
	.unary = {QUERY_VIEW, &querier_schema_select_request, &querier_schema_select_stacks},
	.params = {[1] = QUERIER_TYPE,
		   [2] = QUERIER_SELECTOR,
		   [3] = QUERIER_START,
		   [4] = QUERIER_END,
		   [5] = QUERIER_MAX_NODES,
		   [6] = QUERIER_FORMAT,
		   [7] = QUERIER_STACKS,
		   [8] = QUERIER_PROFILE_IDS,
		   [10] = QUERIER_TRACE_IDS,
		   [11] = QUERIER_SPAN_IDS},
	.needs_range = true,
};

/* ---- as a message ---- */

static void put_levels(struct querier *call, const struct flamebearer *flame)
{
	int64_t *numbers =
		arena_array(&call->exchange->arena, (size_t)flame->flame.n * FLAMEBEARER_NUMBERS,
			    sizeof(*numbers));
	size_t n;

	for (uint32_t box = 0; box < flame->flame.n;) {
		size_t level = proto_begin(&call->unary.reply, 2), values;

		box = flamebearer_level(flame, box, numbers, &n);
		values = proto_begin(&call->unary.reply, 1);
		for (size_t i = 0; i < n; i++)
			buf_put_varint(&call->unary.reply, (uint64_t)numbers[i]);
		proto_end(&call->unary.reply, values);
		proto_end(&call->unary.reply, level);
	}
}

static void put_flame(struct querier *call, const struct flamebearer *flame)
{
	size_t begin = proto_begin(&call->unary.reply, 1);
	const int64_t numbers[] = {flame->total[0] + flame->total[1], flame->max_self,
				   flame->is_double ? flame->total[0] : 0, flame->total[1]};

	for (uint32_t i = 0; i < flame->n_names; i++)
		proto_put_str(&call->unary.reply, 1, flame->names[i]);
	put_levels(call, flame);
	for (uint32_t i = 0; i < array_len(numbers); i++)
		if (numbers[i])
			proto_put_int(&call->unary.reply, 3 + i, numbers[i]);
	proto_end(&call->unary.reply, begin);
}

/* ---- one ---- */

static int select_stacks(struct querier *call, struct err *err)
{
	struct merged_entry *entry;
	struct flamebearer flame;
	int r;

	if (call->format > FORMAT_FLAME)
		return err_set(err, ERR_UNSUPPORTED,
			       "this format is not answered; ask for PROFILE_FORMAT_FLAMEGRAPH, or "
			       "SelectMergeProfile");
	r = merged_cache_take(call->server->cache, &call->query, call->text, &entry, err);
	if (r < 0)
		return r;
	flamebearer_init(&flame, entry->merged.profile, call->max_nodes, &call->exchange->arena);
	put_flame(call, &flame);
	flamebearer_done(&flame);
	merged_cache_return(call->server->cache, entry);
	return 0;
}

void handle_querier_stacks(void *ctx, struct http_exchange *exchange)
{
	struct querier *call = querier_open(ctx, exchange, &querier_select);
	struct err err;

	if (call)
		querier_end(call, select_stacks(call, &err), &err);
}

/* ---- two: Diff{1 left, 2 right}, each a request as above ---- */

static int diff(struct querier *call, struct err *err)
{
	struct querier *left = querier_side(call, 1, err), *right;
	struct merged_entry *entry[2];
	struct flamebearer flame;
	int r;

	right = left ? querier_side(call, 2, err) : NULL;
	if (!right)
		return ERR_USAGE;
	r = merged_cache_take_two(call->server->cache,
				  (struct store_query[]){left->query, right->query},
				  (const char *const[]){left->text, right->text}, entry, err);
	if (r < 0)
		return r;
	r = flamebearer_init_double(&flame, entry[0]->merged.profile, entry[1]->merged.profile,
				    max_of(left->max_nodes, right->max_nodes),
				    &call->exchange->arena, err);
	if (r == 0)
		put_flame(call, &flame);
	flamebearer_done(&flame);
	merged_cache_return(call->server->cache, entry[0]);
	if (entry[1] != entry[0])
		merged_cache_return(call->server->cache, entry[1]);
	return r;
}

void handle_querier_diff(void *ctx, struct http_exchange *exchange)
{
	static const struct querier_method method = {
		.unary = {QUERY_DIFF, &querier_schema_diff_request, &querier_schema_diff},
		.side = &querier_select,
	};
	struct querier *call = querier_open(ctx, exchange, &method);
	struct err err;

	if (call)
		querier_end(call, diff(call, &err), &err);
}

/* ---- pprof ---- */

static int select_profile(struct querier *call, struct err *err)
{
	struct pprof_write_opts opts = {.compress = false};
	struct merged_entry *entry;
	struct profile single;
	int r = merged_cache_take(call->server->cache, &call->query, call->text, &entry, err);

	if (r < 0)
		return r;
	profile_init(&single, entry->merged.profile->names);
	sample_types_take(entry->merged.profile, 1u << VALUE_COLUMN, &single);
	r = pprof_write_profile(&single, &opts, &call->unary.reply, err);
	profile_done(&single);
	merged_cache_return(call->server->cache, entry);
	return r;
}

void handle_querier_profile(void *ctx, struct http_exchange *exchange)
{
	static const struct querier_method method = {
		.unary = {QUERY_EXPORT, &querier_schema_merge_request,
			  &querier_schema_pprof_profile},
		.params = {[1] = QUERIER_TYPE,
			   [2] = QUERIER_SELECTOR,
			   [3] = QUERIER_START,
			   [4] = QUERIER_END,
			   [5] = QUERIER_MAX_NODES,
			   [6] = QUERIER_STACKS,
			   [7] = QUERIER_PROFILE_IDS,
			   [8] = QUERIER_TRACE_IDS},
		.needs_range = true,
	};
	struct querier *call = querier_open(ctx, exchange, &method);
	struct err err;

	if (call)
		querier_end(call, select_profile(call, &err), &err);
}
