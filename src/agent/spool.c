/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "codec/crc.h"

#define SPOOL_MAGIC "PSP1"
#define SPOOL_HEAD_BYTES 12
#define SPOOL_ENDING ".spool"
#define SPOOL_NAME_BYTES 24	  /* sixteen digits and the ending */
#define SPOOL_MAX_SEGMENTS 100000 /* of earlier runs; more is not ours */

struct segment {
	uint64_t number;  /* its name */
	uint64_t bytes;	  /* whole records only */
	uint64_t at;	  /* read up to here */
	uint64_t records; /* from `at` on */
};

struct spool {
	int dir_fd, lock_fd;
	int read_fd;  /* of segments[0]; -1: not open */
	int write_fd; /* of the last segment; -1: the next put makes a new one */
	struct segment *segments;
	size_t n, cap;
	uint64_t next_number;
	uint64_t max_bytes;
	uint64_t peeked_bytes; /* of the record that spool_peek() gave; 0: none */
	struct spool_stats stats;
};

static void segment_name(uint64_t number, char into[SPOOL_NAME_BYTES])
{
	snprintf(into, SPOOL_NAME_BYTES, "%016" PRIx64 SPOOL_ENDING, number);
}

static void close_fd(int *fd)
{
	cleanup_close_fd(fd);
	*fd = -1;
}

static int segment_open(const struct spool *spool, uint64_t number, int flags)
{
	char name[SPOOL_NAME_BYTES];

	segment_name(number, name);
	return openat(spool->dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* ---- records ---- */

struct head {
	uint32_t len, crc;
};

static ssize_t read_at(int fd, void *into, size_t len, uint64_t at)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(fd, (char *)into + got, len - got, (off_t)(at + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* The head of a record whose bytes all lie below `end`. */
static bool read_head(int fd, uint64_t at, uint64_t end, struct head *ret_head)
{
	uint8_t bytes[SPOOL_HEAD_BYTES];
	struct cursor cursor = cursor_over(bytes, sizeof(bytes));

	if (end - at < sizeof(bytes) || read_at(fd, bytes, sizeof(bytes), at) != SPOOL_HEAD_BYTES ||
	    memcmp(bytes, SPOOL_MAGIC, 4) != 0)
		return false;
	(void)cursor_bytes(&cursor, 4);
	ret_head->len = cursor_le32(&cursor);
	ret_head->crc = cursor_le32(&cursor);
	return ret_head->len <= SPOOL_RECORD_MAX_BYTES &&
	       ret_head->len <= end - at - SPOOL_HEAD_BYTES;
}

/* ---- segments ---- */

static void segment_drop_first(struct spool *spool)
{
	char name[SPOOL_NAME_BYTES];

	segment_name(spool->segments[0].number, name);
	spool->stats.records -= spool->segments[0].records;
	spool->stats.bytes -= spool->segments[0].bytes;
	unlinkat(spool->dir_fd, name, 0);
	close_fd(&spool->read_fd);
	if (spool->n == 1)
		close_fd(&spool->write_fd);
	memmove(spool->segments, spool->segments + 1, --spool->n * sizeof(*spool->segments));
	spool->peeked_bytes = 0;
}

static struct segment *segment_add(struct spool *spool, uint64_t number)
{
	spool->segments =
		vec_grow(spool->segments, &spool->cap, spool->n + 1, sizeof(*spool->segments));
	spool->segments[spool->n] = (struct segment){.number = number};
	spool->next_number = max_of(spool->next_number, number + 1);
	return &spool->segments[spool->n++];
}

static int by_number(const void *a, const void *b)
{
	const struct segment *left = a, *right = b;

	return left->number < right->number ? -1 : left->number > right->number;
}

/* Our names only: whatever else lies in the directory is left alone. */
static bool parse_name(const char *name, uint64_t *ret_number)
{
	char again[SPOOL_NAME_BYTES], *end;

	if (strlen(name) != SPOOL_NAME_BYTES - 2)
		return false;
	*ret_number = strtoull(name, &end, 16);
	segment_name(*ret_number, again);
	return strcmp(again, name) == 0 && *ret_number < UINT64_MAX / 2;
}

/* Count the records of an earlier run; a torn tail ends it. */
static void segment_scan(struct spool *spool, struct segment *segment)
{
	cleanup_fd int fd = segment_open(spool, segment->number, O_RDONLY);
	struct stat st;
	struct head head;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	while (read_head(fd, segment->bytes, (uint64_t)st.st_size, &head)) {
		segment->bytes += SPOOL_HEAD_BYTES + head.len;
		segment->records++;
	}
	if (segment->bytes < (uint64_t)st.st_size)
		spool->stats.damaged++;
	spool->stats.records += segment->records;
	spool->stats.bytes += segment->bytes;
}

static int segments_find(struct spool *spool, const char *path, struct err *err)
{
	int fd = dup(spool->dir_fd);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t number;

	if (!dir) {
		close_fd(&fd);
		return err_sys(err, -errno, "cannot list the spool directory %s", path);
	}
	while ((entry = readdir(dir)) && spool->n < SPOOL_MAX_SEGMENTS)
		if (parse_name(entry->d_name, &number))
			segment_add(spool, number);
	closedir(dir);
	if (spool->n)
		qsort(spool->segments, spool->n, sizeof(*spool->segments), by_number);
	for (size_t i = 0; i < spool->n; i++)
		segment_scan(spool, &spool->segments[i]);
	return 0;
}

static int lock_dir(struct spool *spool, const char *path, struct err *err)
{
	spool->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (spool->dir_fd < 0)
		return err_sys(err, -errno, "cannot open the spool directory %s", path);
	spool->lock_fd =
		openat(spool->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (spool->lock_fd < 0)
		return err_sys(err, -errno, "cannot write to the spool directory %s", path);
	if (flock(spool->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(
			err, -EBUSY,
			"the spool directory %s is used by another pyrometer: give each its own",
			path);
	return 0;
}

int spool_open(const char *dir, size_t max_bytes, struct spool **ret_spool, struct err *err)
{
	struct spool *spool = xcalloc(1, sizeof(*spool));
	int r = 0;

	*spool = (struct spool){.dir_fd = -1, .lock_fd = -1, .read_fd = -1, .write_fd = -1};
	spool->max_bytes = max_bytes;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		r = err_sys(err, -errno, "cannot make the spool directory %s", dir);
	if (r == 0)
		r = lock_dir(spool, dir, err);
	if (r == 0)
		r = segments_find(spool, dir, err);
	if (r < 0)
		spool_close(spool);
	else
		*ret_spool = spool;
	return r;
}

void spool_close(struct spool *spool)
{
	if (!spool)
		return;
	/* What was taken to its end is not offered to the next run. */
	while (spool->n && !spool->segments[0].records)
		segment_drop_first(spool);
	close_fd(&spool->read_fd);
	close_fd(&spool->write_fd);
	close_fd(&spool->lock_fd);
	close_fd(&spool->dir_fd);
	free(spool->segments);
	free(spool);
}

/* ---- putting ---- */

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int segment_for_writing(struct spool *spool, struct err *err)
{
	if (spool->write_fd >= 0 && spool->segments[spool->n - 1].bytes < SPOOL_SEGMENT_BYTES)
		return 0;
	close_fd(&spool->write_fd);
	spool->write_fd =
		segment_open(spool, spool->next_number, O_WRONLY | O_CREAT | O_EXCL | O_APPEND);
	if (spool->write_fd < 0)
		return err_sys(err, -errno, "cannot write to the spool");
	segment_add(spool, spool->next_number);
	return 0;
}

static void put_le32(char *into, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		into[i] = (char)(value >> (8 * i));
}

int spool_put(struct spool *spool, const void *data, size_t len, struct err *err)
{
	char head[SPOOL_HEAD_BYTES] = SPOOL_MAGIC;
	uint64_t total = len + sizeof(head);
	struct segment *segment;
	int r;

	if (len > SPOOL_RECORD_MAX_BYTES || total > spool->max_bytes)
		return err_set(err, ERR_LIMIT, "a record of %zu bytes does not fit into the spool",
			       len);
	while (spool->n && spool->stats.bytes + total > spool->max_bytes) {
		spool->stats.dropped += spool->segments[0].records;
		segment_drop_first(spool);
	}
	r = segment_for_writing(spool, err);
	if (r < 0)
		return r;
	segment = &spool->segments[spool->n - 1];
	put_le32(head + 4, (uint32_t)len);
	put_le32(head + 8, crc32_of(0, data, len));
	r = write_all(spool->write_fd, head, sizeof(head));
	if (r == 0)
		r = write_all(spool->write_fd, data, len);
	if (r < 0) {
		/* Half a record must not stand before whole ones. */
		if (ftruncate(spool->write_fd, (off_t)segment->bytes) < 0)
			close_fd(&spool->write_fd);
		return err_sys(err, r, "cannot write to the spool");
	}
	segment->bytes += total;
	segment->records++;
	spool->stats.bytes += total;
	spool->stats.records++;
	return 0;
}

/* ---- taking ---- */

/* Step over the record at hand. */
static void advance(struct spool *spool, uint64_t bytes)
{
	struct segment *first = &spool->segments[0];

	first->at += bytes;
	first->records--;
	spool->stats.records--;
	if (!first->records)
		segment_drop_first(spool);
}

/* The record at the read position into `out`; false (and a step on) when it is damaged. */
static bool read_record(struct spool *spool, struct buf *out)
{
	struct segment *first = &spool->segments[0];
	size_t start = out->len;
	struct head head;
	char *room;

	if (spool->read_fd < 0)
		spool->read_fd = segment_open(spool, first->number, O_RDONLY);
	if (spool->read_fd < 0 || !read_head(spool->read_fd, first->at, first->bytes, &head)) {
		spool->stats.damaged++;
		segment_drop_first(spool);
		return false;
	}
	room = buf_room(out, head.len);
	if (room &&
	    read_at(spool->read_fd, room, head.len, first->at + SPOOL_HEAD_BYTES) == head.len &&
	    crc32_of(0, room, head.len) == head.crc) {
		buf_grew(out, head.len);
		spool->peeked_bytes = SPOOL_HEAD_BYTES + (uint64_t)head.len;
		return true;
	}
	out->len = start;
	spool->stats.damaged++;
	advance(spool, SPOOL_HEAD_BYTES + (uint64_t)head.len);
	return false;
}

int spool_peek(struct spool *spool, struct buf *out)
{
	while (spool->n) {
		if (!spool->segments[0].records)
			segment_drop_first(spool);
		else if (read_record(spool, out))
			return 0;
	}
	return -ENOENT;
}

void spool_pop(struct spool *spool)
{
	if (!spool->n || !spool->peeked_bytes)
		return;
	advance(spool, spool->peeked_bytes);
	spool->peeked_bytes = 0;
}

void spool_stats(const struct spool *spool, struct spool_stats *ret_stats)
{
	*ret_stats = spool->stats;
}
