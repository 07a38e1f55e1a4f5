/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adding blocks up: a dense array of values by node for each dictionary and column.
 *
 * Adding a block costs one addition per node and column; resetting costs what was touched.  Sums
 * saturate.  An object of one thread; it keeps its memory from use to use.
 */
#ifndef STORE_SQLITE_ACCUM_H
#define STORE_SQLITE_ACCUM_H

#include "store/sqlite/block.h"

struct accum_dict {
	int64_t dict;
	size_t cap; /* nodes that the arrays hold */
	uint8_t *is_touched;
	uint32_t *touched;
	size_t n_touched, touched_cap;
	bool is_dense; /* so many that they are not listed: found by walking all */
	int64_t *values[PROFILE_MAX_COLUMNS]; /* NULL: column not seen yet */
	int64_t totals[PROFILE_MAX_COLUMNS];
	int64_t n_profiles, n_samples, covered_ns;
	struct cover cover;
	struct track track; /* of windows of a series; else empty */
};

struct accum {
	struct accum_dict *dicts;
	size_t n_dicts, dicts_cap;
	uint32_t columns[PROFILE_MAX_COLUMNS];
	size_t n_columns;
	bool is_over; /* more than PROFILE_MAX_COLUMNS columns: those left out */
};

void accum_done(struct accum *accum); /* all-zero is empty */
void accum_reset(struct accum *accum);

/* What of a block counts. */
struct accum_part {
	int64_t from_ns, until_ns; /* within the block's [0, len); spread.h divides the values */
	bool is_whole;		   /* all of it */
	const uint32_t *columns;   /* only these; NULL: all */
	size_t n_columns;
};

/* The block's values and totals; its profiles, samples, time covered are the caller's to add. */
struct accum_dict *accum_add(struct accum *accum, const struct block *block,
			     const struct accum_part *part);
/* The other's values and totals as well.  Neither has counts, covers or tracks. */
void accum_join(struct accum *accum, const struct accum *other);
/* The entry of a dictionary, for counts. */
struct accum_dict *accum_dict(struct accum *accum, int64_t dict);
/*
 * As a block: nodes sorted, those without any value left out.  Arrays live in the arena; key and cover
 * are the caller's to set.
 */
void accum_block(const struct accum *accum, struct accum_dict *dict, struct arena *arena,
		 struct block *ret_block);

static inline int64_t sum_of(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

#endif
