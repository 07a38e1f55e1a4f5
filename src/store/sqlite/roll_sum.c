/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/roll_sum.h"

#include <string.h>

#include "base/vec.h"
#include "store/spread.h"

/* The block's columns as the sums number them; those past their limit are left out, as in the sums. */
static void place_totals(const struct accum *accum, const struct block *block,
			 const int64_t *totals, int64_t out[PROFILE_MAX_COLUMNS])
{
	memset(out, 0, accum->n_columns * sizeof(*out));
	for (size_t c = 0; c < block->n_columns; c++)
		for (size_t at = 0; at < accum->n_columns; at++)
			if (accum->columns[at] == block->columns[c])
				out[at] = totals[c];
}

/*
 * A profile that sticks out of a finer window is in the track of its neighbour, too: it counts in the first of them that
 * the window holds.
 */
static void join_track(struct accum *accum, const struct roll_shape *shape,
		       const struct block *block, struct track *track)
{
	int64_t totals[PROFILE_MAX_COLUMNS];
	struct track_reader reader;

	if (!track_open(&reader, block->track_head, block->key.t_ns, block->n_columns))
		track->is_broken = true;
	while (track_next(&reader)) {
		struct track_entry entry = {reader.t_ns, reader.len_ns, reader.begins, 0, 0};

		if (max_of(entry.t_ns, shape->window.from_ns) < block->key.t_ns)
			continue;
		place_totals(accum, block, reader.totals, totals);
		track_add(track, entry, totals, accum->n_columns);
	}
	track->is_broken |= reader.in.bad;
}

static void add_to_track(struct accum *accum, const struct roll_shape *shape,
			 const struct block *block, struct track *track)
{
	int64_t totals[PROFILE_MAX_COLUMNS];
	struct track_entry entry = {block->key.t_ns, block->key.len_ns, block->n_profiles == 1, 0,
				    0};

	if (!shape->is_of_profiles) {
		join_track(accum, shape, block, track);
		return;
	}
	if (block->n_profiles > 1 || block->covered_ns != block->key.len_ns)
		track->is_broken = true;
	place_totals(accum, block, block->totals, totals);
	track_add(track, entry, totals, accum->n_columns);
}

void roll_sum_add(struct accum *accum, const struct roll_shape *shape, struct block *block,
		  const struct cover *cover)
{
	struct store_range range = shape->window;
	const struct block_key *key = &block->key;
	struct accum_part part = {
		.from_ns = max_of(range.from_ns - key->t_ns, 0l),
		.until_ns = min_of(range.until_ns - key->t_ns, key->len_ns),
	};
	bool begins_inside = key->t_ns >= range.from_ns && key->t_ns < range.until_ns;
	struct accum_dict *sums;

	part.is_whole = shape->is_gauge || (part.from_ns == 0 && part.until_ns == key->len_ns);
	if (shape->is_gauge && !begins_inside)
		block->n_nodes = 0, block->n_columns = 0; /* only the time it covers */
	sums = accum_add(accum, block, &part);
	sums->n_profiles += begins_inside ? block->n_profiles : 0;
	sums->n_samples += spread_part(block->n_samples, part.from_ns, part.until_ns, key->len_ns);
	sums->covered_ns +=
		shape->is_of_profiles ? part.until_ns - part.from_ns : block->covered_ns;
	if (shape->has_track)
		add_to_track(accum, shape, block, &sums->track);
	for (size_t i = 0; i < cover->n; i++)
		cover_add(&sums->cover, cover->items[i].from_ns, cover->items[i].until_ns);
}
