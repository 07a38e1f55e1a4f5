/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the page keeps of a profile that goes on changing: its tree and, per node, a few sums.
 *
 * A tree whose nodes are only added to costs a copy of what was added; sums are copied whole, 8 bytes a node and
 * measure.  "Before" are the sums of the take before, "zero" those from which the user counts.  A new
 * generation begins with nothing before it.
 */
#ifndef TUI_SHOT_H
#define TUI_SHOT_H

#include "profile/profile.h"

enum measure {
	MEASURE_BUSY, /* wall time in states that are not idle */
	MEASURE_ALL,  /* wall time in all states */
	MEASURE_CPU,
	MEASURE_GIL, /* wall time running with the GIL */
	MEASURE_COUNT,
};

struct sums {
	uint32_t n; /* nodes; those past it count as 0 */
	size_t caps[MEASURE_COUNT];
	int64_t *of[MEASURE_COUNT];
	int64_t state_ns[STATE_COUNT]; /* wall time, of the whole tree */
	int64_t elapsed_ns;
};

struct shot {
	struct names *names; /* borrowed; NULL: nothing was taken yet */
	uint64_t generation;
	struct tree tree; /* without its index of children */
	struct sums now, before, zero;
	bool has_before;
};

/* All-zero is empty. */
void shot_done(struct shot *shot);
/* Returns whether a new generation began. */
bool shot_take(struct shot *shot, const struct profile *profile, uint64_t generation,
	       int64_t elapsed_ns);
/* From here on count from zero; "before" begins anew, too. */
void shot_set_zero(struct shot *shot);
/* Copy tree, sums and zero into an empty one: what a comparison begins with. */
void shot_copy(const struct shot *from, struct shot *into);

/* How much a sum grew; never less than nothing. */
static inline int64_t sums_grown(int64_t now, int64_t before)
{
	int64_t grown;

	return __builtin_sub_overflow(now, before, &grown) ? INT64_MAX : grown > 0 ? grown : 0;
}

static inline int64_t sums_value(const struct sums *sums, enum measure measure, uint32_t node)
{
	return node < sums->n ? sums->of[measure][node] : 0;
}

#endif
