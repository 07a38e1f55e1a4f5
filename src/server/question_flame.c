/* SPDX-License-Identifier: Apache-2.0 */
/* view, diff, lines and export: everything that is drawn from one merged profile, or two. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "format/format.h"
#include "profile/flame.h"
#include "server/caller.h"
#include "server/merged_cache.h"
#include "server/question.h"
#include "server/question_view.h"
#include "server/sample_types.h"

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
	r = question_view_request(&question, &request, &err);
	if (r == 0)
		r = merged_cache_take(server->cache, &question.store, question.text, &entry, &err);
	if (r == 0) {
		facts = question_facts(&exchange->arena, &entry->merged);
		exchange->response.content_type = "application/json";
		r = view_write(entry->merged.profile, &request, &facts, &exchange->response.body,
			       &err);
		merged_cache_return(server->cache, entry);
	}
	question_end(&question, r, &err);
}

/* ---- diff ---- */

struct diff {
	struct question question;
	struct view_request request;
};

static int answer_diff(void *ctx, const struct profile *const profiles[2],
		       const struct view_facts facts[2], struct err *err)
{
	struct diff *diff = ctx;

	return view_write_diff(profiles[0], profiles[1], &diff->request, &facts[0], &facts[1],
			       &diff->question.exchange->response.body, err);
}

void handle_diff(void *ctx, struct http_exchange *exchange)
{
	struct diff diff = {0};
	struct err err;
	int r;

	if (!question_begin(&diff.question, ctx, exchange, QUERY_DIFF))
		return;
	r = question_view_request(&diff.question, &diff.request, &err);
	if (r == 0)
		r = question_take_two(&diff.question, answer_diff, &diff, &err);
	question_end(&diff.question, r, &err);
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
	int r = view_find_func(profile, QUESTION_COLUMN, key, &func, err);

	*ret_source = (struct store_source){0};
	if (r < 0 || !service)
		return r;
	frame = names_func_get(profile->names, func);
	file = names_text(profile->names, frame->file, NULL);
	if (!*file)
		return 0;
	return store->ops->get_source(store, caller_of(question->exchange)->tenant, service, file,
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
	r = key ? question_view_request(&question, &request, &err)
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
		{"json", "application/json"},
		{"markdown", "text/markdown; charset=utf-8"},
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
		.profile = &single, .title = question->title, .subtitle = subtitle};
	int r;

	format_time(question->from_ms, from);
	format_time(question->until_ms, until);
	snprintf(subtitle, sizeof(subtitle), "%s to %s", from, until);
	profile_init(&single, profile->names);
	sample_types_take(profile, 1u << QUESTION_COLUMN, &single);
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
			    "format is one of pprof, raw (collapsed), speedscope, flamegraph "
			    "(svg), html, json and markdown");
	if (r == 0)
		r = merged_cache_take(server->cache, &question.store, question.text, &entry, &err);
	if (r == 0) {
		r = export(&question, entry->merged.profile, format, &err);
		merged_cache_return(server->cache, entry);
	}
	question_end(&question, r, &err);
}
