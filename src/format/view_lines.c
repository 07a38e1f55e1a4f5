/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of one function, who calls it and whom it calls. */
#include "base/cleanup.h"
#include "base/vec.h"
#include "format/view_private.h"
#include "profile/table.h"

struct lines {
	const struct view_request *request;
	struct arena arena;
	struct view_stages stages;
	struct func_id func;
	int64_t scale;
	int64_t view_total;
};

/*
 * Functions of one key become `lines->func`, each frame with the line that it has: what is shown
 * under one name is counted under one.
 */
static void funcs_join(struct lines *lines, const uint8_t *is_it)
{
	struct names *names = lines->stages.last->names;
	struct frame like = *names_func_get(names, lines->func);
	const struct tree *tree = &lines->stages.last->tree;
	uint32_t n = names_frame_count(names); /* before frames are made here */
	cleanup_free uint32_t *frame_of = xcalloc(n, sizeof(*frame_of));
	struct profile *stage;

	for (uint32_t i = 1; i < tree->n; i++) {
		struct frame_id id = {tree->frame[i]};

		if (frame_of[id.v])
			continue;
		frame_of[id.v] = id.v;
		if (!is_it[names_func_of(names, id).v])
			continue;
		like.line = names_frame_get(names, id)->line;
		like.address = names_frame_get(names, id)->address;
		frame_of[id.v] = names_frame(names, &like).v;
	}
	stage = view_stage_add(&lines->stages);
	profile_map_frames(lines->stages.last, frame_of, stage);
	lines->stages.last = stage;
}

static int lines_make(struct lines *lines, const struct profile *profile, const char *key,
		      struct err *err)
{
	struct view_request plain = {.group = GROUP_LINE};
	uint8_t *is_it;
	int r;

	view_value(profile, lines->request, &lines->arena, &lines->stages.value);
	if (!lines->stages.value.n_columns)
		lines->stages.value.n_columns = 1;
	lines->scale = view_scale_of(&lines->stages.value);
	view_scale_down(&lines->stages.value, lines->scale);
	lines->view_total = profile_sum(&lines->stages.value, 0);
	lines->stages.last = &lines->stages.value;
	r = view_stages_run(&lines->stages, &plain, err);
	if (r < 0)
		return r;
	r = view_find_func(lines->stages.last, 0, key, &lines->func, err);
	if (r < 0)
		return r;
	if (view_funcs_of_key(lines->stages.last, key, &lines->arena, &is_it) > 1)
		funcs_join(lines, is_it);
	return 0;
}

static void rows_write(struct lines *lines, struct json_writer *json)
{
	struct line_row *rows;
	size_t n = line_table(lines->stages.last, 0, lines->func, &lines->arena, &rows);

	json_key(json, "lines");
	json_array(json);
	for (size_t i = 0; i < n; i++) {
		json_object(json);
		json_member_uint(json, "line", rows[i].line);
		json_member_int(json, "self", rows[i].self);
		json_member_int(json, "total", rows[i].total);
		json_end(json);
	}
	json_end(json);
}

static void edges_write(const struct names *names, const char *key, const struct edge_row *rows,
			size_t n, struct json_writer *json)
{
	json_key(json, key);
	json_array(json);
	for (size_t i = 0; i < n; i++) {
		json_object(json);
		json_key(json, "frame");
		if (rows[i].func.v) {
			json_object(json);
			view_func_write(names, rows[i].func, json);
			json_end(json);
		} else {
			json_null(json);
		}
		json_member_int(json, "value", rows[i].value);
		json_end(json);
	}
	json_end(json);
}

static void source_write(const struct view_source *source, struct json_writer *json)
{
	json_key(json, "source");
	if (!source) {
		json_null(json);
		return;
	}
	json_object(json);
	json_member_uint(json, "first_line", 1);
	json_key(json, "text");
	json_str(json, source->text, source->len);
	json_member_int(json, "sent", source->sent_ms);
	json_end(json);
}

static void lines_put(struct lines *lines, const struct view_source *source,
		      struct json_writer *json)
{
	const struct profile *profile = lines->stages.last;
	struct edge_row *callers, *callees;
	size_t n_callers = func_callers(profile, 0, lines->func, &lines->arena, &callers);
	size_t n_callees = func_callees(profile, 0, lines->func, &lines->arena, &callees);
	int64_t self = 0, total = 0;
	struct line_row *rows;
	size_t n = line_table(profile, 0, lines->func, &lines->arena, &rows);

	for (size_t i = 0; i < n; i++)
		self += rows[i].self;
	for (size_t i = 0; i < n_callers; i++)
		total += callers[i].value;
	json_object(json);
	json_key(json, "function");
	json_object(json);
	view_func_write(profile->names, lines->func, json);
	json_end(json);
	json_member_str(json, "unit",
			names_text(profile->names, profile->columns[0].type.unit, NULL));
	json_member_int(json, "scale", lines->scale);
	json_member_int(json, "total", total);
	json_member_int(json, "self", self);
	json_member_int(json, "view_total", lines->view_total);
	rows_write(lines, json);
	edges_write(profile->names, "callers", callers, n_callers, json);
	edges_write(profile->names, "callees", callees, n_callees, json);
	source_write(source, json);
	json_end(json);
}

int view_write_lines(const struct profile *profile, const struct view_request *request,
		     const char *key, const struct view_source *source, struct buf *out,
		     struct err *err)
{
	struct lines lines = {.request = request};
	struct json_writer json;
	int r;

	arena_init(&lines.arena);
	r = lines_make(&lines, profile, key, err);
	if (r >= 0) {
		json_writer_init(&json, out, request->json_flags);
		lines_put(&lines, source, &json);
	}
	view_stages_done(&lines.stages);
	arena_done(&lines.arena);
	return r < 0 ? r : view_out_check(out, err);
}
