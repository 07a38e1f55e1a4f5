/* SPDX-License-Identifier: Apache-2.0 */
/* One profile of a range: dense sums by node, then names of what is left. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "store/spread.h"
#include "store/sqlite/exemplar_sum.h"

struct merge {
	struct accum sums;
	struct cover wall;
	int64_t covered_ns, n_profiles, n_samples;
	bool count_overlaps;   /* of gauges: also those that began before the range */
	bool is_in_full_units; /* sums are; else in those of blocks */
};

static int add_scanned(struct query *query, struct scanned *scanned, void *ctx)
{
	struct merge *merge = ctx;
	struct block *block = &scanned->block;
	const struct block_key *key = &block->key;
	struct accum_part part = {
		.from_ns = scanned->range.from_ns - key->t_ns,
		.until_ns = scanned->range.until_ns - key->t_ns,
		.columns = query->columns,
		.n_columns = query->n_columns,
	};
	bool is_fine = scanned->piece->level == LEVEL_FINE;
	bool begins_inside = part.from_ns == 0 || merge->count_overlaps;
	int r;

	part.is_whole =
		(is_fine && query->is_gauge) || (part.from_ns == 0 && part.until_ns == key->len_ns);
	if (!is_fine || !query->is_gauge || begins_inside) {
		r = query_read_data(query, scanned);
		if (r < 0)
			return r;
		accum_add(&merge->sums, block, &part);
	}
	if (is_fine)
		merge->n_profiles += merge->count_overlaps ? 1
				     : begins_inside	   ? block->n_profiles
							   : 0;
	else
		merge->n_profiles +=
			spread_part(block->n_profiles, part.from_ns, part.until_ns, key->len_ns);
	merge->n_samples += spread_part(block->n_samples, part.from_ns, part.until_ns, key->len_ns);
	merge->covered_ns +=
		spread_part(block->covered_ns, part.from_ns, part.until_ns, key->len_ns);
	for (size_t i = 0; i < scanned->cover->n; i++)
		cover_add(&merge->wall, scanned->cover->items[i].from_ns,
			  scanned->cover->items[i].until_ns);
	return 0;
}

/* ---- several threads ---- */

static void *fork_merge(const void *ctx)
{
	const struct merge *merge = ctx;
	struct merge *forked = xcalloc(1, sizeof(*forked));

	forked->count_overlaps = merge->count_overlaps;
	return forked;
}

static void join_merge(void *ctx, void *other)
{
	struct merge *merge = ctx, *forked = other;

	accum_join(&merge->sums, &forked->sums);
	for (size_t i = 0; i < forked->wall.n; i++)
		cover_add(&merge->wall, forked->wall.items[i].from_ns,
			  forked->wall.items[i].until_ns);
	merge->covered_ns += forked->covered_ns;
	merge->n_profiles += forked->n_profiles;
	merge->n_samples += forked->n_samples;
	accum_done(&forked->sums);
	cover_done(&forked->wall);
	free(forked);
}

/* Only what is picked by id, whole. */
static int add_picked(struct query *query, struct merge *merge, struct err *err)
{
	struct exemplar_sums sums = {0};
	int r = exemplar_add_up(query, &sums, err);

	merge->sums = sums.accum;
	merge->wall = sums.wall;
	merge->covered_ns = sums.covered_ns;
	merge->n_profiles = sums.n_profiles;
	merge->n_samples = sums.n_samples;
	merge->is_in_full_units = sums.is_in_full_units;
	return r;
}

static int add_up(struct query *query, struct merge *merge, struct err *err)
{
	struct steps steps = {
		.from_ns = query->ask->range.from_ns,
		.range = query->ask->range,
		.step_ns = query->ask->range.until_ns - query->ask->range.from_ns,
		.n = 1,
		.max_level = LEVEL_COUNT - 1,
	};
	const struct scan_sink sink = {
		.visit = add_scanned, .ctx = merge, .fork = fork_merge, .join = join_merge};
	int r;

	if (query->ask->pick)
		return add_picked(query, merge, err);
	r = query_scan(query, query->series, query->n_series, &steps, &sink, err);
	/* A short range inside one long profile of a gauge shows its level. */
	if (r < 0 || !query->is_gauge || merge->n_profiles || !merge->covered_ns)
		return r;
	accum_reset(&merge->sums);
	cover_reset(&merge->wall);
	merge->covered_ns = merge->n_samples = 0;
	merge->count_overlaps = true;
	steps.max_level = LEVEL_FINE;
	return query_scan(query, query->series, query->n_series, &steps, &sink, err);
}

/* ---- from nodes to a profile ---- */

/* Nodes of the dictionary that have a value, and all above them, as nodes of the profile. */
static int place_nodes(const struct dict *dict, const struct block *sums, struct arena *arena,
		       struct profile *profile, uint32_t **ret_map, struct err *err)
{
	const struct tree *tree = &dict->tree;
	uint32_t top = sums->n_nodes ? sums->nodes[sums->n_nodes - 1] : 0;
	uint8_t *is_needed = arena_alloc(arena, (size_t)top + 1);
	uint32_t *map = arena_array(arena, (size_t)top + 1, sizeof(*map));
	struct names_map frames = {0};
	bool is_first = profile->tree.n == 1; /* else what is in it may be met again */

	if (top >= tree->n)
		return err_set(err, ERR_CORRUPT,
			       "a block names stack %u of dictionary %u, which has %u", top,
			       dict->id, tree->n);
	for (uint32_t i = 0; i < sums->n_nodes; i++)
		is_needed[sums->nodes[i]] = 1;
	for (uint32_t i = top; i > 0; i--)
		is_needed[tree->parent[i]] |= is_needed[i];
	for (uint32_t i = 1; i <= top; i++) {
		struct node_id parent = {map[tree->parent[i]]};
		struct frame_id frame = {tree->frame[i]};

		if (!is_needed[i])
			continue;
		frame = names_import(profile->names, &frames, dict->names, frame);
		map[i] = is_first ? tree_append_child(&profile->tree, parent, frame).v
				  : tree_child(&profile->tree, parent, frame).v;
	}
	names_map_done(&frames);
	*ret_map = map;
	return 0;
}

static int64_t in_unit(int64_t value, int64_t scale)
{
	int64_t product;

	return __builtin_mul_overflow(value, scale, &product) ? INT64_MAX : product;
}

static int add_values(struct query *query, const struct block *sums, bool is_in_full_units,
		      const uint32_t *map, struct profile *profile, struct err *err)
{
	for (size_t c = 0; c < sums->n_columns; c++) {
		const struct column *column = query_kind(query, sums->columns[c]);
		int64_t scale = is_in_full_units ? 1 : column->unit_scale;
		int into = 0;

		if (*column->state)
			into = profile_column(profile, column->type, column->unit, column->state);
		if (into < 0)
			return err_set(err, into, "the range holds values of too many states");
		for (uint32_t i = 0; i < sums->n_nodes; i++) {
			struct node_id node = {map[sums->nodes[i]]};
			int64_t value = in_unit(sums->values[c][i], scale);

			profile_add(profile, 0, node, value);
			if (into > 0)
				profile_add(profile, (size_t)into, node, value);
		}
	}
	return 0;
}

static int add_dict(struct query *query, struct merge *merge, struct accum_dict *sums,
		    struct profile *profile, struct err *err)
{
	cleanup(arena_done) struct arena arena;
	struct block block;
	struct dict *dict;
	uint32_t *map = NULL;
	int r;

	arena_init(&arena);
	accum_block(&merge->sums, sums, &arena, &block);
	if (!block.n_nodes)
		return 0;
	r = dict_lock(query->store, (uint32_t)sums->dict, &dict, err);
	if (r < 0)
		return r;
	r = place_nodes(dict, &block, &arena, profile, &map, err);
	dict_unlock(dict);
	return r < 0 ? r : add_values(query, &block, merge->is_in_full_units, map, profile, err);
}

/* Name what was added up.  A dictionary that cannot be read takes its part out of the answer. */
static int name_sums(struct query *query, struct merge *merge, struct profile *profile,
		     struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < merge->sums.n_dicts && r == 0; i++) {
		r = add_dict(query, merge, &merge->sums.dicts[i], profile, err);
		if (r == ERR_CORRUPT) {
			query_note_missing(query, query->ask->range);
			r = 0;
		}
	}
	return r;
}

static void set_head(const struct query *query, const struct merge *merge, struct profile *profile)
{
	const struct store_range *range = &query->ask->range;

	profile->start_ns = range->from_ns;
	profile->duration_ns = merge->covered_ns;
	profile->n_profiles = merge->n_profiles;
	profile->n_samples = merge->n_samples;
	if (!query->first)
		return;
	profile->period_type = names_cstr(profile->names, query->first->family->period_type);
	profile->period_unit = names_cstr(profile->names, query->first->family->period_unit);
	profile->period = query->period;
}

/* The answer takes what it needs of the query's list of holes. */
static void set_missing(struct query *query, struct store_merged *merged)
{
	cover_unite(&query->missing);
	merged->is_partial = query->missing.n > 0;
	merged->missing = query->missing.items;
	merged->n_missing = query->missing.n;
	query->missing = (struct cover){0};
}

static int answer(struct query *query, struct merge *merge, struct store_merged *merged,
		  struct err *err)
{
	const char *type = query->column ? query->column->type : "";
	const char *unit = query->column ? query->column->unit : "";
	int r;

	merged->names = names_new();
	merged->profile = xcalloc(1, sizeof(*merged->profile));
	profile_init(merged->profile, merged->names);
	r = profile_column(merged->profile, type, unit, "");
	if (r >= 0)
		r = add_up(query, merge, err);
	if (r >= 0)
		r = name_sums(query, merge, merged->profile, err);
	if (r < 0)
		return r;
	set_head(query, merge, merged->profile);
	merged->covered_ns = merge->covered_ns;
	merged->n_profiles = merge->n_profiles;
	merged->n_series = (uint32_t)query->n_series;
	merged->is_gauge = query->is_gauge;
	merged->n_blocks = query->n_blocks;
	merged->wall_covered_ns =
		cover_length(&merge->wall, query->ask->range.from_ns, query->ask->range.until_ns);
	set_missing(query, merged);
	return 0;
}

int sqlite_merge(struct store *base, const struct store_query *ask, struct store_merged *ret_merged,
		 struct err *err)
{
	struct store_merged merged = {0};
	struct merge merge = {0};
	struct query query;
	int r = query_begin(&query, sqlite_store_of(base), ask, true, err);

	if (r == 0)
		r = answer(&query, &merge, &merged, err);
	accum_done(&merge.sums);
	cover_done(&merge.wall);
	query_end(&query);
	if (r < 0)
		store_merged_done(&merged);
	else
		*ret_merged = merged;
	return r;
}
