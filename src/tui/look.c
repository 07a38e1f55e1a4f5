/* SPDX-License-Identifier: Apache-2.0 */
#include "tui/look.h"

#include <math.h>

#define NORMAL_95 1.96 /* of a normal distribution 95 % lie within so many deviations */
#define NS_PER_SECOND 1e9

void look_init(struct look *look)
{
	*look = (struct look){0};
	arena_init(&look->arena);
}

static void look_reset(struct look *look)
{
	if (look->is_value_made)
		profile_done(&look->value);
	if (look->is_merged_made)
		profile_done(&look->merged);
	look->is_value_made = look->is_merged_made = false;
	arena_reset(&look->arena);
}

void look_done(struct look *look)
{
	look_reset(look);
	arena_done(&look->arena);
	*look = (struct look){0};
}

/* Per node: does it lie at or below a marker frame?  NULL: all do. */
static const uint8_t *below_marker(const struct tree *tree, struct frame_id marker,
				   struct arena *arena)
{
	uint8_t *is_below;

	if (!marker.v)
		return NULL;
	is_below = arena_array(arena, tree->n, sizeof(*is_below));
	for (uint32_t i = 1; i < tree->n; i++)
		is_below[i] = tree->frame[i] == marker.v || is_below[tree->parent[i]];
	return is_below;
}

/* How much the sums grew since `before` (NULL: since the beginning), as a column. */
static struct profile_column column_of(const struct shot *shot, const struct sums *before,
				       enum measure measure, const uint8_t *is_wanted,
				       struct arena *arena)
{
	uint32_t n = shot->tree.n;
	int64_t *values = arena_array(arena, n, sizeof(*values));

	for (uint32_t i = 0; i < n; i++) {
		int64_t earlier = before ? sums_value(before, measure, i) : 0;

		if (!is_wanted || is_wanted[i])
			values[i] = sums_grown(sums_value(&shot->now, measure, i), earlier);
	}
	return (struct profile_column){.values = values, .cap = n};
}

/* Shares the shot's tree, and its values live in the arena: never profile_done(). */
static struct profile profile_over(const struct shot *shot)
{
	return (struct profile){.names = shot->names, .tree = shot->tree};
}

static void build_single(struct look *look, const struct look_request *request)
{
	const struct shot *shot = request->shot;
	const uint8_t *is_wanted = below_marker(&shot->tree, request->marker, &look->arena);

	look->value = profile_over(shot);
	look->value.columns[LOOK_WHOLE] =
		column_of(shot, &shot->zero, request->measure, is_wanted, &look->arena);
	look->value.columns[LOOK_NOW] =
		column_of(shot, shot->has_before ? &shot->before : &shot->zero, request->measure,
			  is_wanted, &look->arena);
	look->value.n_columns = 2;
	look->has_now = shot->has_before;
	look->elapsed[LOOK_WHOLE] = sums_grown(shot->now.elapsed_ns, shot->zero.elapsed_ns);
	look->elapsed[LOOK_NOW] =
		sums_grown(shot->now.elapsed_ns,
			   shot->has_before ? shot->before.elapsed_ns : shot->zero.elapsed_ns);
}

/* The sums of the baseline are the earlier part of the shot's own, where the tree is still the same. */
static void build_diff(struct look *look, const struct look_request *request)
{
	const struct shot *shot = request->shot, *baseline = request->baseline;
	bool is_same = baseline->generation == shot->generation;
	struct profile before = profile_over(baseline), after = profile_over(shot);
	int64_t elapsed = shot->now.elapsed_ns;

	before.columns[0] = column_of(baseline, &baseline->zero, request->measure,
				      below_marker(&baseline->tree, request->marker, &look->arena),
				      &look->arena);
	after.columns[0] =
		column_of(shot, is_same ? &baseline->now : NULL, request->measure,
			  below_marker(&shot->tree, request->marker, &look->arena), &look->arena);
	before.n_columns = after.n_columns = 1;
	if (is_same)
		elapsed = sums_grown(elapsed, baseline->now.elapsed_ns);
	look->elapsed[0] = look->elapsed[1] =
		sums_grown(baseline->now.elapsed_ns, baseline->zero.elapsed_ns);
	look->scale = elapsed > 0 ? (double)look->elapsed[0] / (double)elapsed : 1;
	profile_init(&look->value, shot->names);
	look->is_value_made = true;
	if (profile_diff(&before, &after, look->scale, &look->value) < 0)
		look->value.n_columns = 0; /* cannot be: one column each fits */
}

void look_build(struct look *look, const struct look_request *request)
{
	look_reset(look);
	look->names = request->shot->names;
	look->is_diff = request->baseline != NULL;
	look->has_now = look->is_diff;
	look->is_by_line = request->is_by_line;
	look->scale = 1;
	look->period_ns = request->rate_hz > 0 ? NS_PER_SECOND / request->rate_hz : 0;
	if (look->is_diff)
		build_diff(look, request);
	else
		build_single(look, request);
	for (size_t i = 0; i < 2; i++)
		look->sum[i] = profile_sum(&look->value, i);
}

const struct profile *look_merged(struct look *look)
{
	struct profile lines;

	if (look->is_merged_made)
		return &look->merged;
	look->is_merged_made = true;
	profile_init(&look->merged, look->names);
	if (look->is_by_line) {
		profile_drop_markers(&look->value, &look->merged);
		return &look->merged;
	}
	profile_init(&lines, look->names);
	profile_drop_markers(&look->value, &lines);
	profile_group(&lines, GROUP_FUNCTION, &look->merged);
	profile_done(&lines);
	return &look->merged;
}

double look_noise(const struct look *look, int64_t before, int64_t after)
{
	double variance = (double)before + look->scale * (double)after;

	return NORMAL_95 * sqrt(max_of(variance, 0.0) * look->period_ns);
}
