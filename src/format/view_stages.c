/* SPDX-License-Identifier: Apache-2.0 */
/* From a profile to what a request wants to see of it. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "format/view_private.h"

#define VIEW_MAX_EXACT (INT64_C(1) << 53) /* doubles count this far without a gap */
#define VIEW_SCALE_STEP 1000

/* ---- the value ---- */

static bool column_counts(const struct profile *profile, const struct view_request *request,
			  size_t column)
{
	const struct sample_type *base = &profile->columns[request->column].type;
	const struct sample_type *type = &profile->columns[column].type;
	enum thread_state state;

	if (!request->states && !base->state.v)
		return column == request->column;
	if (type->type.v != base->type.v || type->unit.v != base->unit.v)
		return false;
	if (!request->states)
		return true;
	/* A column without state is the whole, or a rest of which nobody knows the state. */
	if (!type->state.v ||
	    thread_state_parse(names_text(profile->names, type->state, NULL), &state) < 0)
		return false;
	return request->states >> state & 1;
}

static void column_add(const struct profile *from, size_t column, int64_t *values)
{
	for (uint32_t i = 0; i < from->tree.n; i++) {
		int64_t value = profile_value(from, column, (struct node_id){i});

		if (__builtin_add_overflow(values[i], value, &values[i]))
			values[i] = value < 0 ? INT64_MIN : INT64_MAX;
	}
}

void view_value(const struct profile *from, const struct view_request *request, struct arena *arena,
		struct profile *ret_value)
{
	struct profile value = *from;
	int64_t *values;

	value.n_columns = 0;
	value.columns[0] = (struct profile_column){0};
	if (request->column < from->n_columns) {
		values = arena_array(arena, from->tree.n, sizeof(*values));
		for (size_t i = 0; i < from->n_columns; i++)
			if (column_counts(from, request, i))
				column_add(from, i, values);
		value.columns[0] = (struct profile_column){
			.type = {.type = from->columns[request->column].type.type,
				 .unit = from->columns[request->column].type.unit},
			.values = values,
			.cap = from->tree.n,
		};
		value.n_columns = 1;
	}
	*ret_value = value;
}

int view_column_like(const struct profile *other, const struct profile *profile, size_t column)
{
	const struct sample_type *type;

	if (column >= profile->n_columns)
		return -ENOENT;
	type = &profile->columns[column].type;
	return profile_find_column(other, names_text(profile->names, type->type, NULL),
				   names_text(profile->names, type->unit, NULL),
				   names_text(profile->names, type->state, NULL));
}

int64_t view_scale_of(const struct profile *value)
{
	double sum = 0;
	int64_t scale = 1;

	for (size_t c = 0; c < value->n_columns; c++) {
		double column = 0;

		for (uint32_t i = 0; i < value->tree.n; i++) {
			double one = (double)profile_value(value, c, (struct node_id){i});

			column += one < 0 ? -one : one;
		}
		sum = max_of(sum, column);
	}
	while (sum / (double)scale >= (double)VIEW_MAX_EXACT)
		scale *= VIEW_SCALE_STEP;
	return scale;
}

void view_scale_down(struct profile *value, int64_t scale)
{
	if (scale == 1)
		return;
	for (size_t c = 0; c < value->n_columns; c++)
		for (size_t i = 0; i < value->columns[c].cap; i++)
			value->columns[c].values[i] /= scale;
}

int64_t view_samples(const struct profile *from, const struct profile *value, int64_t scale)
{
	bool has_period = value->n_columns && from->period > 0 &&
			  from->period_unit.v == value->columns[0].type.unit.v;
	double by_period =
		has_period ? (double)profile_sum(value, 0) * (double)scale / (double)from->period
			   : 0;

	if (from->n_samples > 0)
		return from->n_samples;
	return by_period >= (double)VIEW_MAX_EXACT ? VIEW_MAX_EXACT : llround(by_period);
}

/* ---- the tree ---- */

struct profile *view_stage_add(struct view_stages *stages)
{
	struct profile *stage = &stages->made[stages->n_made++];

	assert(stages->n_made <= VIEW_MAX_STAGES);
	profile_init(stage, stages->last->names);
	return stage;
}

void view_stages_done(struct view_stages *stages)
{
	for (size_t i = 0; i < stages->n_made; i++)
		profile_done(&stages->made[i]);
	stages->n_made = 0;
}

static int find_func(const struct view_stages *stages, const char *key, const char *what,
		     struct func_id *ret_func, struct err *err)
{
	int r = -ENOENT;

	/* A difference has a second column, and the function may be in that one only. */
	for (size_t i = 0; r == -ENOENT && i < stages->last->n_columns; i++)
		r = view_find_func(stages->last, i, key, ret_func, err);
	return r < 0 ? err_prefix(err, r, "%s", what) : 0;
}

static int stage_focus(struct view_stages *stages, const char *key, struct err *err)
{
	struct profile *stage;
	struct func_id func;
	int r = find_func(stages, key, "focus", &func, err);

	if (r < 0)
		return r;
	stage = view_stage_add(stages);
	profile_focus(stages->last, func, stage);
	stages->last = stage;
	return 0;
}

/* Without a marker at the root there is nothing to take away, and no tree to copy. */
static bool has_markers(const struct profile *profile)
{
	for (uint32_t i = 1; i < profile->tree.n; i++) {
		struct frame_id frame = {profile->tree.frame[i]};

		if (!profile->tree.parent[i] &&
		    names_frame_get(profile->names, frame)->kind == FRAME_MARKER)
			return true;
	}
	return false;
}

static bool is_given(const char *text)
{
	return text && *text;
}

/* What is drawn is turned round; the rest of the answer is of what it was made from. */
static int stage_turn(struct view_stages *stages, const struct view_request *request,
		      struct err *err)
{
	struct profile *stage;
	struct func_id func;
	int r;

	stages->drawn = stages->last;
	if (is_given(request->callers)) {
		r = find_func(stages, request->callers, "callers", &func, err);
		if (r < 0)
			return r;
	} else if (!request->is_inverted) {
		return 0;
	}
	stage = view_stage_add(stages);
	stage->tree.max_nodes = VIEW_MAX_TURNED_NODES;
	if (is_given(request->callers))
		profile_callers(stages->last, func, stage);
	else
		profile_invert(stages->last, stage);
	stages->drawn = stage;
	return 0;
}

int view_stages_run(struct view_stages *stages, const struct view_request *request, struct err *err)
{
	struct profile *stage;
	int r;

	if (is_given(request->callers) + is_given(request->focus) + request->is_inverted > 1)
		return err_set(err, ERR_USAGE, "use one of focus, callers and inverted");
	if (!request->is_split && has_markers(stages->last)) {
		stage = view_stage_add(stages);
		profile_drop_markers(stages->last, stage);
		stages->last = stage;
	}
	if (is_given(request->focus)) {
		r = stage_focus(stages, request->focus, err);
		if (r < 0)
			return r;
	}
	if (request->group != GROUP_LINE) {
		stage = view_stage_add(stages);
		profile_group(stages->last, request->group, stage);
		stages->last = stage;
	}
	return stage_turn(stages, request, err);
}

/* ---- words of the query ---- */

int view_group_parse(const char *text, enum profile_group *ret_group, struct err *err)
{
	static const char *const names[] = {
		[GROUP_LINE] = "line",
		[GROUP_FUNCTION] = "function",
		[GROUP_FILE] = "file",
		[GROUP_MODULE] = "module",
	};

	for (size_t i = 0; i < array_len(names); i++) {
		if (!strcmp(text, names[i])) {
			*ret_group = (enum profile_group)i;
			return 0;
		}
	}
	return err_set(err, ERR_USAGE,
		       "'%.64s' is no way to group: use function, line, file or module", text);
}

int view_states_parse(const char *text, uint32_t *ret_states, struct err *err)
{
	uint32_t states = 0;

	for (const char *at = text; *at;) {
		size_t len = strcspn(at, ",");
		char name[32] = {0};
		enum thread_state state;

		memcpy(name, at, min_of(len, sizeof(name) - 1));
		if (thread_state_parse(name, &state) < 0)
			return err_set(err, ERR_USAGE,
				       "'%s' is no state: use running-gil, running, waiting-gil, "
				       "waiting-lock, waiting-io, sleeping, stopped or unknown",
				       name);
		states |= 1u << state;
		at += len;
		at += *at == ',';
	}
	*ret_states = states;
	return 0;
}
