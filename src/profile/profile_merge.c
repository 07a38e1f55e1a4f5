/* SPDX-License-Identifier: Apache-2.0 */
/* Two profiles become one: their sum, or both side by side on one tree. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "profile/profile_private.h"

static struct str_id text_import(struct names *names, const struct names *source, struct str_id id)
{
	size_t len;
	const char *text = names_text(source, id, &len);

	return names == source ? id : names_str(names, text, len);
}

static struct sample_type type_import(struct names *names, const struct names *source,
				      struct sample_type type)
{
	return (struct sample_type){
		.type = text_import(names, source, type.type),
		.unit = text_import(names, source, type.unit),
		.state = text_import(names, source, type.state),
	};
}

static bool type_equal(struct sample_type a, struct sample_type b)
{
	return a.type.v == b.type.v && a.unit.v == b.unit.v && a.state.v == b.state.v;
}

static size_t type_find(const struct sample_type *types, size_t n, struct sample_type type)
{
	for (size_t i = 0; i < n; i++)
		if (type_equal(types[i], type))
			return i;
	return n;
}

/* Every path of `from` in `into`: where each node is there; free() it. */
static uint32_t *tree_import(struct profile *into, const struct profile *from)
{
	uint32_t *map = xcalloc(from->tree.n, sizeof(*map));
	struct names_map frames = {0};

	for (uint32_t i = 1; i < from->tree.n; i++) {
		struct frame_id frame = {from->tree.frame[i]};

		frame = names_import(into->names, &frames, from->names, frame);
		map[i] = map_child(&into->tree, map[from->tree.parent[i]], frame);
	}
	names_map_done(&frames);
	return map;
}

/* Order of periods: which of two stays must not depend on who is merged into whom. */
static int period_compare(const struct profile *a, const struct profile *b)
{
	int order;

	if (a->period != b->period)
		return a->period < b->period ? -1 : 1;
	order = strcmp(names_text(a->names, a->period_type, NULL),
		       names_text(b->names, b->period_type, NULL));
	if (order)
		return order;
	return strcmp(names_text(a->names, a->period_unit, NULL),
		      names_text(b->names, b->period_unit, NULL));
}

static void head_merge(struct profile *into, const struct profile *from)
{
	if (period_compare(into, from) < 0) {
		into->period = from->period;
		into->period_type = text_import(into->names, from->names, from->period_type);
		into->period_unit = text_import(into->names, from->names, from->period_unit);
	}
	if (from->start_ns && (!into->start_ns || from->start_ns < into->start_ns))
		into->start_ns = from->start_ns;
	into->duration_ns = sum_saturated(into->duration_ns, from->duration_ns);
	into->n_profiles = sum_saturated(into->n_profiles, from->n_profiles);
	into->n_samples = sum_saturated(into->n_samples, from->n_samples);
}

int profile_merge(struct profile *into, const struct profile *from)
{
	struct sample_type types[2 * PROFILE_MAX_COLUMNS];
	size_t n_types = into->n_columns, column_of[PROFILE_MAX_COLUMNS];
	cleanup_free uint32_t *map = NULL;

	for (size_t i = 0; i < n_types; i++)
		types[i] = into->columns[i].type;
	for (size_t i = 0; i < from->n_columns; i++) {
		struct sample_type type =
			type_import(into->names, from->names, from->columns[i].type);

		column_of[i] = type_find(types, n_types, type);
		if (column_of[i] == n_types)
			types[n_types++] = type;
	}
	if (n_types > PROFILE_MAX_COLUMNS)
		return ERR_LIMIT;
	for (size_t i = into->n_columns; i < n_types; i++)
		(void)profile_append_column(into, types[i]);
	map = tree_import(into, from);
	for (size_t i = 0; i < from->n_columns; i++)
		map_values(from, i, map, into, column_of[i]);
	head_merge(into, from);
	return 0;
}

/* ---- side by side ---- */

static int64_t value_scaled(int64_t value, double scale)
{
	/* long double holds every int64; llroundl() is undefined past its ends. */
	long double scaled = roundl((long double)value * (long double)scale);

	if (scaled >= (long double)INT64_MAX)
		return INT64_MAX;
	if (scaled <= (long double)INT64_MIN)
		return INT64_MIN;
	return (int64_t)scaled;
}

static void column_scale(struct profile_column *column, double scale)
{
	for (size_t i = 0; i < column->cap; i++)
		column->values[i] = value_scaled(column->values[i], scale);
}

int profile_diff(const struct profile *a, const struct profile *b, double scale_b,
		 struct profile *into)
{
	struct sample_type types[2 * PROFILE_MAX_COLUMNS];
	const struct profile *const sides[] = {a, b};
	size_t n = 0, column_of[2][PROFILE_MAX_COLUMNS];

	for (size_t side = 0; side < 2; side++) {
		for (size_t i = 0; i < sides[side]->n_columns; i++) {
			struct sample_type type = type_import(into->names, sides[side]->names,
							      sides[side]->columns[i].type);

			column_of[side][i] = type_find(types, n, type);
			if (column_of[side][i] == n)
				types[n++] = type;
		}
	}
	if (2 * n > PROFILE_MAX_COLUMNS)
		return ERR_LIMIT;
	for (size_t i = 0; i < 2 * n; i++)
		(void)profile_append_column(into, types[i / 2]);
	for (size_t side = 0; side < 2; side++) {
		cleanup_free uint32_t *map = tree_import(into, sides[side]);

		for (size_t i = 0; i < sides[side]->n_columns; i++)
			map_values(sides[side], i, map, into, 2 * column_of[side][i] + side);
	}
	if (scale_b != 1)
		for (size_t i = 0; i < n; i++)
			column_scale(&into->columns[2 * i + 1], scale_b);
	head_merge(into, a);
	return 0;
}
