/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /api/v1/breakdown: what each value of a label has of a range, of one function or of all, and, with a second
 * range, by how much that changed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/merged_cache.h"
#include "server/question_view.h"

/* With a function, each value of the label is a merge of its own. */
#define MAX_MERGES 100

/* What one value of the label has in one range. */
struct part {
	int64_t total, covered_ms, wall_ms, n_profiles;
	int64_t self; /* of the function */
};

struct row {
	const char *value; /* of the label; "" for series without it */
	struct part parts[2];
	int64_t change; /* second, as if that range were as long as the first, less the first */
};

struct breakdown {
	struct question question;
	struct question_second second;
	struct view_request request;
	const char *by;
	const char *function; /* key; NULL: everything */
	bool has_second, is_gauge;
	size_t limit;
	struct store_series *series;
	size_t n_series;
	struct row *rows;
	size_t n_rows;
	int64_t scale;
};

static int read_request(struct breakdown *breakdown, struct err *err)
{
	struct question *question = &breakdown->question;
	int64_t limit;
	int r = question_view_request(question, &breakdown->request, err);

	breakdown->by = question_param(question, "by");
	breakdown->function = question_param(question, "function");
	breakdown->has_second = question_param(question, "from_b") ||
				question_param(question, "until_b") ||
				question_param(question, "query_b");
	if (r == 0 && !breakdown->by)
		r = err_set(err, ERR_USAGE, "the parameter by is needed: the name of a label");
	if (r == 0)
		r = question_int(question, "limit", 1,
				 breakdown->function ? MAX_MERGES : QUESTION_MAX_ROWS,
				 QUESTION_ROWS, &limit, err);
	if (r == 0 && breakdown->has_second)
		r = question_second_read(question, &breakdown->second, err);
	if (r == 0)
		breakdown->limit = (size_t)limit;
	return r;
}

/* ---- totals by value ---- */

static int compare_values(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->value, ((const struct row *)b)->value);
}

/* Rows are sorted by value: those of the first range, then what only the second has. */
static struct row *row_find(struct breakdown *breakdown, size_t n_sorted, const char *value)
{
	struct row key = {.value = value};
	struct row *found = n_sorted ? bsearch(&key, breakdown->rows, n_sorted,
					       sizeof(*breakdown->rows), compare_values)
				     : NULL;

	if (found)
		return found;
	breakdown->rows[breakdown->n_rows] = key;
	return &breakdown->rows[breakdown->n_rows++];
}

static int sum_side(struct breakdown *breakdown, const struct store_query *query, size_t side,
		    struct err *err)
{
	struct question *question = &breakdown->question;
	struct store *store = question->server->store;
	struct arena *arena = &question->exchange->arena;
	size_t n_sorted = breakdown->n_rows, n;
	struct store_line *lines;
	struct row *rows;
	int r = store->ops->timeline(store, query, query->range.until_ns - query->range.from_ns,
				     &breakdown->by, 1, arena, &lines, &n, err);

	if (r < 0)
		return r;
	rows = arena_array(arena, breakdown->n_rows + n + 1, sizeof(*rows));
	if (n_sorted)
		memcpy(rows, breakdown->rows, n_sorted * sizeof(*rows));
	breakdown->rows = rows;
	for (size_t i = 0; i < n; i++) {
		const char *value = labels_get(&lines[i].group, breakdown->by);
		const struct store_point *point = lines[i].points;

		if (!lines[i].n || !point->covered_ns)
			continue;
		row_find(breakdown, n_sorted, value ? value : "")->parts[side] = (struct part){
			.total = question_point(point, breakdown->is_gauge),
			.covered_ms = point->covered_ns / NS_PER_MS,
			.wall_ms = point->wall_ns / NS_PER_MS,
			.n_profiles = point->n_profiles,
		};
	}
	if (breakdown->n_rows)
		qsort(breakdown->rows, breakdown->n_rows, sizeof(*rows), compare_values);
	return 0;
}

/* ---- one function by value ---- */

/* The selector and the value of the label, as a query of its own. */
static int narrow(struct breakdown *breakdown, const struct store_query *query, const char *text,
		  const char *value, struct selector *selector, const char **ret_text,
		  struct err *err)
{
	struct arena *arena = &breakdown->question.exchange->arena;
	size_t len = strlen(text) + strlen(breakdown->by) + strlen(value) + 3;
	char *narrowed = arena_array(arena, len, 1);

	*selector = *query->selector;
	if (selector->n == SELECTOR_MAX_MATCHERS)
		return err_set(err, ERR_LIMIT, "query: more than %d matchers with the one of by",
			       SELECTOR_MAX_MATCHERS - 1);
	selector->items[selector->n++] =
		(struct matcher){.name = breakdown->by, .value = value, .op = MATCH_EQ};
	/* No selector holds a control character. */
	snprintf(narrowed, len, "%s\x1f%s\x1f%s", text, breakdown->by, value);
	*ret_text = narrowed;
	return 0;
}

static int sum_function(struct breakdown *breakdown, const struct store_query *query,
			const char *text, const char *value, struct part *part, struct err *err)
{
	struct merged_cache *cache = breakdown->question.server->cache;
	struct store_query narrowed = *query;
	struct merged_entry *entry;
	struct selector selector;
	int r = narrow(breakdown, query, text, value, &selector, &text, err);

	if (r < 0)
		return r;
	narrowed.selector = &selector;
	r = merged_cache_take(cache, &narrowed, text, &entry, err);
	if (r < 0)
		return r;
	r = view_func_sums(entry->merged.profile, &breakdown->request, breakdown->function,
			   &part->self, &part->total, err);
	merged_cache_return(cache, entry);
	return r;
}

static int sum_functions(struct breakdown *breakdown, struct err *err)
{
	const struct question *question = &breakdown->question;
	int r = 0;

	if (breakdown->n_rows > MAX_MERGES)
		return err_set(err, ERR_LIMIT,
			       "%s has %zu values here and a function can be split by %d: choose "
			       "fewer in query",
			       breakdown->by, breakdown->n_rows, MAX_MERGES);
	for (size_t i = 0; i < breakdown->n_rows && r == 0; i++) {
		struct row *row = &breakdown->rows[i];

		if (row->parts[0].covered_ms)
			r = sum_function(breakdown, &question->store, question->text, row->value,
					 &row->parts[0], err);
		if (r == 0 && row->parts[1].covered_ms)
			r = sum_function(breakdown, &breakdown->second.store,
					 breakdown->second.text, row->value, &row->parts[1], err);
	}
	return r;
}

/* ---- together ---- */

static int64_t rate_change(const struct row *row)
{
	const struct part *first = &row->parts[0], *second = &row->parts[1];
	double scale = first->wall_ms && second->wall_ms
			       ? (double)first->wall_ms / (double)second->wall_ms
			       : 1;

	return (int64_t)((double)second->total * scale) - first->total;
}

static int compare_totals(const void *a, const void *b)
{
	const struct row *one = a, *two = b;

	if (one->parts[0].total != two->parts[0].total)
		return one->parts[0].total < two->parts[0].total ? 1 : -1;
	return strcmp(one->value, two->value);
}

static int compare_changes(const void *a, const void *b)
{
	int64_t one = llabs(((const struct row *)a)->change);
	int64_t two = llabs(((const struct row *)b)->change);

	return one != two ? (one < two ? 1 : -1) : compare_totals(a, b);
}

static void finish_rows(struct breakdown *breakdown)
{
	int64_t most = 0;

	for (size_t i = 0; i < breakdown->n_rows; i++) {
		struct row *row = &breakdown->rows[i];

		row->change = breakdown->has_second ? rate_change(row) : 0;
		most = max_of(most, max_of(row->parts[0].total, row->parts[1].total));
	}
	breakdown->scale = question_scale(most);
	if (breakdown->n_rows)
		qsort(breakdown->rows, breakdown->n_rows, sizeof(*breakdown->rows),
		      breakdown->has_second ? compare_changes : compare_totals);
}

static int ask(struct breakdown *breakdown, struct err *err)
{
	struct question *question = &breakdown->question;
	struct store *store = question->server->store;
	int r = store->ops->series(store, &question->store, &question->exchange->arena,
				   &breakdown->series, &breakdown->n_series, err);

	if (r == 0 && !breakdown->n_series && breakdown->has_second)
		r = store->ops->series(store, &breakdown->second.store, &question->exchange->arena,
				       &breakdown->series, &breakdown->n_series, err);
	if (r < 0)
		return r;
	breakdown->is_gauge = breakdown->n_series && breakdown->series[0].is_gauge;
	r = sum_side(breakdown, &question->store, 0, err);
	if (r == 0 && breakdown->has_second)
		r = sum_side(breakdown, &breakdown->second.store, 1, err);
	if (r == 0 && breakdown->function)
		r = sum_functions(breakdown, err);
	if (r == 0)
		finish_rows(breakdown);
	return r;
}

static void write_part(const struct breakdown *breakdown, const struct part *part,
		       const char *const keys[5], struct json_writer *json)
{
	if (breakdown->function)
		json_member_int(json, keys[0], part->self / breakdown->scale);
	json_member_int(json, keys[1], part->total / breakdown->scale);
	json_member_int(json, keys[2], part->covered_ms);
	json_member_int(json, keys[3], part->wall_ms);
	json_member_int(json, keys[4], part->n_profiles);
}

static void write_row(const struct breakdown *breakdown, const struct row *row,
		      struct json_writer *json)
{
	static const char *const first[] = {"self", "total", "covered_ms", "wall_ms", "profiles"};
	static const char *const second[] = {"self_b", "total_b", "covered_b_ms", "wall_b_ms",
					     "profiles_b"};

	json_object(json);
	json_member_str(json, "value", row->value);
	write_part(breakdown, &row->parts[0], first, json);
	if (breakdown->has_second) {
		write_part(breakdown, &row->parts[1], second, json);
		json_member_int(json, "change", row->change / breakdown->scale);
	}
	json_end(json);
}

static void write_breakdown(struct breakdown *breakdown)
{
	struct question *question = &breakdown->question;
	struct json_writer json = question_json(question);
	const char *type = breakdown->n_series ? breakdown->series[0].profile_type : "";

	json_object(&json);
	json_member_str(&json, "by", breakdown->by);
	json_member_str(&json, "unit", question_unit_of(&question->exchange->arena, type));
	json_member_int(&json, "scale", breakdown->scale);
	json_member_bool(&json, "is_gauge", breakdown->is_gauge);
	json_member_uint(&json, "rows", breakdown->n_rows);
	json_key(&json, "values");
	json_array(&json);
	for (size_t i = 0; i < min_of(breakdown->n_rows, breakdown->limit); i++)
		write_row(breakdown, &breakdown->rows[i], &json);
	json_end(&json);
	json_end(&json);
}

void handle_breakdown(void *ctx, struct http_exchange *exchange)
{
	struct breakdown breakdown = {0};
	struct err err;
	int r;

	if (!question_begin(&breakdown.question, ctx, exchange, QUERY_BREAKDOWN))
		return;
	r = read_request(&breakdown, &err);
	if (r == 0)
		r = ask(&breakdown, &err);
	if (r == 0)
		write_breakdown(&breakdown);
	question_second_done(&breakdown.second);
	question_end(&breakdown.question, r, &err);
}
