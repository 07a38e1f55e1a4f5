/* SPDX-License-Identifier: Apache-2.0 */
/* Before and after on one tree. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "format/view_diff_private.h"

#define INTERVAL_95                                                                                \
	1.96 /* standard deviations on each side that hold 95 % of a normal distribution */

void view_diff_init(struct view_diff *diff, const struct profile *a, const struct profile *b,
		    const struct view_request *request, const struct view_facts *facts_a,
		    const struct view_facts *facts_b)
{
	*diff = (struct view_diff){.request = request,
				   .a = {.from = a, .facts = facts_a},
				   .b = {.from = b, .facts = facts_b}};
	arena_init(&diff->arena);
	profile_init(&diff->both, a->names);
}

void view_diff_done(struct view_diff *diff)
{
	view_stages_done(&diff->stages);
	profile_done(&diff->both);
	arena_done(&diff->arena);
}

/* ---- values ---- */

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

static void values_make(struct view_diff *diff)
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
static size_t uses_collect(struct view_diff *diff, struct key_use **ret_uses)
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
static uint32_t *moves_find(struct view_diff *diff, bool *ret_has_any)
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
static void moved_join(struct view_diff *diff)
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

/* ---- together ---- */

static int search_make(struct view_diff *diff, struct err *err)
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

int view_diff_make(struct view_diff *diff, struct err *err)
{
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
	diff->n_rows = func_diff_table(diff->stages.last, 0, &diff->arena, &diff->rows);
	return search_make(diff, err);
}

int64_t view_diff_noise(const struct view_diff *diff, int64_t a, int64_t b)
{
	double scale = (double)diff->scale, s = diff->scale_b;
	double variance =
		(double)a * diff->a.weight / scale + s * s * (double)b * diff->b.weight / scale;

	return variance > 0 ? llround(INTERVAL_95 * sqrt(variance)) : 0;
}

void view_diff_head_write(const struct view_diff *diff, struct json_writer *json)
{
	const struct profile *profile = diff->stages.last;
	const struct view_facts *a = diff->a.facts, *b = diff->b.facts;

	json_member_str(json, "unit",
			names_text(profile->names, profile->columns[0].type.unit, NULL));
	json_member_int(json, "scale", diff->scale);
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
