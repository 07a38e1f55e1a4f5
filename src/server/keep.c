/* SPDX-License-Identifier: Apache-2.0 */
#include "server/keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "profile/hash.h"

#define FOLDER "kept"
#define UNFINISHED "new~" /* no good name: never taken for a thing that is kept */

struct keep {
	char *dir; /* NULL: nothing can be kept */
	pthread_mutex_t lock;
};

struct keep *keep_new(const char *dir)
{
	struct keep *keep = xcalloc(1, sizeof(*keep));

	keep->dir = dir ? xstrdup(dir) : NULL;
	pthread_mutex_init(&keep->lock, NULL);
	return keep;
}

void keep_free(struct keep *keep)
{
	if (!keep)
		return;
	pthread_mutex_destroy(&keep->lock);
	free(keep->dir);
	free(keep);
}

void keep_lock(struct keep *keep)
{
	pthread_mutex_lock(&keep->lock);
}

void keep_unlock(struct keep *keep)
{
	pthread_mutex_unlock(&keep->lock);
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

bool keep_name_is_good(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > KEEP_NAME_MAX || *name == '.')
		return false;
	while (*name && (is_plain(*name) || *name == '.'))
		name++;
	return !*name;
}

/* ---- folders ---- */

static int make_folder(const char *path, struct err *err)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(err, -errno, "cannot make %s", path);
	return 0;
}

/* DIR/kept/TENANT/DRAWER, every character of the tenant that is not plain as %XX; made when `makes`. */
static int folder_of(const struct keep *keep, const struct keep_place *place, bool makes,
		     struct buf *path, struct err *err)
{
	int r = 0;

	if (!keep->dir)
		return err_set(err, ERR_UNSUPPORTED,
			       "this server has no directory of its own to keep things in");
	buf_printf(path, "%s/%s", keep->dir, FOLDER);
	if (makes)
		r = make_folder(path->data, err);
	buf_putc(path, '/');
	if (!*place->tenant)
		buf_putc(path, '%');
	for (const char *c = place->tenant; *c; c++)
		if (is_plain(*c))
			buf_putc(path, *c);
		else
			buf_printf(path, "%%%02X", (unsigned char)*c);
	if (r == 0 && makes)
		r = make_folder(path->data, err);
	buf_printf(path, "/%s", place->drawer);
	if (r == 0 && makes)
		r = make_folder(path->data, err);
	if (r == 0 && path->overflow)
		r = err_set(err, ERR_LIMIT, "the tenant's name is too long");
	return r;
}

/* The folder, open; -ENOENT when nothing was kept there yet. */
static int open_folder(const struct keep *keep, const struct keep_place *place, bool makes,
		       struct err *err)
{
	cleanup(buf_done) struct buf path = {0};
	int fd, r;

	buf_init(&path, PATH_MAX);
	r = folder_of(keep, place, makes, &path, err);
	if (r < 0)
		return r;
	fd = open(path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, -errno, "cannot open %s", path.data) : fd;
}

static int check_name(const char *name, struct err *err)
{
	return keep_name_is_good(name)
		       ? 0
		       : err_set(err, ERR_USAGE, "\"%.64s\" can only be [a-zA-Z0-9_.-]", name);
}

/* ---- sums ---- */

#define SUM_WORD "PYKEPT1\n"

/* The end of a file with that content. */
static void make_sum(const void *data, size_t len, char sum[KEEP_SUM_BYTES])
{
	uint64_t hash = hash_stable(data, len);

	memcpy(sum, SUM_WORD, 8);
	for (size_t i = 0; i < 8; i++)
		sum[8 + i] = (char)(uint8_t)(hash >> 8 * i);
}

/* Has what was read a sum, and is it right?  *len: without it from then on. */
static int check_sum(const char *data, size_t *len, const char *name, struct err *err)
{
	char sum[KEEP_SUM_BYTES];

	if (*len < KEEP_SUM_BYTES || memcmp(data + *len - KEEP_SUM_BYTES, SUM_WORD, 8) != 0)
		return 0;
	make_sum(data, *len - KEEP_SUM_BYTES, sum);
	if (memcmp(data + *len - KEEP_SUM_BYTES, sum, KEEP_SUM_BYTES) != 0)
		return err_set(err, ERR_CORRUPT, "%s is damaged on this server's disk", name);
	*len -= KEEP_SUM_BYTES;
	return 0;
}

/* ---- reading ---- */

static int read_all(int fd, struct buf *out, struct err *err)
{
	char chunk[1 << 14];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_put(out, chunk, (size_t)n);
	if (n < 0)
		return err_sys(err, -errno, "cannot read what was kept");
	return out->overflow ? err_set(err, ERR_LIMIT, "what was kept is larger than it may be now")
			     : 0;
}

/* Without its sum, for which `out` need have no room. */
static int read_summed(int fd, const char *name, struct buf *out, struct err *err)
{
	cleanup(buf_done) struct buf whole = {0};
	size_t len;
	int r;

	buf_init(&whole, out->ceiling + KEEP_SUM_BYTES);
	r = read_all(fd, &whole, err);
	len = whole.len;
	if (r == 0 && len)
		r = check_sum(whole.data, &len, name, err);
	if (r < 0)
		return r;
	buf_put(out, whole.data, len);
	return out->overflow ? err_set(err, ERR_LIMIT, "what was kept is larger than it may be now")
			     : 0;
}

int keep_read(struct keep *keep, const struct keep_place *place, const char *name, struct buf *out,
	      struct err *err)
{
	cleanup_fd int folder = -1;
	cleanup_fd int fd = -1;
	int r = check_name(name, err);

	if (r < 0)
		return r;
	folder = open_folder(keep, place, false, err);
	if (folder < 0)
		return folder;
	fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, -errno, "%s", name);
	return read_summed(fd, name, out, err);
}

int keep_read_file(const char *path, struct buf *out, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(err, -errno, "it cannot be read") : read_summed(fd, "it", out, err);
}

static int compare_entries(const void *left, const void *right)
{
	const struct keep_entry *a = left, *b = right;

	return strcmp(a->name, b->name);
}

static void collect(DIR *dir, struct arena *arena, struct keep_entry **ret_entries, size_t *ret_n)
{
	cleanup_free struct keep_entry *entries = NULL;
	size_t n = 0, cap = 0;
	struct dirent *one;
	struct stat stat;

	while ((one = readdir(dir))) {
		if (!keep_name_is_good(one->d_name) ||
		    fstatat(dirfd(dir), one->d_name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		entries = vec_grow(entries, &cap, n + 1, sizeof(*entries));
		entries[n++] =
			(struct keep_entry){arena_strndup(arena, one->d_name, strlen(one->d_name)),
					    (uint64_t)stat.st_size};
	}
	*ret_entries = arena_array(arena, n, sizeof(**ret_entries));
	if (n) {
		qsort(entries, n, sizeof(*entries), compare_entries);
		memcpy(*ret_entries, entries, n * sizeof(*entries));
	}
	*ret_n = n;
}

int keep_list(struct keep *keep, const struct keep_place *place, struct arena *arena,
	      struct keep_entry **ret_entries, size_t *ret_n, struct err *err)
{
	int fd = open_folder(keep, place, false, err);
	DIR *dir;

	*ret_entries = NULL;
	*ret_n = 0;
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return err_sys(err, -errno, "cannot list what was kept");
	}
	collect(dir, arena, ret_entries, ret_n);
	closedir(dir);
	return 0;
}

/* ---- writing ---- */

static int write_part(int fd, const char *data, size_t len)
{
	while (len) {
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

static int write_all(int fd, const char *data, size_t len)
{
	char sum[KEEP_SUM_BYTES];
	int r = write_part(fd, data, len);

	make_sum(data, len, sum);
	if (r == 0)
		r = write_part(fd, sum, sizeof(sum));
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

int keep_write(struct keep *keep, const struct keep_place *place, const char *name,
	       const void *data, size_t len, struct err *err)
{
	cleanup_fd int folder = -1;
	cleanup_fd int fd = -1;
	int r = check_name(name, err);

	if (r < 0)
		return r;
	folder = open_folder(keep, place, true, err);
	if (folder < 0)
		return folder;
	fd = openat(folder, UNFINISHED, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	r = fd < 0 ? -errno : write_all(fd, data, len);
	if (r == 0 && renameat(folder, UNFINISHED, folder, name) < 0)
		r = -errno;
	if (r == 0 && fsync(folder) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(folder, UNFINISHED, 0);
		return err_sys(err, r, "cannot keep %s", name);
	}
	return 0;
}

int keep_remove(struct keep *keep, const struct keep_place *place, const char *name,
		struct err *err)
{
	cleanup_fd int folder = -1;
	int r = check_name(name, err);

	if (r < 0)
		return r;
	folder = open_folder(keep, place, false, err);
	if (folder == -ENOENT)
		return 0;
	if (folder < 0)
		return folder;
	if (unlinkat(folder, name, 0) < 0 && errno != ENOENT)
		return err_sys(err, -errno, "cannot remove %s", name);
	return fsync(folder) < 0 ? err_sys(err, -errno, "cannot remove %s", name) : 0;
}
