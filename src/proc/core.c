/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/core.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"
#include "base/vec.h"
#include "proc/core_private.h"

static int bad(struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, "not a core file that can be read: %s", what);
}

/* ---- segments ---- */

static int read_head(struct core *core, Elf64_Ehdr *head, struct err *err)
{
	if (core_pread(core->fd, head, sizeof(*head), 0) < 0 ||
	    memcmp(head->e_ident, ELFMAG, SELFMAG) != 0)
		return bad(err, "it is no ELF file");
	if (head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_ident[EI_DATA] != ELFDATA2LSB ||
	    head->e_machine != REGISTERS_MACHINE)
		return bad(err, "it is of another kind of machine");
	if (head->e_type != ET_CORE)
		return bad(err, "it is a program or a library");
	if (head->e_phentsize != sizeof(Elf64_Phdr))
		return bad(err, "its segment headers have an unknown size");
	return 0;
}

/* More than 65,534 segments are counted in the first section header. */
static int count_segments(struct core *core, const Elf64_Ehdr *head, uint32_t *ret_n,
			  struct err *err)
{
	Elf64_Shdr section;

	*ret_n = head->e_phnum;
	if (head->e_phnum == PN_XNUM) {
		if (core_pread(core->fd, &section, sizeof(section), head->e_shoff) < 0)
			return bad(err, "its segments are not counted");
		*ret_n = section.sh_info;
	}
	return *ret_n && *ret_n <= CORE_MAX_SEGMENTS ? 0 : bad(err, "it has too many segments");
}

static void add_segment(struct core *core, const struct core_segment *segment)
{
	core->segments = vec_grow(core->segments, &core->segments_cap, core->n_segments + 1,
				  sizeof(*core->segments));
	core->segments[core->n_segments++] = *segment;
}

static int add_load(struct core *core, const Elf64_Phdr *head, struct err *err)
{
	raddr_t end;

	if (!head->p_memsz)
		return 0;
	if (__builtin_add_overflow(head->p_vaddr, head->p_memsz, &end) ||
	    head->p_filesz > head->p_memsz)
		return bad(err, "a segment is larger than memory");
	if (core->n_segments && head->p_vaddr < core->segments[core->n_segments - 1].end)
		return bad(err, "its segments are out of order");
	const struct core_segment segment = {
		.start = head->p_vaddr,
		.end = end,
		.in_core = head->p_filesz,
		.at = head->p_offset,
		.perms = (uint8_t)((head->p_flags & PF_R ? MAPPING_READ : 0) |
				   (head->p_flags & PF_W ? MAPPING_WRITE : 0) |
				   (head->p_flags & PF_X ? MAPPING_EXEC : 0)),
	};
	add_segment(core, &segment);
	return 0;
}

static int add_notes(struct core *core, const Elf64_Phdr *head, struct err *err)
{
	if (head->p_filesz > CORE_MAX_NOTES - core->notes_len)
		return bad(err, "its notes are too long");
	core->notes =
		vec_grow(core->notes, &core->notes_cap, core->notes_len + head->p_filesz + 1, 1);
	if (core_pread(core->fd, core->notes + core->notes_len, head->p_filesz, head->p_offset) < 0)
		return bad(err, "it is cut off inside its notes");
	core->notes_len += head->p_filesz;
	core->notes[core->notes_len] = '\0';
	return 0;
}

static int read_segments(struct core *core, struct err *err)
{
	Elf64_Ehdr head;
	uint32_t n;
	int r = read_head(core, &head, err);

	if (r == 0)
		r = count_segments(core, &head, &n, err);
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		Elf64_Phdr segment;

		if (core_pread(core->fd, &segment, sizeof(segment),
			       head.e_phoff + i * sizeof(segment)) < 0)
			return bad(err, "it is cut off inside its headers");
		if (segment.p_type == PT_LOAD)
			r = add_load(core, &segment, err);
		else if (segment.p_type == PT_NOTE)
			r = add_notes(core, &segment, err);
	}
	return r;
}

/* ---- notes ---- */

static int take_status(struct core *core, struct cursor desc, struct err *err)
{
	struct elf_prstatus status;
	const uint8_t *bytes = cursor_bytes(&desc, sizeof(status));

	if (!bytes)
		return bad(err, "a thread's status is too short");
	if (core->n_threads >= CORE_MAX_THREADS)
		return bad(err, "it has too many threads");
	memcpy(&status, bytes, sizeof(status));
	core->threads = vec_grow(core->threads, &core->threads_cap, core->n_threads + 1,
				 sizeof(*core->threads));
	core->regs =
		vec_grow(core->regs, &core->regs_cap, core->n_threads + 1, sizeof(*core->regs));
	static_assert(sizeof(core->regs->raw) == sizeof(status.pr_reg), "as ptrace gives them");
	memcpy(&core->regs[core->n_threads].raw, &status.pr_reg, sizeof(status.pr_reg));
	core->threads[core->n_threads++] = status.pr_pid;
	return 0;
}

static int take_info(struct core *core, struct cursor desc, struct err *err)
{
	struct elf_prpsinfo info;
	const uint8_t *bytes = cursor_bytes(&desc, sizeof(info));
	char text[sizeof(info.pr_psargs) + 1] = "";

	if (!bytes)
		return bad(err, "the process's description is too short");
	memcpy(&info, bytes, sizeof(info));
	core->pid = info.pr_pid;
	memcpy(text, info.pr_psargs, sizeof(info.pr_psargs));
	/* The program's name only: arguments hold secrets (as process_command()). */
	utf8_printable(core->command, sizeof(core->command), text, strcspn(text, " "));
	return 0;
}

/* NT_AUXV: pairs of words, as the program got them when it started. */
static void take_auxv(struct core *core, struct cursor desc)
{
	while (cursor_left(&desc) >= 16) {
		uint64_t type = cursor_le64(&desc), value = cursor_le64(&desc);

		if (type == AT_SYSINFO_EHDR)
			core->vdso = value;
	}
}

/* ---- files that were mapped ---- */

static uint32_t file_index(struct core *core, const char *path)
{
	/* Mappings of one file stand together, or nearly. */
	for (size_t i = core->n_files; i-- > 0 && core->n_files - i < 8;)
		if (strcmp(core->files[i].path, path) == 0)
			return (uint32_t)i;
	if (core->n_files >= CORE_MAX_FILES)
		return UINT32_MAX;
	core->files =
		vec_grow(core->files, &core->files_cap, core->n_files + 1, sizeof(*core->files));
	core->files[core->n_files] = (struct core_file){.path = path, .fd = -1};
	return (uint32_t)core->n_files++;
}

/* gcore leaves out what it can leave to the file: no segment stands for it. */
static void add_gap(struct core *core, const struct core_mapped *mapped, raddr_t start, raddr_t end)
{
	const struct core_segment gap = {
		.start = start,
		.end = end,
		.file = mapped->file + 1,
		.file_from = mapped->from + (start - mapped->start),
		.perms =
			core_file_perms(core, mapped->file, mapped->from + (start - mapped->start)),
	};

	if (start < end)
		add_segment(core, &gap);
}

/* Tell the segments in the mapping which file they are of; `*at` is the first that may lie in it. */
static void take_mapped(struct core *core, const struct core_mapped *mapped, size_t n_loaded,
			size_t *at)
{
	raddr_t seen = mapped->start;

	while (*at < n_loaded && core->segments[*at].end <= mapped->start)
		++*at;
	for (; *at < n_loaded && core->segments[*at].start < mapped->end; ++*at) {
		struct core_segment *segment = &core->segments[*at];
		raddr_t end = segment->end;

		if (segment->start < mapped->start)
			continue;
		segment->file = mapped->file + 1;
		segment->file_from = mapped->from + (segment->start - mapped->start);
		add_gap(core, mapped, seen, segment->start);
		seen = end;
	}
	add_gap(core, mapped, seen, mapped->end);
}

static int by_start(const void *a, const void *b)
{
	const struct core_segment *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* After all notes: the list of files may come before or after what it is about. */
static void place_files(struct core *core)
{
	size_t n_loaded = core->n_segments, at = 0, kept = 0;

	for (size_t i = 0; i < core->n_mapped; i++)
		take_mapped(core, &core->mapped[i], n_loaded, &at);
	if (core->n_segments)
		qsort(core->segments, core->n_segments, sizeof(*core->segments), by_start);
	for (size_t i = 0; i < core->n_segments; i++)
		if (!kept || core->segments[i].start >= core->segments[kept - 1].end)
			core->segments[kept++] = core->segments[i];
	core->n_segments = kept;
}

/* Rising, as the kernel writes them: one pass over the segments is enough. */
static void take_file(struct core *core, raddr_t start, raddr_t end, uint64_t from,
		      const char *path)
{
	size_t n = core->n_mapped;
	uint32_t file;

	if (n && start < core->mapped[n - 1].end)
		return;
	file = file_index(core, path);
	if (file == UINT32_MAX)
		return;
	if (from == 0) {
		core->files[file].head = start;
		core->files[file].has_head = true;
	}
	core->mapped = vec_grow(core->mapped, &core->mapped_cap, n + 1, sizeof(*core->mapped));
	core->mapped[core->n_mapped++] = (struct core_mapped){start, end, from, file};
}

/* NT_FILE: count, page size, count x (start, end, offset in pages), then as many names. */
static int take_files(struct core *core, struct cursor desc, struct err *err)
{
	uint64_t n = cursor_le64(&desc), page = cursor_le64(&desc);
	const uint8_t *table = n <= MAPS_MAX ? cursor_bytes(&desc, n * 24) : NULL;
	struct cursor rows;

	if (desc.bad || !table || page > 1u << 30)
		return bad(err, "its list of files is too short");
	rows = cursor_over(table, n * 24);
	for (uint64_t i = 0; i < n; i++) {
		raddr_t start = cursor_le64(&rows), end = cursor_le64(&rows);
		uint64_t from;
		const uint8_t *nul = memchr(desc.at, '\0', cursor_left(&desc));

		if (!nul)
			return bad(err, "its list of files has no names");
		if (!__builtin_mul_overflow(cursor_le64(&rows), page, &from) && start < end)
			take_file(core, start, end, from, (const char *)desc.at);
		desc.at = nul + 1;
	}
	return 0;
}

static int take_note(struct core *core, uint32_t type, struct cursor desc, struct err *err)
{
	switch (type) {
	case NT_PRSTATUS:
		return take_status(core, desc, err);
	case NT_PRPSINFO:
		return take_info(core, desc, err);
	case NT_AUXV:
		take_auxv(core, desc);
		return 0;
	case NT_FILE:
		return take_files(core, desc, err);
	default:
		return 0;
	}
}

static int read_notes(struct core *core, struct err *err)
{
	struct cursor notes = cursor_over(core->notes, core->notes_len);
	int r = 0;

	while (r == 0 && cursor_left(&notes) >= sizeof(Elf64_Nhdr)) {
		uint32_t name_len = cursor_le32(&notes), len = cursor_le32(&notes);
		uint32_t type = cursor_le32(&notes);
		const uint8_t *name = cursor_bytes(&notes, ((uint64_t)name_len + 3) & ~3ull);
		const uint8_t *desc = cursor_bytes(&notes, len);

		if (!name || !desc)
			return bad(err, "a note is longer than all of them");
		if (name_len == 5 && memcmp(name, "CORE", 5) == 0)
			r = take_note(core, type, cursor_over(desc, len), err);
		/* Only the last may lack the bytes that round it up. */
		(void)cursor_bytes(&notes, min_of((uint64_t)(-len & 3), cursor_left(&notes)));
	}
	return r;
}

/* ---- as /proc/PID/maps has it ---- */

static void feed_path(struct core *core, const char *path)
{
	char text[8];

	for (; *path; path++) {
		if (*path == '\n' || *path == '\\') {
			snprintf(text, sizeof(text), "\\%03o", (unsigned char)*path);
			maps_feed(&core->maps, text, 4);
		} else {
			maps_feed(&core->maps, path, 1);
		}
	}
}

static void make_maps(struct core *core)
{
	char line[128];

	for (size_t i = 0; i < core->n_segments; i++) {
		const struct core_segment *segment = &core->segments[i];
		int len = snprintf(line, sizeof(line),
				   "%" PRIx64 "-%" PRIx64 " %c%c%cp %08" PRIx64 " 00:01 %u ",
				   segment->start, segment->end,
				   segment->perms & MAPPING_READ ? 'r' : '-',
				   segment->perms & MAPPING_WRITE ? 'w' : '-',
				   segment->perms & MAPPING_EXEC ? 'x' : '-', segment->file_from,
				   segment->file);

		maps_feed(&core->maps, line, (size_t)len);
		if (segment->file)
			feed_path(core, core->files[segment->file - 1].path);
		else if (core->vdso && segment->start == core->vdso)
			feed_path(core, "[vdso]");
		maps_feed(&core->maps, "\n", 1);
	}
	maps_finish(&core->maps);
}

/* ---- life ---- */

int core_open(int fd, struct core **ret_core, struct err *err)
{
	struct core *core = xcalloc(1, sizeof(*core));
	int r;

	core->memory.ops = &core_memory_ops;
	core->fd = fd;
	maps_init(&core->maps);
	r = read_segments(core, err);
	if (r == 0)
		r = read_notes(core, err);
	place_files(core);
	if (r == 0 && !core->n_segments)
		r = bad(err, "it holds no memory");
	if (r < 0) {
		core_free(core);
		return r;
	}
	make_maps(core);
	*ret_core = core;
	return 0;
}

void core_free(struct core *core)
{
	if (!core)
		return;
	for (size_t i = 0; i < core->n_files; i++)
		if (core->files[i].fd >= 0)
			close(core->files[i].fd);
	close(core->fd);
	maps_done(&core->maps);
	free(core->segments);
	free(core->files);
	free(core->mapped);
	free(core->threads);
	free(core->regs);
	free(core->notes);
	free(core);
}

struct memory *core_memory(struct core *core)
{
	return &core->memory;
}

const struct maps *core_maps(const struct core *core)
{
	return &core->maps;
}

int core_open_file(void *ctx, const struct mapping *mapping, struct err *err)
{
	struct core *core = ctx;
	int fd;

	if (!mapping->inode || mapping->inode > core->n_files)
		return err_set(err, -ENOENT, "no file is mapped there");
	fd = core_file_fd(core, (uint32_t)mapping->inode - 1);
	if (fd < 0)
		return err_set(err, fd, "%s is not the file that was mapped", mapping->path);
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? err_sys(err, -errno, "cannot open %s again", mapping->path) : fd;
}

pid_t core_pid(const struct core *core)
{
	return core->pid;
}

int core_regs(const struct core *core, size_t i, struct pause_regs *ret_regs)
{
	if (i >= core->n_threads)
		return -ESRCH;
	registers_tell(&core->regs[i], ret_regs);
	return 0;
}

const pid_t *core_threads(const struct core *core, size_t *ret_n)
{
	*ret_n = core->n_threads;
	return core->threads;
}

const char *core_command(const struct core *core)
{
	return core->command;
}
