/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One batch: all that was queued, as one commit per file (invariants 2, 6 and 7).
 *
 *	files known -> catalogue committed -> per file: { ids, blocks, dirty marks } committed -> done()
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "store/spread.h"
#include "store/sqlite/store_private.h"

static void finish(struct sqlite_store *store, struct item *items, int64_t n_commits)
{
	pthread_mutex_lock(&store->lock);
	store->counts.commits += (uint64_t)n_commits;
	for (struct item *item = items; item; item = item->next) {
		store->counts.puts += item->kind == ITEM_PROFILE && item->code == 0;
		store->counts.duplicates += item->code == ERR_DUPLICATE;
		store->counts.rejected += item->code < 0 && item->code != ERR_DUPLICATE;
	}
	pthread_mutex_unlock(&store->lock);
	while (items) {
		struct item *item = items;

		items = item->next;
		if (item->done)
			item->done(item->ctx, item->code, item->text);
		item_free(item);
	}
}

/* ---- one profile ---- */

/*
 * Values in stored units, in the arena (the item's stay as they came, in case it is written again).
 * What is below one unit is carried to the next node, and to the series' next profile.
 */
static void scale_values(struct item *item, struct arena *arena, int64_t **scaled)
{
	for (size_t c = 0; c < item->n_columns; c++) {
		int64_t *carry = &item->series->carry[item->carry_of[c]];
		int64_t scale = item->unit_scales[c];

		item->carry_before[c] = *carry;
		scaled[c] = arena_array(arena, (size_t)item->n_nodes + 1, sizeof(int64_t));
		for (uint32_t i = 0; i < item->n_nodes; i++) {
			int64_t exact = item->values[c][i] + *carry;

			scaled[c][i] = exact / scale;
			*carry = exact % scale;
		}
	}
	item->is_scaled = true;
}

/* As if it had never been there: for duplicates and failed commits, newest first. */
static void unscale_carry(struct item *item)
{
	for (size_t c = 0; c < item->n_columns; c++)
		item->series->carry[item->carry_of[c]] = item->carry_before[c];
}

/* The part of the item in [from, until), counted from its start, without empty nodes. */
static void piece_of(const struct item *item, int64_t *const *scaled, int64_t from, int64_t until,
		     struct arena *arena, struct block *block)
{
	bool is_whole = from == 0 && until == item->duration_ns;

	block->nodes = arena_array(arena, (size_t)item->n_nodes + 1, sizeof(*block->nodes));
	for (size_t c = 0; c < item->n_columns; c++)
		block->values[c] = arena_array(arena, (size_t)item->n_nodes + 1, sizeof(int64_t));
	for (uint32_t i = 0; i < item->n_nodes; i++) {
		int64_t any = 0;

		for (size_t c = 0; c < item->n_columns; c++) {
			int64_t value = scaled[c][i];

			if (!is_whole)
				value = spread_part(value, from, until, item->duration_ns);
			block->values[c][block->n_nodes] = value;
			block->totals[c] += value;
			any |= value;
		}
		block->nodes[block->n_nodes] = item->nodes[i];
		block->n_nodes += any != 0;
	}
}

static int insert_piece(struct open_file *handle, struct item *item, int64_t *const *scaled,
			int64_t from, int64_t until, struct arena *arena, struct err *err)
{
	struct store_range time = {item->start_ns + from, item->start_ns + until};
	struct cover cover = {0};
	struct block block = {
		.key = {owner_of_series(item->series), time.from_ns, ++handle->next_part,
			item->dict->id, until - from},
		.n_profiles = from == 0,
		.n_samples = spread_part(item->n_samples, from, until, item->duration_ns),
		.covered_ns = until - from,
		.n_columns = item->n_columns,
		.is_quick = true,
		.id = item->profile_id,
	};
	struct exemplar_id_room made;
	uint64_t sum;
	int r;

	for (size_t c = 0; c < item->n_columns; c++)
		block.columns[c] = item->columns[c];
	if (from && !block.id.len) /* pieces are called as the first */
		block.id = exemplar_id_made(item->first_sum, &made);
	piece_of(item, scaled, from, until, arena, &block);
	cover_add(&cover, time.from_ns, time.until_ns);
	r = file_insert(handle, &block, &cover, &sum, err);
	cover_done(&cover);
	if (r == 0 && !from) {
		item->first_block = block.key;
		item->first_sum = sum;
	}
	return r;
}

/* Whole, or when it is long and can be divided, in pieces that end on whole PIECE_MAX_NS. */
static int insert_pieces(struct open_file *handle, struct item *item, struct err *err)
{
	cleanup(arena_done) struct arena arena;
	int64_t *scaled[PROFILE_MAX_COLUMNS];
	int64_t from = 0;
	int r = 0;

	arena_init(&arena);
	scale_values(item, &arena, scaled);
	while (from < item->duration_ns && r == 0) {
		int64_t at = item->start_ns + from;
		int64_t until = item->duration_ns;

		if (item->duration_ns > PIECE_MAX_NS && !item->series->family->is_gauge)
			until = min_of(until, from + PIECE_MAX_NS - at % PIECE_MAX_NS);
		r = insert_piece(handle, item, scaled, from, until, &arena, err);
		from = until;
	}
	return r;
}

/* Was all of that time marked in the open transaction, by the series' profile before?  From now on it is. */
static bool is_marked(struct series *series, const struct open_file *handle,
		      struct store_range time)
{
	struct series_mark *mark = &series->marked;
	int64_t from_ns = level_window(LEVEL_1M, time.from_ns);
	int64_t until_ns = level_window(LEVEL_1M, time.until_ns - 1) + levels[LEVEL_1M].window_ns;

	if (mark->file == handle->file && mark->batch == handle->file->batch &&
	    mark->time.from_ns <= from_ns && mark->time.until_ns >= until_ns)
		return true;
	*mark = (struct series_mark){handle->file, handle->file->batch, {from_ns, until_ns}};
	return false;
}

static int mark_windows(struct sqlite_store *store, struct open_file *handle,
			const struct item *item, struct err *err)
{
	struct store_range time = {item->start_ns, item->start_ns + item->duration_ns};
	const struct family *family = item->series->family;
	uint32_t owner = owner_of_series(item->series);
	uint32_t now_s = (uint32_t)(clock_monotonic_ns() / NS_PER_S);
	int r = 0;

	/* Profiles that follow one another are of one minute mostly, which has its mark by the first of them. */
	if (is_marked(item->series, handle, time))
		return 0;
	pthread_mutex_lock(&store->lock);
	dirty_mark(&store->dirty, owner, LEVEL_1M, time, now_s);
	if (family->wants_rollup)
		dirty_mark(&store->dirty, owner_of_family(family), LEVEL_1M, time, now_s);
	pthread_mutex_unlock(&store->lock);
	for (int64_t t = level_window(LEVEL_1M, time.from_ns); t < time.until_ns && r == 0;
	     t += levels[LEVEL_1M].window_ns)
		r = file_mark(handle, LEVEL_1M, owner, t, err);
	return r;
}

/* 0, ERR_DUPLICATE, or what breaks the transaction. */
static int write_item(struct sqlite_store *store, struct open_file *handle, struct item *item,
		      struct err *err)
{
	int r;

	if (item->id_len) {
		sqlite3_bind_blob(handle->statements[FILE_SEEN], 1, item->id, (int)item->id_len,
				  SQLITE_STATIC);
		r = sql_run(handle->statements[FILE_SEEN], err);
		if (r < 0)
			return r;
		if (sqlite3_changes(handle->db) == 0)
			return ERR_DUPLICATE;
	}
	r = insert_pieces(handle, item, err);
	return r == 0 ? mark_windows(store, handle, item, err) : r;
}

/* ---- a file's part of the batch ---- */

static int write_items(struct sqlite_store *store, struct open_file *handle, struct item *items,
		       struct block_file **ret_blame, struct err *err)
{
	int r = file_begin(handle, err);

	for (struct item *item = items; item && r == 0; item = item->next) {
		if (item->file != handle->file || item->code)
			continue;
		r = write_item(store, handle, item, err);
		if (r == ERR_DUPLICATE)
			item->code = r, r = 0;
	}
	/* Spans first: without their block they mean nothing. */
	if (r == 0)
		r = exemplars_write(store, handle->file, items, ret_blame, err);
	return r == 0 ? file_commit(handle, err) : r;
}

static void undo_carries(struct item *items, const struct block_file *file)
{
	struct item **stack = NULL;
	size_t n = 0, cap = 0;

	for (struct item *item = items; item; item = item->next) {
		if (item->file != file || !item->is_scaled)
			continue;
		stack = vec_grow(stack, &cap, n + 1, sizeof(struct item *));
		stack[n++] = item;
	}
	while (n-- > 0)
		unscale_carry(stack[n]);
	free(stack);
}

static void fail_items(struct item *items, const struct block_file *file, const struct err *err)
{
	for (struct item *item = items; item; item = item->next) {
		if (item->is_written || (file && item->file != file))
			continue;
		if (item->code && item->code != ERR_DUPLICATE)
			continue; /* it has a reason of its own */
		item->code = err->code;
		snprintf(item->text, sizeof(item->text), "%s", err->text);
	}
}

static int write_file(struct sqlite_store *store, struct block_file *file, struct item *items)
{
	struct open_file *handle = NULL;
	struct block_file *blame = file;
	struct err err = {0};
	int64_t n_blocks = file->n_blocks;
	int r = files_open(&store->files, file, &handle, &err);

	if (r == 0) {
		r = write_items(store, handle, items, &blame, &err);
		if (r < 0)
			file_rollback(handle);
	}
	if (r < 0) {
		err.code = r;
		__atomic_store_n(&file->n_blocks, n_blocks, __ATOMIC_RELAXED);
		undo_carries(items, file);
		fail_items(items, file, &err);
		writer_note_error(store, blame, r, err.text);
		return r;
	}
	pthread_mutex_lock(&store->lock);
	store->is_full = false;
	for (struct item *item = items; item; item = item->next)
		item->is_written |= item->file == file;
	if (file->state == FILE_NEW) {
		file->state = FILE_LIVE;
		file->is_changed = true;
	}
	pthread_mutex_unlock(&store->lock);
	return 0;
}

static void place_spans(struct sqlite_store *store, struct item *item)
{
	item->spans_file = catalogue_make_file(&store->catalogue, item->file->tenant, LEVEL_SPANS,
					       item->start_ns);
	catalogue_file_names_dict(item->spans_file, item->dict->id);
}

/* Files of the items, made where needed; each is in the catalogue before it is on disk. */
static void place_files(struct sqlite_store *store, struct item *items)
{
	pthread_mutex_lock(&store->lock);
	for (struct item *item = items; item; item = item->next) {
		if (item->kind != ITEM_PROFILE || item->is_written)
			continue;
		item->file = catalogue_make_file(&store->catalogue,
						 item->series->family->service->tenant, LEVEL_FINE,
						 item->start_ns);
		catalogue_file_names_dict(item->file, item->dict->id);
		item->file->is_emptied = false;
		if (item->spans.n_spans)
			place_spans(store, item);
		if (!item->file->has_work)
			item->file->has_work = item->file->is_changed = true;
	}
	pthread_mutex_unlock(&store->lock);
}

/* Catalogue first, then every file that has items to write.  Returns the commits, or why none. */
static int write_batch(struct sqlite_store *store, struct item *items, struct err *err)
{
	uint64_t batch = ++store->n_batches;
	int n_commits = 0, r;

	place_files(store, items);
	rollup_begin_families(store);
	r = writer_save_catalogue(store, items, err);
	if (r < 0) {
		writer_note_error(store, NULL, r, err->text);
		return r;
	}
	for (struct item *item = items; item; item = item->next) {
		if (!item->file || item->is_written || item->file->batch == batch)
			continue;
		item->file->batch = batch;
		n_commits += write_file(store, item->file, items) == 0;
	}
	return n_commits;
}

static bool is_set_aside(const struct item *item)
{
	return item->file->state == FILE_DAMAGED ||
	       (item->spans_file && item->spans_file->state == FILE_DAMAGED);
}

/* A file that turned out to be damaged was set aside: what was for it goes to a new one. */
static bool take_back(struct item *items)
{
	bool any = false;

	for (struct item *item = items; item; item = item->next) {
		if (!item->file || item->is_written || !is_set_aside(item))
			continue;
		item->code = 0;
		item->is_scaled = false;
		any = true;
	}
	return any;
}

void writer_batch(struct sqlite_store *store, struct item *items)
{
	struct err err = {0};
	int r = store->failed, n_commits = 0;

	if (r < 0)
		err_set(&err, r, "the store stopped writing after an error of the disk");
	else
		r = n_commits = write_batch(store, items, &err);
	if (r >= 0 && take_back(items)) {
		r = write_batch(store, items, &err);
		n_commits += max_of(r, 0);
	}
	if (r < 0) {
		err.code = r;
		fail_items(items, NULL, &err);
	}
	finish(store, items, n_commits);
}
