/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/accum.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "store/spread.h"

#define DENSE_PART 16	 /* of all nodes: from there on they are not listed */
#define KEEP_MAX_DICTS 8 /* between uses; a query over many services gives its memory back */

static void dict_done(struct accum_dict *dict)
{
	free(dict->is_touched);
	free(dict->touched);
	for (size_t c = 0; c < PROFILE_MAX_COLUMNS; c++)
		free(dict->values[c]);
	cover_done(&dict->cover);
	track_done(&dict->track);
}

void accum_done(struct accum *accum)
{
	for (size_t i = 0; i < accum->n_dicts; i++)
		dict_done(&accum->dicts[i]);
	free(accum->dicts);
	*accum = (struct accum){0};
}

static void dict_reset(struct accum_dict *dict)
{
	for (size_t c = 0; c < PROFILE_MAX_COLUMNS; c++) {
		if (dict->values[c] && dict->is_dense)
			memset(dict->values[c], 0, dict->cap * sizeof(int64_t));
		for (size_t i = 0; dict->values[c] && i < dict->n_touched; i++)
			dict->values[c][dict->touched[i]] = 0;
	}
	dict->is_dense = false;
	for (size_t i = 0; i < dict->n_touched; i++)
		dict->is_touched[dict->touched[i]] = 0;
	dict->n_touched = 0;
	memset(dict->totals, 0, sizeof(dict->totals));
	dict->n_profiles = dict->n_samples = dict->covered_ns = 0;
	cover_reset(&dict->cover);
	track_reset(&dict->track);
}

void accum_reset(struct accum *accum)
{
	if (accum->n_dicts > KEEP_MAX_DICTS) {
		accum_done(accum);
		return;
	}
	for (size_t i = 0; i < accum->n_dicts; i++)
		dict_reset(&accum->dicts[i]);
	accum->n_columns = 0;
	accum->is_over = false;
}

struct accum_dict *accum_dict(struct accum *accum, int64_t dict)
{
	for (size_t i = 0; i < accum->n_dicts; i++)
		if (accum->dicts[i].dict == dict)
			return &accum->dicts[i];
	accum->dicts = vec_grow(accum->dicts, &accum->dicts_cap, accum->n_dicts + 1,
				sizeof(*accum->dicts));
	accum->dicts[accum->n_dicts] = (struct accum_dict){.dict = dict};
	return &accum->dicts[accum->n_dicts++];
}

/* Place of a column, or -1 when there are too many. */
static int column_of(struct accum *accum, uint32_t column)
{
	for (size_t c = 0; c < accum->n_columns; c++)
		if (accum->columns[c] == column)
			return (int)c;
	if (accum->n_columns == PROFILE_MAX_COLUMNS) {
		accum->is_over = true;
		return -1;
	}
	accum->columns[accum->n_columns] = column;
	return (int)accum->n_columns++;
}

static void *grown(void *old, size_t from, size_t to, size_t elem_bytes)
{
	char *data = realloc(old, to * elem_bytes);

	if (!data)
		abort();
	memset(data + from * elem_bytes, 0, (to - from) * elem_bytes);
	return data;
}

static void make_room(struct accum_dict *dict, uint32_t last_node)
{
	size_t cap = dict->cap ? dict->cap : 1024;

	if (last_node < dict->cap)
		return;
	while (cap <= last_node)
		cap *= 2;
	dict->is_touched = grown(dict->is_touched, dict->cap, cap, 1);
	for (size_t c = 0; c < PROFILE_MAX_COLUMNS; c++)
		if (dict->values[c])
			dict->values[c] = grown(dict->values[c], dict->cap, cap, sizeof(int64_t));
	dict->cap = cap;
}

/* Many are cheaper found by walking all values than by marking each. */
static void touch(struct accum_dict *dict, const uint32_t *nodes, size_t n)
{
	dict->is_dense |= dict->n_touched + n > dict->cap / DENSE_PART;
	if (dict->is_dense)
		return;
	dict->touched = vec_grow(dict->touched, &dict->touched_cap, dict->n_touched + n + 1,
				 sizeof(*dict->touched));
	for (size_t i = 0; i < n; i++) {
		uint32_t node = nodes[i];

		dict->touched[dict->n_touched] = node;
		dict->n_touched += !dict->is_touched[node];
		dict->is_touched[node] = 1;
	}
}

static bool is_wanted(const struct accum_part *part, uint32_t column)
{
	for (size_t i = 0; i < part->n_columns; i++)
		if (part->columns[i] == column)
			return true;
	return !part->columns;
}

static void add_column(int64_t *into, const struct block *block, const int64_t *values,
		       const struct accum_part *part)
{
	if (part->is_whole) {
		for (uint32_t i = 0; i < block->n_nodes; i++)
			into[block->nodes[i]] = sum_of(into[block->nodes[i]], values[i]);
		return;
	}
	for (uint32_t i = 0; i < block->n_nodes; i++)
		into[block->nodes[i]] = sum_of(
			into[block->nodes[i]],
			spread_part(values[i], part->from_ns, part->until_ns, block->key.len_ns));
}

struct accum_dict *accum_add(struct accum *accum, const struct block *block,
			     const struct accum_part *part)
{
	struct accum_dict *dict = accum_dict(accum, block->key.dict);

	if (block->n_nodes) {
		make_room(dict, block->nodes[block->n_nodes - 1]);
		touch(dict, block->nodes, block->n_nodes);
	}
	for (size_t c = 0; c < block->n_columns; c++) {
		int at = is_wanted(part, block->columns[c]) ? column_of(accum, block->columns[c])
							    : -1;
		int64_t total = block->totals[c];

		if (at < 0)
			continue;
		if (!part->is_whole)
			total = spread_part(total, part->from_ns, part->until_ns,
					    block->key.len_ns);
		dict->totals[at] = sum_of(dict->totals[at], total);
		if (!dict->cap)
			continue;
		if (!dict->values[at])
			dict->values[at] = xcalloc(dict->cap, sizeof(int64_t));
		add_column(dict->values[at], block, block->values[c], part);
	}
	return dict;
}

/* ---- sums of sums ---- */

static void join_values(int64_t *into, const struct accum_dict *other, const int64_t *values)
{
	size_t n = other->is_dense ? other->cap : other->n_touched;

	for (size_t i = 0; i < n; i++) {
		size_t node = other->is_dense ? i : other->touched[i];

		into[node] = sum_of(into[node], values[node]);
	}
}

static void join_dict(struct accum *accum, const struct accum *others,
		      const struct accum_dict *other)
{
	struct accum_dict *dict = accum_dict(accum, other->dict);

	if (other->cap)
		make_room(dict, (uint32_t)other->cap - 1);
	dict->is_dense |= other->is_dense;
	touch(dict, other->touched, other->n_touched);
	for (size_t c = 0; c < others->n_columns; c++) {
		int at = column_of(accum, others->columns[c]);

		if (at < 0)
			continue;
		dict->totals[at] = sum_of(dict->totals[at], other->totals[c]);
		if (!other->values[c])
			continue;
		if (!dict->values[at])
			dict->values[at] = xcalloc(dict->cap, sizeof(int64_t));
		join_values(dict->values[at], other, other->values[c]);
	}
}

void accum_join(struct accum *accum, const struct accum *other)
{
	for (size_t i = 0; i < other->n_dicts; i++)
		join_dict(accum, other, &other->dicts[i]);
	accum->is_over |= other->is_over;
}

/* ---- as a block ---- */

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool has_value(const struct accum *accum, const struct accum_dict *dict, uint32_t node)
{
	for (size_t c = 0; c < accum->n_columns; c++)
		if (dict->values[c] && dict->values[c][node])
			return true;
	return false;
}

/* Nodes with a value, sorted. */
static void list_nodes(const struct accum *accum, struct accum_dict *dict, struct arena *arena,
		       struct block *out)
{
	size_t n = dict->is_dense ? dict->cap : dict->n_touched;

	if (!dict->is_dense && n)
		qsort(dict->touched, n, sizeof(*dict->touched), by_number);
	out->nodes = arena_array(arena, n + 1, sizeof(*out->nodes));
	for (size_t i = 0; i < n; i++) {
		uint32_t node = dict->is_dense ? (uint32_t)i : dict->touched[i];

		if (has_value(accum, dict, node))
			out->nodes[out->n_nodes++] = node;
	}
}

void accum_block(const struct accum *accum, struct accum_dict *dict, struct arena *arena,
		 struct block *ret_block)
{
	struct block *out = ret_block;

	*out = (struct block){.key = {.dict = dict->dict},
			      .n_profiles = dict->n_profiles,
			      .n_samples = dict->n_samples,
			      .covered_ns = dict->covered_ns,
			      .track = &dict->track,
			      .n_columns = accum->n_columns};
	list_nodes(accum, dict, arena, out);
	for (size_t c = 0; c < accum->n_columns; c++) {
		out->columns[c] = accum->columns[c];
		out->totals[c] = dict->totals[c];
		out->values[c] = arena_array(arena, (size_t)out->n_nodes + 1, sizeof(int64_t));
		for (uint32_t i = 0; dict->values[c] && i < out->n_nodes; i++)
			out->values[c][i] = dict->values[c][out->nodes[i]];
	}
}
