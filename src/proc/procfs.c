/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/procfs_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

int procfs_open(pid_t pid, pid_t tid, const char *name, int flags)
{
	char path[96];
	int fd;

	if (tid > 0)
		snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)pid, (int)tid, name);
	else
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0)
		return fd;
	/* A file of a process is missing when the process is. */
	return errno == ENOENT ? -ESRCH : -errno;
}

ssize_t procfs_pread(int fd, char *dst, size_t cap)
{
	size_t len = 0;

	while (len + 1 < cap) {
		ssize_t n = pread(fd, dst + len, cap - 1 - len, (off_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		/* These files answer whole; a second call would only say "end". */
		if (len + 256 < cap)
			break;
	}
	dst[len] = 0;
	return (ssize_t)len;
}

ssize_t procfs_read(pid_t pid, pid_t tid, const char *name, char *dst, size_t cap)
{
	cleanup_fd int fd = procfs_open(pid, tid, name, O_RDONLY);

	if (fd < 0)
		return fd;
	return procfs_pread(fd, dst, cap);
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return INT_MAX;
}

bool procfs_take_u64(const char **at, int base, uint64_t *ret_value)
{
	const char *p = *at;
	uint64_t value = 0;
	const char *first;

	while (*p == ' ' || *p == '\t')
		p++;
	if (base == 16 && p[0] == '0' && p[1] == 'x')
		p += 2;
	first = p;
	for (; digit_of(*p) < base; p++) {
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit_of(*p), &value))
			return false;
	}
	if (p == first)
		return false;
	*at = p;
	*ret_value = value;
	return true;
}

bool procfs_take_i64(const char **at, int64_t *ret_value)
{
	const char *p = *at;
	bool is_negative = false;
	uint64_t value;

	while (*p == ' ' || *p == '\t')
		p++;
	if (*p == '-') {
		is_negative = true;
		p++;
	}
	if (!procfs_take_u64(&p, 10, &value) || value > INT64_MAX)
		return false;
	*at = p;
	*ret_value = is_negative ? -(int64_t)value : (int64_t)value;
	return true;
}

const char *procfs_field(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (!strncmp(line, name, len) && line[len] == ':')
			return line + len + 1;
	}
	return NULL;
}

const char *procfs_stat_rest(const char *stat)
{
	/* The comm may hold ") R 1"; the kernel's own closing bracket is the last one. */
	const char *close = strrchr(stat, ')');

	if (!close || close[1] != ' ' || !close[2])
		return NULL;
	return close + 2;
}
