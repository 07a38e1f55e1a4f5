/* SPDX-License-Identifier: Apache-2.0 */
/* The function table by itself: every row, a page at a time. */
#include <stdlib.h>
#include <string.h>

#include "format/view_private.h"
#include "profile/table.h"

struct functions {
	const struct view_request *request;
	const struct view_page *page;
	const struct profile *from;
	struct arena arena;
	struct view_stages stages;
	int64_t scale;
	struct func_row *rows; /* that match */
	size_t n_rows;
	bool is_searched;
	struct search_result found;
};

int view_order_parse(const char *text, enum view_order *ret_order, struct err *err)
{
	static const char *const names[] = {
		[VIEW_BY_SELF] = "self",
		[VIEW_BY_TOTAL] = "total",
		[VIEW_BY_NAME] = "name",
	};

	for (size_t i = 0; i < array_len(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_order = (enum view_order)i;
			return 0;
		}
	}
	return err_set(err, ERR_USAGE, "'%.64s' is no order: use self, total or name", text);
}

static int compare_names(const void *a, const void *b, void *ctx)
{
	const struct names *names = ctx;
	const struct frame *left = names_func_get(names, ((const struct func_row *)a)->func);
	const struct frame *right = names_func_get(names, ((const struct func_row *)b)->func);
	int order =
		strcmp(names_text(names, left->name, NULL), names_text(names, right->name, NULL));

	return order ? order
		     : strcmp(names_text(names, left->file, NULL),
			      names_text(names, right->file, NULL));
}

static int search_make(struct functions *functions, struct err *err)
{
	size_t n = 0;
	int r;

	functions->is_searched = functions->request->search && *functions->request->search;
	if (!functions->is_searched)
		return 0;
	r = profile_search(functions->stages.last, 0, functions->request->search, &functions->arena,
			   &functions->found, err);
	for (size_t i = 0; r >= 0 && i < functions->n_rows; i++)
		if (functions->found.is_match[functions->rows[i].func.v])
			functions->rows[n++] = functions->rows[i];
	if (r >= 0)
		functions->n_rows = n;
	return r;
}

static int functions_make(struct functions *functions, struct err *err)
{
	struct profile *value = &functions->stages.value;
	enum func_order order =
		functions->page->order == VIEW_BY_TOTAL ? FUNC_BY_TOTAL : FUNC_BY_SELF;
	int r;

	view_value(functions->from, functions->request, &functions->arena, value);
	if (!value->n_columns)
		value->n_columns = 1; /* a range without data: one column of zeros */
	functions->scale = view_scale_of(value);
	view_scale_down(value, functions->scale);
	functions->stages.last = value;
	r = view_stages_run(&functions->stages, functions->request, err);
	if (r < 0)
		return r;
	functions->n_rows =
		func_table(functions->stages.last, 0, order, &functions->arena, &functions->rows);
	r = search_make(functions, err);
	if (r >= 0 && functions->page->order == VIEW_BY_NAME && functions->n_rows)
		qsort_r(functions->rows, functions->n_rows, sizeof(*functions->rows), compare_names,
			functions->stages.last->names);
	return r;
}

static void rows_write(const struct functions *functions, struct json_writer *json)
{
	const struct view_page *page = functions->page;

	json_key(json, "functions");
	json_array(json);
	for (size_t i = page->offset; i < functions->n_rows && i - page->offset < page->limit;
	     i++) {
		json_object(json);
		view_func_write(functions->stages.last->names, functions->rows[i].func, json);
		json_member_int(json, "self", functions->rows[i].self);
		json_member_int(json, "total", functions->rows[i].total);
		json_end(json);
	}
	json_end(json);
}

static void functions_put(const struct functions *functions, const struct view_facts *facts,
			  struct json_writer *json)
{
	const struct profile *profile = functions->stages.last;

	json_object(json);
	json_member_str(json, "unit",
			names_text(profile->names, profile->columns[0].type.unit, NULL));
	json_member_int(json, "scale", functions->scale);
	json_member_int(json, "total", profile_sum(profile, 0));
	json_member_int(json, "profiles", functions->from->n_profiles);
	json_member_int(json, "samples",
			view_samples(functions->from, &functions->stages.value, functions->scale));
	view_facts_write(facts, json);
	if (functions->is_searched)
		json_member_int(json, "matched", functions->found.matched);
	json_member_uint(json, "rows", functions->n_rows);
	rows_write(functions, json);
	json_end(json);
}

int view_write_functions(const struct profile *profile, const struct view_request *request,
			 const struct view_page *page, const struct view_facts *facts,
			 struct buf *out, struct err *err)
{
	struct functions functions = {.request = request, .page = page, .from = profile};
	struct json_writer json;
	int r;

	arena_init(&functions.arena);
	r = functions_make(&functions, err);
	if (r >= 0) {
		json_writer_init(&json, out, request->json_flags);
		functions_put(&functions, facts, &json);
	}
	view_stages_done(&functions.stages);
	arena_done(&functions.arena);
	return r < 0 ? r : view_out_check(out, err);
}

/* ---- one function ---- */

static void func_sum(const struct profile *value, const uint8_t *is_it, struct arena *arena,
		     int64_t *ret_self, int64_t *ret_total)
{
	const struct tree *tree = &value->tree;
	uint8_t *is_below = arena_array(arena, tree->n, sizeof(*is_below));

	for (uint32_t i = 1; i < tree->n; i++) {
		struct frame_id frame = {tree->frame[i]};
		int64_t self = profile_value(value, 0, (struct node_id){i});
		bool is_on_top = is_it[names_func_of(value->names, frame).v];

		is_below[i] = is_on_top || is_below[tree->parent[i]];
		if (is_on_top && __builtin_add_overflow(*ret_self, self, ret_self))
			*ret_self = INT64_MAX;
		if (is_below[i] && __builtin_add_overflow(*ret_total, self, ret_total))
			*ret_total = INT64_MAX;
	}
}

int view_func_sums(const struct profile *profile, const struct view_request *request,
		   const char *key, int64_t *ret_self, int64_t *ret_total, struct err *err)
{
	struct profile value;
	struct arena arena;
	uint8_t *is_it;
	int r = view_key_check(key, strlen(key), err);

	*ret_self = *ret_total = 0;
	if (r < 0)
		return r;
	arena_init(&arena);
	view_value(profile, request, &arena, &value);
	if (value.n_columns && view_funcs_of_key(&value, key, &arena, &is_it))
		func_sum(&value, is_it, &arena, ret_self, ret_total);
	arena_done(&arena);
	return 0;
}
