/* SPDX-License-Identifier: Apache-2.0 */
#include "server/question.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/opt.h"
#include "server/caller.h"
#include "server/derived.h"
#include "server/pick.h"

#define EXACT_MAX ((int64_t)1 << 53)

struct store_query question_ask(const struct server *server, const struct http_exchange *exchange,
				const struct selector *selector, struct store_range range,
				int64_t start_ns)
{
	int64_t limit_ns = server->config.limits.query_ns;

	return (struct store_query){
		.tenant = caller_of(exchange)->tenant,
		.selector = selector,
		.range = range,
		.deadline_ns = min_of(start_ns + limit_ns, exchange->deadline_ns),
		.is_cancelled = &exchange->is_cancelled,
	};
}

void question_count(struct server *server, enum query_kind kind, int64_t start_ns, bool is_good)
{
	struct server_counters *counters = &server->counters;
	int64_t elapsed_ns = clock_monotonic_ns() - start_ns;

	atomic_fetch_add(&counters->queries[kind], 1);
	atomic_fetch_add(&counters->query_us[kind], (uint64_t)(elapsed_ns / NS_PER_US));
	if (!is_good)
		atomic_fetch_add(&counters->query_failures, 1);
}

const char *question_param(const struct question *question, const char *name)
{
	const char *value = http_request_param(&question->exchange->request, name);

	return value && *value ? value : NULL;
}

int question_int(const struct question *question, const char *name, int64_t least, int64_t most,
		 int64_t fallback, int64_t *ret_value, struct err *err)
{
	const char *text = question_param(question, name);
	int r;

	if (!text) {
		*ret_value = fallback;
		return 0;
	}
	r = opt_parse_int(text, least, most, ret_value, err);
	return r < 0 ? err_prefix(err, ERR_USAGE, "%s", name) : 0;
}

int question_range(struct question *question, const char *from, const char *until,
		   int64_t *ret_from_ms, int64_t *ret_until_ms, struct err *err)
{
	int r;

	if (!question_param(question, from) || !question_param(question, until))
		return err_set(err, ERR_USAGE,
			       "the parameters %s and %s are needed, in milliseconds since 1970",
			       from, until);
	r = question_int(question, from, 0, QUERY_LATEST_MS, 0, ret_from_ms, err);
	if (r == 0)
		r = question_int(question, until, 0, QUERY_LATEST_MS, 0, ret_until_ms, err);
	if (r == 0 && *ret_from_ms >= *ret_until_ms)
		r = err_set(err, ERR_USAGE, "%s must be before %s", from, until);
	return r;
}

static int read_selector(struct question *question, struct err *err)
{
	const char *text = question_param(question, "query");
	/* These can be asked of everything. */
	bool may_be_absent = question->kind == QUERY_SERVICES || question->kind == QUERY_LABELS;
	int r;

	if (!text && !may_be_absent)
		return err_set(
			err, ERR_USAGE,
			"the parameter query is needed: PROFILE_TYPE{service_name=\"NAME\"}");
	question->text = question->title = text ? text : "";
	if (!text)
		return 0;
	r = selector_parse(text, &question->exchange->arena, &question->selector, err);
	return r == 0 ? derived_resolve(&question->selector, &question->exchange->arena, err) : r;
}

int question_list(const struct question *question, const char *name, size_t max,
		  const char **ret_items, size_t *ret_n, struct err *err)
{
	const char *at = question_param(question, name);
	size_t n = 0;

	while (at && *at) {
		size_t len = strcspn(at, ",");

		if (len && n == max)
			return err_set(err, ERR_USAGE, "%s: more than %zu", name, max);
		if (len)
			ret_items[n++] = arena_strndup(&question->exchange->arena, at, len);
		at += len + (at[len] == ',');
	}
	*ret_n = n;
	return 0;
}

/* The store picks from what it merges or tells one by one, for one range. */
static bool can_pick(enum query_kind kind)
{
	return kind == QUERY_VIEW || kind == QUERY_LINES || kind == QUERY_EXPORT ||
	       kind == QUERY_FUNCTIONS || kind == QUERY_EXEMPLARS;
}

static int read_pick(struct question *question, struct err *err)
{
	struct arena *arena = &question->exchange->arena;
	struct pick pick = {0};
	const struct {
		const char *name;
		struct pick_ids *ids;
	} lists[] = {
		{"profiles", &pick.profiles}, {"spans", &pick.spans}, {"traces", &pick.traces}};
	int r = 0;

	for (size_t i = 0; i < array_len(lists) && r == 0; i++) {
		if (!question_param(question, lists[i].name))
			continue;
		if (!can_pick(question->kind))
			return err_set(err, ERR_USAGE, "this cannot be asked of some %s only",
				       lists[i].name);
		lists[i].ids->items = arena_array(arena, PICK_MAX_IDS, sizeof(char *));
		r = question_list(question, lists[i].name, PICK_MAX_IDS, lists[i].ids->items,
				  &lists[i].ids->n, err);
	}
	return r == 0 ? pick_read(&pick, arena, &question->store, &question->text, err) : r;
}

bool question_begin(struct question *question, struct server *server,
		    struct http_exchange *exchange, enum query_kind kind)
{
	int64_t now_ns = clock_monotonic_ns();
	struct err err;
	int r;

	*question = (struct question){
		.server = server, .exchange = exchange, .kind = kind, .start_ns = now_ns};
	r = read_selector(question, &err);
	if (r == 0)
		r = question_range(question, "from", "until", &question->from_ms,
				   &question->until_ms, &err);
	question->store = question_ask(
		server, exchange, &question->selector,
		(struct store_range){question->from_ms * NS_PER_MS, question->until_ms * NS_PER_MS},
		now_ns);
	if (r == 0)
		r = read_pick(question, &err);
	if (r < 0)
		question_end(question, r, &err);
	return r >= 0;
}

static void answer_error(struct http_exchange *exchange, int r, const char *text)
{
	static const struct {
		int code, status;
		const char *reason;
	} answers[] = {
		{ERR_USAGE, 400, "bad_query"},	    {ERR_LIMIT, 422, "too_much"},
		{-ENOENT, 404, "not_found"},	    {-ETIME, 503, "timeout"},
		{-ECANCELED, 499, "cancelled"},	    {ERR_UNSUPPORTED, 501, "unsupported"},
		{ERR_CORRUPT, 500, "damaged_data"},
	};

	for (size_t i = 0; i < array_len(answers); i++)
		if (answers[i].code == r) {
			if (answers[i].status == 503)
				http_response_header(exchange, "Retry-After", "5");
			http_fail(exchange, answers[i].status, answers[i].reason, "%s", text);
			return;
		}
	http_fail(exchange, 500, "internal", "%s", text);
}

void question_end(struct question *question, int r, const struct err *err)
{
	selector_done(&question->selector);
	question_count(question->server, question->kind, question->start_ns, r >= 0);
	if (r < 0)
		answer_error(question->exchange, r, err->text);
	http_exchange_finish(question->exchange);
}

struct json_writer question_json(struct question *question)
{
	struct http_response *response = &question->exchange->response;
	struct json_writer json;

	response->content_type = "application/json";
	json_writer_init(&json, &response->body, 0);
	return json;
}

const char *question_unit_of(struct arena *arena, const char *profile_type)
{
	const char *at = profile_type;

	for (int i = 0; i < 2 && at; i++) {
		at = strchr(at, ':');
		at = at ? at + 1 : NULL;
	}
	return at ? arena_strndup(arena, at, strcspn(at, ":")) : "";
}

int64_t question_scale(int64_t most)
{
	int64_t scale = 1;

	while (most / scale > EXACT_MAX)
		scale *= 1000;
	return scale;
}

int64_t question_point(const struct store_point *point, bool is_gauge)
{
	double series = point->wall_ns > 0 ? (double)point->covered_ns / (double)point->wall_ns : 1;

	if (!is_gauge || point->n_profiles <= 0)
		return point->value;
	return (int64_t)((double)point->value / (double)point->n_profiles * max_of(series, 1.0));
}
