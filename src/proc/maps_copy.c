/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mapped file rebuilt from memory.
 *
 * What a dynamic loader needs of a file (headers, dynamic symbols, code) is mapped and read-only, so it is in memory as
 * it was in the file; section headers, .symtab and debug information are not mapped and missing here.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "proc/maps.h"

#define COPY_CHUNK_BYTES (256u << 10)

static int write_all(int fd, const uint8_t *bytes, size_t len, uint64_t offset)
{
	while (len) {
		ssize_t n = pwrite(fd, bytes, len, (off_t)offset);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			bytes += n;
			offset += (uint64_t)n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* A page that cannot be read (beyond the end of a file that was cut) stays a hole. */
static int copy_mapping(struct memory *memory, const struct mapping *mapping, int fd,
			uint8_t *chunk)
{
	for (raddr_t at = mapping->start; at < mapping->end; at += COPY_CHUNK_BYTES) {
		size_t len = (size_t)min_of(mapping->end - at, (raddr_t)COPY_CHUNK_BYTES);
		int r = memory_read(memory, at, chunk, len);

		if (r == -EFAULT)
			continue;
		if (r == 0)
			r = write_all(fd, chunk, len, mapping->offset + (at - mapping->start));
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_wanted(const struct mapping *mapping, const struct mapping *of)
{
	return mapping_is_same_file(mapping, of) && mapping->perms & MAPPING_READ &&
	       !(mapping->perms & MAPPING_WRITE) && mapping->offset <= MAPS_MAX_COPY_BYTES;
}

int maps_copy(struct memory *memory, const struct maps *maps, const struct mapping *mapping,
	      struct err *err)
{
	cleanup_fd int fd = memfd_create("mapped", MFD_CLOEXEC);
	cleanup_free uint8_t *chunk = xcalloc(COPY_CHUNK_BYTES, 1);
	uint64_t total = 0;
	int r = 0;

	if (fd < 0)
		return err_sys(err, -errno, "cannot make a file in memory");
	for (size_t i = 0; i < maps->n && r == 0; i++) {
		const struct mapping *part = &maps->items[i];

		if (!is_wanted(part, mapping))
			continue;
		total += part->end - part->start;
		r = total > MAPS_MAX_COPY_BYTES ? ERR_LIMIT : copy_mapping(memory, part, fd, chunk);
	}
	if (r == 0 && total == 0)
		r = -ENOENT;
	return r < 0 ? err_sys(err, r, "cannot copy %s from memory", mapping->path) : take_fd(&fd);
}
