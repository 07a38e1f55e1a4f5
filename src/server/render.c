/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /pyroscope/render and /pyroscope/render-diff: the interface of Pyroscope's first years, which scripts, the
 * panel of old Grafanas and profilecli's canary still use.  Times are of attime.h; the answer is a "flamebearer".
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/opt.h"
#include "server/attime.h"
#include "server/caller.h"
#include "server/flamebearer.h"
#include "server/merged_cache.h"
#include "server/question.h"
#include "server/rpc.h"

#define DEFAULT_RANGE_NS (3600 * NS_PER_S)
#define LEAST_STEP_S 15
#define MOST_STEPS 1500

/* One query of a request: there are two in a comparison. */
struct side {
	const char *text;
	struct selector selector;
	struct store_query query;
};

struct render {
	struct server *server;
	struct http_exchange *exchange;
	int64_t start_ns, max_nodes;
	struct side sides[2];
};

/* ---- parameters ---- */

static const char *param(const struct render *render, const char *name)
{
	const char *value = http_request_param(&render->exchange->request, name);

	return value && *value ? value : NULL;
}

/* A profile type may also stand as {__name__="a:b:c:d:e"}. */
static bool has_type(struct selector *selector)
{
	for (size_t i = 0; i < selector->n; i++) {
		struct matcher *matcher = &selector->items[i];

		if (matcher->op != MATCH_EQ || !strchr(matcher->value, ':'))
			continue;
		if (strcmp(matcher->name, LABEL_METRIC) == 0)
			matcher->name = LABEL_TYPE;
		if (strcmp(matcher->name, LABEL_TYPE) == 0)
			return true;
	}
	return false;
}

static int read_query(struct render *render, const char *name, struct side *side, struct err *err)
{
	int r;

	side->text = param(render, name);
	if (!side->text)
		return err_set(err, ERR_USAGE, "\"%s\" is required", name);
	r = selector_parse(side->text, &render->exchange->arena, &side->selector, err);
	if (r == 0 && !has_type(&side->selector))
		r = err_set(err, ERR_USAGE, "\"%s\" must contain a profile-type selection", name);
	return r;
}

static int read_time(struct render *render, const char *name, int64_t fallback_ns, int64_t *ret_ns,
		     struct err *err)
{
	const char *text = param(render, name);
	int r;

	*ret_ns = fallback_ns;
	if (!text)
		return 0;
	r = attime_parse(text, clock_real_ns(), ret_ns, err);
	return r < 0 ? err_prefix(err, r, "%s", name) : 0;
}

static int read_side(struct render *render, const char *const names[3], struct side *side,
		     struct err *err)
{
	const struct server *server = render->server;
	int64_t limit_ns = server->config.limits.query_ns;
	int64_t from_ns, until_ns, now_ns = clock_real_ns();
	int r = read_query(render, names[0], side, err);

	if (r == 0)
		r = read_time(render, names[2], now_ns, &until_ns, err);
	if (r == 0)
		r = read_time(render, names[1], until_ns - DEFAULT_RANGE_NS, &from_ns, err);
	if (r == 0 && from_ns >= until_ns)
		r = err_set(err, ERR_USAGE, "query start time is after end time");
	if (r < 0)
		return r;
	side->query = (struct store_query){
		.tenant = caller_of(render->exchange)->tenant,
		.selector = &side->selector,
		.range = {from_ns, until_ns},
		.deadline_ns = min_of(render->start_ns + limit_ns, render->exchange->deadline_ns),
		.is_cancelled = &render->exchange->is_cancelled,
	};
	return 0;
}

static int read_nodes(struct render *render, struct err *err)
{
	const char *text = param(render, "maxNodes");

	if (!text)
		text = param(render, "max-nodes");
	if (!text)
		return 0;
	return opt_parse_int(text, 1, FLAME_MAX_NODES, &render->max_nodes, err) < 0
		       ? err_prefix(err, ERR_USAGE, "maxNodes")
		       : 0;
}

/* ---- the flamebearer ---- */

static void write_levels(struct render *render, struct json_writer *json,
			 const struct flamebearer *flame)
{
	int64_t *numbers =
		arena_array(&render->exchange->arena, (size_t)flame->flame.n * FLAMEBEARER_NUMBERS,
			    sizeof(*numbers));
	size_t n;

	json_key(json, "levels");
	json_array(json);
	for (uint32_t box = 0; box < flame->flame.n;) {
		box = flamebearer_level(flame, box, numbers, &n);
		json_array(json);
		for (size_t i = 0; i < n; i++)
			json_int(json, numbers[i]);
		json_end(json);
	}
	json_end(json);
}

static void write_flame(struct render *render, struct json_writer *json,
			const struct flamebearer *flame)
{
	json_member_int(json, "version", 1);
	json_key(json, "flamebearer");
	json_object(json);
	json_key(json, "names");
	json_array(json);
	for (uint32_t i = 0; i < flame->n_names; i++)
		json_cstr(json, flame->names[i]);
	json_end(json);
	write_levels(render, json, flame);
	json_member_int(json, "numTicks", flame->total[0] + flame->total[1]);
	json_member_int(json, "maxSelf", flame->max_self);
	json_end(json);
}

static const char *units_of(const char *type, const char *unit)
{
	if (strcmp(unit, "bytes") == 0)
		return "bytes";
	if (strcmp(unit, "nanoseconds") == 0)
		return strcmp(type, "delay") == 0 ? "lock_nanoseconds" : "samples";
	if (strcmp(type, "contentions") == 0)
		return "lock_samples";
	return strcmp(unit, "count") == 0 && strcmp(type, "samples") != 0 ? "objects" : "samples";
}

static void write_metadata(struct json_writer *json, const struct profile *profile, bool is_double)
{
	const char *type = "", *unit = "";

	if (profile->n_columns) {
		type = names_text(profile->names, profile->columns[0].type.type, NULL);
		unit = names_text(profile->names, profile->columns[0].type.unit, NULL);
	}
	json_key(json, "metadata");
	json_object(json);
	json_member_str(json, "format", is_double ? "double" : "single");
	json_member_str(json, "spyName", "");
	json_member_int(json, "sampleRate", strcmp(unit, "nanoseconds") == 0 ? NS_PER_S : 100);
	json_member_str(json, "units", units_of(type, unit));
	json_member_str(json, "name", type);
	json_end(json);
}

/* ---- timelines ---- */

static int64_t step_s(const struct store_query *query)
{
	int64_t range_s = (query->range.until_ns - query->range.from_ns) / NS_PER_S;

	return max_of((int64_t)LEAST_STEP_S, (range_s + MOST_STEPS - 1) / MOST_STEPS);
}

static void write_line(struct json_writer *json, const struct store_query *query, int64_t step,
		       const struct store_line *line)
{
	json_object(json);
	json_member_int(json, "startTime", query->range.from_ns / NS_PER_S);
	json_key(json, "samples");
	json_array(json);
	for (size_t i = 0; line && i < line->n; i++)
		json_int(json, line->points[i].value);
	json_end(json);
	json_member_int(json, "durationDelta", step);
	json_key(json, "watermarks");
	json_null(json);
	json_end(json);
}

static int write_timeline(struct render *render, struct json_writer *json, struct err *err)
{
	struct store *store = render->server->store;
	struct store_query *query = &render->sides[0].query;
	int64_t step = step_s(query);
	struct store_line *lines;
	size_t n;
	int r = store->ops->timeline(store, query, step * NS_PER_S, NULL, 0,
				     &render->exchange->arena, &lines, &n, err);

	if (r < 0)
		return r;
	json_key(json, "timeline");
	write_line(json, query, step, n ? &lines[0] : NULL);
	return 0;
}

/* By the value of the label: of several the values are joined. */
static int write_groups(struct render *render, struct json_writer *json, struct err *err)
{
	const char *name = param(render, "groupBy");
	struct store *store = render->server->store;
	struct store_query *query = &render->sides[0].query;
	int64_t step = step_s(query);
	struct store_line *lines;
	size_t n;
	int r;

	json_key(json, "groups");
	if (!name) {
		json_null(json);
		return 0;
	}
	r = store->ops->timeline(store, query, step * NS_PER_S, &name, 1, &render->exchange->arena,
				 &lines, &n, err);
	json_object(json);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *value = labels_get(&lines[i].group, name);

		json_key(json, value ? value : "");
		write_line(json, query, step, &lines[i]);
	}
	json_end(json);
	return r;
}

/* ---- requests ---- */

static void finish(struct render *render, enum query_kind kind, int r, const struct err *err)
{
	struct server_counters *counters = &render->server->counters;
	struct http_response *response = &render->exchange->response;
	int64_t elapsed_ns = clock_monotonic_ns() - render->start_ns;
	enum rpc_code code = r == ERR_USAGE   ? RPC_INVALID_ARGUMENT
			     : r == -ETIME    ? RPC_DEADLINE_EXCEEDED
			     : r == ERR_LIMIT ? RPC_RESOURCE_EXHAUSTED
					      : RPC_INTERNAL;
	struct json_writer json;

	selector_done(&render->sides[0].selector);
	selector_done(&render->sides[1].selector);
	atomic_fetch_add(&counters->queries[kind], 1);
	atomic_fetch_add(&counters->query_us[kind], (uint64_t)(elapsed_ns / NS_PER_US));
	response->content_type = "application/json";
	if (r < 0) {
		atomic_fetch_add(&counters->query_failures, 1);
		response->status = rpc_code_status(code);
		buf_reset(&response->body);
		json_writer_init(&json, &response->body, JSON_ESCAPE_MARKUP);
		json_object(&json);
		json_member_str(&json, "code", rpc_code_name(code));
		json_member_str(&json, "message", err->text);
		json_end(&json);
	}
	http_exchange_finish(render->exchange);
}

static struct json_writer begin_answer(struct render *render)
{
	struct json_writer json;

	json_writer_init(&json, &render->exchange->response.body, JSON_ESCAPE_MARKUP);
	json_object(&json);
	return json;
}

static void end_answer(struct json_writer *json)
{
	json_key(json, "heatmap");
	json_null(json);
}

static int render_one(struct render *render, struct err *err)
{
	static const char *const names[] = {"query", "from", "until"};
	struct side *side = &render->sides[0];
	struct merged_entry *entry;
	struct flamebearer flame;
	struct json_writer json;
	int r = read_side(render, names, side, err);

	if (r == 0)
		r = read_nodes(render, err);
	if (r == 0)
		r = merged_cache_take(render->server->cache, &side->query, side->text, &entry, err);
	if (r < 0)
		return r;
	json = begin_answer(render);
	flamebearer_init(&flame, entry->merged.profile, render->max_nodes,
			 &render->exchange->arena);
	write_flame(render, &json, &flame);
	write_metadata(&json, entry->merged.profile, false);
	flamebearer_done(&flame);
	merged_cache_return(render->server->cache, entry);
	r = write_timeline(render, &json, err);
	if (r == 0)
		r = write_groups(render, &json, err);
	end_answer(&json);
	json_end(&json);
	return r;
}

void handle_render(void *ctx, struct http_exchange *exchange)
{
	struct render render = {
		.server = ctx, .exchange = exchange, .start_ns = clock_monotonic_ns()};
	struct err err = {0};

	finish(&render, QUERY_VIEW, render_one(&render, &err), &err);
}

static void write_both(struct render *render, const struct flamebearer *flame,
		       const struct profile *profile)
{
	struct json_writer json = begin_answer(render);

	write_flame(render, &json, flame);
	write_metadata(&json, profile, true);
	json_key(&json, "timeline");
	json_null(&json);
	json_key(&json, "groups");
	json_null(&json);
	end_answer(&json);
	json_member_int(&json, "leftTicks", flame->total[0]);
	json_member_int(&json, "rightTicks", flame->total[1]);
	json_end(&json);
}

static int render_two(struct render *render, struct err *err)
{
	static const char *const left[] = {"leftQuery", "leftFrom", "leftUntil"};
	static const char *const right[] = {"rightQuery", "rightFrom", "rightUntil"};
	struct side *sides = render->sides;
	struct merged_entry *entry[2];
	struct flamebearer flame;
	int r = read_side(render, left, &sides[0], err);

	if (r == 0)
		r = read_side(render, right, &sides[1], err);
	if (r == 0)
		r = read_nodes(render, err);
	if (r == 0)
		r = merged_cache_take_two(render->server->cache,
					  (struct store_query[]){sides[0].query, sides[1].query},
					  (const char *const[]){sides[0].text, sides[1].text},
					  entry, err);
	if (r < 0)
		return r;
	r = flamebearer_init_double(&flame, entry[0]->merged.profile, entry[1]->merged.profile,
				    render->max_nodes, &render->exchange->arena, err);
	if (r == 0)
		write_both(render, &flame, entry[0]->merged.profile);
	flamebearer_done(&flame);
	merged_cache_return(render->server->cache, entry[0]);
	if (entry[1] != entry[0])
		merged_cache_return(render->server->cache, entry[1]);
	return r;
}

void handle_render_diff(void *ctx, struct http_exchange *exchange)
{
	struct render render = {
		.server = ctx, .exchange = exchange, .start_ns = clock_monotonic_ns()};
	struct err err = {0};

	finish(&render, QUERY_DIFF, render_two(&render, &err), &err);
}
