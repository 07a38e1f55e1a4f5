/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retention: files whose whole period is past their level's age are deleted, and the oldest of a tenant
 * that has more than it may, then the dictionaries that no file names any more (invariants 1 and 3).
 *
 *	catalogue: file DELETED, its time expired -> committed -> unlink -> catalogue: row gone
 *
 * A crash in between leaves a DELETED row, and the next pass unlinks again (forget.c).
 *
 * A file goes when the windows that are made of it are made.  Where something in it is damaged they cannot be, and age
 * wins: the file is dying, its windows are made of what is whole (rollup.c), and then it goes.  The time of what was
 * damaged shows as a gap from then on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/sqlite/store_private.h"

/* Marks left in a file: windows still to be made from it. */
static bool has_marks(struct sqlite_store *store, struct block_file *file)
{
	struct open_file *handle = NULL;
	struct err err = {0};
	int64_t n = 0;
	int r;

	if (file->state == FILE_DAMAGED ||
	    (file->state == FILE_NEW && access(file->path, F_OK) < 0))
		return false;
	r = files_open(&store->files, file, &handle, &err);
	if (r == 0)
		r = sql_int(handle->db, "SELECT count(*) FROM dirty", &n, &err);
	if (r < 0)
		writer_note_error(store, file, r, err.text);
	return r < 0 ? r != ERR_CORRUPT
		     : n > 0; /* a damaged one is set aside: nothing is made of it */
}

/* Marks in a file of the same period: what was damaged in one must not end what another still gives. */
static bool is_needed(struct sqlite_store *store, const struct block_file *file)
{
	const struct table *files = &store->catalogue.files;

	for (size_t id = 1; id < files->n; id++) {
		struct block_file *other = files->items[id];

		if (other && other->tenant == file->tenant && other->level == file->level &&
		    other->period.from_ns == file->period.from_ns && other->state != FILE_DELETED &&
		    has_marks(store, other))
			return true;
	}
	return false;
}

/* The next roll-ups take what is whole of all files of that period. */
static void hasten(struct sqlite_store *store, const struct block_file *file)
{
	const struct table *files = &store->catalogue.files;

	for (size_t id = 1; id < files->n; id++) {
		struct block_file *other = files->items[id];
		struct err err = {0};
		int r = 0;

		if (!other || other->tenant != file->tenant || other->level != file->level ||
		    other->period.from_ns != file->period.from_ns || other->is_dying)
			continue;
		other->is_dying = true;
		if (other->state == FILE_LIVE)
			r = rollup_retry(store, other, &err);
		if (r < 0)
			writer_note_error(store, other, r, err.text);
	}
}

/* Work that is over is noted, so that opening the store need not look into the file. */
static void note_work(struct sqlite_store *store, struct block_file *file, int64_t now)
{
	if (!file->has_work || file->period.until_ns + STORE_MAX_DURATION_NS > now ||
	    has_marks(store, file))
		return;
	pthread_mutex_lock(&store->lock);
	file->has_work = false;
	file->is_changed = true;
	/* Nor for the newest times: from now on only the catalogue knows them. */
	for (size_t id = 1; id < store->catalogue.series.n; id++) {
		struct series *series = store->catalogue.series.items[id];

		if (series && series->family->service->tenant == file->tenant)
			series->is_changed = true;
	}
	pthread_mutex_unlock(&store->lock);
}

/* Until when a file may hold data: a profile lies in the file of its start and reaches further. */
static int64_t reach_of(const struct block_file *file)
{
	return file->period.until_ns + (file->level == LEVEL_FINE ? STORE_MAX_DURATION_NS : 0);
}

const struct store_retention *retention_of(const struct sqlite_store *store, const char *tenant)
{
	for (size_t i = 0; i < store->config.n_tenants; i++)
		if (strcmp(store->config.tenants[i].tenant, tenant) == 0)
			return &store->config.tenants[i].retention;
	return &store->config.retention;
}

int64_t retention_age(const struct sqlite_store *store, const char *tenant, int level)
{
	const struct store_retention *retention = retention_of(store, tenant);
	int64_t fine = retention->age_ns[LEVEL_FINE], spans = retention->span_age_ns;

	if (level != LEVEL_SPANS)
		return retention->age_ns[level];
	return fine && spans ? min_of(fine, spans) : max_of(fine, spans);
}

static bool is_expired(const struct sqlite_store *store, const struct block_file *file, int64_t now)
{
	int64_t keep = retention_age(store, file->tenant->name, file->level);

	return keep && reach_of(file) <= now - keep;
}

/* `reach_ns`: nothing in it ends later. */
static void expire(struct sqlite_store *store, struct block_file *file, int64_t reach_ns)
{
	struct tenant *tenant = file->tenant;

	pthread_mutex_lock(&store->lock);
	file->state = FILE_DELETED;
	file->is_changed = true;
	file->n_dicts = 0;
	if (file->level < LEVEL_COUNT) {
		int64_t *until = &tenant->expired_until_ns[file->level];

		*until = max_of(*until, reach_ns);
		tenant->is_changed = true;
	}
	store->counters.deleted_files++;
	pthread_mutex_unlock(&store->lock);
}

/* ---- by size ---- */

/* After its period a file is left alone that long, for late senders. */
#define LATE_NS (3600 * NS_PER_S)

/* No block of the tenant is longer: what of the day after a deleted file it may have held. */
static int64_t longest_of(struct sqlite_store *store, const struct tenant *tenant)
{
	const struct table *table = &store->catalogue.series;
	int64_t longest_ns = 0;

	pthread_mutex_lock(&store->lock);
	for (size_t id = 1; id < table->n; id++) {
		const struct series *series = table->items[id];

		if (series && series->family->service->tenant == tenant)
			longest_ns = max_of(longest_ns, series->longest_ns);
	}
	pthread_mutex_unlock(&store->lock);
	return longest_ns;
}

static int64_t bytes_of(const struct block_file *file)
{
	cleanup_free char *log = NULL;
	struct stat info;
	int64_t sum = 0;

	if (asprintf(&log, "%s-wal", file->path) < 0)
		abort();
	if (stat(file->path, &info) == 0)
		sum += (int64_t)info.st_blocks * 512;
	if (stat(log, &info) == 0)
		sum += (int64_t)info.st_blocks * 512;
	return sum;
}

/* The files of a tenant's level: what they hold, and the oldest of them. */
static int64_t weigh_level(const struct sqlite_store *store, const struct tenant *tenant, int level,
			   struct block_file **ret_oldest)
{
	const struct table *files = &store->catalogue.files;
	int64_t sum = 0;

	*ret_oldest = NULL;
	for (size_t id = 1; id < files->n; id++) {
		struct block_file *file = files->items[id];

		if (!file || file->tenant != tenant || file->level != level ||
		    file->state == FILE_DELETED)
			continue;
		sum += bytes_of(file);
		if (!*ret_oldest || file->period.from_ns < (*ret_oldest)->period.from_ns)
			*ret_oldest = file;
	}
	return sum;
}

/*
 * The oldest files of the level until it holds `most` bytes; returns how many bytes went.  It ends at
 * the first that is still needed: files go in the order of time, since what is said to have expired is
 * all that is older.
 */
static int64_t shrink_level(struct sqlite_store *store, const struct tenant *tenant, int level,
			    int64_t most, int64_t now)
{
	int64_t reach_ns = level == LEVEL_FINE ? longest_of(store, tenant) : 0;
	struct block_file *oldest;
	int64_t held = weigh_level(store, tenant, level, &oldest), gone = 0;

	while (held - gone > most && oldest &&
	       oldest->period.until_ns + reach_ns + LATE_NS <= now) {
		if (is_needed(store, oldest)) {
			hasten(store, oldest);
			break;
		}
		gone += bytes_of(oldest);
		expire(store, oldest, oldest->period.until_ns + reach_ns);
		(void)weigh_level(store, tenant, level, &oldest);
	}
	return gone;
}

static int64_t shrink_tenant(struct sqlite_store *store, const struct tenant *tenant, int64_t now)
{
	const struct store_retention *retention = retention_of(store, tenant->name);
	struct block_file *oldest;
	int64_t held = 0, gone = 0;

	for (int level = LEVEL_FINE; level < LEVEL_COUNT; level++)
		if (retention->max_bytes[level])
			gone += shrink_level(store, tenant, level, retention->max_bytes[level],
					     now);
	if (!retention->max_total_bytes)
		return gone;
	for (int level = LEVEL_FINE; level < LEVEL_FILES; level++)
		held += weigh_level(store, tenant, level, &oldest);
	/* The coarsest level is what is left of all that was: it does not give way to newer detail. */
	for (int level = LEVEL_FINE; level < LEVEL_1D && held > retention->max_total_bytes;
	     level++) {
		int64_t level_held = weigh_level(store, tenant, level, &oldest);
		int64_t over = held - retention->max_total_bytes;
		int64_t less = shrink_level(store, tenant, level,
					    max_of(level_held - over, (int64_t)0), now);

		held -= less;
		gone += less;
	}
	return gone;
}

/* ---- all of it ---- */

static int64_t now_to_delete_by(struct sqlite_store *store, bool is_confirmed)
{
	int64_t real = store_now_ns(store);
	int64_t guarded = clock_guard_now(&store->clock_guard, real, clock_monotonic_ns());

	return is_confirmed ? real : guarded;
}

/* Past its age, and nothing is to be made of it any more? */
static bool may_go(struct sqlite_store *store, struct block_file *file, int64_t now)
{
	if (file->state == FILE_DELETED || !is_expired(store, file, now))
		return false;
	if (file->level == LEVEL_1D || !is_needed(store, file))
		return true;
	hasten(store, file);
	return false;
}

bool retention_step(struct sqlite_store *store, bool is_confirmed)
{
	const struct table *files = &store->catalogue.files;
	int64_t now = now_to_delete_by(store, is_confirmed);
	struct err err = {0};
	bool any = false, is_waited_for = false;

	for (size_t id = 1; id < files->n; id++) {
		struct block_file *file = files->items[id];

		if (!file)
			continue;
		note_work(store, file, now);
		if (file->is_emptied && file->state == FILE_LIVE && !has_marks(store, file)) {
			expire(store, file, 0);
			any = true;
		}
		if (may_go(store, file, now)) {
			expire(store, file, reach_of(file));
			any = true;
		}
		any = any || (file->state == FILE_DELETED && !file->is_forgotten);
	}
	for (size_t id = 1; id < store->catalogue.tenants.n; id++)
		if (store->catalogue.tenants.items[id] &&
		    shrink_tenant(store, store->catalogue.tenants.items[id], now) > 0)
			any = true;
	for (size_t id = 1; id < files->n; id++) {
		const struct block_file *file = files->items[id];

		is_waited_for =
			is_waited_for || (file && file->is_dying && file->state != FILE_DELETED);
	}
	any = any || forget_is_due(store);
	if (writer_save_catalogue(store, NULL, &err) == 0 && any &&
	    forget_deleted(store, now, &err) < 0)
		log_debug("store: %s",
			  err.text); /* rows of what is gone stay until the next pass */
	return is_waited_for;
}
