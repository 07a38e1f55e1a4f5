/* SPDX-License-Identifier: Apache-2.0 */
#include "tui/shot.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

/* Values of a profile from outside can be anything. */
static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

static void sums_done(struct sums *sums)
{
	for (int i = 0; i < MEASURE_COUNT; i++)
		free(sums->of[i]);
	*sums = (struct sums){0};
}

/* Zeroes for n nodes. */
static void sums_clear(struct sums *sums, uint32_t n)
{
	sums->n = n;
	sums->elapsed_ns = 0;
	memset(sums->state_ns, 0, sizeof(sums->state_ns));
	for (int i = 0; i < MEASURE_COUNT; i++) {
		sums->of[i] = vec_grow(sums->of[i], &sums->caps[i], n, sizeof(*sums->of[i]));
		if (n)
			memset(sums->of[i], 0, n * sizeof(*sums->of[i]));
	}
}

static void sums_copy(const struct sums *from, struct sums *into)
{
	sums_clear(into, from->n);
	memcpy(into->state_ns, from->state_ns, sizeof(into->state_ns));
	into->elapsed_ns = from->elapsed_ns;
	for (int i = 0; i < MEASURE_COUNT && from->n; i++)
		memcpy(into->of[i], from->of[i], from->n * sizeof(*into->of[i]));
}

void shot_done(struct shot *shot)
{
	sums_done(&shot->now);
	sums_done(&shot->before);
	sums_done(&shot->zero);
	tree_done(&shot->tree);
	*shot = (struct shot){0};
}

/* ---- taking ---- */

static void tree_grow(struct tree *tree, uint32_t n)
{
	size_t cap = tree->cap;

	tree->parent = vec_grow(tree->parent, &cap, n, sizeof(*tree->parent));
	cap = tree->cap;
	tree->frame = vec_grow(tree->frame, &cap, n, sizeof(*tree->frame));
	cap = tree->cap;
	tree->depth = vec_grow(tree->depth, &cap, n, sizeof(*tree->depth));
	tree->cap = cap;
}

static void tree_follow(struct tree *tree, const struct tree *from)
{
	uint32_t at = tree->n, more = from->n - at;

	if (!more)
		return;
	tree_grow(tree, from->n);
	memcpy(tree->parent + at, from->parent + at, more * sizeof(*tree->parent));
	memcpy(tree->frame + at, from->frame + at, more * sizeof(*tree->frame));
	memcpy(tree->depth + at, from->depth + at, more * sizeof(*tree->depth));
	tree->n = from->n;
}

/* Which measures a column counts for, as bits; 0: none. */
static unsigned int measures_of(const struct profile *profile, size_t column,
				enum thread_state *ret_state)
{
	const struct sample_type *type = &profile->columns[column].type;
	const char *name = names_text(profile->names, type->type, NULL);

	if (thread_state_parse(names_text(profile->names, type->state, NULL), ret_state) < 0)
		*ret_state = STATE_UNKNOWN;
	if (strcmp(names_text(profile->names, type->unit, NULL), "nanoseconds") != 0)
		return 0;
	if (!strcmp(name, "cpu"))
		return 1u << MEASURE_CPU;
	if (strcmp(name, "wall") != 0)
		return 0;
	return 1u << MEASURE_ALL | (thread_state_is_idle(*ret_state) ? 0 : 1u << MEASURE_BUSY) |
	       (*ret_state == STATE_RUNNING_GIL ? 1u << MEASURE_GIL : 0);
}

static int64_t column_add(const struct profile *profile, size_t column, int64_t *into)
{
	const struct profile_column *from = &profile->columns[column];
	size_t n = min_of((size_t)profile->tree.n, from->cap);
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		into[i] = add(into[i], from->values[i]);
		sum = add(sum, from->values[i]);
	}
	return sum;
}

static void sums_fill(struct sums *sums, const struct profile *profile)
{
	for (size_t column = 0; column < profile->n_columns; column++) {
		enum thread_state state;
		unsigned int measures = measures_of(profile, column, &state);

		for (int i = 0; i < MEASURE_COUNT; i++) {
			int64_t sum;

			if (!(measures & 1u << i))
				continue;
			sum = column_add(profile, column, sums->of[i]);
			if (i == MEASURE_ALL)
				sums->state_ns[state] = add(sums->state_ns[state], sum);
		}
	}
}

static void shot_restart(struct shot *shot, struct names *names, uint64_t generation)
{
	shot_done(shot);
	shot->names = names;
	shot->generation = generation;
}

bool shot_take(struct shot *shot, const struct profile *profile, uint64_t generation,
	       int64_t elapsed_ns)
{
	bool is_new = shot->names != profile->names || shot->generation != generation ||
		      shot->tree.n > profile->tree.n;
	struct sums spare = shot->before;

	/* No time has passed: the same again, at the end of the target for instance.  What was new stays so. */
	if (is_new) {
		shot_restart(shot, profile->names, generation);
	} else if (elapsed_ns != shot->now.elapsed_ns) {
		shot->before = shot->now;
		shot->now = spare;
		shot->has_before = true;
	}
	tree_follow(&shot->tree, &profile->tree);
	sums_clear(&shot->now, shot->tree.n);
	shot->now.elapsed_ns = elapsed_ns;
	sums_fill(&shot->now, profile);
	return is_new;
}

void shot_set_zero(struct shot *shot)
{
	sums_copy(&shot->now, &shot->zero);
	sums_copy(&shot->now, &shot->before);
}

void shot_copy(const struct shot *from, struct shot *into)
{
	into->names = from->names;
	into->generation = from->generation;
	tree_follow(&into->tree, &from->tree);
	sums_copy(&from->now, &into->now);
	sums_copy(&from->zero, &into->zero);
}
