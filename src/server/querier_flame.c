/* SPDX-License-Identifier: Apache-2.0 */
/* SelectMergeStacktraces, SelectMergeProfile, Diff: what is selected as one flame graph, one pprof, a comparison. */
#include <inttypes.h>
#include <string.h>

#include "format/pprof.h"
#include "format/preorder.h"
#include "server/flamebearer.h"
#include "server/querier_select.h"
#include "server/sample_types.h"

#define VALUE_COLUMN 0

/* querier.v1.ProfileFormat, but for 0 and 1: the flame graph. */
enum { FORMAT_TREE = 2, FORMAT_DOT = 3, FORMAT_PPROF = 4 };

static const struct querier_method querier_select_method = {
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

static void put_tree(struct querier *call, const struct profile *profile)
{
	struct profile named, cut;
	struct buf tree;

	buf_init(&tree, UNARY_MAX_REPLY_BYTES);
	profile_init(&named, profile->names);
	profile_init(&cut, profile->names);
	narrow_to_names(profile, &named);
	narrow_to_nodes(&named, (uint32_t)call->max_nodes, &call->exchange->arena, &cut);
	preorder_write_tree(&cut, VALUE_COLUMN, &tree);
	if (tree.len)
		proto_put_bytes(&call->unary.reply, 2, tree.data, tree.len);
	profile_done(&named);
	profile_done(&cut);
	buf_done(&tree);
}

static void put_dot(struct querier *call, const struct profile *profile)
{
	struct buf dot;

	buf_init(&dot, UNARY_MAX_REPLY_BYTES);
	querier_write_dot(&call->selector, profile, call->max_nodes, &dot);
	if (dot.len)
		proto_put_bytes(&call->unary.reply, 3, dot.data, dot.len);
	buf_done(&dot);
}

static int put_pprof(struct querier *call, const struct profile *profile, struct err *err)
{
	struct pprof_write_opts opts = {.compress = false};
	struct profile single, pgo, cut;
	const struct profile *last = &single;
	int r;

	profile_init(&single, profile->names);
	sample_types_take(profile, 1u << VALUE_COLUMN, &single);
	profile_init(&pgo, profile->names);
	profile_init(&cut, profile->names);
	if (call->narrow.is_pgo) {
		narrow_for_pgo(&call->narrow, last, &pgo);
		last = &pgo;
	}
	if (call->max_nodes > 0) {
		narrow_to_nodes(last, (uint32_t)min_of(call->max_nodes, (int64_t)FLAME_MAX_NODES),
				&call->exchange->arena, &cut);
		last = &cut;
	}
	r = pprof_write_profile(last, &opts, &call->unary.reply, err);
	profile_done(&single);
	profile_done(&pgo);
	profile_done(&cut);
	return r;
}

static int put_stacks(struct querier *call, const struct profile *profile, struct err *err)
{
	struct flamebearer flame;
	size_t outer, inner;
	int r;

	switch (call->format) {
	case FORMAT_TREE:
		put_tree(call, profile);
		return 0;
	case FORMAT_DOT:
		put_dot(call, profile);
		return 0;
	case FORMAT_PPROF:
		outer = proto_begin(&call->unary.reply, 5);
		inner = proto_begin(&call->unary.reply, 1);
		r = put_pprof(call, profile, err);
		proto_end(&call->unary.reply, inner);
		proto_end(&call->unary.reply, outer);
		return r;
	default:
		flamebearer_init(&flame, profile, call->max_nodes, &call->exchange->arena);
		put_flame(call, &flame);
		flamebearer_done(&flame);
		return 0;
	}
}

static int check_nodes(const struct querier *call, struct err *err)
{
	if (call->max_nodes > FLAME_MAX_NODES)
		return err_set(err, ERR_USAGE,
			       "max nodes limit %" PRId64 " is greater than max allowed %u",
			       call->max_nodes, FLAME_MAX_NODES);
	if (call->max_nodes < 0)
		return err_set(err, ERR_USAGE, "max nodes has to be from 0 (the default) to %u",
			       FLAME_MAX_NODES);
	return 0;
}

static int select_stacks(struct querier *call, struct err *err)
{
	struct querier_selection selection;
	int r = check_nodes(call, err);

	if (r == 0 && call->format > FORMAT_PPROF)
		r = err_set(
			err, ERR_UNSUPPORTED,
			"this format is not answered; ask for PROFILE_FORMAT_FLAMEGRAPH, _TREE, "
			"_DOT or _PPROF");
	if (r == 0)
		r = querier_select(call, &selection, err);
	if (r < 0)
		return r;
	r = put_stacks(call, selection.profile, err);
	querier_select_done(call, &selection);
	return r;
}

void handle_querier_stacks(void *ctx, struct http_exchange *exchange)
{
	struct querier *call = querier_open(ctx, exchange, &querier_select_method);
	struct err err;

	if (call)
		querier_end(call, select_stacks(call, &err), &err);
}

/* As asked for before stacks could be selected by span: flame graph and tree are the same fields of the answer. */
void handle_querier_span_profile(void *ctx, struct http_exchange *exchange)
{
	static const struct querier_method method = {
		.unary = {QUERY_VIEW, &querier_schema_span_request, &querier_schema_select_stacks},
		.params = {[1] = QUERIER_TYPE,
			   [2] = QUERIER_SELECTOR,
			   [3] = QUERIER_SPAN_IDS,
			   [4] = QUERIER_START,
			   [5] = QUERIER_END,
			   [6] = QUERIER_MAX_NODES,
			   [7] = QUERIER_FORMAT},
		.needs_range = true,
	};
	struct querier *call = querier_open(ctx, exchange, &method);
	struct err err;

	if (!call)
		return;
	/* Of no span there is nothing, not everything. */
	querier_end(call,
		    call->pick.spans.n ? select_stacks(call, &err)
				       : err_set(&err, ERR_USAGE, "a span id is needed"),
		    &err);
}

/* ---- two: Diff{1 left, 2 right}, each a request as above ---- */

static int diff(struct querier *call, struct err *err)
{
	struct querier *side[2] = {querier_side(call, 1, err), NULL};
	struct querier_selection selection[2];
	struct flamebearer flame;
	int r;

	side[1] = side[0] ? querier_side(call, 2, err) : NULL;
	if (!side[1])
		return err->code;
	r = check_nodes(side[0], err);
	if (r == 0)
		r = check_nodes(side[1], err);
	if (r == 0)
		r = querier_select_two(side, selection, err);
	if (r < 0)
		return r;
	r = flamebearer_init_double(&flame, selection[0].profile, selection[1].profile,
				    max_of(side[0]->max_nodes, side[1]->max_nodes),
				    &call->exchange->arena, err);
	if (r == 0)
		put_flame(call, &flame);
	flamebearer_done(&flame);
	querier_select_two_done(call, selection);
	return r;
}

void handle_querier_diff(void *ctx, struct http_exchange *exchange)
{
	static const struct querier_method method = {
		.unary = {QUERY_DIFF, &querier_schema_diff_request, &querier_schema_diff},
		.side = &querier_select_method,
	};
	struct querier *call = querier_open(ctx, exchange, &method);
	struct err err;

	if (call)
		querier_end(call, diff(call, &err), &err);
}

/* ---- pprof ---- */

static int select_profile(struct querier *call, struct err *err)
{
	struct querier_selection selection;
	int r = querier_select(call, &selection, err);

	if (r < 0)
		return r;
	r = put_pprof(call, selection.profile, err);
	querier_select_done(call, &selection);
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
