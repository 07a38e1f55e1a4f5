/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/profile.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "profile/profile_private.h"

static const char *const state_names[STATE_COUNT] = {
	[STATE_UNKNOWN] = "unknown",	       [STATE_RUNNING_GIL] = "running-gil",
	[STATE_RUNNING] = "running",	       [STATE_WAITING_GIL] = "waiting-gil",
	[STATE_WAITING_LOCK] = "waiting-lock", [STATE_WAITING_IO] = "waiting-io",
	[STATE_SLEEPING] = "sleeping",	       [STATE_STOPPED] = "stopped",
};

const char *thread_state_name(enum thread_state state)
{
	return (unsigned int)state < STATE_COUNT ? state_names[state] : NULL;
}

int thread_state_parse(const char *text, enum thread_state *ret_state)
{
	for (unsigned int i = 0; i < STATE_COUNT; i++) {
		if (!strcmp(text, state_names[i])) {
			*ret_state = (enum thread_state)i;
			return 0;
		}
	}
	return -EINVAL;
}

bool thread_state_is_idle(enum thread_state state)
{
	switch (state) {
	case STATE_WAITING_GIL:
	case STATE_WAITING_LOCK:
	case STATE_WAITING_IO:
	case STATE_SLEEPING:
	case STATE_STOPPED:
		return true;
	default:
		return false;
	}
}

void profile_init(struct profile *profile, struct names *names)
{
	*profile = (struct profile){.names = names};
	tree_init(&profile->tree);
}

void profile_done(struct profile *profile)
{
	for (size_t i = 0; i < profile->n_columns; i++)
		free(profile->columns[i].values);
	tree_done(&profile->tree);
	spans_free(profile->spans);
	*profile = (struct profile){0};
}

static bool text_is(const struct profile *profile, struct str_id id, const char *text)
{
	return !strcmp(names_text(profile->names, id, NULL), text);
}

int profile_find_column(const struct profile *profile, const char *type, const char *unit,
			const char *state)
{
	for (size_t i = 0; i < profile->n_columns; i++) {
		const struct sample_type *mine = &profile->columns[i].type;

		if (text_is(profile, mine->type, type) &&
		    (!unit || text_is(profile, mine->unit, unit)) &&
		    (!state || text_is(profile, mine->state, state)))
			return (int)i;
	}
	return -ENOENT;
}

size_t profile_append_column(struct profile *profile, struct sample_type type)
{
	size_t column = profile->n_columns++;

	assert(column < PROFILE_MAX_COLUMNS);
	profile->columns[column] = (struct profile_column){.type = type};
	return column;
}

int profile_column(struct profile *profile, const char *type, const char *unit, const char *state)
{
	struct sample_type wanted = {
		.type = names_cstr(profile->names, type),
		.unit = names_cstr(profile->names, unit ? unit : ""),
		.state = names_cstr(profile->names, state ? state : ""),
	};

	for (size_t i = 0; i < profile->n_columns; i++)
		if (!memcmp(&profile->columns[i].type, &wanted, sizeof(wanted)))
			return (int)i;
	if (profile->n_columns == PROFILE_MAX_COLUMNS)
		return ERR_LIMIT;
	return (int)profile_append_column(profile, wanted);
}

void profile_add(struct profile *profile, size_t column, struct node_id node, int64_t value)
{
	struct profile_column *into = &profile->columns[column];

	assert(column < profile->n_columns && node.v < profile->tree.n);
	if (node.v >= into->cap)
		into->values =
			vec_grow(into->values, &into->cap, max_of(profile->tree.n, node.v + 1u),
				 sizeof(*into->values));
	into->values[node.v] = sum_saturated(into->values[node.v], value);
}

int64_t profile_sum(const struct profile *profile, size_t column)
{
	const struct profile_column *from = &profile->columns[column];
	size_t n = min_of((size_t)profile->tree.n, from->cap);
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = sum_saturated(sum, from->values[i]);
	return sum;
}

int64_t *profile_totals(const struct profile *profile, size_t column, struct arena *arena)
{
	const struct profile_column *from = &profile->columns[column];
	const struct tree *tree = &profile->tree;
	int64_t *totals = arena_array(arena, tree->n, sizeof(*totals));

	assert(column < profile->n_columns);
	if (from->cap)
		memcpy(totals, from->values, min_of((size_t)tree->n, from->cap) * sizeof(*totals));
	for (uint32_t i = tree->n; i-- > 1;)
		totals[tree->parent[i]] = sum_saturated(totals[tree->parent[i]], totals[i]);
	return totals;
}

void map_values(const struct profile *from, size_t from_column, const uint32_t *map,
		struct profile *into, size_t into_column)
{
	const struct profile_column *column = &from->columns[from_column];
	size_t n = min_of((size_t)from->tree.n, column->cap);

	for (size_t i = 0; i < n; i++)
		if (column->values[i] && map[i] != MAP_NONE)
			profile_add(into, into_column, (struct node_id){map[i] & ~MAP_CUT},
				    column->values[i]);
}

void profile_copy_head(struct profile *into, const struct profile *from)
{
	assert(into->names == from->names && !into->n_columns);
	for (size_t i = 0; i < from->n_columns; i++)
		(void)profile_append_column(into, from->columns[i].type);
	into->period_type = from->period_type;
	into->period_unit = from->period_unit;
	into->period = from->period;
	into->start_ns = from->start_ns;
	into->duration_ns = from->duration_ns;
	into->n_profiles = from->n_profiles;
	into->n_samples = from->n_samples;
}
