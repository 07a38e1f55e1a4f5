/* SPDX-License-Identifier: Apache-2.0 */
/* Before and after in one answer. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "format/view_private.h"
#include "profile/table.h"

#define INTERVAL_95                                                                                \
	1.96 /* standard deviations on each side that hold 95 % of a normal distribution */

struct side {
	const struct profile *from;
	const struct view_facts *facts;
	struct profile value;
	double weight; /* of one sample, as noise counts; 0: unknown */
};

struct diff {
	const struct view_request *request;
	struct side a, b;
	struct arena arena;
	struct profile both; /* a's at column 0, b's at column 1 */
	struct view_stages stages;
	struct view_frames frames;
	struct json_writer json;
	int64_t scale;
	double scale_b; /* a's wall time / b's */
	struct flame flame;
	struct diff_row *rows;
	size_t n_rows, n_shown;
	struct search_result found_a, found_b;
};

static double sample_weight(const struct side *side)
{
	const struct profile *from = side->from;
	struct str_id unit;

	if (!side->value.n_columns)
		return 0;
	unit = side->value.columns[0].type.unit;
	if (from->period > 0 && from->period_unit.v == unit.v)
		return (double)from->period;
	if (from->n_samples > 0)
		return (double)profile_sum(&side->value, 0) / (double)from->n_samples;
	return 0;
}

static void values_make(struct diff *diff)
{
	struct view_request request_b = *diff->request;
	int column_b = view_column_like(diff->b.from, diff->a.from, diff->request->column);

	/* A range without data has no column; then the other's number is as good as any. */
	if (column_b >= 0)
		request_b.column = (size_t)column_b;
	else if (diff->request->column < diff->a.from->n_columns)
		request_b.column = SIZE_MAX;
	view_value(diff->a.from, diff->request, &diff->arena, &diff->a.value);
	view_value(diff->b.from, &request_b, &diff->arena, &diff->b.value);
	diff->a.weight = sample_weight(&diff->a);
	diff->b.weight = sample_weight(&diff->b);
	diff->scale = max_of(view_scale_of(&diff->a.value), view_scale_of(&diff->b.value));
	view_scale_down(&diff->a.value, diff->scale);
	view_scale_down(&diff->b.value, diff->scale);
	diff->scale_b = 1;
	if (diff->a.facts->wall_ms > 0 && diff->b.facts->wall_ms > 0)
		diff->scale_b = (double)diff->a.facts->wall_ms / (double)diff->b.facts->wall_ms;
}

/* ---- functions that moved ---- */

/* What is known of one key: the only function that has it on each side, or MANY. */
struct key_use {
	struct view_key key;
	uint32_t func[2]; /* 0: none */
};

#define MANY UINT32_MAX

static int use_compare(const void *left, const void *right)
{
	return strcmp(((const struct key_use *)left)->key.text,
		      ((const struct key_use *)right)->key.text);
}

static void use_join(struct key_use *into, const struct key_use *from)
{
	for (size_t side = 0; side < 2; side++) {
		if (!into->func[side])
			into->func[side] = from->func[side];
		else if (from->func[side])
			into->func[side] = MANY;
	}
}

/* One entry per function of the tree, with the sides that it has a value on. */
static size_t uses_collect(struct diff *diff, struct key_use **ret_uses)
{
	const struct profile *profile = diff->stages.last;
	uint32_t n_funcs = names_func_count(profile->names);
	uint8_t *sides = arena_array(&diff->arena, n_funcs, 1);
	struct key_use *uses;
	size_t n = 0;

	for (size_t side = 0; side < 2; side++) {
		const int64_t *totals = profile_totals(profile, side, &diff->arena);

		for (uint32_t i = 1; i < profile->tree.n; i++) {
			struct frame_id frame = {profile->tree.frame[i]};

			if (totals[i])
				sides[names_func_of(profile->names, frame).v] |=
					(uint8_t)(1 << side);
		}
	}
	uses = arena_array(&diff->arena, n_funcs, sizeof(*uses));
	for (uint32_t i = 1; i < n_funcs; i++)
		if (sides[i])
			uses[n++] = (struct key_use){
				.key = view_key_of_func(profile->names, (struct func_id){i}),
				.func = {sides[i] & 1 ? i : 0, sides[i] & 2 ? i : 0},
			};
	qsort(uses, n, sizeof(*uses), use_compare);
	*ret_uses = uses;
	return n;
}

/* b's function -> a's, for each key that has exactly one on each side. */
static uint32_t *moves_find(struct diff *diff, bool *ret_has_any)
{
	uint32_t *func_of = arena_array(&diff->arena, names_func_count(diff->stages.last->names),
					sizeof(*func_of));
	struct key_use *uses;
	size_t n = uses_collect(diff, &uses);

	*ret_has_any = false;
	for (size_t i = 0, j; i < n; i = j) {
		for (j = i + 1; j < n && !use_compare(&uses[i], &uses[j]); j++)
			use_join(&uses[i], &uses[j]);
		if (!uses[i].func[0] || !uses[i].func[1] || uses[i].func[0] == MANY ||
		    uses[i].func[1] == MANY || uses[i].func[0] == uses[i].func[1])
			continue;
		func_of[uses[i].func[1]] = uses[i].func[0];
		*ret_has_any = true;
	}
	return func_of;
}

/* Frames of b's function get what a's has in common, and keep their line. */
static void moved_join(struct diff *diff)
{
	struct names *names = diff->stages.last->names;
	const struct tree *tree = &diff->stages.last->tree;
	cleanup_free uint32_t *frame_of = xcalloc(names_frame_count(names), sizeof(*frame_of));
	struct profile *stage;
	bool has_any;
	const uint32_t *func_of = moves_find(diff, &has_any);

	if (!has_any)
		return;
	for (uint32_t i = 1; i < tree->n; i++) {
		struct frame_id id = {tree->frame[i]};
		uint32_t moved_to = func_of[names_func_of(names, id).v];
		struct frame like;

		if (frame_of[id.v])
			continue;
		frame_of[id.v] = id.v;
		if (!moved_to)
			continue;
		like = *names_func_get(names, (struct func_id){moved_to});
		like.line = names_frame_get(names, id)->line;
		like.address = names_frame_get(names, id)->address;
		frame_of[id.v] = names_frame(names, &like).v;
	}
	stage = view_stage_add(&diff->stages);
	profile_map_frames(diff->stages.last, frame_of, stage);
	diff->stages.last = stage;
}

/* ---- the answer ---- */

static int search_make(struct diff *diff, struct err *err)
{
	int r;

	if (!diff->request->search || !*diff->request->search)
		return 0;
	r = profile_search(diff->stages.last, 0, diff->request->search, &diff->arena,
			   &diff->found_a, err);
	if (r < 0)
		return r;
	return profile_search(diff->stages.last, 1, diff->request->search, &diff->arena,
			      &diff->found_b, err);
}

static int flame_make(struct diff *diff, struct err *err)
{
	struct flame_opts opts = {.column_b = 1,
				  .is_diff = true,
				  .scale_b = diff->scale_b,
				  .max_nodes = diff->request->max_nodes};
	bool is_found = true;
	int r;

	if (diff->request->root && *diff->request->root) {
		r = view_root_find(diff->stages.last, diff->request->root, &diff->arena, &opts,
				   &is_found, err);
		if (r < 0)
			return r;
	}
	flame_layout(diff->stages.last, &opts, &diff->arena, &diff->flame);
	diff->flame.root_found = is_found;
	return 0;
}

static int diff_make(struct diff *diff, struct err *err)
{
	size_t max = diff->request->max_rows ? diff->request->max_rows : VIEW_TABLE_ROWS;
	int r;

	values_make(diff);
	r = profile_diff(&diff->a.value, &diff->b.value, 1, &diff->both);
	if (r < 0)
		return err_set(err, r, "the two ranges have too many sample types");
	if (!diff->both.n_columns)
		diff->both.n_columns = 2; /* neither range has data: two columns of zeros */
	diff->stages.last = &diff->both;
	moved_join(diff);
	r = view_stages_run(&diff->stages, diff->request, err);
	if (r < 0)
		return r;
	r = flame_make(diff, err);
	if (r < 0)
		return r;
	diff->n_rows = func_diff_table(diff->stages.last, 0, &diff->arena, &diff->rows);
	diff->n_shown = min_of(diff->n_rows, max);
	return search_make(diff, err);
}

static int64_t row_noise(const struct diff *diff, const struct diff_row *row)
{
	double scale = (double)diff->scale, s = diff->scale_b;
	double variance = (double)row->self_a * diff->a.weight / scale +
			  s * s * (double)row->self_b * diff->b.weight / scale;

	return variance > 0 ? llround(INTERVAL_95 * sqrt(variance)) : 0;
}

static void table_write(struct diff *diff)
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
	struct json_writer *json = &diff->json;

	json_key(json, "table");
	json_object(json);
	json_key(json, "frame");
	json_array(json);
	for (size_t i = 0; i < diff->n_shown; i++)
		json_uint(json,
			  view_frames_add(&diff->frames, names_func_frame(diff->frames.names,
									  diff->rows[i].func)));
	json_end(json);
	for (size_t v = 0; v < array_len(values); v++) {
		json_key(json, values[v].key);
		json_array(json);
		for (size_t i = 0; i < diff->n_shown; i++) {
			const char *row = (const char *)&diff->rows[i];
			int64_t value;

			memcpy(&value, row + values[v].offset, sizeof(value));
			json_int(json, value);
		}
		json_end(json);
	}
	json_key(json, "noise");
	json_array(json);
	for (size_t i = 0; i < diff->n_shown; i++)
		json_int(json, row_noise(diff, &diff->rows[i]));
	json_end(json);
	json_member_uint(json, "rows", diff->n_rows);
	json_end(json);
}

static void search_write(struct diff *diff)
{
	struct json_writer *json = &diff->json;

	if (!diff->request->search || !*diff->request->search)
		return;
	json_key(json, "search");
	json_object(json);
	json_member_str(json, "query", diff->request->search);
	json_member_int(json, "matched", diff->found_a.matched);
	json_member_int(json, "matched_b", diff->found_b.matched);
	json_key(json, "frames");
	json_array(json);
	for (uint32_t i = 1; i < diff->frames.n_frames; i++) {
		uint32_t func = names_func_of(diff->frames.names, diff->frames.frames[i]).v;

		if (diff->found_a.is_match[func] || diff->found_b.is_match[func])
			json_uint(json, i);
	}
	json_end(json);
	json_end(json);
}

static void head_write(struct diff *diff)
{
	const struct profile *profile = diff->stages.last;
	const struct view_facts *a = diff->a.facts, *b = diff->b.facts;
	struct json_writer *json = &diff->json;

	json_member_str(json, "unit",
			names_text(profile->names, profile->columns[0].type.unit, NULL));
	json_member_int(json, "scale", diff->scale);
	json_member_int(json, "total", profile_sum(profile, 0));
	json_member_int(json, "total_b", profile_sum(profile, 1));
	json_member_int(json, "profiles", diff->a.from->n_profiles);
	json_member_int(json, "profiles_b", diff->b.from->n_profiles);
	json_member_int(json, "samples", view_samples(diff->a.from, &diff->a.value, diff->scale));
	json_member_int(json, "samples_b", view_samples(diff->b.from, &diff->b.value, diff->scale));
	view_facts_write(a, json);
	json_member_int(json, "covered_b_ms", b->covered_ms);
	json_member_int(json, "wall_b_ms", b->wall_ms);
	json_member_uint(json, "series_b", b->series);
	json_member_bool(json, "is_partial_b", b->is_partial);
}

static void diff_put(struct diff *diff, struct buf *out)
{
	struct names *names = diff->stages.last->names;
	struct json_writer *json = &diff->json;

	view_frames_init(&diff->frames, names);
	for (uint32_t i = 0; i < diff->flame.n; i++)
		(void)view_frames_add(&diff->frames, (struct frame_id){diff->flame.frame[i]});
	for (size_t i = 0; i < diff->n_shown; i++)
		(void)view_frames_add(&diff->frames, names_func_frame(names, diff->rows[i].func));
	json_writer_init(json, out, diff->request->json_flags);
	json_object(json);
	head_write(diff);
	view_frames_write(&diff->frames, json);
	view_flame_write(&diff->flame, &diff->frames, json);
	table_write(diff);
	search_write(diff);
	json_end(json);
	view_frames_done(&diff->frames);
}

int view_write_diff(const struct profile *a, const struct profile *b,
		    const struct view_request *request, const struct view_facts *facts_a,
		    const struct view_facts *facts_b, struct buf *out, struct err *err)
{
	struct diff diff = {.request = request,
			    .a = {.from = a, .facts = facts_a},
			    .b = {.from = b, .facts = facts_b}};
	int r;

	arena_init(&diff.arena);
	profile_init(&diff.both, a->names);
	r = diff_make(&diff, err);
	if (r >= 0)
		diff_put(&diff, out);
	view_stages_done(&diff.stages);
	profile_done(&diff.both);
	arena_done(&diff.arena);
	if (r >= 0 && out->overflow)
		return err_set(err, ERR_LIMIT,
			       "the answer is larger than %zu bytes: ask for fewer nodes",
			       out->ceiling);
	return r;
}
