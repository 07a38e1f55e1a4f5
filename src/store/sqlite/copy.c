/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "profile/hash.h"
#include "store/sqlite/store_backup_private.h"

#define PIECE_BYTES ((size_t)1 << 20)
#define MAX_OPEN_DIRS 16

char *copy_path(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		abort();
	return path;
}

/* Pieces are hashed one by one, and the hashes in a row: files need not fit into memory. */
static void add_piece(struct copied *copied, const void *data, size_t len)
{
	const uint64_t row[] = {copied->hash, hash_stable(data, len)};

	copied->hash = hash_stable(row, sizeof(row));
	copied->bytes += len;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		data += max_of(n, 0);
		len -= (size_t)max_of(n, 0);
	}
	return 0;
}

/* A whole piece, or what is left: the borders of pieces decide the hash. */
static ssize_t read_piece(int fd, char *data)
{
	size_t len = 0;

	while (len < PIECE_BYTES) {
		ssize_t n = read(fd, data + len, PIECE_BYTES - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/* `to` < 0: only measured. */
static int pump(int from, int to, struct copied *ret_copied)
{
	cleanup_free char *data = xcalloc(1, PIECE_BYTES);
	struct copied copied = {0};
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = read_piece(from, data)) != 0) {
		if (n < 0)
			return (int)n;
		add_piece(&copied, data, (size_t)n);
		if (to >= 0)
			r = write_all(to, data, (size_t)n);
	}
	if (r == 0)
		*ret_copied = copied;
	return r;
}

int copy_file(const char *from, const char *to, struct copied *ret_copied, struct err *err)
{
	cleanup_fd int in = open(from, O_RDONLY | O_CLOEXEC);
	cleanup_fd int out = -1;
	int r;

	if (in < 0)
		return err_sys(err, -errno, "cannot read %s", from);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return err_sys(err, -errno, "cannot make %s", to);
	r = pump(in, out, ret_copied);
	if (r == 0 && fsync(out) < 0)
		r = -errno;
	return r < 0 ? err_sys(err, r, "cannot copy %s to %s", from, to) : 0;
}

int copy_measure(const char *path, struct copied *ret_copied, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC);
	int r;

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(err, -errno, "cannot write %s to the disk", path);
	r = pump(fd, -1, ret_copied);
	return r < 0 ? err_sys(err, r, "cannot read %s", path) : 0;
}

int copy_make_dirs(const char *root, const char *path, struct err *err)
{
	cleanup_free char *dir = xstrdup(path);

	for (char *slash = dir + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		if (mkdir(dir, 0700) < 0 && errno != EEXIST)
			return err_sys(err, -errno, "cannot make %s", dir);
		*slash = '/';
	}
	return 0;
}

int copy_sync_dir(const char *path, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(err, -errno, "cannot write %s to the disk", path);
	return 0;
}

static int sync_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
	(void)info;
	(void)place;
	return kind == FTW_DP ? -copy_sync_dir(path, NULL) : 0;
}

int copy_sync_tree(const char *root, struct err *err)
{
	int r = nftw(root, sync_entry, MAX_OPEN_DIRS, FTW_DEPTH | FTW_PHYS);

	if (r)
		return err_sys(err, r < 0 ? -errno : -r, "cannot write %s to the disk", root);
	return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
	(void)info;
	(void)kind;
	(void)place;
	return remove(path);
}

int copy_remove_tree(const char *root, struct err *err)
{
	if (nftw(root, remove_entry, MAX_OPEN_DIRS, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
		return err_sys(err, -errno, "cannot remove %s", root);
	return 0;
}
