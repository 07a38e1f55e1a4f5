/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a family starts to be rolled up, and what a store remembers of its work when it opens.
 */
#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "store/sqlite/store_private.h"

/* ---- families that have grown ---- */

/* Every window of the file in which a member has a block is the family's to make. */
static int mark_file(struct sqlite_store *store, const struct family *family,
		     struct block_file *file, struct err *err)
{
	struct open_file *handle = NULL;
	sqlite3_stmt *stmt = NULL;
	cleanup_free uint32_t *members = NULL;
	size_t n_members;
	int r = files_open(&store->files, file, &handle, err);

	pthread_mutex_lock(&store->lock);
	members = family_owners(family, &n_members);
	pthread_mutex_unlock(&store->lock);
	if (r == 0)
		r = file_begin(handle, err);
	if (r == 0)
		r = sql_prepare(handle->db,
				"INSERT OR IGNORE INTO dirty SELECT ?1, ?2, t_ns FROM block"
				" WHERE owner=?3",
				&stmt, err);
	for (size_t i = 0; i < n_members && r == 0; i++) {
		sql_bind(stmt, file->level, owner_of_family(family), members[i]);
		r = sql_run(stmt, err);
	}
	sqlite3_finalize(stmt);
	if (r == 0)
		r = file_commit(handle, err);
	if (r < 0 && handle)
		file_rollback(handle);
	return r;
}

/* Marks of one file into memory. */
static int load_marks(struct sqlite_store *store, struct open_file *handle, struct err *err)
{
	sqlite3_stmt *row;
	int r = sql_prepare(handle->db, "SELECT level, owner, t_ns FROM dirty", &row, err);

	if (r < 0)
		return r;
	while ((r = sql_step(row, err)) > 0) {
		int64_t level = sqlite3_column_int64(row, 0), t = sqlite3_column_int64(row, 2);
		uint32_t owner = (uint32_t)sqlite3_column_int64(row, 1);
		const struct series *series = table_get(&store->catalogue.series, owner / 2);
		struct store_range range;

		if (level < LEVEL_1M || level >= LEVEL_COUNT || t < 0)
			continue;
		range = (struct store_range){t, t + levels[level].window_ns};
		dirty_mark(&store->dirty, owner, (int)level, range, 0);
		if (!owner_is_family(owner) && series && series->family->wants_rollup)
			dirty_mark(&store->dirty, owner_of_family(series->family), (int)level,
				   range, 0);
	}
	sqlite3_finalize(row);
	return r;
}

/* Windows of members that are still to be made; the store's lock is held. */
static void mark_pending(struct sqlite_store *store, const struct family *family)
{
	for (int level = LEVEL_1M; level < LEVEL_COUNT; level++) {
		size_t n = store->dirty.n[level]; /* marking adds behind */

		for (size_t i = 0; i < n; i++) {
			struct dirty_window window = store->dirty.queue[level][i];
			const struct series *series =
				table_get(&store->catalogue.series, window.owner / 2);

			if (!owner_is_family(window.owner) && series && series->family == family)
				dirty_mark(&store->dirty, owner_of_family(family), level,
					   (struct store_range){window.t_ns, window.t_ns + 1}, 0);
		}
	}
}

static int begin_family(struct sqlite_store *store, struct family *family, struct err *err)
{
	struct table *files = &store->catalogue.files;
	int r = 0;

	pthread_mutex_lock(&store->lock);
	family->wants_rollup = true;
	pthread_mutex_unlock(&store->lock);
	for (size_t id = 1; id < files->n && r == 0; id++) {
		struct block_file *file = files->items[id];

		if (!file || file->tenant != family->service->tenant ||
		    !level_is_rolled(file->level) || file->state != FILE_LIVE)
			continue;
		r = mark_file(store, family, file, err);
		if (r < 0)
			writer_note_error(store, file, r, err->text);
		if (r == ERR_CORRUPT) { /* set aside; the others count */
			r = 0;
			continue;
		}
		pthread_mutex_lock(&store->lock);
		if (r == 0)
			r = load_marks(store, file->handle, err);
		file->is_changed = file->is_changed || !file->has_work;
		file->has_work = true;
		pthread_mutex_unlock(&store->lock);
	}
	if (r < 0)
		return r;
	pthread_mutex_lock(&store->lock);
	mark_pending(store, family);
	family->is_rolled = family->is_changed = true;
	pthread_mutex_unlock(&store->lock);
	return 0;
}

/* A family of that size is to be begun; NULL: none. */
static struct family *grown_family(struct sqlite_store *store)
{
	struct family *found = NULL;

	pthread_mutex_lock(&store->lock);
	for (size_t id = 1; id < store->catalogue.families.n && !found; id++) {
		struct family *family = store->catalogue.families.items[id];

		if (family && !family->is_rolled && family->n_members >= FAMILY_ROLLED_FROM)
			found = family;
	}
	pthread_mutex_unlock(&store->lock);
	return found;
}

void rollup_begin_families(struct sqlite_store *store)
{
	struct family *family;

	while (!store->failed && (family = grown_family(store))) {
		struct err err = {0};

		if (begin_family(store, family, &err) < 0)
			return; /* a full disk: again with the next batch */
	}
}

/* ---- at open ---- */

/* The newest data of each series that the file knows of; saved times may be older. */
static int load_times(struct sqlite_store *store, struct open_file *handle, struct err *err)
{
	sqlite3_stmt *row;
	int r = sql_prepare(handle->db,
			    "SELECT max(t_ns + len_ns) FROM block WHERE owner=?1 AND t_ns >="
			    " (SELECT max(t_ns) - ?2 FROM block WHERE owner=?1)",
			    &row, err);

	for (size_t id = 1; id < store->catalogue.series.n && r == 0; id++) {
		struct series *series = store->catalogue.series.items[id];

		if (!series || series->family->service->tenant != handle->file->tenant)
			continue;
		/* One that began earlier may end later. */
		sql_bind(row, owner_of_series(series), series->longest_ns);
		r = sql_step(row, err);
		if (r > 0) {
			series->last_ns = max_of(series->last_ns, sqlite3_column_int64(row, 0));
			r = 0;
		}
		sqlite3_reset(row);
	}
	sqlite3_finalize(row);
	return r;
}

static int load_file(struct sqlite_store *store, struct block_file *file, struct err *err)
{
	struct open_file *handle = NULL;
	int r = files_open(&store->files, file, &handle, err);

	if (r == 0)
		r = load_marks(store, handle, err);
	if (r == 0 && file->level == LEVEL_FINE)
		r = load_times(store, handle, err);
	return r;
}

/* Time went on at least to the newest data; a clock far beyond that has to be believed first. */
static void guard_clock(struct sqlite_store *store)
{
	for (size_t id = 1; id < store->catalogue.series.n; id++) {
		const struct series *series = store->catalogue.series.items[id];

		if (series)
			store->clock_guard.seen_real_ns =
				max_of(store->clock_guard.seen_real_ns, series->last_ns);
	}
	store->clock_guard.seen_mono_ns = clock_monotonic_ns();
}

int rollup_load(struct sqlite_store *store, struct err *err)
{
	struct table *files = &store->catalogue.files;

	for (size_t id = 1; id < files->n; id++) {
		struct block_file *file = files->items[id];
		int r;

		if (!file || file->state >= FILE_DAMAGED ||
		    (!file->has_work && file->state != FILE_NEW))
			continue;
		/* Its row was saved, then a crash: it may be on disk or not. */
		if (file->state == FILE_NEW && access(file->path, F_OK) < 0)
			continue;
		r = load_file(store, file, err);
		if (r == 0 && file->state == FILE_NEW) {
			file->state = FILE_LIVE;
			file->is_changed = true;
		}
		if (r == ERR_CORRUPT) {
			file->state = FILE_DAMAGED;
			file->is_changed = true;
			store->counters.quarantined_files++;
			files_close(&store->files, file);
		} else if (r < 0) {
			return err_prefix(err, r, "cannot open block file %s", file->path);
		}
	}
	guard_clock(store);
	return 0;
}
