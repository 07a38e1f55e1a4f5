/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer thread: the only one that writes (invariant 4).
 *
 *	wait -> take all that is queued -> one batch (batch.c) -> acknowledge
 *	     -> roll up a bit -> now and then: checkpoint, evict, retention
 *
 * All puts that came while one commit was under way share the next.  When several shared one, more are on their way: the
 * next then begins PACE_NS after it ended, which costs a put that much at most and saves most commits (5,000 profiles of
 * 32 connections: 490 commits before, and a quarter of the server's CPU).  Who puts alone waits for nobody.
 *
 * What it writes it writes in turns (turn.h), so that a backup finds moments between them.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/sqlite/store_private.h"
#include "store/sqlite/turn.h"

#define TICK_NS (250 * NS_PER_MS)
#define PACE_NS (10 * NS_PER_MS)
#define PACE_MAX_ITEMS 256 /* as many are worth a commit at once */
#define ROLL_SLICE_NS (100 * NS_PER_MS)
#define CHECKPOINT_EVERY_NS (60 * NS_PER_S)
#define CHECKPOINT_BYTES ((int64_t)8 << 20) /* of log */
#define RETENTION_EVERY_NS (300 * NS_PER_S)
#define RETENTION_SOON_NS                                                                          \
	(10 * NS_PER_S) /* files wait for the last windows that are made of them */
#define FULL_RETRY_NS NS_PER_S

void writer_note_error(struct sqlite_store *store, struct block_file *file, int code,
		       const char *text)
{
	pthread_mutex_lock(&store->lock);
	if (code == -ENOSPC) {
		store->is_full = true;
		store->full_until_ns = clock_monotonic_ns() + FULL_RETRY_NS;
	} else if (code == ERR_CORRUPT && file) {
		/* What comes goes to a new file; queries say that this one's time is not whole. */
		file->state = FILE_DAMAGED;
		file->is_changed = true;
		store->counters.quarantined_files++;
	} else if (code == -EIO || code == ERR_CORRUPT) {
		/*
		 * After a failed fsync nobody knows what is on disk, and the kernel forgets the
		 * pages: writing on would acknowledge what may be lost.
		 */
		store->failed = -EIO;
	}
	pthread_mutex_unlock(&store->lock);
	if (code == ERR_CORRUPT && file)
		files_close(&store->files, file);
	log_debug("store: %s", text);
}

static int save_all(struct sqlite_store *store, struct item *items, struct err *err)
{
	int r = sql_exec(store->catalogue.db, "BEGIN IMMEDIATE", err);

	if (r == 0)
		r = dicts_save(store, items, err);
	if (r == 0)
		r = sources_save(store, items, err);
	pthread_mutex_lock(&store->lock);
	if (r == 0)
		r = catalogue_save(&store->catalogue, err);
	pthread_mutex_unlock(&store->lock);
	return r == 0 ? sql_exec(store->catalogue.db, "COMMIT", err) : r;
}

static bool needs_saving(struct sqlite_store *store, const struct item *items)
{
	bool is_needed;

	pthread_mutex_lock(&store->lock);
	is_needed = catalogue_is_changed(&store->catalogue);
	pthread_mutex_unlock(&store->lock);
	for (; items && !is_needed; items = items->next)
		is_needed = items->kind == ITEM_SOURCE || !dict_is_saved(items->dict);
	return is_needed;
}

int writer_save_catalogue(struct sqlite_store *store, struct item *items, struct err *err)
{
	int r;

	if (!needs_saving(store, items))
		return 0;
	r = save_all(store, items, err);
	if (r < 0) {
		sql_rollback(store->catalogue.db);
		dicts_forget(items);
		pthread_mutex_lock(&store->lock);
		catalogue_save_failed(&store->catalogue);
		pthread_mutex_unlock(&store->lock);
	}
	return r;
}

static struct item *take_queue(struct sqlite_store *store)
{
	struct item *items = store->queue_first;

	store->queue_first = NULL;
	store->queue_end = &store->queue_first;
	store->queue_bytes = store->queue_items = 0;
	return items;
}

/* Is there something to do that does not wait for company?  The store's lock is held. */
static bool is_asked(const struct sqlite_store *store)
{
	return store->is_stopping || store->jobs.is_busy ||
	       store->settle_asked != store->settle_done;
}

static bool wait_until(struct sqlite_store *store, int64_t at_ns)
{
	struct timespec until = clock_timespec(at_ns);

	return pthread_cond_timedwait(&store->wake, &store->lock, &until) != ETIMEDOUT;
}

/* Wait for work; the store's lock is held. */
static void wait_for_work(struct sqlite_store *store)
{
	int64_t until_ns = clock_monotonic_ns() + TICK_NS;

	store->is_waiting = true;
	while (!store->queue_first && !is_asked(store) && wait_until(store, until_ns))
		;
	store->is_waiting = false;
	while (store->queue_first && store->queue_items < PACE_MAX_ITEMS && !is_asked(store) &&
	       clock_monotonic_ns() < store->batch_at_ns && wait_until(store, store->batch_at_ns))
		;
}

static bool has_queue(struct sqlite_store *store)
{
	bool has;

	pthread_mutex_lock(&store->lock);
	has = store->queue_first != NULL;
	pthread_mutex_unlock(&store->lock);
	return has;
}

/*
 * Roll up for a moment, or with `force` until nothing is due: whoever puts meanwhile waits for one step
 * at most.  On a full disk not more often than puts are tried.
 */
static void roll_up(struct sqlite_store *store, bool force)
{
	int64_t until = clock_monotonic_ns() + ROLL_SLICE_NS;

	if (store->is_full && clock_monotonic_ns() < store->full_until_ns)
		return;
	rollup_begin_families(store);
	while (rollup_step(store, force) &&
	       (force || (clock_monotonic_ns() < until && !has_queue(store))))
		;
}

static void keep_house(struct sqlite_store *store, bool force)
{
	int64_t now = clock_monotonic_ns();

	if (now >= store->checkpoint_at_ns) {
		store->checkpoint_at_ns = now + CHECKPOINT_EVERY_NS;
		files_checkpoint(&store->files, 1, true);
		sql_checkpoint(store->catalogue.db, true);
		dicts_evict(store);
	}
	files_checkpoint(&store->files, CHECKPOINT_BYTES, false);
	if (force || now >= store->retention_at_ns) {
		bool waits = retention_step(store, force);

		if (waits && force) {
			roll_up(store, true);
			(void)retention_step(store, true);
		}
		store->retention_at_ns = now + (waits ? RETENTION_SOON_NS : RETENTION_EVERY_NS);
	}
}

/* A piece, or with `force` all there is. */
static void work_on_jobs(struct sqlite_store *store, bool force)
{
	bool is_busy;

	do
		is_busy = jobs_step(store);
	while (is_busy && force);
	pthread_mutex_lock(&store->lock);
	store->jobs.is_busy = is_busy;
	pthread_mutex_unlock(&store->lock);
}

static void batch_and_pace(struct sqlite_store *store, struct item *items)
{
	bool is_shared = items->next;

	writer_batch(store, items);
	store->batch_at_ns = is_shared ? clock_monotonic_ns() + PACE_NS : 0;
}

void *writer_main(void *ctx)
{
	struct sqlite_store *store = ctx;
	bool is_stopping = false;

	while (!is_stopping) {
		struct item *items;
		uint64_t asked;

		pthread_mutex_lock(&store->lock);
		wait_for_work(store);
		items = take_queue(store);
		asked = store->settle_asked;
		is_stopping = store->is_stopping && !items;
		pthread_mutex_unlock(&store->lock);
		turn_take(store->lock_fd);
		jobs_save_new(store);
		if (items)
			batch_and_pace(store, items);
		work_on_jobs(store, asked != store->settle_done);
		if (clock_monotonic_ns() >= store->tick_at_ns || asked != store->settle_done) {
			store->tick_at_ns = clock_monotonic_ns() + TICK_NS;
			roll_up(store, asked != store->settle_done);
			keep_house(store, asked != store->settle_done);
		}
		turn_end(store->lock_fd);
		pthread_mutex_lock(&store->lock);
		store->settle_done = asked;
		pthread_cond_broadcast(&store->settled);
		pthread_mutex_unlock(&store->lock);
	}
	return NULL;
}
