/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "format/preorder.h"

static int compare_names(const void *left, const void *right, void *ctx)
{
	const struct profile *profile = ctx;
	const struct frame *frames[2] = {
		names_frame_get(profile->names,
				(struct frame_id){profile->tree.frame[*(const uint32_t *)left]}),
		names_frame_get(profile->names,
				(struct frame_id){profile->tree.frame[*(const uint32_t *)right]})};

	return strcmp(names_text(profile->names, frames[0]->name, NULL),
		      names_text(profile->names, frames[1]->name, NULL));
}

static void put_node(const struct profile *profile, size_t column, uint32_t node,
		     uint32_t n_children, struct buf *out)
{
	const struct frame *frame =
		names_frame_get(profile->names, (struct frame_id){profile->tree.frame[node]});
	size_t len;
	const char *name = names_text(profile->names, frame->name, &len);

	buf_put_varint(out, node ? len : 0);
	buf_put(out, name, node ? len : 0);
	buf_put_varint(out,
		       node ? (uint64_t)profile_value(profile, column, (struct node_id){node}) : 0);
	buf_put_varint(out, n_children);
}

/* Children with something in them, by name; returns how many. */
static uint32_t pile_children(const struct profile *profile, const struct tree_index *index,
			      const int64_t *totals, uint32_t node, uint32_t *pile)
{
	uint32_t n = 0;

	for (uint32_t i = index->start[node]; i < index->start[node + 1]; i++)
		if (totals[index->list[i]] > 0)
			pile[n++] = index->list[i];
	if (n)
		qsort_r(pile, n, sizeof(*pile), compare_names, (void *)(uintptr_t)profile);
	return n;
}

void preorder_write_tree(const struct profile *profile, size_t column, struct buf *out)
{
	cleanup(arena_done) struct arena arena = {0};
	const int64_t *totals = profile_totals(profile, column, &arena);
	uint32_t *pile = arena_array(&arena, profile->tree.n, sizeof(*pile));
	struct tree_index index;
	size_t n = 1;

	tree_index(&profile->tree, &arena, &index);
	pile[0] = 0;
	while (n && totals[0] > 0) {
		uint32_t node = pile[--n];
		uint32_t n_children = pile_children(profile, &index, totals, node, pile + n);

		put_node(profile, column, node, n_children, out);
		n += n_children;
	}
}
