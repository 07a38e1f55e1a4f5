/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library to preload: writes down what a program does to the files below $CRASH_DIR, in order, into
 * $CRASH_JOURNAL.  test_power_cut.py makes of it what a power cut at any moment could have left.
 *
 *	C path		created		M path	directory made		U path	unlinked	R from\tto
 *	W path at len	written, the bytes follow	T path len	cut		S path	synced
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_ours(const char *path)
{
	const char *dir = getenv("CRASH_DIR");

	return dir && path && strncmp(path, dir, strlen(dir)) == 0 && !strstr(path, "-shm");
}

static int path_of(int fd, char out[PATH_MAX])
{
	char name[64];
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, out, PATH_MAX - 1);
	out[n > 0 ? n : 0] = 0;
	return is_ours(out);
}

static void note(const void *data, size_t len, const char *fmt, ...)
{
	static __typeof__(&write) real;
	char head[2 * PATH_MAX + 64];
	va_list args;
	int n;

	real = real ? real : REAL(write);
	va_start(args, fmt);
	n = vsnprintf(head, sizeof(head), fmt, args);
	va_end(args);
	if (journal < 0)
		journal = REAL(open64)(getenv("CRASH_JOURNAL"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (real(journal, head, (size_t)n) != n || (len && real(journal, data, len) != (ssize_t)len))
		abort();
}

static ssize_t write_at(int fd, const void *data, size_t len, off_t at)
{
	char path[PATH_MAX];
	ssize_t n;

	if (!path_of(fd, path))
		return REAL(pwrite64)(fd, data, len, at);
	pthread_mutex_lock(&lock);
	n = REAL(pwrite64)(fd, data, len, at);
	if (n > 0)
		note(data, (size_t)n, "W %s\t%lld\t%zd\n", path, (long long)at, n);
	pthread_mutex_unlock(&lock);
	return n;
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
	return write_at(fd, data, len, at);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	return write_at(fd, data, len, at);
}

ssize_t write(int fd, const void *data, size_t len)
{
	char path[PATH_MAX];
	off_t at;
	ssize_t n;

	if (!path_of(fd, path))
		return REAL(write)(fd, data, len);
	pthread_mutex_lock(&lock);
	at = lseek(fd, 0, SEEK_CUR);
	n = REAL(write)(fd, data, len);
	if (n > 0)
		note(data, (size_t)n, "W %s\t%lld\t%zd\n", path, (long long)at, n);
	pthread_mutex_unlock(&lock);
	return n;
}

static int cut(int fd, off_t len)
{
	char path[PATH_MAX];
	int r;

	pthread_mutex_lock(&lock);
	r = REAL(ftruncate64)(fd, len);
	if (r == 0 && path_of(fd, path))
		note(NULL, 0, "T %s\t%lld\n", path, (long long)len);
	pthread_mutex_unlock(&lock);
	return r;
}

int ftruncate(int fd, off_t len)
{
	return cut(fd, len);
}

int ftruncate64(int fd, off64_t len)
{
	return cut(fd, len);
}

/* Noted when it is over: until then nothing of it counts. */
static int sync_with(int (*real)(int), int fd)
{
	char path[PATH_MAX];
	int r = real(fd);

	if (r == 0 && path_of(fd, path)) {
		pthread_mutex_lock(&lock);
		note(NULL, 0, "S %s\n", path);
		pthread_mutex_unlock(&lock);
	}
	return r;
}

int fsync(int fd)
{
	return sync_with(REAL(fsync), fd);
}

int fdatasync(int fd)
{
	return sync_with(REAL(fdatasync), fd);
}

static int open_with(const char *path, int flags, mode_t mode)
{
	int is_new = (flags & O_CREAT) && is_ours(path) && access(path, F_OK) < 0;
	int fd;

	pthread_mutex_lock(&lock);
	fd = REAL(open64)(path, flags, mode);
	if (fd >= 0 && is_new)
		note(NULL, 0, "C %s\n", path);
	if (fd >= 0 && !is_new && (flags & O_TRUNC) && is_ours(path))
		note(NULL, 0, "T %s\t0\n", path);
	pthread_mutex_unlock(&lock);
	return fd;
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(flags, args);
	va_end(args);
	return open_with(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(flags, args);
	va_end(args);
	return open_with(path, flags, mode);
}

int mkdir(const char *path, mode_t mode)
{
	int r;

	pthread_mutex_lock(&lock);
	r = REAL(mkdir)(path, mode);
	if (r == 0 && is_ours(path))
		note(NULL, 0, "M %s\n", path);
	pthread_mutex_unlock(&lock);
	return r;
}

int unlink(const char *path)
{
	int r;

	pthread_mutex_lock(&lock);
	r = REAL(unlink)(path);
	if (r == 0 && is_ours(path))
		note(NULL, 0, "U %s\n", path);
	pthread_mutex_unlock(&lock);
	return r;
}

int rename(const char *from, const char *to)
{
	int r;

	pthread_mutex_lock(&lock);
	r = REAL(rename)(from, to);
	if (r == 0 && is_ours(to))
		note(NULL, 0, "R %s\t%s\n", from, to);
	pthread_mutex_unlock(&lock);
	return r;
}
