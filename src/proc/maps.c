/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "proc/procfs_private.h"

#define DELETED_SUFFIX " (deleted)"

void maps_init(struct maps *maps)
{
	*maps = (struct maps){0};
	arena_init(&maps->text);
	buf_init(&maps->line, MAPS_MAX_LINE_BYTES);
}

void maps_done(struct maps *maps)
{
	free(maps->items);
	arena_done(&maps->text);
	buf_done(&maps->line);
	*maps = (struct maps){0};
}

void maps_reset(struct maps *maps)
{
	maps->n = 0;
	maps->skipped = 0;
	maps->is_line_too_long = false;
	arena_reset(&maps->text);
	buf_reset(&maps->line);
}

/* "7f1200000000-7f1200021000 r-xp 00026000 fe:01 1234      /usr/lib/x.so": up to before the path.
 */
static bool take_fields(const char **at, struct mapping *mapping)
{
	static const struct {
		char letter;
		uint8_t bit;
	} bits[] = {{'r', MAPPING_READ},
		    {'w', MAPPING_WRITE},
		    {'x', MAPPING_EXEC},
		    {'s', MAPPING_SHARED}};
	uint64_t major, minor;

	if (!procfs_take_u64(at, 16, &mapping->start) || *(*at)++ != '-' ||
	    !procfs_take_u64(at, 16, &mapping->end) || *(*at)++ != ' ')
		return false;
	for (size_t i = 0; i < array_len(bits); i++) {
		char c = **at;

		if (!c)
			return false;
		if (c == bits[i].letter)
			mapping->perms |= bits[i].bit;
		(*at)++;
	}
	if (!procfs_take_u64(at, 16, &mapping->offset) || !procfs_take_u64(at, 16, &major) ||
	    *(*at)++ != ':' || !procfs_take_u64(at, 16, &minor) ||
	    !procfs_take_u64(at, 10, &mapping->inode))
		return false;
	if (major > UINT32_MAX || minor > UINT32_MAX || mapping->start >= mapping->end)
		return false;
	mapping->dev_major = (uint32_t)major;
	mapping->dev_minor = (uint32_t)minor;
	return true;
}

/* The kernel writes a newline in a path as \012 and nothing else so; other backslashes are the
 * path's. */
static size_t unescape(char *dst, const char *src, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (len - i >= 4 && !memcmp(src + i, "\\012", 4)) {
			dst[n++] = '\n';
			i += 3;
		} else {
			dst[n++] = src[i];
		}
	}
	return n;
}

static bool ends_with(const char *text, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len >= n && !memcmp(text + len - n, suffix, n);
}

/* False when the paths together pass their limit.  Neighbours of one file share their text. */
static bool keep_path(struct maps *maps, struct mapping *mapping, const char *path, size_t len)
{
	const struct mapping *before = maps->n ? &maps->items[maps->n - 1] : NULL;
	char *text;

	mapping->path = "";
	if (!len)
		return true;
	if (mapping->inode && ends_with(path, len, DELETED_SUFFIX)) {
		mapping->is_deleted = true;
		len -= strlen(DELETED_SUFFIX);
	}
	if (maps->text.used_bytes + len + 1 > MAPS_MAX_TEXT_BYTES)
		return false;
	text = arena_alloc(&maps->text, len + 1);
	text[unescape(text, path, len)] = 0;
	mapping->path = before && !strcmp(before->path, text) ? before->path : text;
	return true;
}

static void take_line(struct maps *maps, const char *line, size_t len)
{
	struct mapping mapping = {0};
	const char *at = line;
	raddr_t floor = maps->n ? maps->items[maps->n - 1].end : 0;

	if (maps->n >= MAPS_MAX || !take_fields(&at, &mapping) || mapping.start < floor) {
		maps->skipped++;
		return;
	}
	/* One column of blanks, then the path with blanks of its own. */
	while (*at == ' ')
		at++;
	if (!keep_path(maps, &mapping, at, len - (size_t)(at - line))) {
		maps->skipped++;
		return;
	}
	maps->items = vec_grow(maps->items, &maps->cap, maps->n + 1, sizeof(mapping));
	maps->items[maps->n++] = mapping;
}

void maps_finish(struct maps *maps)
{
	if (maps->line.overflow || maps->is_line_too_long)
		maps->skipped++;
	else if (maps->line.len)
		take_line(maps, maps->line.data, strlen(maps->line.data));
	maps->is_line_too_long = false;
	maps->line.overflow = false;
	buf_reset(&maps->line);
}

void maps_feed(struct maps *maps, const char *text, size_t len)
{
	while (len) {
		const char *newline = memchr(text, '\n', len);
		size_t part = newline ? (size_t)(newline - text) : len;

		if (!maps->is_line_too_long)
			buf_put(&maps->line, text, part);
		if (maps->line.overflow) {
			maps->is_line_too_long = true;
			maps->line.overflow = false;
			buf_reset(&maps->line);
		}
		if (newline) {
			maps_finish(maps);
			part++;
		}
		text += part;
		len -= part;
	}
}

int maps_read(struct maps *maps, pid_t pid, struct err *err)
{
	char chunk[16384];
	cleanup_fd int fd = procfs_open(pid, 0, "maps", O_RDONLY);
	ssize_t n;

	maps_reset(maps);
	if (fd == -ESRCH)
		return err_set(err, fd, "process %d has ended", (int)pid);
	if (fd < 0)
		return err_sys(err, fd, "cannot read the mappings of process %d", (int)pid);
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, -errno, "cannot read the mappings of process %d",
				       (int)pid);
		maps_feed(maps, chunk, (size_t)n);
	}
	maps_finish(maps);
	if (!maps->n)
		return err_set(err, ERR_GONE,
			       "process %d has no memory (it has ended, or is part of the kernel)",
			       (int)pid);
	return 0;
}

const struct mapping *maps_find(const struct maps *maps, raddr_t addr)
{
	size_t low = 0, high = maps->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (maps->items[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < maps->n && maps->items[low].start <= addr ? &maps->items[low] : NULL;
}

bool mapping_is_file(const struct mapping *mapping)
{
	return mapping->inode != 0 && mapping->path[0] == '/';
}

bool mapping_is_same_file(const struct mapping *mapping, const struct mapping *other)
{
	return mapping_is_file(mapping) && mapping->inode == other->inode &&
	       mapping->dev_major == other->dev_major && mapping->dev_minor == other->dev_minor;
}
