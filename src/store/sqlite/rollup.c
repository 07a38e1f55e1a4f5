/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roll-ups: from the blocks of one level those of the next, window by window.
 *
 *	series, 1 min	from what overlaps it at the finest level, divided by spread.h
 *	series, above	from the windows inside it, one level below
 *	family		from its members' blocks of the same window
 *
 * Order of commits (each may be the last before a crash; what is done again gives the same):
 *   1. In the window's file: its old blocks go, the new ones and the marks that follow from them
 *      (next level's window, the family's window) come, in one transaction.
 *   2. In the files it was made from: its mark goes.
 *   3. In memory: it is clean, queries use it.
 * A window that cannot be made, because something under it is damaged, keeps its mark: queries go below
 * it and report what is missing.  When retention wants to delete what is under it (the file is dying), it is made of
 * what is whole, and what is damaged is a gap in it.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "store/sqlite/roll_sum.h"
#include "store/sqlite/store_private.h"

#define GRACE_NS (20 * NS_PER_S) /* after the end of a window: late senders */
#define QUIET_S 5
/* Of a level in one step, which is two commits.  By the first of both limits puts that come meanwhile wait for milliseconds only. */
#define STEP_WINDOWS 128
#define STEP_MAX_WINDOWS 256
#define STEP_LEVEL_NS (20 * NS_PER_MS)

struct roll {
	struct dirty_window window;
	int level;
	struct tenant *tenant;
	struct series *series; /* one of the two */
	struct family *family;
	struct block_file *into;
	uint32_t *members; /* owners of the family's series, taken under the lock */
	size_t n_members;
	int64_t longest_ns;  /* of the series */
	bool is_last_chance; /* a file under it is dying */
	bool is_done;
};

static struct store_range range_of(const struct roll *roll)
{
	int64_t t = roll->window.t_ns;

	return (struct store_range){t, t + levels[roll->level].window_ns};
}

static struct family *family_of(const struct sqlite_store *store, uint32_t owner,
				struct series **ret_series)
{
	struct series *series = NULL;
	struct family *family = NULL;

	if (owner_is_family(owner))
		family = table_get(&store->catalogue.families, owner / 2);
	else
		series = table_get(&store->catalogue.series, owner / 2);
	*ret_series = series;
	return series ? series->family : family;
}

/* ---- which windows ---- */

/* All that a window is made of is itself clean?  The store's lock is held. */
static bool is_ready(void *ctx, int level, const struct dirty_window *window)
{
	struct sqlite_store *store = ctx;
	struct series *series;
	struct family *family = family_of(store, window->owner, &series);
	int64_t until = window->t_ns + levels[level].window_ns;

	if (!family)
		return false;
	if (!series) {
		for (size_t i = 0; i < family->n_members; i++)
			if (dirty_is(&store->dirty, owner_of_series(family->members[i]), level,
				     window->t_ns))
				return false;
		return true;
	}
	if (level == LEVEL_1M)
		return true;
	for (int64_t t = window->t_ns; t < until; t += levels[level - 1].window_ns)
		if (dirty_is(&store->dirty, window->owner, level - 1, t))
			return false;
	return true;
}

/* Files of the level below (or, for families, of the level) that hold what the window is made of. */
static bool is_source(const struct roll *roll, const struct block_file *file)
{
	struct store_range range = range_of(roll);
	int level = roll->series ? roll->level - 1 : roll->level;

	if (level == LEVEL_FINE) /* a profile lies in the file of its start */
		range.from_ns -= STORE_MAX_DURATION_NS;
	return file->tenant == roll->tenant && file->level == level &&
	       file->state != FILE_DELETED && file->period.from_ns < range.until_ns &&
	       file->period.until_ns > range.from_ns;
}

/* The store's lock is held. */
static bool prepare(struct sqlite_store *store, struct roll *roll)
{
	struct family *family = family_of(store, roll->window.owner, &roll->series);
	bool is_damaged = false;

	roll->tenant = family->service->tenant;
	roll->family = roll->series ? NULL : family;
	roll->longest_ns = roll->series ? roll->series->longest_ns : 0;
	/* What it was made of is gone: it must stay as it is. */
	if (roll->series && roll->window.t_ns < roll->tenant->expired_until_ns[roll->level - 1])
		return false;
	roll->into = catalogue_make_file(&store->catalogue, roll->tenant, roll->level,
					 roll->window.t_ns);
	roll->into->is_emptied = false;
	if (!roll->into->has_work)
		roll->into->has_work = roll->into->is_changed = true;
	for (size_t id = 1; id < store->catalogue.files.n; id++) {
		const struct block_file *file = store->catalogue.files.items[id];

		if (!file || !is_source(roll, file))
			continue;
		roll->is_last_chance = roll->is_last_chance || file->is_dying;
		is_damaged = is_damaged || file->state == FILE_DAMAGED;
		for (size_t i = 0; i < file->n_dicts && roll->series; i++)
			catalogue_file_names_dict(roll->into, file->dicts[i]);
	}
	return !is_damaged || roll->is_last_chance;
}

static int by_file(const void *a, const void *b)
{
	const struct roll *x = a, *y = b;

	return (x->into->id > y->into->id) - (x->into->id < y->into->id);
}

static size_t take_due(struct sqlite_store *store, int level, bool force, struct roll *rolls)
{
	struct dirty_window windows[STEP_MAX_WINDOWS];
	int64_t now_s = clock_monotonic_ns() / NS_PER_S;
	struct dirty_due due = {
		.closed_before_ns = store_now_ns(store) - GRACE_NS,
		.quiet_since_s = force ? UINT32_MAX - 1 : (uint32_t)max_of(now_s - QUIET_S, 0l),
		.is_ready = is_ready,
		.ctx = store,
	};
	size_t n, kept = 0;

	pthread_mutex_lock(&store->lock);
	n = dirty_take(&store->dirty, level, &due, windows,
		       force ? STEP_MAX_WINDOWS : STEP_WINDOWS);
	for (size_t i = 0; i < n; i++) {
		rolls[kept] = (struct roll){.window = windows[i], .level = level};
		if (!prepare(store, &rolls[kept]))
			continue;
		if (rolls[kept].family)
			rolls[kept].members =
				family_owners(rolls[kept].family, &rolls[kept].n_members);
		kept++;
	}
	pthread_mutex_unlock(&store->lock);
	qsort(rolls, kept, sizeof(*rolls), by_file);
	return kept;
}

/* ---- adding up ---- */

static struct roll_shape shape_of(const struct roll *roll)
{
	return (struct roll_shape){
		.window = range_of(roll),
		.is_gauge = roll->series && roll->series->family->is_gauge,
		.is_of_profiles = roll->series && roll->level == LEVEL_1M,
		.has_track =
			roll->series && !roll->series->family->is_gauge && roll->level < LEVEL_1D,
	};
}

static int add_rows(struct sqlite_store *store, const struct roll *roll, struct block_file *file,
		    uint32_t owner, struct err *err)
{
	struct roll_shape shape = shape_of(roll);
	struct store_range range = shape.window;
	struct cover cover = {0};
	struct open_file *handle = NULL;
	sqlite3_stmt *scan;
	int r = files_open(&store->files, file, &handle, err);

	if (r < 0)
		return r;
	scan = handle->statements[FILE_SCAN];
	sql_bind(scan, owner, range.from_ns - (file->level == LEVEL_FINE ? roll->longest_ns : 0),
		 range.until_ns);
	while ((r = sql_step(scan, err)) > 0) {
		struct file_row row;
		struct block block = {0};

		r = file_row_read(scan, owner, &row);
		block.key = row.key;
		if (r == 0 && row.key.t_ns + row.key.len_ns <= range.from_ns)
			continue;
		cover_reset(&cover);
		if (r == 0)
			r = block_read_head(&block, row.head, row.head_len, &range, &cover);
		if (r == 0) {
			file_row_data(&row);
			r = block_read_data(&block, row.data, row.data_len, &store->roll_room);
		}
		if (r < 0) {
			quarantine_note(&store->quarantine, file->id, &row.key);
			if (r == ERR_CORRUPT && roll->is_last_chance)
				continue;
			err_set(err, r, "a block in %s is damaged", file->path);
			break;
		}
		roll_sum_add(&store->roll_accum, &shape, &block, &cover);
	}
	sqlite3_reset(scan);
	cover_done(&cover);
	return r;
}

static int add_sources(struct sqlite_store *store, const struct roll *roll, struct err *err)
{
	const struct table *files = &store->catalogue.files;
	int r = 0;

	/* The writer alone adds files, so it may look at the table without the lock. */
	for (size_t id = 1; id < files->n && r == 0; id++) {
		struct block_file *file = files->items[id];

		if (!file || !is_source(roll, file) || file->state == FILE_DAMAGED)
			continue;
		if (roll->series)
			r = add_rows(store, roll, file, roll->window.owner, err);
		for (size_t i = 0; i < roll->n_members && r == 0; i++)
			r = add_rows(store, roll, file, roll->members[i], err);
		if (r == ERR_CORRUPT && roll->is_last_chance)
			r = 0; /* its pages: what was read of it counts */
	}
	return r;
}

/* ---- writing ---- */

static int write_sums(struct sqlite_store *store, const struct roll *roll, struct open_file *handle,
		      struct err *err)
{
	struct accum *accum = &store->roll_accum;
	cleanup(arena_done) struct arena arena;
	int r;

	arena_init(&arena);
	sql_bind(handle->statements[FILE_DELETE], roll->window.owner, roll->window.t_ns);
	r = sql_run(handle->statements[FILE_DELETE], err);
	for (size_t i = 0; i < accum->n_dicts && r == 0; i++) {
		struct accum_dict *sums = &accum->dicts[i];
		struct block block;

		if (!sums->covered_ns)
			continue;
		accum_block(accum, sums, &arena, &block);
		block.key = (struct block_key){roll->window.owner, roll->window.t_ns, sums->dict,
					       sums->dict, levels[roll->level].window_ns};
		r = file_insert(handle, &block, &sums->cover, NULL, err);
		arena_reset(&arena);
	}
	return r;
}

/* What is not right any more now that this window changed. */
static int mark_followers(const struct roll *roll, struct open_file *handle, struct err *err)
{
	uint32_t owner = roll->window.owner;
	int r = 0;

	if (roll->family)
		return file_unmark(handle, roll->level, owner, roll->window.t_ns, err);
	if (roll->level + 1 < LEVEL_COUNT)
		r = file_mark(handle, roll->level + 1, owner,
			      level_window(roll->level + 1, roll->window.t_ns), err);
	if (r == 0 && roll->series->family->wants_rollup)
		r = file_mark(handle, roll->level, owner_of_family(roll->series->family),
			      roll->window.t_ns, err);
	return r;
}

/* One window, in the open transaction of its file. */
static int roll_window(struct sqlite_store *store, struct roll *roll, struct open_file *handle,
		       struct err *err)
{
	int r;

	accum_reset(&store->roll_accum);
	r = add_sources(store, roll, err);
	if (r == ERR_CORRUPT) {
		roll->level = LEVEL_COUNT; /* left alone; see the top of this file */
		return 0;
	}
	if (r == 0)
		r = write_sums(store, roll, handle, err);
	if (r == 0)
		r = mark_followers(roll, handle, err);
	return r;
}

static void note_live(struct sqlite_store *store, struct block_file *file)
{
	pthread_mutex_lock(&store->lock);
	if (file->state == FILE_NEW) {
		file->state = FILE_LIVE;
		file->is_changed = true;
	}
	pthread_mutex_unlock(&store->lock);
}

/* The windows of one file, as one transaction; those that are left at `until_ns` come another time. */
static int roll_file(struct sqlite_store *store, struct roll *rolls, size_t n, int64_t until_ns)
{
	struct open_file *handle = NULL;
	struct err err = {0};
	size_t done = 0;
	int r = files_open(&store->files, rolls[0].into, &handle, &err);

	if (r == 0)
		r = file_begin(handle, &err);
	for (; done < n && r == 0 && (!done || clock_monotonic_ns() < until_ns); done++)
		r = roll_window(store, &rolls[done], handle, &err);
	if (r == 0)
		r = file_commit(handle, &err);
	if (r < 0) {
		if (handle)
			file_rollback(handle);
		writer_note_error(store, rolls[0].into, r, err.text);
		return r;
	}
	note_live(store, rolls[0].into);
	for (size_t i = 0; i < done; i++)
		rolls[i].is_done = rolls[i].level < LEVEL_COUNT;
	return 0;
}

/* Step 2 of the order of commits, for one source file. */
static int unmark_in(struct sqlite_store *store, struct block_file *file, struct roll *rolls,
		     size_t n, struct err *err)
{
	struct open_file *handle = NULL;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		if (!rolls[i].is_done || !rolls[i].series || !is_source(&rolls[i], file))
			continue;
		if (!handle)
			r = files_open(&store->files, file, &handle, err);
		if (r == 0)
			r = file_begin(handle, err);
		if (r == 0)
			r = file_unmark(handle, rolls[i].level, rolls[i].window.owner,
					rolls[i].window.t_ns, err);
	}
	if (handle && r == 0)
		r = file_commit(handle, err);
	if (handle && r < 0)
		file_rollback(handle);
	return r;
}

static int unmark_sources(struct sqlite_store *store, struct roll *rolls, size_t n)
{
	const struct table *files = &store->catalogue.files;
	int r = 0;

	for (size_t id = 1; id < files->n && r == 0; id++) {
		struct block_file *file = files->items[id];
		struct err err = {0};

		if (!file || file->state >= FILE_DAMAGED)
			continue;
		r = unmark_in(store, file, rolls, n, &err);
		if (r < 0)
			writer_note_error(store, file, r, err.text);
	}
	return r;
}

/* Step 3; what failed goes back to be tried again. */
static size_t settle_rolls(struct sqlite_store *store, struct roll *rolls, size_t n, bool is_good)
{
	size_t done = 0;

	pthread_mutex_lock(&store->lock);
	for (size_t i = 0; i < n; i++) {
		struct roll *roll = &rolls[i];

		if (roll->level == LEVEL_COUNT)
			continue;
		if (roll->is_done && is_good) {
			dirty_clear(&store->dirty, roll->window.owner, roll->level,
				    roll->window.t_ns);
			done++;
		} else {
			dirty_return(&store->dirty, roll->level, &roll->window);
		}
	}
	store->counters.rolled_windows += done;
	pthread_mutex_unlock(&store->lock);
	for (size_t i = 0; i < n; i++)
		free(rolls[i].members);
	return done;
}

static size_t roll_level(struct sqlite_store *store, int level, bool force)
{
	struct roll rolls[STEP_MAX_WINDOWS];
	size_t n = take_due(store, level, force, rolls);
	int64_t until_ns = force ? INT64_MAX : clock_monotonic_ns() + STEP_LEVEL_NS;
	struct err err = {0};
	int r;

	if (!n)
		return 0;
	r = writer_save_catalogue(store, NULL, &err);
	if (r < 0)
		writer_note_error(store, NULL, r, err.text);
	for (size_t i = 0, end; i < n && r == 0; i = end) {
		for (end = i + 1; end < n && rolls[end].into == rolls[i].into; end++)
			;
		r = roll_file(store, &rolls[i], end - i, until_ns);
	}
	if (r == 0)
		r = unmark_sources(store, rolls, n);
	return settle_rolls(store, rolls, n, r == 0);
}

/* No roll-up can make it: its owner is gone, or what it would be made of. */
static bool is_void(const struct sqlite_store *store, int level, uint32_t owner, int64_t t_ns)
{
	struct series *series;
	const struct family *family = family_of(store, owner, &series);

	return !family || level < LEVEL_1M || level >= LEVEL_COUNT ||
	       (series && t_ns < family->service->tenant->expired_until_ns[level - 1]);
}

/* In memory, under the lock; 1: the mark is to go. */
static bool retry_mark(struct sqlite_store *store, int level, const struct dirty_window *window)
{
	bool goes;

	pthread_mutex_lock(&store->lock);
	goes = is_void(store, level, window->owner, window->t_ns);
	if (!goes)
		dirty_mark(&store->dirty, window->owner, level,
			   (struct store_range){window->t_ns, window->t_ns + 1}, 0);
	if (!goes)
		dirty_return(&store->dirty, level, window);
	else if (level >= LEVEL_1M && level < LEVEL_COUNT)
		dirty_clear(&store->dirty, window->owner, level, window->t_ns);
	pthread_mutex_unlock(&store->lock);
	return goes;
}

int rollup_retry(struct sqlite_store *store, struct block_file *file, struct err *err)
{
	struct open_file *handle = NULL;
	sqlite3_stmt *row = NULL;
	int r = files_open(&store->files, file, &handle, err);

	if (r == 0)
		r = file_begin(handle, err);
	if (r == 0)
		r = sql_prepare(handle->db, "SELECT level, owner, t_ns FROM dirty", &row, err);
	while (r >= 0 && (r = sql_step(row, err)) > 0) {
		int level = sqlite3_column_int(row, 0);
		struct dirty_window window = {(uint32_t)sqlite3_column_int64(row, 1),
					      sqlite3_column_int64(row, 2)};

		if (retry_mark(store, level, &window))
			r = file_unmark(handle, level, window.owner, window.t_ns, err);
	}
	sqlite3_finalize(row);
	if (r == 0)
		r = file_commit(handle, err);
	if (r < 0 && handle)
		file_rollback(handle);
	return r;
}

size_t rollup_step(struct sqlite_store *store, bool force)
{
	size_t done = 0;

	for (int level = LEVEL_1M; level < LEVEL_COUNT && !store->failed; level++)
		done += roll_level(store, level, force);
	return done;
}
