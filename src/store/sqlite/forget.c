/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is deleted leaves the disk and the catalogue:
 *
 *	file	its row says DELETED on disk -> unlinked, log first -> the directory synced -> its row goes
 *	dictionary, series	when no file holds anything of them
 *
 * A crash anywhere leaves a DELETED row, and the next pass goes on.  Without the sync a power cut could bring a
 * file back whose row is gone: nobody would delete it again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "store/sqlite/store_backup_private.h"
#include "store/sqlite/store_private.h"

/* ---- files ---- */

static int sync_dir_of(const char *path, struct err *err)
{
	cleanup_free char *dir = xstrdup(path);
	int r;

	*strrchr(dir, '/') = 0;
	r = copy_sync_dir(dir, err);
	return r == -ENOENT ? 0 : r; /* never made */
}

static int unlink_file(struct sqlite_store *store, struct block_file *file, struct err *err)
{
	static const char *const endings[] = {"-shm", "-wal", ""};

	files_close(&store->files, file);
	readers_forget(&store->readers, file);
	for (size_t i = 0; i < array_len(endings); i++) {
		cleanup_free char *path = NULL;

		if (asprintf(&path, "%s%s", file->path, endings[i]) < 0)
			abort();
		(void)unlink(path); /* not there is as good */
	}
	return sync_dir_of(file->path, err);
}

/* Their structs stay, since queries may still look at them. */
static int forget_files(struct sqlite_store *store, struct err *err)
{
	const struct table *files = &store->catalogue.files;
	int r = 0;

	for (size_t id = 1; id < files->n && r == 0; id++) {
		struct block_file *file = files->items[id];

		if (file && file->state == FILE_DELETED && !file->is_forgotten)
			r = unlink_file(store, file, err);
	}
	if (r == 0)
		r = sql_exec(store->catalogue.db,
			     "DELETE FROM file_dictionary WHERE file IN"
			     " (SELECT id FROM file WHERE state=3);"
			     "DELETE FROM file WHERE state=3",
			     err);
	for (size_t id = 1; id < files->n && r == 0; id++) {
		struct block_file *file = files->items[id];

		if (file && file->state == FILE_DELETED)
			file->is_forgotten = true;
	}
	return r;
}

/* ---- dictionaries ---- */

static bool is_named(const struct sqlite_store *store, uint32_t dict)
{
	const struct table *files = &store->catalogue.files;

	for (size_t id = 1; id < files->n; id++) {
		const struct block_file *file = files->items[id];

		for (size_t i = 0; file && file->state != FILE_DELETED && i < file->n_dicts; i++)
			if (file->dicts[i] == dict)
				return true;
	}
	return false;
}

/* Out of its service and the table, if nothing names it; both locks are held meanwhile. */
static bool drop_dict(struct sqlite_store *store, struct dict *dict, int month)
{
	struct service *service = dict->service;
	bool is_gone = false;

	pthread_mutex_lock(&service->lock);
	pthread_mutex_lock(&store->lock);
	if (dict->month < month && !atomic_load(&dict->refs) && !is_named(store, dict->id)) {
		store->catalogue.dicts.items[dict->id] = NULL;
		for (size_t i = 0; i < service->n_dicts; i++)
			if (service->dicts[i] == dict)
				service->dicts[i] = service->dicts[--service->n_dicts];
		is_gone = true;
	}
	pthread_mutex_unlock(&store->lock);
	pthread_mutex_unlock(&service->lock);
	return is_gone;
}

static int drop_dicts(struct sqlite_store *store, int month, struct err *err)
{
	int r = 0;

	for (size_t id = 1; id < store->catalogue.dicts.n && r == 0; id++) {
		struct dict *dict;

		pthread_mutex_lock(&store->lock);
		dict = table_get(&store->catalogue.dicts, id);
		pthread_mutex_unlock(&store->lock);
		if (!dict || !drop_dict(store, dict, month))
			continue;
		/* Rows that outlive a crash here name nothing and are named by nothing. */
		r = dict_delete((uint32_t)id, store->catalogue.db, err);
		dict_free(dict);
	}
	return r;
}

/* ---- series ---- */

/* Of all that is kept, is nothing as new as the series' last? */
static bool has_expired(const struct series *series)
{
	const struct tenant *tenant = series->family->service->tenant;

	for (int level = LEVEL_FINE; level < LEVEL_COUNT; level++)
		if (series->last_ns > tenant->expired_until_ns[level])
			return false;
	return true;
}

struct candidates {
	struct series **items;
	size_t n, cap;
	bool any_waits; /* for a roll-up, or something damaged to go */
};

static void add_candidate(struct candidates *candidates, struct series *series)
{
	for (size_t i = 0; i < candidates->n; i++)
		if (candidates->items[i] == series)
			return;
	candidates->items = vec_grow(candidates->items, &candidates->cap, candidates->n + 1,
				     sizeof(struct series *));
	candidates->items[candidates->n++] = series;
}

static bool is_unswept(const struct job *job)
{
	return job->state == STORE_JOB_DONE && !job->is_swept;
}

/* Those of jobs that are over, and those whose time is. */
static void find_candidates(struct sqlite_store *store, struct candidates *candidates)
{
	const struct table *series = &store->catalogue.series;

	pthread_mutex_lock(&store->lock);
	for (const struct job *job = store->jobs.first; job; job = job->next)
		for (size_t i = 0; is_unswept(job) && i < job->n_series; i++)
			if (table_get(series, job->series[i]))
				add_candidate(candidates, table_get(series, job->series[i]));
	for (size_t id = 1; id < series->n; id++)
		if (series->items[id] && has_expired(series->items[id]))
			add_candidate(candidates, series->items[id]);
	pthread_mutex_unlock(&store->lock);
}

enum held { HELD_NOTHING, HELD_MARKS, HELD_BLOCKS };

/* Keep of the candidates those of which the file holds nothing. */
static int pass_file(struct sqlite_store *store, struct block_file *file,
		     struct candidates *candidates, struct err *err)
{
	struct open_file *handle = NULL;
	sqlite3_stmt *row = NULL;
	size_t kept = 0;
	int r = files_open(&store->files, file, &handle, err);

	if (r == 0)
		r = sql_prepare(handle->db,
				"SELECT CASE WHEN EXISTS(SELECT 1 FROM block WHERE owner=?1) THEN 2"
				" ELSE EXISTS(SELECT 1 FROM dirty WHERE owner=?1) END",
				&row, err);
	for (size_t i = 0; i < candidates->n && r >= 0; i++) {
		struct series *series = candidates->items[i];

		sql_bind(row, owner_of_series(series));
		r = sql_step(row, err);
		if (r > 0 && sqlite3_column_int(row, 0) == HELD_NOTHING)
			candidates->items[kept++] = series;
		candidates->any_waits = candidates->any_waits ||
					(r > 0 && sqlite3_column_int(row, 0) == HELD_MARKS);
		sqlite3_reset(row);
	}
	sqlite3_finalize(row);
	candidates->n = kept;
	return r < 0 ? r : 0;
}

/* What is damaged may hold anything: until it goes nobody else does. */
static int pass_files(struct sqlite_store *store, struct candidates *candidates, struct err *err)
{
	const struct table *files = &store->catalogue.files;
	int r = 0;

	for (size_t id = files->n; id-- > 1 && candidates->n && r == 0;) {
		struct block_file *file = files->items[id];

		if (!file || file->state == FILE_DELETED ||
		    (file->state == FILE_NEW && access(file->path, F_OK) < 0))
			continue;
		if (file->state == FILE_DAMAGED) {
			candidates->any_waits = true;
			candidates->n = 0;
		} else {
			r = pass_file(store, file, candidates, err);
		}
	}
	return r;
}

static int delete_series_rows(struct sqlite_store *store, const struct candidates *candidates,
			      struct err *err)
{
	int r = sql_exec(store->catalogue.db, "BEGIN IMMEDIATE", err);
	char text[128];

	for (size_t i = 0; i < candidates->n && r == 0; i++) {
		snprintf(text, sizeof(text),
			 "DELETE FROM series WHERE id=%1$u; DELETE FROM series_column WHERE "
			 "series=%1$u",
			 candidates->items[i]->id);
		r = sql_exec(store->catalogue.db, text, err);
	}
	if (r == 0)
		r = sql_exec(store->catalogue.db, "COMMIT", err);
	if (r < 0)
		sql_rollback(store->catalogue.db);
	return r;
}

/* A put that holds it is on its way: it stays.  Nobody finds the others from here on. */
static void take_out_unheld(struct sqlite_store *store, struct candidates *candidates)
{
	size_t kept = 0;

	pthread_mutex_lock(&store->lock);
	for (size_t i = 0; i < candidates->n; i++)
		if (catalogue_drop_series(&store->catalogue, candidates->items[i]))
			candidates->items[kept++] = candidates->items[i];
	for (struct job *job = store->jobs.first; job && !candidates->any_waits; job = job->next)
		job->is_swept = job->is_swept || job->state == STORE_JOB_DONE;
	candidates->n = kept;
	pthread_mutex_unlock(&store->lock);
}

static int forget_series(struct sqlite_store *store, struct err *err)
{
	struct candidates candidates = {0};
	int r;

	find_candidates(store, &candidates);
	r = pass_files(store, &candidates, err);
	if (r == 0)
		take_out_unheld(store, &candidates);
	/* Rows that stay because of a full disk are found again after a restart. */
	if (r == 0 && candidates.n)
		r = delete_series_rows(store, &candidates, err);
	free(candidates.items);
	return r;
}

bool forget_is_due(struct sqlite_store *store)
{
	bool is_due = false;

	pthread_mutex_lock(&store->lock);
	for (const struct job *job = store->jobs.first; job; job = job->next)
		is_due = is_due || is_unswept(job);
	pthread_mutex_unlock(&store->lock);
	return is_due;
}

int forget_deleted(struct sqlite_store *store, int64_t now_ns, struct err *err)
{
	int r = forget_files(store, err);

	if (r == 0)
		r = drop_dicts(store, level_month(now_ns), err);
	return r == 0 ? forget_series(store, err) : r;
}
