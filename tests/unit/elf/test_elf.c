/* SPDX-License-Identifier: Apache-2.0 */
/* The reader on this very program (its own addresses are the oracle), and on damaged copies of it. */
#include "../unit.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "elf/elf.h"

/* What is looked for: exported, so in .dynsym too. */
extern int elf_test_landmark[4];
int elf_test_landmark[4]
	__attribute__((section(".landmark"), visibility("default"))) = {1, 2, 3, 4};

extern const char __executable_start[];

struct copy {
	uint8_t *bytes;
	size_t len;
};

static struct copy copy_of_self(void)
{
	struct copy copy = {0};
	cleanup_fd int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	copy.len = (size_t)st.st_size;
	copy.bytes = xcalloc(copy.len, 1);
	assert_int_equal(pread(fd, copy.bytes, copy.len, 0), copy.len);
	return copy;
}

static int open_bytes(const void *bytes, size_t len, struct elf **ret_elf, struct err *err)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	return elf_open(fd, ret_elf, err);
}

/* Everything that can be asked; must not crash, hang or read astray whatever the file says. */
static int ask_all(const void *bytes, size_t len)
{
	struct elf_symbol symbols[] = {{.name = "elf_test_landmark"}, {.name = "no_such_symbol"}};
	struct elf_range range;
	uint8_t id[ELF_BUILD_ID_MAX];
	uint64_t vaddr;
	struct elf *elf;
	int r = open_bytes(bytes, len, &elf, NULL);

	if (r < 0)
		return r;
	(void)!elf_section(elf, ".landmark", &range);
	(void)!elf_symbols(elf, symbols, 2);
	(void)!elf_build_id(elf, id);
	(void)!elf_vaddr(elf, 4096, &vaddr);
	elf_close(elf);
	return 0;
}

static void elf_finds_section_and_symbol_of_this_program(void **state)
{
	struct copy copy = copy_of_self();
	struct elf_symbol symbols[] = {{.name = "no_such_symbol"}, {.name = "elf_test_landmark"}};
	uint64_t linked = (uint64_t)elf_test_landmark - (uint64_t)__executable_start;
	struct elf_range section;
	struct elf *elf;

	(void)state;
	assert_int_equal(open_bytes(copy.bytes, copy.len, &elf, NULL), 0);
	assert_int_equal(elf_symbols(elf, symbols, 2), 1);
	assert_false(symbols[0].is_found);
	assert_int_equal(symbols[1].range.vaddr, linked);
	assert_int_equal(symbols[1].range.size, sizeof(elf_test_landmark));
	assert_int_equal(elf_section(elf, ".landmark", &section), 0);
	assert_int_equal(section.vaddr, linked);
	assert_int_equal(elf_section(elf, ".land", &section), -ENOENT);
	elf_close(elf);
	free(copy.bytes);
}

/* What sstrip leaves: the dynamic segment's hash table. */
static void elf_finds_symbols_without_section_headers(void **state)
{
	struct copy copy = copy_of_self();
	struct elf_symbol symbols[] = {{.name = "elf_test_landmark"}, {.name = "no_such_symbol"}};
	struct elf_range range;
	struct elf *elf;

	(void)state;
	Elf64_Ehdr *header = (Elf64_Ehdr *)copy.bytes;
	header->e_shoff = header->e_shnum = header->e_shstrndx = 0;
	assert_int_equal(open_bytes(copy.bytes, copy.len, &elf, NULL), 0);
	assert_int_equal(elf_symbols(elf, symbols, 2), 1);
	assert_true(symbols[0].is_found);
	assert_int_equal(symbols[0].range.vaddr,
			 (uint64_t)elf_test_landmark - (uint64_t)__executable_start);
	assert_int_equal(elf_section(elf, ".landmark", &range), -ENOENT);
	elf_close(elf);
	free(copy.bytes);
}

static void elf_knows_where_segments_are_linked(void **state)
{
	struct copy copy = copy_of_self();
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)copy.bytes;
	const Elf64_Phdr *segments = (const Elf64_Phdr *)(copy.bytes + header->e_phoff);
	struct elf *elf;

	(void)state;
	assert_int_equal(open_bytes(copy.bytes, copy.len, &elf, NULL), 0);
	for (int i = 0; i < header->e_phnum; i++) {
		uint64_t page = segments[i].p_offset & ~4095ull;
		uint64_t vaddr;

		if (segments[i].p_type != PT_LOAD || !(segments[i].p_flags & PF_W))
			continue;
		/* The page before belongs to its neighbour too, so ask for the first byte of its own. */
		assert_int_equal(elf_vaddr(elf, segments[i].p_offset + 1, &vaddr), 0);
		assert_true(vaddr == segments[i].p_vaddr + 1 || page == 0);
		/* The page as a mapping begins with it is its own. */
		assert_int_equal(elf_vaddr(elf, page, &vaddr), 0);
		assert_true(vaddr == segments[i].p_vaddr - (segments[i].p_offset - page));
	}
	uint64_t vaddr;
	assert_int_equal(elf_vaddr(elf, 1ull << 60, &vaddr), -ENOENT);
	elf_close(elf);
	free(copy.bytes);
}

static void elf_reads_the_build_id(void **state)
{
	struct copy copy = copy_of_self();
	uint8_t id[ELF_BUILD_ID_MAX];
	struct elf *elf;

	(void)state;
	assert_int_equal(open_bytes(copy.bytes, copy.len, &elf, NULL), 0);
	assert_int_equal(elf_build_id(elf, id), 20);
	bool is_there = false;
	for (size_t i = 0; i + 20 <= copy.len && !is_there; i++)
		is_there = memcmp(copy.bytes + i, "GNU", 4) == 0 &&
			   !memcmp(copy.bytes + i + 4, id, 20);
	assert_true(is_there);
	elf_close(elf);
	free(copy.bytes);
}

static void elf_refuses_what_is_none(void **state)
{
	struct copy copy = copy_of_self();
	struct err err = {0};
	struct elf *elf;

	(void)state;
	const size_t lengths[] = {0, 1, 4, 16, 63};
	for (size_t i = 0; i < array_len(lengths); i++)
		assert_int_equal(open_bytes(copy.bytes, lengths[i], &elf, &err), ERR_CORRUPT);
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = {
		{0, 'X'},
		{EI_CLASS, ELFCLASS32},
		{EI_CLASS, 3},
		{EI_DATA, ELFDATA2MSB},
		{EI_DATA, ELFDATANONE},
		{EI_VERSION, 0},
		{EI_VERSION, 9},
	};
	for (size_t i = 0; i < array_len(wrong); i++) {
		uint8_t kept = copy.bytes[wrong[i].at];

		copy.bytes[wrong[i].at] = wrong[i].value;
		assert_int_equal(open_bytes(copy.bytes, copy.len, &elf, &err), ERR_CORRUPT);
		copy.bytes[wrong[i].at] = kept;
	}
	free(copy.bytes);
	assert_int_equal(elf_open(open("/dev/zero", O_RDONLY | O_CLOEXEC), &elf, &err),
			 ERR_CORRUPT);
	assert_int_equal(elf_open(open("/", O_RDONLY | O_CLOEXEC), &elf, &err), ERR_CORRUPT);
}

/* Fields of the header and of every section and program header, at their extremes. */
static void elf_survives_headers_that_lie(void **state)
{
	static const uint64_t values[] = {0,	      1,	  7,	 0xffff, 0xffffffff,
					  1ull << 40, 1ull << 63, ~0ull, ~7ull};
	struct copy copy = copy_of_self();
	Elf64_Ehdr header;

	(void)state;
	memcpy(&header, copy.bytes, sizeof(header));
	struct {
		uint64_t at, len;
	} parts[] = {
		{16, sizeof(header) - 16},
		{header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr)},
		{header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr)},
	};
	for (size_t p = 0; p < array_len(parts); p++)
		for (uint64_t at = parts[p].at; at < parts[p].at + parts[p].len; at += 8)
			for (size_t v = 0; v < array_len(values); v++) {
				uint64_t kept;

				memcpy(&kept, copy.bytes + at, 8);
				memcpy(copy.bytes + at, &values[v], 8);
				(void)ask_all(copy.bytes, copy.len);
				memcpy(copy.bytes + at, &kept, 8);
			}
	free(copy.bytes);
}

static void elf_survives_being_cut(void **state)
{
	struct copy copy = copy_of_self();

	(void)state;
	for (size_t len = copy.len; len > 64; len -= len / 16)
		(void)ask_all(copy.bytes, len);
	free(copy.bytes);
}

/* The file shrinks after its headers were read. */
static void elf_notices_a_file_that_is_cut_meanwhile(void **state)
{
	struct copy copy = copy_of_self();
	struct elf_symbol symbol = {.name = "elf_test_landmark"};
	int fd = memfd_create("elf", MFD_CLOEXEC);
	struct elf *elf;

	(void)state;
	assert_int_equal(write(fd, copy.bytes, copy.len), copy.len);
	cleanup_fd int same = dup(fd);
	assert_int_equal(elf_open(fd, &elf, NULL), 0);
	assert_int_equal(ftruncate(same, 64), 0);
	assert_int_equal(elf_symbols(elf, &symbol, 1), ERR_CORRUPT);
	elf_close(elf);
	free(copy.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elf_finds_section_and_symbol_of_this_program),
		cmocka_unit_test(elf_finds_symbols_without_section_headers),
		cmocka_unit_test(elf_knows_where_segments_are_linked),
		cmocka_unit_test(elf_reads_the_build_id),
		cmocka_unit_test(elf_refuses_what_is_none),
		cmocka_unit_test(elf_survives_headers_that_lie),
		cmocka_unit_test(elf_survives_being_cut),
		cmocka_unit_test(elf_notices_a_file_that_is_cut_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
