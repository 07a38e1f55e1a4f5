/* SPDX-License-Identifier: Apache-2.0 */
/* What there is: services with their profile types, label names, values of a label. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/question.h"

/* Distinct texts, sorted. */
struct texts {
	const char **items;
	size_t n;
};

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_texts(struct texts *texts)
{
	size_t n = 0;

	if (texts->n)
		qsort(texts->items, texts->n, sizeof(*texts->items), compare_texts);
	for (size_t i = 0; i < texts->n; i++)
		if (!n || strcmp(texts->items[n - 1], texts->items[i]) != 0)
			texts->items[n++] = texts->items[i];
	texts->n = n;
}

static void write_texts(struct json_writer *json, const char *key, const struct texts *texts)
{
	json_key(json, key);
	json_array(json);
	for (size_t i = 0; i < texts->n; i++)
		json_cstr(json, texts->items[i]);
	json_end(json);
}

/* ---- services ---- */

static const char *service_of(const struct store_series *series)
{
	const char *service = labels_get(&series->labels, LABEL_SERVICE);

	return service ? service : "";
}

static int compare_services(const void *a, const void *b)
{
	return strcmp(service_of(a), service_of(b));
}

static void write_service(struct question *question, struct json_writer *json,
			  const struct store_series *series, size_t n)
{
	struct texts types = {arena_array(&question->exchange->arena, n, sizeof(char *)), 0};
	int64_t first_ns = INT64_MAX, last_ns = 0;

	for (size_t i = 0; i < n; i++) {
		types.items[types.n++] = series[i].profile_type;
		first_ns = min_of(first_ns, series[i].first_ns);
		last_ns = max_of(last_ns, series[i].last_ns);
	}
	sort_texts(&types);
	json_object(json);
	json_member_str(json, "name", service_of(series));
	write_texts(json, "profile_types", &types);
	json_member_int(json, "first", first_ns / NS_PER_MS);
	json_member_int(json, "last", last_ns / NS_PER_MS);
	json_end(json);
}

void handle_services(void *ctx, struct http_exchange *exchange)
{
	struct store_series *series;
	struct json_writer json;
	struct server *server = ctx;
	struct question question;
	struct err err;
	size_t n = 0;
	int r;

	if (!question_begin(&question, server, exchange, QUERY_SERVICES))
		return;
	r = server->store->ops->series(server->store, &question.store, &exchange->arena, &series,
				       &n, &err);
	if (r == 0) {
		if (n)
			qsort(series, n, sizeof(*series), compare_services);
		json = question_json(&question);
		json_object(&json);
		json_key(&json, "services");
		json_array(&json);
		for (size_t i = 0, end; i < n; i = end) {
			for (end = i + 1; end < n && !compare_services(&series[i], &series[end]);
			     end++)
				;
			write_service(&question, &json, series + i, end - i);
		}
		json_end(&json);
		json_end(&json);
	}
	question_end(&question, r, &err);
}

/* ---- labels ---- */

/* `name` NULL: the names, else the values of that label. */
static void collect(struct arena *arena, const struct store_series *series, size_t n,
		    const char *name, struct texts *texts)
{
	texts->items = arena_array(arena, n * (name ? 1 : LABELS_MAX), sizeof(char *));
	texts->n = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < series[i].labels.n; k++) {
			const struct label *label = &series[i].labels.items[k];

			if (name ? strcmp(label->name, name) == 0
				 : strncmp(label->name, "__", 2) != 0)
				texts->items[texts->n++] = name ? label->value : label->name;
		}
	sort_texts(texts);
}

static void answer_texts(struct server *server, struct http_exchange *exchange, const char *key,
			 const char *name)
{
	struct store_series *series;
	struct json_writer json;
	struct question question;
	struct texts texts;
	struct err err;
	size_t n = 0;
	int r;

	if (!question_begin(&question, server, exchange, QUERY_LABELS))
		return;
	r = server->store->ops->series(server->store, &question.store, &exchange->arena, &series,
				       &n, &err);
	if (r == 0) {
		collect(&exchange->arena, series, n, name, &texts);
		json = question_json(&question);
		json_object(&json);
		write_texts(&json, key, &texts);
		json_end(&json);
	}
	question_end(&question, r, &err);
}

void handle_labels(void *ctx, struct http_exchange *exchange)
{
	answer_texts(ctx, exchange, "names", NULL);
}

/* /api/v1/labels/NAME/values */
void handle_label_values(void *ctx, struct http_exchange *exchange)
{
	static const char end[] = "/values";
	const char *tail = exchange->request.tail;
	size_t len = strlen(tail);

	if (len <= sizeof(end) - 1 || strcmp(tail + len - (sizeof(end) - 1), end) != 0) {
		http_fail(exchange, 404, "not_found", "there is /api/v1/labels/NAME/values");
		http_exchange_finish(exchange);
		return;
	}
	answer_texts(ctx, exchange, "values",
		     arena_strndup(&exchange->arena, tail, len - (sizeof(end) - 1)));
}
