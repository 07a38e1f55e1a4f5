/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/page_sum.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "profile/hash.h"

#define PAGE_MIN_BYTES 512 /* shorter reads and writes are of the header alone */

struct page_sum_vfs {
	sqlite3_vfs vfs; /* first: SQLite hands it back */
	sqlite3_vfs *base;
	char name[32];
};

/* Only databases: SQLite opens all other files with the VFS below. */
struct sum_file {
	sqlite3_file file;
	uint8_t *page; /* a copy to write from */
	size_t page_cap;
	sqlite3_file base[];
};

static sqlite3_file *base_of(sqlite3_file *file)
{
	return ((struct sum_file *)file)->base;
}

/* ---- pages ---- */

static uint64_t sum_of_page(const uint8_t *page, size_t len, int64_t at)
{
	const uint64_t parts[] = {hash_stable(page, len - PAGE_SUM_BYTES), (uint64_t)at};

	return hash_stable(parts, sizeof(parts));
}

static bool is_page(int len, int64_t at)
{
	return len >= PAGE_MIN_BYTES && (len & (len - 1)) == 0 && at % len == 0;
}

static int file_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
	sqlite3_file *base = base_of(file);
	int r = base->pMethods->xRead(base, data, len, at);
	uint64_t sum, want;

	/* Past the end of the file SQLite gets zeros and is told so. */
	if (r != SQLITE_OK || !is_page(len, at))
		return r;
	memcpy(&sum, (const uint8_t *)data + len - PAGE_SUM_BYTES, sizeof(sum));
	want = sum_of_page(data, (size_t)len, at);
	return sum == want ? SQLITE_OK : SQLITE_IOERR_DATA;
}

void page_sum_set(uint8_t *page, size_t len, int64_t at)
{
	uint64_t sum = sum_of_page(page, len, at);

	memcpy(page + len - PAGE_SUM_BYTES, &sum, sizeof(sum));
}

static int file_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
	struct sum_file *own = (struct sum_file *)file;
	sqlite3_file *base = own->base;

	if (!is_page(len, at))
		return base->pMethods->xWrite(base, data, len, at);
	own->page = vec_grow(own->page, &own->page_cap, (size_t)len, 1);
	memcpy(own->page, data, (size_t)len);
	page_sum_set(own->page, (size_t)len, at);
	return base->pMethods->xWrite(base, own->page, len, at);
}

static int file_close(sqlite3_file *file)
{
	free(((struct sum_file *)file)->page);
	return base_of(file)->pMethods->xClose(base_of(file));
}

/* ---- everything else goes straight through ---- */

static int file_truncate(sqlite3_file *file, sqlite3_int64 len)
{
	return base_of(file)->pMethods->xTruncate(base_of(file), len);
}

static int file_sync(sqlite3_file *file, int flags)
{
	return base_of(file)->pMethods->xSync(base_of(file), flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *len)
{
	return base_of(file)->pMethods->xFileSize(base_of(file), len);
}

static int file_lock(sqlite3_file *file, int level)
{
	return base_of(file)->pMethods->xLock(base_of(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
	return base_of(file)->pMethods->xUnlock(base_of(file), level);
}

static int file_check_lock(sqlite3_file *file, int *is_locked)
{
	return base_of(file)->pMethods->xCheckReservedLock(base_of(file), is_locked);
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
	return base_of(file)->pMethods->xFileControl(base_of(file), op, arg);
}

static int file_sector(sqlite3_file *file)
{
	return base_of(file)->pMethods->xSectorSize(base_of(file));
}

static int file_traits(sqlite3_file *file)
{
	return base_of(file)->pMethods->xDeviceCharacteristics(base_of(file));
}

static int file_shm_map(sqlite3_file *file, int page, int len, int extend, void volatile **at)
{
	return base_of(file)->pMethods->xShmMap(base_of(file), page, len, extend, at);
}

static int file_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
	return base_of(file)->pMethods->xShmLock(base_of(file), offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
	base_of(file)->pMethods->xShmBarrier(base_of(file));
}

static int file_shm_unmap(sqlite3_file *file, int del)
{
	return base_of(file)->pMethods->xShmUnmap(base_of(file), del);
}

/* Version 2: without xFetch, since mapped pages would be used unchecked. */
static const sqlite3_io_methods sum_methods = {
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

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
		    int *ret_flags)
{
	sqlite3_vfs *base = ((struct page_sum_vfs *)vfs)->base;
	struct sum_file *own = (struct sum_file *)file;
	int r;

	if (!(flags & SQLITE_OPEN_MAIN_DB))
		return base->xOpen(base, path, file, flags, ret_flags);
	*own = (struct sum_file){.file = {NULL}};
	r = base->xOpen(base, path, own->base, flags, ret_flags);
	if (r == SQLITE_OK)
		own->file.pMethods = &sum_methods;
	return r;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_dir)
{
	sqlite3_vfs *base = ((struct page_sum_vfs *)vfs)->base;

	return base->xDelete(base, path, sync_dir);
}

struct page_sum_vfs *page_sum_new(const char *base_name)
{
	sqlite3_vfs *base = sqlite3_vfs_find(base_name);
	struct page_sum_vfs *own;

	if (!base)
		return NULL;
	own = xcalloc(1, sizeof(*own));
	own->base = base;
	own->vfs = *base; /* paths, time and the like need no file of ours */
	own->vfs.pNext = NULL;
	own->vfs.zName = own->name;
	own->vfs.szOsFile = (int)sizeof(struct sum_file) + base->szOsFile;
	own->vfs.xOpen = vfs_open;
	own->vfs.xDelete = vfs_delete;
	/* Every store has its own, so that nothing is shared or outlives it. */
	snprintf(own->name, sizeof(own->name), "page-sum-%p", (void *)own);
	sqlite3_vfs_register(&own->vfs, 0);
	return own;
}

void page_sum_free(struct page_sum_vfs *vfs)
{
	if (vfs)
		sqlite3_vfs_unregister(&vfs->vfs);
	free(vfs);
}

const char *page_sum_name(const struct page_sum_vfs *vfs)
{
	return vfs->name;
}
