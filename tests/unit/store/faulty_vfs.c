/* SPDX-License-Identifier: Apache-2.0 */
#include "faulty_vfs.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/vec.h"

#define SECTOR 512
#define MAX_SNAPSHOTS 400

struct content {
	char *path;
	uint8_t *data;
	size_t len;
	bool exists;
};

struct image {
	struct content *files;
	size_t n, cap;
	size_t note;
};

struct faulty_vfs {
	sqlite3_vfs base; /* first: SQLite hands it back */
	sqlite3_vfs *real;
	pthread_mutex_t lock;
	struct image durable, current;
	struct image *snapshots;
	size_t n_snapshots, snapshots_cap;
	faulty_note_fn *note;
	void *note_ctx;
	uint64_t random;
	int fail_syncs_after;
	bool syncs_fail, is_full;
};

struct faulty_file {
	sqlite3_file base;
	struct faulty_vfs *vfs;
	char *path;	/* NULL: not a file that lasts */
	bool syncs_dir; /* its first sync is one of the directory too, as unixSync() does */
	sqlite3_file real[];
};

static uint64_t draw(struct faulty_vfs *vfs)
{
	vfs->random ^= vfs->random << 13;
	vfs->random ^= vfs->random >> 7;
	vfs->random ^= vfs->random << 17;
	return vfs->random;
}

/* ---- images ---- */

static struct content *content_of(struct image *image, const char *path)
{
	for (size_t i = 0; i < image->n; i++)
		if (strcmp(image->files[i].path, path) == 0)
			return &image->files[i];
	image->files = vec_grow(image->files, &image->cap, image->n + 1, sizeof(*image->files));
	image->files[image->n] = (struct content){.path = xstrdup(path)};
	return &image->files[image->n++];
}

static void set_len(struct content *content, size_t len)
{
	content->data = realloc(content->data, len + 1);
	if (len > content->len)
		memset(content->data + content->len, 0, len - content->len);
	content->len = len;
	content->exists = true;
}

static void set_content(struct content *content, const struct content *from)
{
	content->len = 0;
	set_len(content, from->len);
	if (from->len)
		memcpy(content->data, from->data, from->len);
	content->exists = from->exists;
}

static void image_done(struct image *image)
{
	for (size_t i = 0; i < image->n; i++) {
		free(image->files[i].path);
		free(image->files[i].data);
	}
	free(image->files);
}

/* What may be on the disk of a file: old sectors and new ones, as chance has it. */
static void tear(struct faulty_vfs *vfs, struct content *content, const struct content *current)
{
	bool keeps_length = !content->exists || draw(vfs) % 2;

	if (draw(vfs) % 3 == 0)
		return; /* nothing of it */
	if (!content->exists || keeps_length)
		set_len(content, current->len);
	for (size_t at = 0; at < content->len && at < current->len; at += SECTOR)
		if (draw(vfs) % 2)
			memcpy(content->data + at, current->data + at,
			       min_of((size_t)SECTOR, min_of(content->len, current->len) - at));
}

static void take_snapshot(struct faulty_vfs *vfs)
{
	struct image *image;

	if (!vfs->note || vfs->n_snapshots == MAX_SNAPSHOTS)
		return;
	vfs->snapshots = vec_grow(vfs->snapshots, &vfs->snapshots_cap, vfs->n_snapshots + 1,
				  sizeof(*vfs->snapshots));
	image = &vfs->snapshots[vfs->n_snapshots++];
	*image = (struct image){.note = vfs->note(vfs->note_ctx)};
	for (size_t i = 0; i < vfs->current.n; i++) {
		const struct content *current = &vfs->current.files[i];
		const struct content *durable = content_of(&vfs->durable, current->path);
		struct content *content = content_of(image, current->path);

		if (durable->exists)
			set_content(content, durable);
		if (current->exists)
			tear(vfs, content, current);
	}
}

/* ---- files ---- */

static struct faulty_file *file_of(sqlite3_file *file)
{
	return (struct faulty_file *)file;
}

static int file_close(sqlite3_file *base)
{
	struct faulty_file *file = file_of(base);
	int r = file->real->pMethods->xClose(file->real);

	free(file->path);
	return r;
}

static int file_read(sqlite3_file *base, void *data, int len, sqlite3_int64 at)
{
	sqlite3_file *real = file_of(base)->real;

	return real->pMethods->xRead(real, data, len, at);
}

static int file_write(sqlite3_file *base, const void *data, int len, sqlite3_int64 at)
{
	struct faulty_file *file = file_of(base);
	struct faulty_vfs *vfs = file->vfs;
	int r;

	pthread_mutex_lock(&vfs->lock);
	r = vfs->is_full ? SQLITE_FULL : file->real->pMethods->xWrite(file->real, data, len, at);
	if (r == SQLITE_OK && file->path) {
		struct content *content = content_of(&vfs->current, file->path);

		if (content->len < (size_t)(at + len))
			set_len(content, (size_t)(at + len));
		memcpy(content->data + at, data, (size_t)len);
	}
	pthread_mutex_unlock(&vfs->lock);
	return r;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 len)
{
	struct faulty_file *file = file_of(base);

	pthread_mutex_lock(&file->vfs->lock);
	if (file->path)
		set_len(content_of(&file->vfs->current, file->path), (size_t)len);
	pthread_mutex_unlock(&file->vfs->lock);
	return file->real->pMethods->xTruncate(file->real, len);
}

/* Deletions in the directory of `path` are durable from now on. */
static void sync_dir(struct faulty_vfs *vfs, const char *path)
{
	size_t dir_len = (size_t)(strrchr(path, '/') - path) + 1;

	for (size_t i = 0; i < vfs->current.n; i++) {
		const struct content *current = &vfs->current.files[i];
		bool is_there = strncmp(current->path, path, dir_len) == 0 &&
				!strchr(current->path + dir_len, '/');

		if (is_there && !current->exists)
			content_of(&vfs->durable, current->path)->exists = false;
	}
}

static int file_sync(sqlite3_file *base, int flags)
{
	struct faulty_file *file = file_of(base);
	struct faulty_vfs *vfs = file->vfs;
	int r = SQLITE_IOERR_FSYNC;

	pthread_mutex_lock(&vfs->lock);
	take_snapshot(vfs);
	if (vfs->fail_syncs_after && --vfs->fail_syncs_after == 0)
		vfs->syncs_fail = true;
	if (!vfs->syncs_fail) {
		r = file->real->pMethods->xSync(file->real, flags);
		if (file->path)
			set_content(content_of(&vfs->durable, file->path),
				    content_of(&vfs->current, file->path));
		if (file->syncs_dir)
			sync_dir(vfs, file->path);
		file->syncs_dir = false;
	}
	pthread_mutex_unlock(&vfs->lock);
	return r;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *len)
{
	sqlite3_file *real = file_of(base)->real;

	return real->pMethods->xFileSize(real, len);
}

static int file_lock(sqlite3_file *base, int level)
{
	sqlite3_file *real = file_of(base)->real;

	return real->pMethods->xLock(real, level);
}

static int file_unlock(sqlite3_file *base, int level)
{
	sqlite3_file *real = file_of(base)->real;

	return real->pMethods->xUnlock(real, level);
}

static int file_check_lock(sqlite3_file *base, int *is_locked)
{
	sqlite3_file *real = file_of(base)->real;

	return real->pMethods->xCheckReservedLock(real, is_locked);
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
	sqlite3_file *real = file_of(base)->real;

	return real->pMethods->xFileControl(real, op, arg);
}

static int file_sector(sqlite3_file *base)
{
	(void)base;
	return SECTOR;
}

/* Nothing is promised: no atomic sectors, no order of writes. */
static int file_traits(sqlite3_file *base)
{
	(void)base;
	return 0;
}

static int file_shm_map(sqlite3_file *base, int page, int len, int extend, void volatile **at)
{
	sqlite3_file *real = file_of(base)->real;

	return real->pMethods->xShmMap(real, page, len, extend, at);
}

static int file_shm_lock(sqlite3_file *base, int offset, int n, int flags)
{
	sqlite3_file *real = file_of(base)->real;

	return real->pMethods->xShmLock(real, offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *base)
{
	sqlite3_file *real = file_of(base)->real;

	real->pMethods->xShmBarrier(real);
}

static int file_shm_unmap(sqlite3_file *base, int del)
{
	sqlite3_file *real = file_of(base)->real;

	return real->pMethods->xShmUnmap(real, del);
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_lock,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_traits,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
};

/* ---- the VFS ---- */

static int vfs_open(sqlite3_vfs *base, const char *path, sqlite3_file *out, int flags,
		    int *ret_flags)
{
	struct faulty_vfs *vfs = (struct faulty_vfs *)base;
	struct faulty_file *file = file_of(out);
	int r;

	*file = (struct faulty_file){.vfs = vfs};
	r = vfs->real->xOpen(vfs->real, path, file->real, flags, ret_flags);
	if (r != SQLITE_OK)
		return r;
	file->base.pMethods = &file_methods;
	if (!path || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)))
		return r;
	file->path = xstrdup(path);
	file->syncs_dir = flags & SQLITE_OPEN_CREATE && !(flags & SQLITE_OPEN_MAIN_DB);
	pthread_mutex_lock(&vfs->lock);
	if (!content_of(&vfs->current, path)->exists)
		set_len(content_of(&vfs->current, path), 0);
	pthread_mutex_unlock(&vfs->lock);
	return r;
}

static int vfs_delete(sqlite3_vfs *base, const char *path, int sync_dir)
{
	struct faulty_vfs *vfs = (struct faulty_vfs *)base;

	pthread_mutex_lock(&vfs->lock);
	content_of(&vfs->current, path)->exists = false;
	content_of(&vfs->current, path)->len = 0;
	if (sync_dir || draw(vfs) % 2) {
		content_of(&vfs->durable, path)->exists = false;
		content_of(&vfs->durable, path)->len = 0;
	}
	pthread_mutex_unlock(&vfs->lock);
	return vfs->real->xDelete(vfs->real, path, sync_dir);
}

struct faulty_vfs *faulty_vfs_new(uint64_t seed)
{
	struct faulty_vfs *vfs = xcalloc(1, sizeof(*vfs));

	vfs->real = sqlite3_vfs_find(NULL);
	vfs->base = *vfs->real;
	vfs->base.pNext = NULL;
	vfs->base.zName = FAULTY_VFS_NAME;
	vfs->base.szOsFile = (int)sizeof(struct faulty_file) + vfs->real->szOsFile;
	vfs->base.xOpen = vfs_open;
	vfs->base.xDelete = vfs_delete;
	vfs->random = seed * 2654435761u + 88172645463325252u;
	pthread_mutex_init(&vfs->lock, NULL);
	sqlite3_vfs_register(&vfs->base, 0);
	return vfs;
}

void faulty_vfs_free(struct faulty_vfs *vfs)
{
	sqlite3_vfs_unregister(&vfs->base);
	image_done(&vfs->durable);
	image_done(&vfs->current);
	for (size_t i = 0; i < vfs->n_snapshots; i++)
		image_done(&vfs->snapshots[i]);
	free(vfs->snapshots);
	pthread_mutex_destroy(&vfs->lock);
	free(vfs);
}

void faulty_vfs_watch(struct faulty_vfs *vfs, faulty_note_fn *note, void *ctx)
{
	pthread_mutex_lock(&vfs->lock);
	vfs->note = note;
	vfs->note_ctx = ctx;
	pthread_mutex_unlock(&vfs->lock);
}

size_t faulty_vfs_snapshots(const struct faulty_vfs *vfs)
{
	return vfs->n_snapshots;
}

static void write_file(const char *path, const struct content *content)
{
	cleanup_free char *dir = xstrdup(path);
	cleanup_file FILE *file = NULL;

	for (char *slash = dir + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = 0;
		if (mkdir(dir, 0700) < 0 && errno != EEXIST)
			abort();
	}
	file = fopen(path, "we");
	if (!file || fwrite(content->data, 1, content->len, file) != content->len)
		abort();
}

size_t faulty_vfs_write(const struct faulty_vfs *vfs, size_t i, const char *from, const char *to)
{
	const struct image *image = &vfs->snapshots[i];

	for (size_t f = 0; f < image->n; f++) {
		cleanup_free char *path = NULL;

		if (!image->files[f].exists)
			continue;
		if (asprintf(&path, "%s%s", to, image->files[f].path + strlen(from)) < 0)
			abort();
		write_file(path, &image->files[f]);
	}
	return image->note;
}

void faulty_vfs_fail_syncs(struct faulty_vfs *vfs, int after)
{
	pthread_mutex_lock(&vfs->lock);
	vfs->fail_syncs_after = after;
	vfs->syncs_fail = false;
	pthread_mutex_unlock(&vfs->lock);
}

void faulty_vfs_set_full(struct faulty_vfs *vfs, bool is_full)
{
	pthread_mutex_lock(&vfs->lock);
	vfs->is_full = is_full;
	pthread_mutex_unlock(&vfs->lock);
}
