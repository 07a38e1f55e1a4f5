/* SPDX-License-Identifier: Apache-2.0 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/core_private.h"

#define HEAD_BYTES 4096u
#define PAGE_BYTES 4096u
#define FILE_MAX_SEGMENTS 128 /* of a program or library */
#define FILE_NOT_OPEN (-1)
#define FILE_UNUSABLE (-2)

int core_pread(int fd, void *into, size_t len, uint64_t at)
{
	size_t done = 0;

	if (at > (uint64_t)INT64_MAX - len)
		return -EFAULT;
	while (done < len) {
		ssize_t n = pread(fd, (char *)into + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EFAULT;
		done += (size_t)n;
	}
	return 0;
}

static const struct core_segment *find_segment(const struct core *core, raddr_t addr)
{
	size_t low = 0, high = core->n_segments;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (core->segments[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < core->n_segments && core->segments[low].start <= addr ? &core->segments[low]
									   : NULL;
}

/* ---- files ---- */

static bool is_same_head(struct core *core, const struct core_file *file, int fd)
{
	char ours[HEAD_BYTES], theirs[HEAD_BYTES];
	const struct core_segment *segment = find_segment(core, file->head);

	/* Where the core lacks the page there is nothing to compare. */
	if (!file->has_head || !segment || segment->in_core < HEAD_BYTES)
		return true;
	return core_pread(core->fd, ours, HEAD_BYTES, segment->at) == 0 &&
	       core_pread(fd, theirs, HEAD_BYTES, 0) == 0 && memcmp(ours, theirs, HEAD_BYTES) == 0;
}

static int open_file(struct core *core, const struct core_file *file)
{
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= MAPS_MAX_FILE_BYTES &&
	    is_same_head(core, file, fd))
		return fd;
	close(fd);
	return -ENOENT;
}

int core_file_fd(struct core *core, uint32_t index)
{
	struct core_file *file = &core->files[index];

	if (file->fd == FILE_NOT_OPEN) {
		file->fd = open_file(core, file);
		if (file->fd < 0)
			file->fd = FILE_UNUSABLE;
	}
	return file->fd >= 0 ? file->fd : -ENOENT;
}

static bool covers(const Elf64_Phdr *head, uint64_t from)
{
	uint64_t page = PAGE_BYTES - 1, end;

	return head->p_type == PT_LOAD &&
	       !__builtin_add_overflow(head->p_offset, head->p_filesz, &end) &&
	       from >= (head->p_offset & ~page) && from < end;
}

uint8_t core_file_perms(struct core *core, uint32_t index, uint64_t from)
{
	int fd = core_file_fd(core, index);
	uint8_t perms = MAPPING_READ;
	Elf64_Ehdr head;

	if (fd < 0 || core_pread(fd, &head, sizeof(head), 0) < 0 ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_phentsize != sizeof(Elf64_Phdr) ||
	    head.e_phnum > FILE_MAX_SEGMENTS)
		return perms;
	for (unsigned i = 0; i < head.e_phnum; i++) {
		Elf64_Phdr segment;

		if (core_pread(fd, &segment, sizeof(segment), head.e_phoff + i * sizeof(segment)) <
		    0)
			break;
		if (covers(&segment, from) && segment.p_flags & PF_X)
			perms |= MAPPING_EXEC;
	}
	return perms;
}

/* ---- reading ---- */

/* Up to the end of the segment's part that is in one place; returns how many bytes, or negative. */
static int64_t read_piece(struct core *core, raddr_t addr, void *into, size_t len)
{
	const struct core_segment *segment = find_segment(core, addr);
	int fd, r;

	if (!segment)
		return -EFAULT;
	uint64_t offset = addr - segment->start;
	if (offset < segment->in_core) {
		len = (size_t)min_of((uint64_t)len, segment->in_core - offset);
		r = core_pread(core->fd, into, len, segment->at + offset);
		return r < 0 ? r : (int64_t)len;
	}
	if (!segment->file)
		return -EFAULT;
	fd = core_file_fd(core, segment->file - 1);
	if (fd < 0)
		return -EFAULT;
	len = (size_t)min_of((uint64_t)len, segment->end - addr);
	r = core_pread(fd, into, len, segment->file_from + offset);
	return r < 0 ? r : (int64_t)len;
}

static bool read_span(struct core *core, const struct mem_span *span)
{
	size_t done = 0;

	while (done < span->len) {
		int64_t n = read_piece(core, span->addr + done, (char *)span->into + done,
				       span->len - done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static int core_readv(struct memory *memory, struct mem_span *spans, size_t n)
{
	int filled = 0;

	for (size_t i = 0; i < n; i++) {
		spans[i].ok = read_span((struct core *)memory, &spans[i]);
		filled += spans[i].ok;
	}
	return filled;
}

/* The memory is a part of its core, which core_free() ends. */
static void core_memory_free(struct memory *memory)
{
	(void)memory;
}

const struct memory_ops core_memory_ops = {.readv = core_readv, .free = core_memory_free};
