/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/sqlite_store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "store/sqlite/store_private.h"

int64_t store_now_ns(const struct sqlite_store *store)
{
	const struct store_clock *clock = store->config.clock;

	return clock ? clock->now_ns(clock->ctx) : clock_real_ns();
}

/* ---- one process at a time ---- */

static int refuse_second(int fd, const char *dir, struct err *err)
{
	char pid[32] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? n : 0] = 0;
	pid[strcspn(pid, "\n")] = 0;
	return err_set(err, -EBUSY,
		       "%s is in use by process %s: stop it, or use another data directory", dir,
		       *pid ? pid : "(unknown)");
}

static int lock_dir(const char *dir, int *ret_fd, struct err *err)
{
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(err, -errno, "cannot make the data directory %s", dir);
	if (asprintf(&path, "%s/lock", dir) < 0)
		abort();
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, -errno, "cannot use the data directory %s", dir);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? refuse_second(fd, dir, err)
					    : err_sys(err, -errno, "cannot lock %s", path);
	/* The pid is for people; on a full disk the lock alone must do. */
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		errno = 0;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* ---- life ---- */

void store_free(struct sqlite_store *store)
{
	struct table *dicts = &store->catalogue.dicts;

	files_close_all(&store->files);
	readers_done(&store->readers);
	quarantine_done(&store->quarantine);
	sql_close(store->dict_reader);
	for (size_t id = 1; id < dicts->n; id++)
		dict_free(dicts->items[id]);
	catalogue_close(&store->catalogue);
	page_sum_free(store->page_sums);
	dirty_done(&store->dirty);
	jobs_done(&store->jobs);
	accum_done(&store->roll_accum);
	block_room_done(&store->roll_room);
	pthread_mutex_destroy(&store->lock);
	pthread_mutex_destroy(&store->dict_reader_lock);
	pthread_cond_destroy(&store->wake);
	pthread_cond_destroy(&store->settled);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	free(store->dir);
	free(store);
}

static void store_close(struct store *base)
{
	struct sqlite_store *store = sqlite_store_of(base);

	pthread_mutex_lock(&store->lock);
	store->is_stopping = true;
	pthread_cond_broadcast(&store->wake);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->writer, NULL);
	store_free(store);
}

static void init_locks(struct sqlite_store *store)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&store->wake, &monotonic);
	pthread_cond_init(&store->settled, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&store->lock, NULL);
	pthread_mutex_init(&store->dict_reader_lock, NULL);
	readers_init(&store->readers, store->vfs_name);
	quarantine_init(&store->quarantine);
}

static int open_parts(struct sqlite_store *store, struct err *err)
{
	cleanup_free char *path = NULL;
	int r = lock_dir(store->dir, &store->lock_fd, err);

	if (r == 0)
		r = catalogue_open(&store->catalogue, store->dir, store->vfs_name, err);
	if (r < 0)
		return r;
	if (asprintf(&path, "%s/catalogue.db", store->dir) < 0)
		abort();
	r = sql_open_reader(path, store->vfs_name, &store->dict_reader, err);
	if (r < 0)
		return r;
	r = jobs_load(store, err);
	return r < 0 ? err_prefix(err, r, "cannot open the catalogue") : rollup_load(store, err);
}

static void stats(struct store *base, struct store_stats *ret_stats);

static const struct store_ops sqlite_ops = {
	.put = sqlite_put,
	.series = sqlite_series,
	.timeline = sqlite_timeline,
	.merge = sqlite_merge,
	.exemplars = sqlite_exemplars,
	.put_source = sqlite_put_source,
	.get_source = sqlite_get_source,
	.delete = sqlite_delete,
	.jobs = sqlite_jobs,
	.damage = sqlite_damage,
	.stats = stats,
	.close = store_close,
};

/* Of those that this process may run on. */
static int count_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

int store_open_idle(const struct store_config *config, struct sqlite_store **ret_store,
		    struct err *err)
{
	struct sqlite_store *store = xcalloc(1, sizeof(*store));
	int r;

	store->base.ops = &sqlite_ops;
	store->config = *config;
	store->dir = xstrdup(config->dir);
	store->config.dir = store->dir;
	store->page_sums = page_sum_new(config->io ? config->io->vfs_name : NULL);
	assert(store->page_sums); /* the caller registered what it names */
	store->vfs_name = page_sum_name(store->page_sums);
	files_init(&store->files, store->vfs_name);
	store->lock_fd = -1;
	store->queue_end = &store->queue_first;
	store->checkpoint_at_ns = clock_monotonic_ns() + 60 * NS_PER_S;
	store->helpers_left = count_processors() - 1;
	block_room_init(&store->roll_room);
	init_locks(store);
	r = open_parts(store, err);
	if (r < 0) {
		store_free(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

int sqlite_store_open(const struct store_config *config, struct store **ret_store, struct err *err)
{
	struct sqlite_store *store;
	int r = store_open_idle(config, &store, err);

	if (r < 0)
		return r;
	r = -pthread_create(&store->writer, NULL, writer_main, store);
	if (r < 0) {
		store_free(store);
		return err_sys(err, r, "cannot start the store's writer");
	}
	*ret_store = &store->base;
	return 0;
}

void sqlite_store_settle(struct store *base)
{
	struct sqlite_store *store = sqlite_store_of(base);
	uint64_t mine;

	pthread_mutex_lock(&store->lock);
	mine = ++store->settle_asked;
	pthread_cond_signal(&store->wake);
	while (store->settle_done < mine)
		pthread_cond_wait(&store->settled, &store->lock);
	pthread_mutex_unlock(&store->lock);
}

/* ---- numbers ---- */

static uint64_t bytes_of(const char *path, const char *ending)
{
	cleanup_free char *name = NULL;
	struct stat info;

	if (asprintf(&name, "%s%s", path, ending) < 0)
		abort();
	return stat(name, &info) == 0 ? (uint64_t)info.st_blocks * 512 : 0;
}

static void add_catalogue(const struct sqlite_store *store, struct store_stats *out)
{
	const struct catalogue *catalogue = &store->catalogue;

	out->oldest_ns = INT64_MAX;
	for (size_t id = 1; id < catalogue->series.n; id++) {
		const struct series *series = catalogue->series.items[id];

		if (!series)
			continue;
		out->series++;
		out->oldest_ns = min_of(out->oldest_ns, series->first_ns);
		out->newest_ns = max_of(out->newest_ns, series->last_ns);
	}
	if (out->oldest_ns == INT64_MAX)
		out->oldest_ns = 0;
	for (size_t id = 1; id < catalogue->files.n; id++) {
		const struct block_file *file = catalogue->files.items[id];

		if (!file || file->state == FILE_DELETED)
			continue;
		out->damaged_files += file->state == FILE_DAMAGED;
		out->blocks += (uint64_t)__atomic_load_n(&file->n_blocks, __ATOMIC_RELAXED);
		out->bytes_on_disk += bytes_of(file->path, "") + bytes_of(file->path, "-wal");
	}
	for (size_t id = 1; id < catalogue->dicts.n; id++) {
		const struct dict *dict = catalogue->dicts.items[id];

		/* Written by the writer under another lock: a number that is a moment old. */
		if (dict) {
			out->stack_nodes += __atomic_load_n(&dict->saved.nodes, __ATOMIC_RELAXED);
			out->strings += __atomic_load_n(&dict->saved.strings, __ATOMIC_RELAXED);
		}
	}
}

static void stats(struct store *base, struct store_stats *ret_stats)
{
	struct sqlite_store *store = sqlite_store_of(base);
	cleanup_free char *path = NULL;

	if (asprintf(&path, "%s/catalogue.db", store->dir) < 0)
		abort();
	pthread_mutex_lock(&store->lock);
	*ret_stats = store->counts;
	ret_stats->queue_depth = store->queue_items;
	ret_stats->is_full = store->is_full;
	ret_stats->is_failed = store->failed < 0;
	add_catalogue(store, ret_stats);
	ret_stats->damaged_blocks = quarantine_count(&store->quarantine);
	pthread_mutex_unlock(&store->lock);
	ret_stats->bytes_on_disk += bytes_of(path, "") + bytes_of(path, "-wal");
}

void sqlite_store_counters(struct store *base, struct sqlite_store_counters *ret_counters)
{
	struct sqlite_store *store = sqlite_store_of(base);

	pthread_mutex_lock(&store->lock);
	*ret_counters = store->counters;
	ret_counters->dirty_windows = store->dirty.marks.n;
	ret_counters->damaged_blocks = quarantine_count(&store->quarantine);
	pthread_mutex_unlock(&store->lock);
}
