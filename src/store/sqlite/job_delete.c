/* SPDX-License-Identifier: Apache-2.0 */
/* What a job does, a piece at a time: see jobs.h. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/sqlite/store_private.h"

#define PIECE_ROWS 1000
/* A file is packed by writing it anew, while puts wait: only what is small by then. */
#define PACK_MAX_PAGES 2048

/* Up to where the level below has expired: from there on it makes the windows of this one. */
static int64_t expired_below(const struct tenant *tenant, int level)
{
	return level_is_rolled(level) ? tenant->expired_until_ns[level - 1] : INT64_MAX;
}

bool job_concerns(const struct job *job, const struct block_file *file)
{
	return file->tenant == job->tenant && file->state == FILE_LIVE &&
	       file->period.from_ns <
		       min_of(job->range.until_ns, expired_below(file->tenant, file->level)) &&
	       file->period.until_ns > job->range.from_ns;
}

/* ---- one block ---- */

/* Of all that still tells of that time, is this the finest? */
static bool is_finest(const struct block_file *file, int64_t t_ns)
{
	for (int level = LEVEL_FINE; level < file->level; level++)
		if (t_ns >= file->tenant->expired_until_ns[level])
			return false;
	return file->level < LEVEL_COUNT;
}

static void mark_in_memory(struct sqlite_store *store, const struct series *series, int level,
			   struct store_range time)
{
	uint32_t now_s = (uint32_t)(clock_monotonic_ns() / NS_PER_S);
	int family_level = max_of(level, (int)LEVEL_1M);

	pthread_mutex_lock(&store->lock);
	if (level + 1 < LEVEL_COUNT)
		dirty_mark(&store->dirty, owner_of_series(series), level + 1, time, now_s);
	if (series->family->wants_rollup)
		dirty_mark(&store->dirty, owner_of_family(series->family), family_level, time,
			   now_s);
	pthread_mutex_unlock(&store->lock);
}

/* The windows of the next level that the block is part of, and of its family where it is one itself. */
static int mark_on_disk(struct open_file *handle, const struct series *series,
			struct store_range time, struct err *err)
{
	int level = handle->file->level, above = level + 1, r = 0;

	if (level > LEVEL_FINE && series->family->wants_rollup)
		r = file_mark(handle, level, owner_of_family(series->family), time.from_ns, err);
	if (above >= LEVEL_COUNT)
		return r;
	for (int64_t t = level_window(above, time.from_ns); t < time.until_ns && r == 0;
	     t += levels[above].window_ns)
		r = file_mark(handle, above, owner_of_series(series), t, err);
	return r;
}

/* How many profiles began in the block; a damaged one does not tell. */
static uint64_t profiles_of(sqlite3_stmt *row)
{
	struct block block = {0};

	if (block_read_head(&block, sqlite3_column_blob(row, 3),
			    (size_t)sqlite3_column_bytes(row, 3), NULL, NULL) < 0)
		return 0;
	return (uint64_t)max_of(block.n_profiles, (int64_t)0);
}

struct eraser {
	struct sqlite_store *store;
	struct job *job;
	struct open_file *handle;
	sqlite3_stmt *find, *erase;
	uint64_t profiles; /* of this piece */
	int left;	   /* rows */
};

static int erase_block(struct eraser *eraser, const struct series *series, struct err *err)
{
	sqlite3_stmt *row = eraser->find;
	int64_t rowid = sqlite3_column_int64(row, 0), t = sqlite3_column_int64(row, 1);
	struct store_range time = {t, t + sqlite3_column_int64(row, 2)};
	const struct block_file *file = eraser->handle->file;
	int r = 0;

	if (file->level < LEVEL_COUNT) {
		mark_in_memory(eraser->store, series, file->level, time);
		r = mark_on_disk(eraser->handle, series, time, err);
	}
	if (is_finest(file, t))
		eraser->profiles += profiles_of(row);
	if (r < 0)
		return r;
	sql_bind(eraser->erase, rowid);
	return sql_run(eraser->erase, err);
}

static int erase_series(struct eraser *eraser, const struct series *series, struct err *err)
{
	const struct block_file *file = eraser->handle->file;
	const struct store_range *range = &eraser->job->range;
	int64_t until = range->until_ns;
	int r;

	if (level_is_rolled(file->level)) /* whole windows, and only where they are all there is */
		until = min_of(until - levels[file->level].window_ns + 1,
			       expired_below(file->tenant, file->level));
	sql_bind(eraser->find, owner_of_series(series), range->from_ns, until, eraser->left);
	while ((r = sql_step(eraser->find, err)) > 0) {
		eraser->left--;
		r = erase_block(eraser, series, err);
		if (r < 0)
			break;
	}
	sqlite3_reset(eraser->find);
	return r;
}

/* ---- one piece ---- */

static int erase_piece(struct eraser *eraser, struct err *err)
{
	const struct table *series = &eraser->store->catalogue.series;
	int r = file_begin(eraser->handle, err);

	for (size_t i = 0; i < eraser->job->n_series && eraser->left > 0 && r == 0; i++) {
		const struct series *one = table_get(series, eraser->job->series[i]);

		if (one)
			r = erase_series(eraser, one, err);
	}
	if (r == 0)
		r = file_commit(eraser->handle, err);
	if (r < 0)
		file_rollback(eraser->handle);
	return r;
}

/* Before the marks are on disk, so that opening the store looks for them. */
static int note_work(struct sqlite_store *store, struct block_file *file, struct err *err)
{
	pthread_mutex_lock(&store->lock);
	if (!file->has_work && file->level < LEVEL_COUNT)
		file->has_work = file->is_changed = true;
	pthread_mutex_unlock(&store->lock);
	return writer_save_catalogue(store, NULL, err);
}

/* 1: there is more of it in the file. */
static int work_on(struct sqlite_store *store, struct job *job, struct block_file *file,
		   struct err *err)
{
	struct eraser eraser = {.store = store, .job = job, .left = PIECE_ROWS};
	int r = note_work(store, file, err);

	if (r == 0)
		r = files_open(&store->files, file, &eraser.handle, err);
	if (r == 0)
		r = sql_prepare(eraser.handle->db,
				"SELECT rowid, t_ns, len_ns, head FROM block"
				" WHERE owner=? AND t_ns>=? AND t_ns<? LIMIT ?",
				&eraser.find, err);
	if (r == 0)
		r = sql_prepare(eraser.handle->db, "DELETE FROM block WHERE rowid=?", &eraser.erase,
				err);
	if (r == 0)
		r = erase_piece(&eraser, err);
	sqlite3_finalize(eraser.find);
	sqlite3_finalize(eraser.erase);
	if (r < 0)
		return r;
	__atomic_fetch_sub(&file->n_blocks, PIECE_ROWS - eraser.left, __ATOMIC_RELAXED);
	pthread_mutex_lock(&store->lock);
	job->profiles += eraser.profiles;
	pthread_mutex_unlock(&store->lock);
	return eraser.left <= 0;
}

/* A file that nobody writes any more gives back the space of what was deleted. */
static void pack(struct sqlite_store *store, struct block_file *file)
{
	struct open_file *handle = NULL;
	int64_t pages = 0, free_pages = 0, n_left = 0;
	struct err err = {0};

	if (file->period.until_ns + STORE_MAX_DURATION_NS > store_now_ns(store) ||
	    files_open(&store->files, file, &handle, &err) < 0 ||
	    sql_int(handle->db, "PRAGMA page_count", &pages, &err) < 0 ||
	    sql_int(handle->db, "PRAGMA freelist_count", &free_pages, &err) < 0 ||
	    sql_int(handle->db, "SELECT count(*) FROM (SELECT 1 FROM block LIMIT 1)", &n_left,
		    &err) < 0)
		return;
	file->is_emptied = n_left == 0;
	if (free_pages * 2 <= pages || pages - free_pages > PACK_MAX_PAGES)
		return;
	if (sql_exec(handle->db, "VACUUM", &err) < 0)
		log_debug("store: %s: %s", file->path, err.text); /* as it was, only larger */
	sql_checkpoint(handle->db, true);
}

/* ---- one job ---- */

static struct job *oldest_job(struct sqlite_store *store)
{
	struct job *job;

	pthread_mutex_lock(&store->lock);
	for (job = store->jobs.first; job; job = job->next)
		if (job->id && (job->state == STORE_JOB_WAITING || job->state == STORE_JOB_RUNNING))
			break;
	if (job)
		job->state = STORE_JOB_RUNNING;
	pthread_mutex_unlock(&store->lock);
	return job;
}

static struct block_file *next_file(const struct sqlite_store *store, const struct job *job)
{
	const struct table *files = &store->catalogue.files;

	for (size_t id = max_of(job->next_file, (size_t)1); id < files->n; id++)
		if (files->items[id] && job_concerns(job, files->items[id]))
			return files->items[id];
	return NULL;
}

static void go_on(struct sqlite_store *store, struct job *job, const struct block_file *file)
{
	pthread_mutex_lock(&store->lock);
	job->next_file = (size_t)file->id + 1;
	pthread_mutex_unlock(&store->lock);
}

bool jobs_step(struct sqlite_store *store)
{
	struct job *job = store->failed ? NULL : oldest_job(store);
	struct block_file *file = job ? next_file(store, job) : NULL;
	struct err err = {0};
	int r;

	if (!job)
		return false;
	if (!file)
		return job_end(store, job, "", &err) == 0;
	r = work_on(store, job, file, &err);
	if (r > 0)
		return true;
	if (r == 0) {
		pack(store, file);
		go_on(store, job, file);
		return true;
	}
	writer_note_error(store, file, r, err.text);
	if (r == -ENOSPC)
		return false; /* later */
	/* A damaged file was set aside: nothing of it is in any answer. */
	go_on(store, job, file);
	return r == ERR_CORRUPT || job_end(store, job, err.text, &err) == 0;
}
