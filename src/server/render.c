/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /pyroscope/render, /pyroscope/render-diff and /pyroscope/label-values: the interface of Pyroscope's first years,
 * which scripts, the panel of old Grafanas and profilecli's canary still use.  Times are of attime.h; the answer is a
 * "flamebearer", or DOT.
 */
#include <string.h>

#include "base/clock.h"
#include "base/opt.h"
#include "server/attime.h"
#include "server/derived.h"
#include "server/flamebearer_json.h"
#include "server/querier_select.h"

#define DEFAULT_RANGE_NS (3600 * NS_PER_S)
#define LEAST_STEP_S 15
#define MOST_STEPS 1500
#define MOST_GROUPS 8

/* One query of a request: there are two in a comparison. */
struct side {
	const char *text;
	const char *type; /* of the selector */
	struct selector selector;
	struct store_query query;
};

struct render {
	struct server *server;
	struct http_exchange *exchange;
	enum query_kind kind;
	int64_t start_ns, max_nodes;
	struct side sides[2];
};

static struct render render_of(struct server *server, struct http_exchange *exchange,
			       enum query_kind kind)
{
	return (struct render){.server = server,
			       .exchange = exchange,
			       .kind = kind,
			       .start_ns = clock_monotonic_ns()};
}

/* Finishes: the answer that was made, or the error. */
static void finish(struct render *render, int r, const struct err *err)
{
	selector_done(&render->sides[0].selector);
	selector_done(&render->sides[1].selector);
	question_count(render->server, render->kind, render->start_ns, r >= 0);
	if (r < 0)
		rpc_error(render->exchange, rpc_code_of(r), 0, err->text);
	http_exchange_finish(render->exchange);
}

/* ---- parameters ---- */

static const char *param(const struct render *render, const char *name)
{
	const char *value = http_request_param(&render->exchange->request, name);

	return value && *value ? value : NULL;
}

/* A profile type may also stand as {__name__="a:b:c:d:e"}; NULL: there is none. */
static struct matcher *type_of(struct selector *selector)
{
	for (size_t i = 0; i < selector->n; i++) {
		struct matcher *matcher = &selector->items[i];

		if (matcher->op != MATCH_EQ || !strchr(matcher->value, ':'))
			continue;
		if (strcmp(matcher->name, LABEL_METRIC) == 0)
			matcher->name = LABEL_TYPE;
		if (strcmp(matcher->name, LABEL_TYPE) == 0)
			return matcher;
	}
	return NULL;
}

static int read_query(struct render *render, const char *name, struct side *side, struct err *err)
{
	struct arena *arena = &render->exchange->arena;
	struct matcher *type;
	int r;

	side->text = param(render, name);
	if (!side->text)
		return err_set(err, ERR_USAGE, "\"%s\" is required", name);
	r = selector_parse(side->text, arena, &side->selector, err);
	if (r < 0)
		return err_prefix(err, r, "failed to parse \"%s\"", name);
	r = derived_resolve(&side->selector, arena, err);
	if (r < 0)
		return r;
	type = type_of(&side->selector);
	if (!type)
		return err_set(err, ERR_USAGE, "\"%s\" must contain a profile-type selection",
			       name);
	r = querier_check_type(arena, type->value, &side->type, err);
	type->value = r == 0 ? side->type : type->value;
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
	if (r == 0 && *ret_ns <= 0)
		return err_set(err, ERR_USAGE, "missing time range in the query");
	return r < 0 ? err_prefix(err, r, "%s", name) : 0;
}

static int read_side(struct render *render, const char *const names[3], struct side *side,
		     struct err *err)
{
	struct store_range range;
	int r = read_query(render, names[0], side, err);

	if (r == 0)
		r = read_time(render, names[2], clock_real_ns(), &range.until_ns, err);
	if (r == 0)
		r = read_time(render, names[1], range.until_ns - DEFAULT_RANGE_NS, &range.from_ns,
			      err);
	if (r == 0 && range.from_ns >= range.until_ns)
		r = err_set(err, ERR_USAGE, "query start time is after end time");
	if (r == 0)
		side->query = question_ask(render->server, render->exchange, &side->selector, range,
					   render->start_ns);
	return r;
}

static int read_nodes(struct render *render, struct err *err)
{
	const char *text = param(render, "maxNodes");

	if (!text)
		text = param(render, "max-nodes");
	if (!text)
		return 0;
	return opt_parse_int(text, 0, FLAME_MAX_NODES, &render->max_nodes, err) < 0
		       ? err_prefix(err, ERR_USAGE, "maxNodes")
		       : 0;
}

/* ---- timelines ---- */

/* A step that people know, with some 1,500 of them in the range. */
static int64_t step_s(const struct store_query *query)
{
	static const int64_t steps[] = {LEAST_STEP_S, 20,   30,	  60,	120,   300,   600,   900,
					1200,	      1800, 3600, 7200, 10800, 21600, 43200, 86400};
	int64_t range_s = (query->range.until_ns - query->range.from_ns) / NS_PER_S;

	for (size_t i = 0; i < array_len(steps); i++)
		if (range_s / steps[i] <= MOST_STEPS)
			return steps[i];
	return range_s / MOST_STEPS;
}

/*
 * Steps of whole minutes begin on whole ones: these are the borders of blocks, so that a day of many series is some
 * sums, and pictures do not shiver.  Shorter ones begin where the range does.
 */
static int64_t first_step_ns(const struct store_query *query)
{
	int64_t from_ns = query->range.from_ns, step_ns = step_s(query) * NS_PER_S;

	return step_ns % (60 * NS_PER_S) == 0 ? from_ns - from_ns % step_ns : from_ns;
}

static void write_line(struct render *render, struct json_writer *json,
		       const struct store_line *line)
{
	const struct store_query *query = &render->sides[0].query;
	const char *aggregation = param(render, "aggregation");
	bool is_mean = aggregation && strcmp(aggregation, "avg") == 0;

	json_object(json);
	json_member_int(json, "startTime", first_step_ns(query) / NS_PER_S);
	json_key(json, "samples");
	json_array(json);
	for (size_t i = 0; line && i < line->n; i++)
		json_int(json, question_point(&line->points[i], is_mean));

	json_end(json);
	json_member_int(json, "durationDelta", step_s(query));
	json_key(json, "watermarks");
	json_null(json);
	json_end(json);
}

static int read_lines(struct render *render, const char *const *names, size_t n_names,
		      struct store_line **ret_lines, size_t *ret_n, struct err *err)
{
	struct store *store = render->server->store;
	struct store_query query = render->sides[0].query;
	int64_t step_ns = step_s(&query) * NS_PER_S;

	query.range.from_ns = first_step_ns(&query);
	return store->ops->timeline(store, &query, step_ns, names, n_names,
				    &render->exchange->arena, ret_lines, ret_n, err);
}

static int write_timeline(struct render *render, struct json_writer *json, struct err *err)
{
	struct store_line *lines;
	size_t n;
	int r = read_lines(render, NULL, 0, &lines, &n, err);

	if (r < 0)
		return r;
	json_key(json, "timeline");
	write_line(render, json, n ? &lines[0] : NULL);
	return 0;
}

/* By the value of the label; several are joined as "eu, web", one that is not there is "*". */
static const char *group_name(struct render *render, const struct store_line *line,
			      const char *const *names, size_t n)
{
	struct arena *arena = &render->exchange->arena;
	const char *text = "";

	for (size_t i = 0; i < n; i++) {
		const char *value = labels_get(&line->group, names[i]);

		text = arena_printf(arena, "%s%s%s", text, i ? ", " : "", value ? value : "*");
	}
	return text;
}

static int write_groups(struct render *render, struct json_writer *json, struct err *err)
{
	const struct http_request *request = &render->exchange->request;
	const char *names[MOST_GROUPS];
	struct store_line *lines;
	size_t n_names = 0, n;
	int r;

	for (size_t i = 0; i < request->n_params && n_names < MOST_GROUPS; i++)
		if (strcmp(request->params[i].name, "groupBy") == 0 && *request->params[i].value)
			names[n_names++] = request->params[i].value;
	json_key(json, "groups");
	if (!n_names) {
		json_null(json);
		return 0;
	}
	r = read_lines(render, names, n_names, &lines, &n, err);
	json_object(json);
	for (size_t i = 0; r == 0 && i < n; i++) {
		json_key(json, group_name(render, &lines[i], names, n_names));
		write_line(render, json, &lines[i]);
	}
	json_end(json);
	return r;
}

/* ---- one ---- */

static void write_dot(struct render *render, const struct profile *merged)
{
	struct http_response *response = &render->exchange->response;

	response->content_type = "text/plain; charset=utf-8";
	querier_write_dot(&render->sides[0].selector, merged, render->max_nodes, &response->body);
}

static int write_one(struct render *render, const struct profile *merged, struct err *err)
{
	struct http_response *response = &render->exchange->response;
	struct arena *arena = &render->exchange->arena;
	struct flamebearer flame;
	struct flamebearer_json out = {.flame = &flame, .profile = merged};
	int r;

	response->content_type = "application/json";
	flamebearer_init(&flame, merged, render->max_nodes, arena);
	flamebearer_json_begin(&out, &response->body, arena);
	r = write_timeline(render, &out.json, err);
	if (r == 0)
		r = write_groups(render, &out.json, err);
	flamebearer_json_end(&out);
	flamebearer_done(&flame);
	return r;
}

static int render_one(struct render *render, struct err *err)
{
	static const char *const names[] = {"query", "from", "until"};
	const char *format = param(render, "format");
	struct side *side = &render->sides[0];
	struct merged_entry *entry;
	int r = read_side(render, names, side, err);

	if (r == 0)
		r = read_nodes(render, err);
	if (r == 0)
		r = merged_cache_take(render->server->cache, &side->query, side->text, &entry, err);
	if (r < 0)
		return r;
	if (format && strcmp(format, "dot") == 0)
		write_dot(render, entry->merged.profile);
	else
		r = write_one(render, entry->merged.profile, err);
	merged_cache_return(render->server->cache, entry);
	return r;
}

void handle_render(void *ctx, struct http_exchange *exchange)
{
	struct render render = render_of(ctx, exchange, QUERY_VIEW);
	struct err err = {0};

	finish(&render, render_one(&render, &err), &err);
}

/* ---- two ---- */

static int write_both(struct render *render, const struct profile *before,
		      const struct profile *after, struct err *err)
{
	struct http_response *response = &render->exchange->response;
	struct arena *arena = &render->exchange->arena;
	struct flamebearer flame;
	struct flamebearer_json out = {.flame = &flame, .profile = before};
	int r = flamebearer_init_double(&flame, before, after, render->max_nodes, arena, err);

	response->content_type = "application/json";
	if (r == 0)
		flamebearer_json_whole(&out, &response->body, arena);
	flamebearer_done(&flame);
	return r;
}

static int render_two(struct render *render, struct err *err)
{
	static const char *const left[] = {"leftQuery", "leftFrom", "leftUntil"};
	static const char *const right[] = {"rightQuery", "rightFrom", "rightUntil"};
	struct side *sides = render->sides;
	struct merged_entry *entry[2];
	int r = read_side(render, left, &sides[0], err);

	if (r == 0)
		r = read_side(render, right, &sides[1], err);
	if (r == 0)
		r = read_nodes(render, err);
	if (r == 0 && strcmp(sides[0].type, sides[1].type) != 0)
		r = err_set(err, ERR_USAGE, "profile types must match");
	if (r == 0)
		r = merged_cache_take_two(render->server->cache,
					  (struct store_query[]){sides[0].query, sides[1].query},
					  (const char *const[]){sides[0].text, sides[1].text},
					  entry, err);
	if (r < 0)
		return r;
	r = write_both(render, entry[0]->merged.profile, entry[1]->merged.profile, err);
	merged_cache_return(render->server->cache, entry[0]);
	if (entry[1] != entry[0])
		merged_cache_return(render->server->cache, entry[1]);
	return r;
}

void handle_render_diff(void *ctx, struct http_exchange *exchange)
{
	struct render render = render_of(ctx, exchange, QUERY_DIFF);
	struct err err = {0};

	finish(&render, render_two(&render, &err), &err);
}

/* ---- label values ---- */

/* Of all times: the interface knows no range. */
static int write_values(struct render *render, struct err *err)
{
	struct http_response *response = &render->exchange->response;
	const char *name = param(render, "label");
	struct store_range always = {0, INT64_MAX};
	struct querier_values values;
	struct json_writer json;
	int r;

	if (!name)
		return err_set(err, ERR_USAGE, "label parameter is required");
	render->sides[0].query = question_ask(render->server, render->exchange,
					      &render->sides[0].selector, always, render->start_ns);
	/* Where a metric's name was, the first version had types. */
	r = querier_values_of(render->server->store, &render->sides[0].query,
			      strcmp(name, LABEL_METRIC) == 0 ? LABEL_TYPE : name,
			      &render->exchange->arena, &values, err);
	if (r < 0)
		return r;
	response->content_type = "application/json";
	json_writer_init(&json, &response->body, JSON_ESCAPE_MARKUP);
	json_array(&json);
	for (size_t i = 0; i < values.n; i++)
		json_cstr(&json, values.items[i]);
	json_end(&json);
	return 0;
}

void handle_render_values(void *ctx, struct http_exchange *exchange)
{
	struct render render = render_of(ctx, exchange, QUERY_LABELS);
	struct err err = {0};

	finish(&render, write_values(&render, &err), &err);
}
