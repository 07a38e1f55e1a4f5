/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "base/vec.h"
#include "cmd/caller.h"

#define PART_ENDING ".XXXXXX.part"

static int open_failed(struct err *err, const char *path, const char *hint)
{
	return err_sys(err, -errno, "cannot write %s%s", path, hint);
}

static bool names_stdout(const char *path)
{
	return strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0 ||
	       strcmp(path, "/proc/self/fd/1") == 0;
}

/* Root writing through a link in a shared folder would write where the link's owner wants. */
static int check_link(const char *path, struct err *err)
{
	struct stat link;

	if (lstat(path, &link) < 0 || !S_ISLNK(link.st_mode))
		return 0;
	if (access(path, F_OK) < 0)
		return err_set(err, -ENOENT, "cannot write %s: it is a symbolic link to nothing",
			       path);
	if (geteuid() == 0 && link.st_uid != 0 && link.st_uid != caller_uid())
		return err_set(
			err, -ELOOP,
			"cannot write %s: it is a symbolic link of another user; name the file "
			"itself",
			path);
	return 0;
}

/* The path without links at its end: of the file where it exists, else of its folder. */
static char *resolve(const char *path)
{
	cleanup_free char *dir = NULL;
	char *real = realpath(path, NULL);
	const char *slash = strrchr(path, '/');
	char *out;
	size_t len;

	if (real)
		return real;
	if (errno != ENOENT)
		return NULL;
	dir = slash ? xstrndup(path, max_of((size_t)(slash - path), (size_t)1)) : xstrdup(".");
	real = realpath(dir, NULL);
	if (!real)
		return NULL;
	len = strlen(real) + strlen(slash ? slash + 1 : path) + 2;
	out = xcalloc(len, 1);
	snprintf(out, len, "%s/%s", real, slash ? slash + 1 : path);
	free(real);
	return out;
}

static mode_t default_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

/* A new file beside the real one, with the mode (and owner) that the result shall have. */
static int make_part(struct output *output, struct err *err)
{
	size_t len = strlen(output->real) + sizeof(PART_ENDING);

	snprintf(output->part, len, "%s" PART_ENDING, output->real);
	output->fd = mkostemps(output->part, (int)strlen(".part"), O_CLOEXEC);
	if (output->fd < 0)
		return open_failed(err, output->path, "");
	output->is_unmade = false;
	if (geteuid() == 0 && caller_uid() != 0 &&
	    fchown(output->fd, caller_uid(), caller_gid()) < 0)
		return open_failed(err, output->path, "");
	if (fchmod(output->fd, output->mode) < 0)
		return open_failed(err, output->path, "");
	return 0;
}

static void unmake_part(struct output *output)
{
	if (output->fd >= 0) {
		close(output->fd);
		unlink(output->part);
	}
	output->fd = -1;
	output->is_unmade = true;
}

/* Only to see whether it can be made: nothing of it stays until there is something to write. */
static int try_part(struct output *output, const struct stat *old, struct err *err)
{
	int r;

	output->part = xcalloc(strlen(output->real) + sizeof(PART_ENDING), 1);
	output->mode = old ? old->st_mode & 07777 : default_mode();
	r = make_part(output, err);
	unmake_part(output);
	return r;
}

static int need_part(struct output *output, struct err *err)
{
	return output->part && output->is_unmade ? make_part(output, err) : 0;
}

static int open_in_place(struct output *output, int flags, struct err *err)
{
	output->fd = open(output->path, O_WRONLY | O_CLOEXEC | O_NOCTTY | flags);
	if (output->fd < 0)
		return open_failed(err, output->path,
				   errno == ENXIO ? " (nobody reads the pipe)" : "");
	if (flags & O_NONBLOCK && fcntl(output->fd, F_SETFL, O_WRONLY) < 0)
		return open_failed(err, output->path, "");
	return 0;
}

static int open_regular(struct output *output, const struct stat *old, struct err *err)
{
	int r;

	if (old && access(output->path, W_OK) < 0)
		return open_failed(err, output->path, "");
	output->real = resolve(output->path);
	if (!output->real)
		return open_failed(err, output->path, "");
	r = try_part(output, old, err);
	if (r == -EACCES && old) { /* the file may be written, its folder may not */
		free(output->part);
		output->part = NULL;
		output->starts_empty = true;
		return open_in_place(output, 0, err);
	}
	return r;
}

int output_open(struct output *output, const char *path, struct err *err)
{
	struct stat old;
	int r;

	*output = (struct output){.path = xstrdup(path), .fd = -1};
	if (names_stdout(path)) {
		output->is_stdout = true;
		output->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return output->fd < 0 ? open_failed(err, "stdout", "") : 0;
	}
	if (!*path)
		return err_set(err, -ENOENT, "the name of the output file is empty");
	r = check_link(path, err);
	if (r < 0)
		return r;
	if (stat(path, &old) < 0)
		return errno == ENOENT ? open_regular(output, NULL, err)
				       : open_failed(err, path, "");
	if (S_ISREG(old.st_mode))
		return open_regular(output, &old, err);
	if (S_ISDIR(old.st_mode))
		return err_set(err, -EISDIR, "cannot write %s: it is a folder; name a file in it",
			       path);
	return open_in_place(output, S_ISFIFO(old.st_mode) ? O_NONBLOCK : 0, err);
}

void output_done(struct output *output)
{
	if (output->fd >= 0 && output->path)
		close(output->fd);
	if (output->part && !output->is_unmade)
		unlink(output->part);
	free(output->part);
	free(output->real);
	free(output->path);
	*output = (struct output){.fd = -1};
}

static int write_fd(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int output_write(struct output *output, const void *data, size_t len, struct err *err)
{
	int r;

	if (output->starts_empty && ftruncate(output->fd, 0) < 0)
		return open_failed(err, output->path, "");
	output->starts_empty = false;
	r = need_part(output, err);
	if (r < 0)
		return r;
	r = write_fd(output->fd, data, len);
	return r < 0 ? err_sys(err, r, "cannot write %s", output->path) : 0;
}

int output_commit(struct output *output, struct err *err)
{
	int r = need_part(output, err); /* an empty result is one, too */
	int fd = output->fd;

	if (r < 0)
		return r;
	output->fd = -1;
	if (close(fd) < 0 && errno != EINTR) /* NFS and quotas report here */
		return open_failed(err, output->path, "");
	if (!output->part)
		return 0;
	if (rename(output->part, output->real) < 0)
		return open_failed(err, output->path, "");
	free(output->part);
	output->part = NULL;
	return 0;
}

const char *output_keep_part(struct output *output)
{
	if (!output->part || output->is_unmade)
		return output->path;
	free(output->path);
	output->path = output->part;
	output->part = NULL;
	return output->path;
}

/* Put the result where there may be room; returns false when that fails too. */
static bool rescue(const void *data, size_t len, char name[PATH_MAX])
{
	const char *dir = getenv("TMPDIR");
	cleanup_fd int fd = -1;

	snprintf(name, PATH_MAX, "%s/pyrometer-XXXXXX", dir && *dir == '/' ? dir : "/tmp");
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return false;
	if (write_fd(fd, data, len) == 0)
		return true;
	unlink(name);
	return false;
}

static bool is_lack_of_space(int code)
{
	return code == -ENOSPC || code == -EDQUOT || code == -EFBIG || code == -EIO;
}

int output_write_all(struct output *output, const void *data, size_t len, struct err *err)
{
	char name[PATH_MAX];
	int r = output_write(output, data, len, err);

	if (r == 0)
		r = output_commit(output, err);
	if (is_lack_of_space(r) && rescue(data, len, name))
		return err_set(err, r, "cannot write %s: %s; the result is in %s", output->path,
			       err_name(r), name);
	return r;
}
