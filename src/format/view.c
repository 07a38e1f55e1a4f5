/* SPDX-License-Identifier: Apache-2.0 */
#include "format/view.h"

#include <string.h>

#include "format/view_private.h"
#include "profile/table.h"

/* One answer while it is made. */
struct view {
	const struct view_request *request;
	const struct profile *from;
	struct arena arena;
	struct view_stages stages;
	struct view_frames frames;
	struct json_writer json;

	int64_t scale;
	int64_t all_total; /* before focus */
	struct flame flame;
	struct func_row *rows;
	uint8_t *is_shown; /* per function: has a row */
	size_t n_rows;
	struct search_result found;
};

static bool is_given(const char *text)
{
	return text && *text;
}

static int flame_make(struct view *view, struct err *err)
{
	struct flame_opts opts = {.max_nodes = view->request->max_nodes};
	bool is_found = true;
	int r;

	if (is_given(view->request->root)) {
		r = view_root_find(view->stages.drawn, view->request->root, &view->arena, &opts,
				   &is_found, err);
		if (r < 0)
			return r;
	}
	flame_layout(view->stages.drawn, &opts, &view->arena, &view->flame);
	view->flame.root_found = is_found;
	return 0;
}

/* The rows that are shown: the first ones by self, and the first ones by total. */
static void table_make(struct view *view)
{
	const struct profile *profile = view->stages.last;
	size_t max = view->request->max_rows ? view->request->max_rows : VIEW_TABLE_ROWS;
	struct func_row *by_total;

	view->n_rows = func_table(profile, 0, FUNC_BY_SELF, &view->arena, &view->rows);
	view->is_shown = arena_array(&view->arena, names_func_count(profile->names), 1);
	for (size_t i = 0; i < min_of(view->n_rows, max); i++)
		view->is_shown[view->rows[i].func.v] = 1;
	if (view->n_rows <= max)
		return;
	by_total = arena_array(&view->arena, view->n_rows, sizeof(*by_total));
	memcpy(by_total, view->rows, view->n_rows * sizeof(*by_total));
	func_table_sort(by_total, view->n_rows, FUNC_BY_TOTAL);
	for (size_t i = 0; i < max; i++)
		view->is_shown[by_total[i].func.v] = 1;
}

static int view_make(struct view *view, struct err *err)
{
	int r;

	view_value(view->from, view->request, &view->arena, &view->stages.value);
	if (!view->stages.value.n_columns)
		view->stages.value.n_columns = 1; /* a range without data: one column of zeros */
	view->scale = view_scale_of(&view->stages.value);
	view_scale_down(&view->stages.value, view->scale);
	view->all_total = profile_sum(&view->stages.value, 0);
	view->stages.last = &view->stages.value;
	r = view_stages_run(&view->stages, view->request, err);
	if (r < 0)
		return r;
	r = flame_make(view, err);
	if (r < 0)
		return r;
	table_make(view);
	if (!is_given(view->request->search))
		return 0;
	return profile_search(view->stages.last, 0, view->request->search, &view->arena,
			      &view->found, err);
}

/* Numbers of all frames that the answer names, before it names them. */
static void frames_collect(struct view *view)
{
	struct names *names = view->stages.last->names;

	view_frames_init(&view->frames, names);
	for (uint32_t i = 0; i < view->flame.n; i++)
		(void)view_frames_add(&view->frames, (struct frame_id){view->flame.frame[i]});
	for (size_t i = 0; i < view->n_rows; i++)
		if (view->is_shown[view->rows[i].func.v])
			(void)view_frames_add(&view->frames,
					      names_func_frame(names, view->rows[i].func));
}

static void table_write(struct view *view)
{
	struct json_writer *json = &view->json;

	json_key(json, "table");
	json_object(json);
	json_key(json, "frame");
	json_array(json);
	for (size_t i = 0; i < view->n_rows; i++)
		if (view->is_shown[view->rows[i].func.v])
			json_uint(json, view_frames_add(&view->frames,
							names_func_frame(view->frames.names,
									 view->rows[i].func)));
	json_end(json);
	json_key(json, "self");
	json_array(json);
	for (size_t i = 0; i < view->n_rows; i++)
		if (view->is_shown[view->rows[i].func.v])
			json_int(json, view->rows[i].self);
	json_end(json);
	json_key(json, "total");
	json_array(json);
	for (size_t i = 0; i < view->n_rows; i++)
		if (view->is_shown[view->rows[i].func.v])
			json_int(json, view->rows[i].total);
	json_end(json);
	json_member_uint(json, "rows", view->n_rows);
	json_end(json);
}

static void search_write(struct view *view)
{
	struct json_writer *json = &view->json;

	if (!is_given(view->request->search))
		return;
	json_key(json, "search");
	json_object(json);
	json_member_str(json, "query", view->request->search);
	json_member_int(json, "matched", view->found.matched);
	json_member_uint(json, "functions", view->found.n_functions);
	json_key(json, "frames");
	json_array(json);
	for (uint32_t i = 1; i < view->frames.n_frames; i++)
		if (view->found
			    .is_match[names_func_of(view->frames.names, view->frames.frames[i]).v])
			json_uint(json, i);
	json_end(json);
	json_end(json);
}

static void view_put(struct view *view, const struct view_facts *facts)
{
	const struct profile *profile = view->stages.last;
	struct json_writer *json = &view->json;

	json_object(json);
	json_member_str(json, "unit",
			names_text(profile->names, profile->columns[0].type.unit, NULL));
	json_member_int(json, "scale", view->scale);
	json_member_int(json, "total", profile_sum(view->stages.drawn, 0));
	json_member_int(json, "all_total", view->all_total);
	json_member_int(json, "profiles", view->from->n_profiles);
	json_member_int(json, "samples",
			view_samples(view->from, &view->stages.value, view->scale));
	view_facts_write(facts, json);
	view_frames_write(&view->frames, json);
	view_flame_write(&view->flame, &view->frames, json);
	table_write(view);
	search_write(view);
	json_end(json);
}

int view_write(const struct profile *profile, const struct view_request *request,
	       const struct view_facts *facts, struct buf *out, struct err *err)
{
	struct view view = {.request = request, .from = profile};
	int r;

	arena_init(&view.arena);
	r = view_make(&view, err);
	if (r >= 0) {
		frames_collect(&view);
		json_writer_init(&view.json, out, request->json_flags);
		view_put(&view, facts);
		view_frames_done(&view.frames);
	}
	view_stages_done(&view.stages);
	arena_done(&view.arena);
	return r < 0 ? r : view_out_check(out, err);
}
