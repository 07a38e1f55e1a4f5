/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "elf/elf_private.h"

int elf_read(const struct elf *elf, uint64_t offset, void *into, size_t len)
{
	char *at = into;

	if (offset > elf->file_bytes || len > elf->file_bytes - offset)
		return ERR_CORRUPT;
	while (len) {
		ssize_t n = pread(elf->fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : ERR_CORRUPT;
		at += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int file_size(int fd, uint64_t *ret_bytes, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, -errno, "cannot look at an ELF file");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CORRUPT, "not a regular file");
	*ret_bytes = (uint64_t)st.st_size;
	return 0;
}

static int check_header(const Elf64_Ehdr *header, struct err *err)
{
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return err_set(err, ERR_CORRUPT, "not an ELF file");
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
		return err_set(err, ERR_CORRUPT, "not a 64-bit little-endian ELF file");
	if (header->e_version != EV_CURRENT || header->e_ident[EI_VERSION] != EV_CURRENT)
		return err_set(err, ERR_CORRUPT, "unknown ELF version %u", header->e_version);
	if (header->e_phnum && header->e_phentsize != sizeof(Elf64_Phdr))
		return err_set(err, ERR_CORRUPT, "program headers of %u bytes",
			       header->e_phentsize);
	return 0;
}

static int read_segments(struct elf *elf, const Elf64_Ehdr *header, struct err *err)
{
	/* PN_XNUM (more than 65,534 segments) is far past the limit, so it needs no care. */
	if (header->e_phnum > ELF_MAX_SEGMENTS)
		return err_set(err, ERR_LIMIT, "%u program headers (limit %d)", header->e_phnum,
			       ELF_MAX_SEGMENTS);
	elf->segments = xcalloc(header->e_phnum + 1u, sizeof(*elf->segments));
	int r = elf_read(elf, header->e_phoff, elf->segments,
			 header->e_phnum * sizeof(*elf->segments));
	if (r < 0)
		return err_sys(err, r, "cannot read the program headers");
	elf->n_segments = header->e_phnum;
	return 0;
}

static void read_section_names(struct elf *elf, uint32_t index)
{
	if (index >= elf->n_sections)
		return;
	const Elf64_Shdr *names = &elf->sections[index];

	if (names->sh_type != SHT_STRTAB || names->sh_size > ELF_MAX_STRTAB_BYTES ||
	    names->sh_size > elf->file_bytes)
		return;
	elf->section_names = xcalloc(names->sh_size + 1, 1);
	if (elf_read(elf, names->sh_offset, elf->section_names, names->sh_size) == 0)
		elf->section_names_bytes = names->sh_size;
}

/* Section headers are a help, never a need: what is wrong with them leaves the file without. */
static void read_sections(struct elf *elf, const Elf64_Ehdr *header)
{
	Elf64_Shdr first;
	uint64_t n = header->e_shnum;
	uint32_t names = header->e_shstrndx;

	if (!header->e_shoff || header->e_shentsize != sizeof(Elf64_Shdr) ||
	    elf_read(elf, header->e_shoff, &first, sizeof(first)) < 0)
		return;
	if (!n)
		n = first.sh_size;
	if (names == SHN_XINDEX)
		names = first.sh_link;
	if (n > ELF_MAX_SECTIONS)
		return;
	elf->sections = xcalloc(n + 1, sizeof(*elf->sections));
	if (elf_read(elf, header->e_shoff, elf->sections, n * sizeof(*elf->sections)) < 0)
		return;
	elf->n_sections = n;
	read_section_names(elf, names);
}

int elf_open(int fd, struct elf **ret_elf, struct err *err)
{
	struct elf *elf = xcalloc(1, sizeof(*elf));
	Elf64_Ehdr header;

	elf->fd = fd;
	int r = file_size(fd, &elf->file_bytes, err);
	if (r < 0)
		goto fail;
	r = elf_read(elf, 0, &header, sizeof(header));
	if (r < 0) {
		r = err_sys(err, r, "not an ELF file");
		goto fail;
	}
	r = check_header(&header, err);
	if (r < 0)
		goto fail;
	r = read_segments(elf, &header, err);
	if (r < 0)
		goto fail;
	elf->entry = header.e_entry;
	read_sections(elf, &header);
	*ret_elf = elf;
	return 0;
fail:
	elf_close(elf);
	return r;
}

void elf_close(struct elf *elf)
{
	if (!elf)
		return;
	cleanup_close_fd(&elf->fd);
	free(elf->segments);
	free(elf->sections);
	free(elf->section_names);
	free(elf);
}

int elf_vaddr(const struct elf *elf, uint64_t offset, uint64_t *ret_vaddr)
{
	const Elf64_Phdr *found = NULL;

	for (size_t i = 0; i < elf->n_segments; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];
		/* Mappings begin at a page, segments anywhere in it. */
		uint64_t slack = segment->p_offset & 4095;
		uint64_t page = segment->p_offset - slack;

		if (segment->p_type != PT_LOAD || offset < page ||
		    offset - page >= segment->p_filesz + slack)
			continue;
		/* The page also holds the end of the segment before, whose mapping does not begin here. */
		if (!found || offset == page)
			found = segment;
	}
	if (!found)
		return -ENOENT;
	*ret_vaddr = found->p_vaddr + (offset - found->p_offset);
	return 0;
}

int elf_offset(const struct elf *elf, uint64_t vaddr, uint64_t len, uint64_t *ret_offset)
{
	for (size_t i = 0; i < elf->n_segments; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];

		if (segment->p_type != PT_LOAD || vaddr < segment->p_vaddr ||
		    vaddr - segment->p_vaddr > segment->p_filesz ||
		    len > segment->p_filesz - (vaddr - segment->p_vaddr))
			continue;
		*ret_offset = segment->p_offset + (vaddr - segment->p_vaddr);
		return 0;
	}
	return -ENOENT;
}

int elf_read_vaddr(const struct elf *elf, uint64_t vaddr, void *into, size_t len)
{
	uint64_t offset;
	int r = elf_offset(elf, vaddr, len, &offset);

	return r < 0 ? r : elf_read(elf, offset, into, len);
}

uint64_t elf_bytes_at(const struct elf *elf, uint64_t vaddr)
{
	for (size_t i = 0; i < elf->n_segments; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];

		if (segment->p_type == PT_LOAD && vaddr >= segment->p_vaddr &&
		    vaddr - segment->p_vaddr < segment->p_filesz)
			return segment->p_filesz - (vaddr - segment->p_vaddr);
	}
	return 0;
}

uint64_t elf_base(const struct elf *elf)
{
	uint64_t base = UINT64_MAX;

	for (size_t i = 0; i < elf->n_segments; i++)
		if (elf->segments[i].p_type == PT_LOAD)
			base = min_of(base, elf->segments[i].p_vaddr);
	return base == UINT64_MAX ? 0 : base;
}

uint64_t elf_entry(const struct elf *elf)
{
	return elf->entry;
}

int elf_segment(const struct elf *elf, uint32_t type, struct elf_range *ret_range)
{
	for (size_t i = 0; i < elf->n_segments; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];

		if (segment->p_type != type)
			continue;
		*ret_range =
			(struct elf_range){.vaddr = segment->p_vaddr, .size = segment->p_filesz};
		return 0;
	}
	return -ENOENT;
}

int elf_section(const struct elf *elf, const char *name, struct elf_range *ret_range)
{
	for (size_t i = 0; i < elf->n_sections; i++) {
		const Elf64_Shdr *section = &elf->sections[i];

		if (section->sh_name >= elf->section_names_bytes ||
		    strcmp(elf->section_names + section->sh_name, name) != 0)
			continue;
		*ret_range =
			(struct elf_range){.vaddr = section->sh_addr, .size = section->sh_size};
		return 0;
	}
	return -ENOENT;
}

/* A note list is (namesz, descsz, type, name, desc), each padded to 4 bytes. */
static int find_build_id(const uint8_t *notes, size_t len, uint8_t ret_id[ELF_BUILD_ID_MAX])
{
	while (len >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;

		memcpy(&note, notes, sizeof(note));
		uint64_t name_bytes = ((uint64_t)note.n_namesz + 3) & ~3ull;
		uint64_t desc_bytes = ((uint64_t)note.n_descsz + 3) & ~3ull;
		if (name_bytes + desc_bytes > len - sizeof(note))
			return -ENOENT;
		const uint8_t *name = notes + sizeof(note);
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
		    !memcmp(name, "GNU", 4) && note.n_descsz && note.n_descsz <= ELF_BUILD_ID_MAX) {
			memcpy(ret_id, name + name_bytes, note.n_descsz);
			return (int)note.n_descsz;
		}
		notes += sizeof(note) + name_bytes + desc_bytes;
		len -= sizeof(note) + name_bytes + desc_bytes;
	}
	return -ENOENT;
}

/* What is not made to be loaded has sections only: the debug information that dwz takes out of several files. */
static int build_id_of_section(const struct elf *elf, uint8_t ret_id[ELF_BUILD_ID_MAX])
{
	cleanup_free uint8_t *notes = NULL;
	size_t len;
	int r = elf_section_bytes(elf, ".note.gnu.build-id", ELF_MAX_NOTE_BYTES, &notes, &len);

	return r < 0 ? r : find_build_id(notes, len, ret_id);
}

int elf_build_id(const struct elf *elf, uint8_t ret_id[ELF_BUILD_ID_MAX])
{
	for (size_t i = 0; i < elf->n_segments; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];

		if (segment->p_type != PT_NOTE || segment->p_filesz > ELF_MAX_NOTE_BYTES)
			continue;
		cleanup_free uint8_t *notes = xcalloc(segment->p_filesz + 1, 1);
		if (elf_read(elf, segment->p_offset, notes, segment->p_filesz) < 0)
			continue;
		int r = find_build_id(notes, segment->p_filesz, ret_id);
		if (r > 0)
			return r;
	}
	return build_id_of_section(elf, ret_id);
}
