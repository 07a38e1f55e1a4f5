/* SPDX-License-Identifier: Apache-2.0 */
#include "server/exemplars.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"

#define GROUP_TEXT_MAX_BYTES                                                                       \
	((size_t)LABELS_MAX * 6 * (LABEL_NAME_MAX_BYTES + LABEL_VALUE_MAX_BYTES))

void exemplars_done(struct exemplars *exemplars)
{
	free(exemplars->items);
	free(exemplars->groups);
	map64_done(&exemplars->group_of);
	arena_done(&exemplars->arena);
	*exemplars = (struct exemplars){0};
}

/* ---- groups ---- */

bool label_names_have(const struct label_names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->items[i], name) == 0)
			return true;
	return false;
}

static char *text_of(const struct labels *labels, struct arena *arena)
{
	struct buf text;
	char *copy;

	buf_init(&text, GROUP_TEXT_MAX_BYTES);
	labels_format(labels, &text);
	copy = arena_strndup(arena, text.data ? text.data : "", text.len);
	buf_done(&text);
	return copy;
}

/* Index; the series of a group are asked for once each. */
static uint32_t make_group(struct exemplars *exemplars, const struct labels *series)
{
	struct exemplar_group group = {.n = 0};

	for (size_t i = 0; i < series->n; i++)
		if (label_names_have(&exemplars->group_by, series->items[i].name))
			group.labels.items[group.labels.n++] = series->items[i];
	group.text = text_of(&group.labels, &exemplars->arena);
	for (uint32_t i = 0; i < exemplars->n_groups; i++)
		if (strcmp(exemplars->groups[i].text, group.text) == 0)
			return i;
	exemplars->groups = vec_grow(exemplars->groups, &exemplars->groups_cap,
				     exemplars->n_groups + 1, sizeof(*exemplars->groups));
	exemplars->groups[exemplars->n_groups] = group;
	return (uint32_t)exemplars->n_groups++;
}

static uint32_t group_of(struct exemplars *exemplars, const struct labels *series)
{
	uint32_t *group = map64_get(&exemplars->group_of, (uintptr_t)series);
	uint32_t made;

	if (group)
		return *group;
	made = make_group(exemplars, series);
	*map64_put(&exemplars->group_of, (uintptr_t)series, NULL) = made;
	return made;
}

/* ---- collecting ---- */

/* The labels stay where they are as long as the store is open. */
static int on_exemplar(void *ctx, const struct store_exemplar *exemplar, struct err *err)
{
	struct exemplars *exemplars = ctx;

	if (exemplars->n == EXEMPLARS_MAX)
		return err_set(err, ERR_LIMIT,
			       "more than %d profiles or spans: ask for a shorter range or fewer "
			       "series",
			       EXEMPLARS_MAX);
	exemplars->items = vec_grow(exemplars->items, &exemplars->cap, exemplars->n + 1,
				    sizeof(*exemplars->items));
	exemplars->items[exemplars->n++] = (struct exemplar){
		.group = group_of(exemplars, exemplar->labels),
		.span = {exemplar->span, exemplar->trace},
		.profile_id = arena_strndup(&exemplars->arena, exemplar->profile_id,
					    strlen(exemplar->profile_id)),
		.labels = exemplar->labels,
		.time_ns = exemplar->time_ns,
		.value = exemplar->value,
	};
	return 0;
}

static int compare_spans(const struct span *a, const struct span *b)
{
	if (a->id.v != b->id.v)
		return a->id.v < b->id.v ? -1 : 1;
	return memcmp(&a->trace, &b->trace, sizeof(a->trace));
}

static int by_group_and_time(const void *a, const void *b)
{
	const struct exemplar *x = a, *y = b;
	int order;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	order = compare_spans(&x->span, &y->span);
	return order ? order : strcmp(x->profile_id, y->profile_id);
}

static const struct labels *in_common(const struct labels *a, const struct labels *b,
				      struct arena *arena)
{
	struct labels *both = arena_alloc(arena, sizeof(*both));

	for (size_t i = 0; i < a->n; i++) {
		const char *other = labels_get(b, a->items[i].name);

		if (other && strcmp(other, a->items[i].value) == 0)
			both->items[both->n++] = a->items[i];
	}
	return both;
}

static void unite(struct exemplars *exemplars)
{
	size_t kept = 0;

	if (exemplars->n)
		qsort(exemplars->items, exemplars->n, sizeof(*exemplars->items), by_group_and_time);
	for (size_t i = 0; i < exemplars->n; i++) {
		struct exemplar *next = &exemplars->items[i], *last;

		last = kept ? &exemplars->items[kept - 1] : NULL;
		if (!last || by_group_and_time(last, next) != 0) {
			exemplars->items[kept++] = *next;
			continue;
		}
		if (__builtin_add_overflow(last->value, next->value, &last->value))
			last->value = INT64_MAX;
		if (last->labels != next->labels)
			last->labels = in_common(last->labels, next->labels, &exemplars->arena);
	}
	exemplars->n = kept;
	for (size_t i = 0; i < kept; i++) {
		struct exemplar_group *group = &exemplars->groups[exemplars->items[i].group];

		if (!group->n++)
			group->first = i;
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct exemplar_group *)a)->text,
		      ((const struct exemplar_group *)b)->text);
}

int exemplars_find(struct store *store, const struct store_query *query,
		   enum store_exemplar_kind kind, const struct label_names *group_by,
		   struct exemplars *ret_exemplars, struct err *err)
{
	struct exemplars exemplars = {.group_by = *group_by};
	struct store_exemplar_sum sum;
	int r;

	arena_init(&exemplars.arena);
	r = store->ops->exemplars(store, query, kind, on_exemplar, &exemplars, &sum, err);
	if (r < 0) {
		exemplars_done(&exemplars);
		return r;
	}
	unite(&exemplars);
	if (exemplars.n_groups)
		qsort(exemplars.groups, exemplars.n_groups, sizeof(*exemplars.groups), by_text);
	exemplars.n_left_out = sum.n_left_out;
	exemplars.is_partial = sum.is_partial;
	*ret_exemplars = exemplars;
	return 0;
}

/* ---- the best ---- */

static const struct exemplar_group *find_group(const struct exemplars *exemplars,
					       const struct labels *labels)
{
	struct arena arena;
	struct exemplar_group wanted, *found = NULL;

	arena_init(&arena);
	wanted.text = text_of(labels, &arena);
	if (exemplars->n_groups)
		found = bsearch(&wanted, exemplars->groups, exemplars->n_groups,
				sizeof(*exemplars->groups), by_text);
	arena_done(&arena);
	return found;
}

const struct exemplar *exemplars_best(const struct exemplars *exemplars,
				      const struct labels *labels, struct store_range range)
{
	const struct exemplar_group *group = find_group(exemplars, labels);
	const struct exemplar *best = NULL;
	size_t low, high;

	if (!group)
		return NULL;
	low = group->first;
	high = group->first + group->n;
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (exemplars->items[mid].time_ns < range.from_ns)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < group->first + group->n && exemplars->items[low].time_ns < range.until_ns;
	     low++)
		if (!best || exemplars->items[low].value > best->value)
			best = &exemplars->items[low];
	return best;
}
