/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SelectMergeStacktraces and SelectMergeProfile: one profile of everything that is selected, as a flame graph or as
 * a pprof.
 *
 * A flame graph is levels of boxes, four numbers each: how far the box is from the end of the one before, its
 * total, its own part, its name.
 */
#include <string.h>

#include "format/pprof.h"
#include "profile/flame.h"
#include "server/merged_cache.h"
#include "server/querier.h"
#include "server/sample_types.h"

#define VALUE_COLUMN 0
#define FORMAT_FLAME 1
#define OTHER_NAME "other"

/* ---- names of a flame graph, each once ---- */

struct flame_names {
	uint32_t *of_str; /* index + 1 by string id */
	uint32_t n, other;
};

static const char *name_of(const struct names *names, const struct flame *flame, uint32_t box,
			   struct str_id *ret_id)
{
	const struct frame *frame = names_frame_get(names, (struct frame_id){flame->frame[box]});

	*ret_id = frame->qualname.v ? frame->qualname : frame->name;
	return names_text(names, *ret_id, NULL);
}

static uint32_t name_index(struct flame_names *own, struct querier *call, const struct names *names,
			   const struct flame *flame, uint32_t box)
{
	struct str_id id;
	const char *text;

	if (box == 0)
		return 0;
	if (flame->merged[box]) {
		if (!own->other) {
			own->other = own->n++;
			proto_put_str(&call->reply, 1, OTHER_NAME);
		}
		return own->other;
	}
	text = name_of(names, flame, box, &id);
	if (!own->of_str[id.v]) {
		proto_put_str(&call->reply, 1, text);
		own->of_str[id.v] = ++own->n;
	}
	return own->of_str[id.v] - 1;
}

/* ---- levels ---- */

static void put_level(struct querier *call, const struct flame *flame, const uint32_t *index,
		      uint32_t from, uint32_t to)
{
	size_t level = proto_begin(&call->reply, 2), values = proto_begin(&call->reply, 1);
	int64_t end = 0;

	for (uint32_t i = from; i < to; i++) {
		buf_put_varint(&call->reply, (uint64_t)(flame->x[i] - end));
		buf_put_varint(&call->reply, (uint64_t)flame->total[i]);
		buf_put_varint(&call->reply, (uint64_t)flame->self[i]);
		buf_put_varint(&call->reply, index[i]);
		end = flame->x[i] + flame->total[i];
	}
	proto_end(&call->reply, values);
	proto_end(&call->reply, level);
}

static void put_flame(struct querier *call, const struct names *names, const struct flame *flame)
{
	struct arena *arena = &call->exchange->arena;
	struct flame_names own = {
		.of_str = arena_array(arena, names_str_count(names), sizeof(uint32_t)), .n = 1};
	uint32_t *index = arena_array(arena, flame->n, sizeof(*index));
	size_t begin = proto_begin(&call->reply, 1);
	int64_t max_self = 0;

	memset(own.of_str, 0, names_str_count(names) * sizeof(uint32_t));
	proto_put_str(&call->reply, 1, "total");
	for (uint32_t i = 0; i < flame->n; i++) {
		index[i] = name_index(&own, call, names, flame, i);
		max_self = max_of(max_self, flame->self[i]);
	}
	for (uint32_t from = 0, to; from < flame->n; from = to) {
		for (to = from + 1; to < flame->n && flame->depth[to] == flame->depth[from]; to++)
			;
		put_level(call, flame, index, from, to);
	}
	if (flame->total[0])
		proto_put_int(&call->reply, 3, flame->total[0]);
	if (max_self)
		proto_put_int(&call->reply, 4, max_self);
	proto_end(&call->reply, begin);
}

/* Functions, whatever their lines and threads, as Pyroscope's trees are. */
static void draw(struct querier *call, const struct profile *profile)
{
	struct flame_opts opts = {
		.column = VALUE_COLUMN,
		.max_nodes = (uint32_t)min_of(max_of(call->max_nodes, (int64_t)0),
					      (int64_t)FLAME_MAX_NODES),
	};
	struct profile without, functions;
	struct flame flame;

	profile_init(&without, profile->names);
	profile_init(&functions, profile->names);
	profile_drop_markers(profile, &without);
	profile_group(&without, GROUP_FUNCTION, &functions);
	flame_layout(&functions, &opts, &call->exchange->arena, &flame);
	put_flame(call, profile->names, &flame);
	profile_done(&functions);
	profile_done(&without);
}

static int select_stacks(struct querier *call, struct err *err)
{
	struct merged_entry *entry;
	int r;

	if (call->format > FORMAT_FLAME)
		return err_set(err, ERR_UNSUPPORTED,
			       "this format is not answered; ask for PROFILE_FORMAT_FLAMEGRAPH, or "
			       "SelectMergeProfile");
	r = merged_cache_take(call->server->cache, &call->query, call->text, &entry, err);
	if (r < 0)
		return r;
	draw(call, entry->merged.profile);
	merged_cache_return(call->server->cache, entry);
	return 0;
}

void handle_querier_stacks(void *ctx, struct http_exchange *exchange)
{
	static const struct querier_method method = {
		.kind = QUERY_VIEW,
		.params = {[1] = QUERIER_TYPE,
			   [2] = QUERIER_SELECTOR,
			   [3] = QUERIER_START,
			   [4] = QUERIER_END,
			   [5] = QUERIER_MAX_NODES,
			   [6] = QUERIER_FORMAT},
		.request = &querier_schema_select_request,
		.reply = &querier_schema_select_stacks,
		.needs_range = true,
	};
	struct querier *call = querier_open(ctx, exchange, &method);
	struct err err;

	if (call)
		querier_end(call, select_stacks(call, &err), &err);
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
	r = pprof_write_profile(&single, &opts, &call->reply, err);
	profile_done(&single);
	merged_cache_return(call->server->cache, entry);
	return r;
}

void handle_querier_profile(void *ctx, struct http_exchange *exchange)
{
	static const struct querier_method method = {
		.kind = QUERY_EXPORT,
		.params = {[1] = QUERIER_TYPE,
			   [2] = QUERIER_SELECTOR,
			   [3] = QUERIER_START,
			   [4] = QUERIER_END,
			   [5] = QUERIER_MAX_NODES},
		.request = &querier_schema_select_request,
		.reply = &querier_schema_pprof_profile,
		.needs_range = true,
	};
	struct querier *call = querier_open(ctx, exchange, &method);
	struct err err;

	if (call)
		querier_end(call, select_profile(call, &err), &err);
}
