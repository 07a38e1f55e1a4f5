/* SPDX-License-Identifier: Apache-2.0 */
/* Core files made by hand: what they hold is found, and what they claim is not believed. */
#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/user.h>
#include <unistd.h>

#include "proc/core.h"

#if defined(__aarch64__)
#define CORE_MACHINE EM_AARCH64
#else
#define CORE_MACHINE EM_X86_64
#endif
#define DATA_AT 0x1000
#define DATA_ADDR 0x7f0000000000ull
#define FILE_ADDR 0x7f0000100000ull

/* One segment of data, one of a file that the core leaves to the file, and the notes. */
struct image {
	Elf64_Ehdr head;
	Elf64_Phdr segments[3];
	uint8_t notes[1024];
	size_t notes_len;
};

static void put_note(struct image *image, uint32_t type, const void *desc, uint32_t len)
{
	const Elf64_Nhdr head = {.n_namesz = 5, .n_descsz = len, .n_type = type};
	uint8_t *at = image->notes + image->notes_len;

	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), "CORE\0\0\0", 8);
	memcpy(at + sizeof(head) + 8, desc, len);
	image->notes_len += sizeof(head) + 8 + ((len + 3) & ~3u);
}

static void put_files(struct image *image, uint64_t count, const char *path)
{
	uint8_t desc[256] = {0};
	const uint64_t words[] = {count, 4096, FILE_ADDR, FILE_ADDR + 0x2000, 0};

	memcpy(desc, words, sizeof(words));
	memcpy(desc + sizeof(words), path, strlen(path) + 1);
	put_note(image, NT_FILE, desc, (uint32_t)(sizeof(words) + strlen(path) + 1));
}

static void make_image(struct image *image, const char *path)
{
	struct elf_prstatus status = {.pr_pid = 4711};
	struct elf_prpsinfo info = {.pr_pid = 4711, .pr_psargs = "python3 app.py --secret"};

	*image = (struct image){
		.head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB},
			 .e_type = ET_CORE,
			 .e_machine = CORE_MACHINE,
			 .e_phoff = offsetof(struct image, segments),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 3},
	};
	/* In the order of ptrace's registers, each its number. */
	for (size_t i = 0; i < array_len(status.pr_reg); i++)
		((uint64_t *)&status.pr_reg)[i] = 0x1000 + i;
	put_note(image, NT_PRSTATUS, &status, sizeof(status));
	put_note(image, NT_PRPSINFO, &info, sizeof(info));
	put_files(image, 1, path);
	image->segments[0] = (Elf64_Phdr){.p_type = PT_NOTE,
					  .p_offset = offsetof(struct image, notes),
					  .p_filesz = image->notes_len};
	image->segments[1] = (Elf64_Phdr){.p_type = PT_LOAD,
					  .p_flags = PF_R | PF_W,
					  .p_offset = DATA_AT,
					  .p_vaddr = DATA_ADDR,
					  .p_filesz = 8,
					  .p_memsz = 4096};
	image->segments[2] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_R, .p_vaddr = FILE_ADDR, .p_memsz = 0x1000};
}

static int write_image(const struct image *image, size_t len)
{
	int fd = memfd_create("core", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, image, sizeof(*image), 0), sizeof(*image));
	assert_int_equal(pwrite(fd, "payload", 8, DATA_AT), 8);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	return fd;
}

static struct core *open_image(const struct image *image)
{
	struct core *core;

	assert_int_equal(core_open(write_image(image, DATA_AT + 8), &core, NULL), 0);
	memory_budget_set(core_memory(core), 1000, 1 << 20);
	return core;
}

static void core_has_memory_files_threads_and_a_name(void **state)
{
	struct image image;
	char text[8], path[] = "/tmp/test_core_XXXXXX";
	int fd = mkstemp(path);
	size_t n;

	(void)state;
	assert_int_equal(pwrite(fd, "ELF page", 8, 0x1800), 8);
	assert_int_equal(ftruncate(fd, 0x2000), 0);
	make_image(&image, path);
	struct core *core = open_image(&image);
	assert_int_equal(memory_read(core_memory(core), DATA_ADDR, text, 8), 0);
	assert_string_equal(text, "payload");
	assert_int_equal(memory_read(core_memory(core), DATA_ADDR + 4, text, 8), -EFAULT);
	/* The second page has no segment at all, as gcore writes it. */
	assert_int_equal(memory_read(core_memory(core), FILE_ADDR + 0x1800, text, 8), 0);
	assert_memory_equal(text, "ELF page", 8);
	assert_int_equal(memory_read(core_memory(core), FILE_ADDR + 0x2000, text, 8), -EFAULT);
	assert_int_equal(core_pid(core), 4711);
	assert_int_equal(core_threads(core, &n)[0], 4711);
	assert_int_equal(n, 1);
	assert_string_equal(core_command(core), "python3");
	const struct mapping *mapping = maps_find(core_maps(core), FILE_ADDR);
	assert_string_equal(mapping->path, path);
	int again = core_open_file(core, mapping, NULL);
	assert_true(again >= 0);
	close(again);
	core_free(core);
	unlink(path);
	close(fd);
}

static void threads_have_the_registers_they_ended_with(void **state)
{
	struct image image;
	struct pause_regs regs;

	(void)state;
	make_image(&image, "/x");
	struct core *core = open_image(&image);
	assert_int_equal(core_regs(core, 0, &regs), 0);
#if defined(__x86_64__)
	assert_int_equal(regs.pc, 0x1000 + offsetof(struct user_regs_struct, rip) / 8);
	assert_int_equal(regs.sp, 0x1000 + offsetof(struct user_regs_struct, rsp) / 8);
	assert_int_equal(regs.all[6], 0x1000 + offsetof(struct user_regs_struct, rbp) / 8);
	assert_int_equal(regs.all[16], regs.pc);
#endif
	assert_int_equal(core_regs(core, 1, &regs), -ESRCH);
	core_free(core);
}

static void the_kernels_own_code_has_its_name(void **state)
{
	const uint64_t words[] = {6, 4096, AT_SYSINFO_EHDR, DATA_ADDR, 0, 0, 99};
	struct image image;

	(void)state;
	make_image(&image, "/x");
	put_note(&image, NT_AUXV, words, sizeof(words));
	image.segments[0].p_filesz = image.notes_len;
	struct core *core = open_image(&image);
	assert_string_equal(maps_find(core_maps(core), DATA_ADDR)->path, "[vdso]");
	core_free(core);
}

/* gcore leaves code out, and with it the header that would say that it is code. */
static void code_without_a_segment_is_known_by_its_file(void **state)
{
	struct image image;
	Elf64_Ehdr head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3},
			   .e_phoff = sizeof(Elf64_Ehdr),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 2};
	Elf64_Phdr segments[] = {
		{.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = 0x1000},
		{.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = 0x1040, .p_filesz = 0x100},
	};
	char path[] = "/tmp/test_core_XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(ftruncate(fd, 0x2000), 0);
	assert_int_equal(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
	assert_int_equal(pwrite(fd, segments, sizeof(segments), sizeof(head)), sizeof(segments));
	make_image(&image, path);
	struct core *core = open_image(&image);
	assert_false(maps_find(core_maps(core), FILE_ADDR)->perms & MAPPING_EXEC);
	assert_true(maps_find(core_maps(core), FILE_ADDR + 0x1000)->perms & MAPPING_EXEC);
	core_free(core);

	segments[1].p_offset = UINT64_MAX - 8; /* and what makes no sense is none */
	assert_int_equal(pwrite(fd, segments, sizeof(segments), sizeof(head)), sizeof(segments));
	core = open_image(&image);
	assert_false(maps_find(core_maps(core), FILE_ADDR + 0x1000)->perms & MAPPING_EXEC);
	core_free(core);
	unlink(path);
	close(fd);
}

static void a_file_that_is_gone_or_no_file_is_not_mapped(void **state)
{
	static const char *const paths[] = {"/nonexistent/lib.so", "/dev/zero", "/tmp", "", "\n\\"};

	(void)state;
	for (size_t i = 0; i < array_len(paths); i++) {
		struct image image;
		char text[8];

		make_image(&image, paths[i]);
		struct core *core = open_image(&image);
		assert_int_equal(memory_read(core_memory(core), FILE_ADDR, text, 8), -EFAULT);
		core_free(core);
	}
}

static void assert_refused(const struct image *image)
{
	struct core *core;
	struct err err;

	assert_int_equal(core_open(write_image(image, DATA_AT + 8), &core, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.text, "not a core file"));
}

static void claims_that_cannot_be_are_refused(void **state)
{
	struct image image, good;

	(void)state;
	make_image(&good, "/x");
	image = good;
	image.head.e_type = ET_EXEC;
	assert_refused(&image);
	image = good;
	image.head.e_machine = EM_386;
	assert_refused(&image);
	image = good;
	image.head.e_phentsize = 1;
	assert_refused(&image);
	image = good;
	image.head.e_phnum = PN_XNUM;
	image.head.e_shoff = UINT64_MAX - 8;
	assert_refused(&image);
	image = good;
	image.head.e_phoff = UINT64_MAX - 8;
	assert_refused(&image);
	image = good;
	image.segments[1].p_memsz = UINT64_MAX;
	assert_refused(&image);
	image = good;
	image.segments[1].p_filesz = 8192;
	assert_refused(&image);
	image = good;
	image.segments[2].p_vaddr = DATA_ADDR + 8;
	assert_refused(&image);
	image = good;
	image.segments[0].p_filesz = UINT64_MAX;
	assert_refused(&image);
	image = good;
	image.notes_len = 0;
	put_files(&image, UINT64_MAX, "/x");
	image.segments[0].p_filesz = image.notes_len;
	assert_refused(&image);
	image = good;
	image.notes_len = 0;
	put_note(&image, NT_PRSTATUS, "short", 5);
	image.segments[0].p_filesz = image.notes_len;
	assert_refused(&image);
}

static void a_core_cut_anywhere_is_refused_or_has_less(void **state)
{
	struct image image;

	(void)state;
	make_image(&image, "/x");
	for (size_t len = 0; len < sizeof(image); len += 3) {
		struct core *core = NULL;
		uint64_t value;

		if (core_open(write_image(&image, len), &core, NULL) < 0)
			continue;
		memory_budget_set(core_memory(core), 10, 100);
		assert_int_equal(memory_read_u64(core_memory(core), DATA_ADDR, &value), -EFAULT);
		core_free(core);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(core_has_memory_files_threads_and_a_name),
		cmocka_unit_test(threads_have_the_registers_they_ended_with),
		cmocka_unit_test(the_kernels_own_code_has_its_name),
		cmocka_unit_test(code_without_a_segment_is_known_by_its_file),
		cmocka_unit_test(a_file_that_is_gone_or_no_file_is_not_mapped),
		cmocka_unit_test(claims_that_cannot_be_are_refused),
		cmocka_unit_test(a_core_cut_anywhere_is_refused_or_has_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
