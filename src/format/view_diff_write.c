/* SPDX-License-Identifier: Apache-2.0 */
/* Before and after as one view: the flame graph, the table, the search. */
#include <string.h>

#include "format/view_diff_private.h"

struct answer {
	struct view_diff diff;
	struct view_frames frames;
	struct json_writer json;
	struct flame flame;
	size_t n_shown;
};

static int flame_make(struct answer *answer, struct err *err)
{
	struct flame_opts opts = {.column_b = 1,
				  .is_diff = true,
				  .scale_b = answer->diff.scale_b,
				  .max_nodes = answer->diff.request->max_nodes};
	bool is_found = true;
	int r;

	if (answer->diff.request->root && *answer->diff.request->root) {
		r = view_root_find(answer->diff.stages.drawn, answer->diff.request->root,
				   &answer->diff.arena, &opts, &is_found, err);
		if (r < 0)
			return r;
	}
	flame_layout(answer->diff.stages.drawn, &opts, &answer->diff.arena, &answer->flame);
	answer->flame.root_found = is_found;
	return 0;
}

static void table_write(struct answer *answer)
{
	static const struct {
		const char *key;
		size_t offset;
	} values[] = {
		{"self", offsetof(struct diff_row, self_a)},
		{"total", offsetof(struct diff_row, total_a)},
		{"self_b", offsetof(struct diff_row, self_b)},
		{"total_b", offsetof(struct diff_row, total_b)},
	};
	struct json_writer *json = &answer->json;

	json_key(json, "table");
	json_object(json);
	json_key(json, "frame");
	json_array(json);
	for (size_t i = 0; i < answer->n_shown; i++)
		json_uint(json, view_frames_add(&answer->frames,
						names_func_frame(answer->frames.names,
								 answer->diff.rows[i].func)));
	json_end(json);
	for (size_t v = 0; v < array_len(values); v++) {
		json_key(json, values[v].key);
		json_array(json);
		for (size_t i = 0; i < answer->n_shown; i++) {
			const char *row = (const char *)&answer->diff.rows[i];
			int64_t value;

			memcpy(&value, row + values[v].offset, sizeof(value));
			json_int(json, value);
		}
		json_end(json);
	}
	json_key(json, "noise");
	json_array(json);
	for (size_t i = 0; i < answer->n_shown; i++)
		json_int(json, view_diff_noise(&answer->diff, answer->diff.rows[i].self_a,
					       answer->diff.rows[i].self_b));
	json_end(json);
	json_member_uint(json, "rows", answer->diff.n_rows);
	json_end(json);
}

static void search_write(struct answer *answer)
{
	struct json_writer *json = &answer->json;

	if (!answer->diff.request->search || !*answer->diff.request->search)
		return;
	json_key(json, "search");
	json_object(json);
	json_member_str(json, "query", answer->diff.request->search);
	json_member_int(json, "matched", answer->diff.found_a.matched);
	json_member_int(json, "matched_b", answer->diff.found_b.matched);
	json_key(json, "frames");
	json_array(json);
	for (uint32_t i = 1; i < answer->frames.n_frames; i++) {
		uint32_t func = names_func_of(answer->frames.names, answer->frames.frames[i]).v;

		if (answer->diff.found_a.is_match[func] || answer->diff.found_b.is_match[func])
			json_uint(json, i);
	}
	json_end(json);
	json_end(json);
}

static void answer_put(struct answer *answer, struct buf *out)
{
	struct names *names = answer->diff.stages.last->names;
	struct json_writer *json = &answer->json;

	view_frames_init(&answer->frames, names);
	for (uint32_t i = 0; i < answer->flame.n; i++)
		(void)view_frames_add(&answer->frames, (struct frame_id){answer->flame.frame[i]});
	for (size_t i = 0; i < answer->n_shown; i++)
		(void)view_frames_add(&answer->frames,
				      names_func_frame(names, answer->diff.rows[i].func));
	json_writer_init(json, out, answer->diff.request->json_flags);
	json_object(json);
	view_diff_head_write(&answer->diff, json);
	json_member_int(json, "total", profile_sum(answer->diff.stages.drawn, 0));
	json_member_int(json, "total_b", profile_sum(answer->diff.stages.drawn, 1));
	view_frames_write(&answer->frames, json);
	view_flame_write(&answer->flame, &answer->frames, json);
	table_write(answer);
	search_write(answer);
	json_end(json);
	view_frames_done(&answer->frames);
}

int view_write_diff(const struct profile *a, const struct profile *b,
		    const struct view_request *request, const struct view_facts *facts_a,
		    const struct view_facts *facts_b, struct buf *out, struct err *err)
{
	size_t max = request->max_rows ? request->max_rows : VIEW_TABLE_ROWS;
	struct answer answer = {0};
	int r;

	view_diff_init(&answer.diff, a, b, request, facts_a, facts_b);
	r = view_diff_make(&answer.diff, err);
	if (r == 0)
		r = flame_make(&answer, err);
	if (r == 0) {
		answer.n_shown = min_of(answer.diff.n_rows, max);
		answer_put(&answer, out);
	}
	view_diff_done(&answer.diff);
	return r < 0 ? r : view_out_check(out, err);
}
