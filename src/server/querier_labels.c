/* SPDX-License-Identifier: Apache-2.0 */
/* What there is: profile types, label names and values, series, and the span of all data. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/vec.h"
#include "server/derived.h"
#include "server/querier.h"

/* "" when the series has no such label. */
static const char *value_of(struct arena *arena, const struct store_series *series,
			    const char *name)
{
	const char *value = derived_value(arena, series->profile_type, name);

	if (value)
		return value;
	if (strcmp(name, DERIVED_SERVICE) == 0)
		name = LABEL_SERVICE;
	value = labels_get(&series->labels, name);
	return value ? value : "";
}

/* ---- which series ---- */

struct found {
	struct store_series *items;
	size_t n;
};

/* Those that one of the matchers takes; all without any. */
static int find_series(struct querier *call, struct found *found, struct err *err)
{
	struct store *store = call->server->store;
	struct arena *arena = &call->exchange->arena;
	struct store_series *items;
	size_t n;
	int r = 0;

	*found = (struct found){0};
	if (!call->n_matchers)
		return store->ops->series(store, &call->query, arena, &found->items, &found->n,
					  err);
	for (size_t i = 0; r == 0 && i < call->n_matchers; i++) {
		struct selector selector = {0};
		struct store_query query = call->query;
		struct store_series *all;

		query.selector = &selector;
		r = selector_parse(call->matchers[i], arena, &selector, err);
		if (r == 0)
			r = derived_resolve(&selector, arena, err);
		if (r == 0)
			r = store->ops->series(store, &query, arena, &items, &n, err);
		selector_done(&selector);
		if (r < 0)
			break;
		all = arena_array(arena, found->n + n, sizeof(*all));
		if (found->n)
			memcpy(all, found->items, found->n * sizeof(*all));
		if (n)
			memcpy(all + found->n, items, n * sizeof(*all));
		found->items = all;
		found->n += n;
	}
	return r;
}

/* ---- sets of texts ---- */

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, each once; returns how many are left. */
static size_t sort_texts(const char **texts, size_t n)
{
	size_t kept = 0;

	if (n)
		qsort(texts, n, sizeof(*texts), compare_texts);
	for (size_t i = 0; i < n; i++)
		if (!kept || strcmp(texts[kept - 1], texts[i]) != 0)
			texts[kept++] = texts[i];
	return kept;
}

static void put_texts(struct buf *out, uint32_t number, const char **texts, size_t n)
{
	n = sort_texts(texts, n);
	for (size_t i = 0; i < n; i++)
		proto_put_str(out, number, texts[i]);
}

/* ---- ProfileTypes ---- */

static void put_type(struct querier *call, const char *type)
{
	static const uint8_t numbers[] = {2, 4, 5, 6, 7};
	struct arena *arena = &call->exchange->arena;
	size_t begin = proto_begin(&call->unary.reply, 1);

	proto_put_str(&call->unary.reply, 1, type);
	for (size_t i = 0; i < array_len(numbers); i++)
		querier_put_text(&call->unary.reply, numbers[i],
				 derived_value(arena, type, derived_names[i]));
	proto_end(&call->unary.reply, begin);
}

void handle_querier_types(void *ctx, struct http_exchange *exchange)
{
	static const struct querier_method method = {
		.unary = {QUERY_SERVICES, &querier_schema_profile_types_request,
			  &querier_schema_profile_types},
		.params = {[1] = QUERIER_START, [2] = QUERIER_END},
	};
	struct querier *call = querier_open(ctx, exchange, &method);
	const char **types;
	struct found found;
	struct err err;
	size_t n;
	int r;

	if (!call)
		return;
	r = find_series(call, &found, &err);
	if (r == 0) {
		types = arena_array(&exchange->arena, found.n, sizeof(*types));
		for (size_t i = 0; i < found.n; i++)
			types[i] = found.items[i].profile_type;
		n = sort_texts(types, found.n);
		for (size_t i = 0; i < n; i++)
			put_type(call, types[i]);
	}
	querier_end(call, r, &err);
}

/* ---- LabelNames, LabelValues ---- */

void handle_querier_names(void *ctx, struct http_exchange *exchange)
{
	static const struct querier_method method = {
		.unary = {QUERY_LABELS, &querier_schema_label_names_request, &querier_schema_names},
		.params = {[1] = QUERIER_MATCHERS, [2] = QUERIER_START, [3] = QUERIER_END},
	};
	struct querier *call = querier_open(ctx, exchange, &method);
	struct found found;
	const char **names;
	struct err err;
	size_t n = 0;
	int r;

	if (!call)
		return;
	r = find_series(call, &found, &err);
	if (r == 0) {
		names = arena_array(&exchange->arena, found.n * LABELS_MAX + derived_n,
				    sizeof(*names));
		for (size_t i = 0; i < found.n; i++)
			for (size_t k = 0; k < found.items[i].labels.n; k++)
				names[n++] = found.items[i].labels.items[k].name;
		for (size_t i = 0; found.n && i < derived_n; i++)
			names[n++] = derived_names[i];
		put_texts(&call->unary.reply, 1, names, n);
	}
	querier_end(call, r, &err);
}

static void collect_values(const struct found *found, const char *name, struct arena *arena,
			   struct querier_values *ret_values)
{
	const char **items = arena_array(arena, found->n, sizeof(*items));
	size_t n = 0;

	for (size_t i = 0; i < found->n; i++) {
		items[n] = value_of(arena, &found->items[i], name);
		n += *items[n] != '\0';
	}
	*ret_values = (struct querier_values){items, sort_texts(items, n)};
}

int querier_values_of(struct store *store, const struct store_query *query, const char *name,
		      struct arena *arena, struct querier_values *ret_values, struct err *err)
{
	struct found found;
	int r = store->ops->series(store, query, arena, &found.items, &found.n, err);

	if (r == 0)
		collect_values(&found, name, arena, ret_values);
	return r;
}

void handle_querier_values(void *ctx, struct http_exchange *exchange)
{
	static const struct querier_method method = {
		.unary = {QUERY_LABELS, &querier_schema_label_values_request,
			  &querier_schema_names},
		.params = {[1] = QUERIER_NAME,
			   [2] = QUERIER_MATCHERS,
			   [3] = QUERIER_START,
			   [4] = QUERIER_END},
	};
	struct querier *call = querier_open(ctx, exchange, &method);
	struct querier_values values;
	struct found found = {0};
	struct err err;
	int r;

	if (!call)
		return;
	r = *call->name ? find_series(call, &found, &err)
			: err_set(&err, ERR_USAGE, "name is required");
	if (r == 0) {
		collect_values(&found, call->name, &exchange->arena, &values);
		for (size_t i = 0; i < values.n; i++)
			proto_put_str(&call->unary.reply, 1, values.items[i]);
	}
	querier_end(call, r, &err);
}

/* ---- Series ---- */

static int compare_labels(const void *a, const void *b)
{
	const struct labels *one = a, *two = b;

	for (size_t i = 0; i < one->n && i < two->n; i++) {
		int order = strcmp(one->items[i].name, two->items[i].name);

		if (order == 0)
			order = strcmp(one->items[i].value, two->items[i].value);
		if (order != 0)
			return order;
	}
	return (one->n > two->n) - (one->n < two->n);
}

/* The labels of a series that are asked for; without a wish all of them. */
static int project(struct querier *call, const struct store_series *series, struct labels *out,
		   struct err *err)
{
	struct arena *arena = &call->exchange->arena;
	int r = 0;

	*out = (struct labels){0};
	if (!call->n_names) {
		*out = series->labels;
		return labels_set(out, arena, LABEL_TYPE, series->profile_type, err);
	}
	for (size_t i = 0; r == 0 && i < call->n_names; i++)
		r = labels_set(out, arena, call->names[i], value_of(arena, series, call->names[i]),
			       err);
	return r;
}

static int put_series(struct querier *call, const struct found *found, struct err *err)
{
	struct labels *sets = arena_array(&call->exchange->arena, found->n, sizeof(struct labels));
	size_t n = 0;

	for (size_t i = 0; i < found->n; i++) {
		int r = project(call, &found->items[i], &sets[n], err);

		if (r < 0)
			return r;
		n += sets[n].n != 0;
	}
	if (n)
		qsort(sets, n, sizeof(*sets), compare_labels);
	for (size_t i = 0; i < n; i++) {
		size_t begin;

		if (i && compare_labels(&sets[i - 1], &sets[i]) == 0)
			continue;
		begin = proto_begin(&call->unary.reply, 2);
		for (size_t k = 0; k < sets[i].n; k++)
			querier_put_label(&call->unary.reply, 1, sets[i].items[k].name,
					  sets[i].items[k].value);
		proto_end(&call->unary.reply, begin);
	}
	return 0;
}

void handle_querier_series(void *ctx, struct http_exchange *exchange)
{
	static const struct querier_method method = {
		.unary = {QUERY_LABELS, &querier_schema_series_request, &querier_schema_series},
		.params = {[1] = QUERIER_MATCHERS,
			   [2] = QUERIER_NAMES,
			   [3] = QUERIER_START,
			   [4] = QUERIER_END},
	};
	struct querier *call = querier_open(ctx, exchange, &method);
	struct found found;
	struct err err;
	int r;

	if (!call)
		return;
	r = find_series(call, &found, &err);
	if (r == 0)
		r = put_series(call, &found, &err);
	querier_end(call, r, &err);
}

/* ---- GetProfileStats, AnalyzeQuery ---- */

void handle_querier_stats(void *ctx, struct http_exchange *exchange)
{
	static const struct querier_method method = {
		.unary = {QUERY_SERVICES, &querier_schema_nothing, &querier_schema_stats},
	};
	struct querier *call = querier_open(ctx, exchange, &method);
	struct store_stats stats;
	struct err err;

	if (!call)
		return;
	call->server->store->ops->stats(call->server->store, &stats);
	if (stats.newest_ns > 0) {
		proto_put_uint(&call->unary.reply, 1, 1);
		proto_put_int(&call->unary.reply, 2, stats.oldest_ns / NS_PER_MS);
		proto_put_int(&call->unary.reply, 3, stats.newest_ns / NS_PER_MS);
	}
	querier_end(call, 0, &err);
}

/* Pyroscope tells where it would look; there is one place here. */
void handle_querier_analyze(void *ctx, struct http_exchange *exchange)
{
	static const struct querier_method method = {
		.unary = {QUERY_SERVICES, &querier_schema_nothing, &querier_schema_nothing},
	};
	struct querier *call = querier_open(ctx, exchange, &method);
	struct err err;

	if (call)
		querier_end(call, 0, &err);
}
