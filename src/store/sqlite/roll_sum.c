/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/roll_sum.h"

#include "base/vec.h"
#include "store/spread.h"

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
	for (size_t i = 0; i < cover->n; i++)
		cover_add(&sums->cover, cover->items[i].from_ns, cover->items[i].until_ns);
}
