/* SPDX-License-Identifier: Apache-2.0 */
/* GET /api/v1/exemplars: the single profiles of a range, or the spans in them, those of most value first. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/exemplars.h"
#include "server/question_view.h"

static int read_kind(const struct question *question, enum store_exemplar_kind *ret_kind,
		     struct err *err)
{
	const char *kind = question_param(question, "kind");

	if (kind && strcmp(kind, "profile") != 0 && strcmp(kind, "span") != 0)
		return err_set(err, ERR_USAGE, "kind is profile or span");
	*ret_kind = kind && *kind == 's' ? STORE_EXEMPLAR_SPAN : STORE_EXEMPLAR_PROFILE;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	const struct exemplar *x = a, *y = b;
	int order;

	if (x->value != y->value)
		return x->value > y->value ? -1 : 1;
	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	order = strcmp(x->profile_id, y->profile_id);
	if (order)
		return order;
	if (x->span.id.v != y->span.id.v)
		return x->span.id.v < y->span.id.v ? -1 : 1;
	return memcmp(&x->span.trace, &y->span.trace, sizeof(x->span.trace));
}

static void write_id(struct json_writer *json, const char *key, const char *text)
{
	if (*text)
		json_member_str(json, key, text);
}

static void write_exemplar(struct json_writer *json, const struct exemplar *exemplar, int64_t scale)
{
	char span[SPAN_TEXT_BYTES], trace[TRACE_TEXT_BYTES];

	span_id_format(exemplar->span.id, span);
	trace_id_format(&exemplar->span.trace, trace);
	json_object(json);
	json_member_int(json, "time", exemplar->time_ns / NS_PER_MS);
	json_member_int(json, "value", exemplar->value / scale);
	json_member_str(json, "profile", exemplar->profile_id);
	write_id(json, "span", span);
	write_id(json, "trace", trace);
	json_key(json, "labels");
	json_object(json);
	for (size_t i = 0; i < exemplar->labels->n; i++)
		if (strncmp(exemplar->labels->items[i].name, "__", 2) != 0)
			json_member_str(json, exemplar->labels->items[i].name,
					exemplar->labels->items[i].value);
	json_end(json);
	json_end(json);
}

static void write_answer(struct question *question, const struct exemplars *found,
			 const struct view_page *page, const char *unit)
{
	struct json_writer json = question_json(question);
	int64_t scale = question_scale(found->n ? found->items[0].value : 0);

	json_object(&json);
	json_member_str(&json, "unit", unit);
	json_member_int(&json, "scale", scale);
	json_member_bool(&json, "is_partial", found->is_partial);
	json_member_uint(&json, "left_out", found->n_left_out);
	json_member_uint(&json, "rows", found->n);
	json_key(&json, "exemplars");
	json_array(&json);
	for (size_t i = page->offset; i < found->n && i - page->offset < page->limit; i++)
		write_exemplar(&json, &found->items[i], scale);
	json_end(&json);
	json_end(&json);
}

/* What the values are counted in: of the first series, since all are of one type. */
static int find_unit(struct question *question, const char **ret_unit, struct err *err)
{
	struct store *store = question->server->store;
	struct arena *arena = &question->exchange->arena;
	struct store_series *series;
	size_t n = 0;
	int r = store->ops->series(store, &question->store, arena, &series, &n, err);

	*ret_unit = r == 0 && n ? question_unit_of(arena, series->profile_type) : "";
	return r;
}

void handle_exemplars(void *ctx, struct http_exchange *exchange)
{
	static const struct label_names ungrouped;
	struct server *server = ctx;
	enum store_exemplar_kind kind = STORE_EXEMPLAR_PROFILE;
	struct exemplars found = {0};
	struct question question;
	struct view_page page;
	const char *unit;
	struct err err;
	int r;

	if (!question_begin(&question, server, exchange, QUERY_EXEMPLARS))
		return;
	r = read_kind(&question, &kind, &err);
	if (r == 0)
		r = question_page(&question, &page, &err);
	if (r == 0)
		r = find_unit(&question, &unit, &err);
	if (r == 0)
		r = exemplars_find(server->store, &question.store, kind, &ungrouped, &found, &err);
	if (r == 0) {
		if (found.n)
			qsort(found.items, found.n, sizeof(*found.items), by_value);
		write_answer(&question, &found, &page, unit);
	}
	exemplars_done(&found);
	question_end(&question, r, &err);
}
