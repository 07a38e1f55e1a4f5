/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of another process, opened so that the target cannot point us at one of ours.
 *
 * Every open is O_NONBLOCK (a FIFO or device planted there must not hold us) and O_NOCTTY, and what
 * was opened counts only after fstat() called it a regular file of a bearable size.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proc/maps.h"
#include "proc/procfs_private.h"

#define OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static int open_beneath(int root, const char *path)
{
	struct open_how how = {
		.flags = OPEN_FLAGS,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* The descriptor when it is a regular file of at most max_bytes, else closed and an error. */
static int accept_file(int fd, int64_t max_bytes, struct stat *ret_stat)
{
	cleanup_fd int mine = fd;

	if (mine < 0)
		return mine;
	if (fstat(mine, ret_stat) < 0)
		return -errno;
	if (!S_ISREG(ret_stat->st_mode))
		return ERR_UNSUPPORTED;
	if (ret_stat->st_size > max_bytes)
		return ERR_LIMIT;
	return take_fd(&mine);
}

/*
 * Some file systems (btrfs, overlayfs before Linux 6.8) show one device in maps and another in
 * stat; there the inode must do.
 */
static bool is_that_file(const struct mapping *mapping, const struct stat *stat)
{
	bool is_same_device = major(stat->st_dev) == mapping->dev_major &&
			      minor(stat->st_dev) == mapping->dev_minor;

	return stat->st_ino == mapping->inode && (is_same_device || mapping->dev_major == 0);
}

static int open_map_file(pid_t pid, const struct mapping *mapping)
{
	char name[64];
	struct stat stat;

	snprintf(name, sizeof(name), "map_files/%llx-%llx", (unsigned long long)mapping->start,
		 (unsigned long long)mapping->end);
	return accept_file(procfs_open(pid, 0, name, OPEN_FLAGS), MAPS_MAX_FILE_BYTES, &stat);
}

static int open_by_path(pid_t pid, const struct mapping *mapping)
{
	cleanup_fd int root = procfs_open(pid, 0, "root", O_PATH | O_DIRECTORY);
	cleanup_fd int fd = -1;
	struct stat stat;

	if (root < 0)
		return root;
	fd = accept_file(open_beneath(root, mapping->path), MAPS_MAX_FILE_BYTES, &stat);
	if (fd < 0)
		return take_fd(&fd);
	return is_that_file(mapping, &stat) ? take_fd(&fd) : -ENOENT;
}

static int open_exe(pid_t pid, const struct mapping *mapping)
{
	struct stat stat;
	cleanup_fd int fd =
		accept_file(procfs_open(pid, 0, "exe", OPEN_FLAGS), MAPS_MAX_FILE_BYTES, &stat);

	if (fd < 0)
		return take_fd(&fd);
	return is_that_file(mapping, &stat) ? take_fd(&fd) : -ENOENT;
}

int maps_open(pid_t pid, const struct mapping *mapping, struct err *err)
{
	static int (*const ways[])(pid_t, const struct mapping *) = {open_map_file, open_by_path,
								     open_exe};
	int why = -ENOENT;

	if (!mapping_is_file(mapping))
		return err_set(err, ERR_UNSUPPORTED, "no file is mapped at %llx",
			       (unsigned long long)mapping->start);
	for (size_t i = 0; i < array_len(ways); i++) {
		int fd = ways[i](pid, mapping);

		if (fd >= 0)
			return fd;
		/* What the file is says more than that another way did not find it. */
		if (fd == ERR_UNSUPPORTED || fd == ERR_LIMIT || why == -ENOENT)
			why = fd;
	}
	return err_sys(err, why, "cannot open %s of process %d", mapping->path, (int)pid);
}

int maps_open_path(pid_t pid, const char *path, int64_t max_bytes, struct err *err)
{
	/* Relative paths cannot leave the working directory: "../x" is found only when that is "/".
	 */
	const char *from = path[0] == '/' ? "root" : "cwd";
	cleanup_fd int dir = procfs_open(pid, 0, from, O_PATH | O_DIRECTORY);
	struct stat stat;
	int fd;

	if (dir < 0)
		return err_sys(err, dir, "cannot see the files of process %d", (int)pid);
	fd = accept_file(open_beneath(dir, path), max_bytes, &stat);
	return fd < 0 ? err_sys(err, fd, "cannot open %s of process %d", path, (int)pid) : fd;
}
