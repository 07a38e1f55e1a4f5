/* SPDX-License-Identifier: Apache-2.0 */
/* view, diff, lines and export: everything that is drawn from one merged profile, or two. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "format/format.h"
#include "format/view.h"
#include "profile/flame.h"
#include "server/merged_cache.h"
#include "server/question.h"
#include "server/sample_types.h"

/* Column 0 of a merged profile is the value with all states united. */
#define VALUE_COLUMN 0

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

static int read_request(const struct question *question, struct view_request *request,
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
	request->column = VALUE_COLUMN;
	request->max_nodes = (uint32_t)max_nodes;
	request->search = question_param(question, "search");
	request->root = question_param(question, "root");
	request->focus = question_param(question, "focus");
	request->callers = question_param(question, "callers");
	request->is_inverted = inverted;
	return 0;
}

/* What the store knows beside the profile; the gaps live in the arena. */
static struct view_facts facts_of(struct arena *arena, const struct store_merged *merged)
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

void handle_view(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct view_request request = {0};
	struct merged_entry *entry;
	struct view_facts facts;
	struct question question;
	struct err err;
	int r;

	if (!question_begin(&question, server, exchange, QUERY_VIEW))
		return;
	r = read_request(&question, &request, &err);
	if (r == 0)
		r = merged_cache_take(server->cache, &question.store, question.text, &entry, &err);
	if (r == 0) {
		facts = facts_of(&exchange->arena, &entry->merged);
		exchange->response.content_type = "application/json";
		r = view_write(entry->merged.profile, &request, &facts, &exchange->response.body,
			       &err);
		merged_cache_return(server->cache, entry);
	}
	question_end(&question, r, &err);
}

/* ---- diff ---- */

/* The second range and, where given, its own selector. */
static int read_second(struct question *question, struct selector *selector,
		       struct store_query *second, const char **text, struct err *err)
{
	const char *own = question_param(question, "query_b");
	int64_t from_ms, until_ms;
	int r = question_range(question, "from_b", "until_b", &from_ms, &until_ms, err);

	if (r == 0 && own) {
		r = selector_parse(own, &question->exchange->arena, selector, err);
		if (r < 0)
			return err_prefix(err, r, "query_b");
	}
	if (r < 0)
		return r;
	*second = question->store;
	second->selector = own ? selector : &question->selector;
	second->range = (struct store_range){from_ms * NS_PER_MS, until_ms * NS_PER_MS};
	*text = own ? own : question->text;
	return 0;
}

static int answer_diff(struct question *question, const struct view_request *request,
		       const struct store_query both[2], const char *const texts[2],
		       struct err *err)
{
	struct merged_cache *cache = question->server->cache;
	struct arena *arena = &question->exchange->arena;
	struct http_response *response = &question->exchange->response;
	struct merged_entry *entry[2];
	struct view_facts facts[2];
	int r = merged_cache_take_two(cache, both, texts, entry, err);

	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++)
		facts[i] = facts_of(arena, &entry[i]->merged);
	response->content_type = "application/json";
	r = view_write_diff(entry[0]->merged.profile, entry[1]->merged.profile, request, &facts[0],
			    &facts[1], &response->body, err);
	merged_cache_return(cache, entry[0]);
	if (entry[1] != entry[0])
		merged_cache_return(cache, entry[1]);
	return r;
}

void handle_diff(void *ctx, struct http_exchange *exchange)
{
	struct view_request request = {0};
	struct selector selector = {0};
	struct store_query both[2];
	const char *texts[2];
	struct question question;
	struct err err;
	int r;

	if (!question_begin(&question, ctx, exchange, QUERY_DIFF))
		return;
	r = read_request(&question, &request, &err);
	if (r == 0)
		r = read_second(&question, &selector, &both[1], &texts[1], &err);
	if (r == 0) {
		both[0] = question.store;
		texts[0] = question.text;
		r = answer_diff(&question, &request, both, texts, &err);
	}
	selector_done(&selector);
	question_end(&question, r, &err);
}

/* ---- lines ---- */

static const char *asked_service(const struct question *question)
{
	for (size_t i = 0; i < question->selector.n; i++)
		if (question->selector.items[i].op == MATCH_EQ &&
		    strcmp(question->selector.items[i].name, LABEL_SERVICE) == 0)
			return question->selector.items[i].value;
	return NULL;
}

/* The text of the function's file; len 0 when there is none. */
static int find_source(struct question *question, const struct profile *profile, const char *key,
		       struct store_source *ret_source, struct err *err)
{
	struct store *store = question->server->store;
	const char *service = asked_service(question);
	const struct frame *frame;
	struct func_id func;
	const char *file;
	int r = view_find_func(profile, VALUE_COLUMN, key, &func, err);

	*ret_source = (struct store_source){0};
	if (r < 0 || !service)
		return r;
	frame = names_func_get(profile->names, func);
	file = names_text(profile->names, frame->file, NULL);
	if (!*file)
		return 0;
	return store->ops->get_source(store, STORE_TENANT_DEFAULT, service, file,
				      &question->exchange->arena, ret_source, err);
}

static int answer_lines(struct question *question, const struct profile *profile, const char *key,
			const struct view_request *request, struct err *err)
{
	struct http_response *response = &question->exchange->response;
	struct store_source source;
	struct view_source shown;
	int r = find_source(question, profile, key, &source, err);

	if (r < 0)
		return r;
	shown = (struct view_source){source.text, source.len, source.time_ns / NS_PER_MS};
	response->content_type = "application/json";
	return view_write_lines(profile, request, key, source.len ? &shown : NULL, &response->body,
				err);
}

void handle_lines(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct view_request request = {0};
	struct merged_entry *entry;
	struct question question;
	const char *key;
	struct err err;
	int r;

	if (!question_begin(&question, server, exchange, QUERY_LINES))
		return;
	key = question_param(&question, "function");
	r = key ? read_request(&question, &request, &err)
		: err_set(&err, ERR_USAGE,
			  "the parameter function is needed: the key of a frame in an answer of "
			  "view");
	if (r == 0)
		r = merged_cache_take(server->cache, &question.store, question.text, &entry, &err);
	if (r == 0) {
		r = answer_lines(&question, entry->merged.profile, key, &request, &err);
		merged_cache_return(server->cache, entry);
	}
	question_end(&question, r, &err);
}

/* ---- export ---- */

static const char *mime_of(const struct format *format)
{
	static const struct {
		const char *name, *mime;
	} mimes[] = {
		{"flamegraph", "image/svg+xml"},
		{"html", "text/html; charset=utf-8"},
		{"raw", "text/plain; charset=utf-8"},
		{"speedscope", "application/json"},
	};

	for (size_t i = 0; i < array_len(mimes); i++)
		if (strcmp(mimes[i].name, format->name) == 0)
			return mimes[i].mime;
	return "application/octet-stream";
}

static void format_time(int64_t ms, char out[32])
{
	time_t seconds = ms / 1000;
	struct tm date;

	strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&seconds, &date));
}

/* "profile-1763800000.svg": nothing of the query's text in a header. */
static void set_file_name(struct question *question, const struct format *format)
{
	char text[128];

	snprintf(text, sizeof(text), "attachment; filename=\"profile-%lld%s\"",
		 (long long)(question->from_ms / 1000), format->endings[0]);
	http_response_header(question->exchange, "Content-Disposition", text);
}

/*
 * Only the value: columns per state hold the same time a second time.  Scripts in SVG and HTML run from
 * a file, never from this address: the answer is an attachment.
 */
static int export(struct question *question, const struct profile *profile,
		  const struct format *format, struct err *err)
{
	struct http_response *response = &question->exchange->response;
	char subtitle[96], from[32], until[32];
	struct profile single;
	struct format_output output = {
		.profile = &single, .title = question->text, .subtitle = subtitle};
	int r;

	format_time(question->from_ms, from);
	format_time(question->until_ms, until);
	snprintf(subtitle, sizeof(subtitle), "%s to %s", from, until);
	profile_init(&single, profile->names);
	sample_types_take(profile, 1u << VALUE_COLUMN, &single);
	r = format->write(&output, &response->body, err);
	profile_done(&single);
	if (r < 0)
		return r;
	response->content_type = mime_of(format);
	set_file_name(question, format);
	return 0;
}

void handle_export(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	const struct format *format;
	struct merged_entry *entry;
	struct question question;
	const char *name;
	struct err err;
	int r = 0;

	if (!question_begin(&question, server, exchange, QUERY_EXPORT))
		return;
	name = question_param(&question, "format");
	format = format_by_name(name ? name : "pprof");
	if (!format || !format->write)
		r = err_set(&err, ERR_USAGE,
			    "format is one of pprof, raw, speedscope, flamegraph and html");
	if (r == 0)
		r = merged_cache_take(server->cache, &question.store, question.text, &entry, &err);
	if (r == 0) {
		r = export(&question, entry->merged.profile, format, &err);
		merged_cache_return(server->cache, entry);
	}
	question_end(&question, r, &err);
}
