/* SPDX-License-Identifier: Apache-2.0 */
/* This program's own symbols, with aliases, sizes and labels made for the purpose. */
#include "../unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/vec.h"
#include "symbol/symtab.h"

extern const char __executable_start[];

/* A global with aliases, one nested label, a function with a hole behind it, and a label without type or size. */
extern const char landmark_plain[], landmark_behind[], landmark_label[];
__asm__(".text\n"
	".globl landmark_plain, __landmark_alias, landmark_behind, landmark_label\n"
	".type landmark_plain, @function\n"
	".type __landmark_alias, @function\n"
	".type landmark_local, @function\n"
	".type landmark_behind, @function\n"
	".balign 16\n"
	"__landmark_alias:\n"
	"landmark_local:\n"
	"landmark_plain:\n"
	"	.skip 32, 0x90\n"
	".size landmark_plain, 32\n"
	".size __landmark_alias, 32\n"
	".size landmark_local, 32\n"
	"	.skip 32, 0x90\n" /* nobody's */
	"landmark_behind:\n"
	"	.skip 16, 0x90\n"
	".size landmark_behind, 16\n"
	"landmark_label:\n"
	"	.skip 16, 0x90\n");

static int own_file(void)
{
	return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}

static const char *find(struct symtab *symtab, const char *at, long offset)
{
	const char *name = symtab_find(symtab, (uint64_t)(at - __executable_start + offset));

	return name ? name : "-";
}

static void symtab_prefers_what_programs_call(void **state)
{
	struct symtab *symtab = symtab_new();

	(void)state;
	assert_int_equal(symtab_add(symtab, own_file(), NULL), 0);
	assert_string_equal(find(symtab, landmark_plain, 0), "landmark_plain");
	assert_string_equal(find(symtab, landmark_plain, 31), "landmark_plain");
	assert_string_equal(find(symtab, landmark_behind, 15), "landmark_behind");
	assert_string_equal(find(symtab, landmark_label, 3), "landmark_label");
	symtab_free(symtab);
}

static void symtab_knows_nothing_of_holes(void **state)
{
	struct symtab *symtab = symtab_new();

	(void)state;
	assert_int_equal(symtab_add(symtab, own_file(), NULL), 0);
	assert_string_equal(find(symtab, landmark_plain, 40), "-");
	assert_null(symtab_find(symtab, UINT64_MAX));
	assert_null(symtab_find(symtab, 0));
	symtab_free(symtab);
}

static void symtab_joins_files(void **state)
{
	struct symtab *symtab = symtab_new();
	struct err err = {0};

	(void)state;
	assert_int_equal(symtab_add(symtab, open("/dev/null", O_RDONLY | O_CLOEXEC), &err),
			 ERR_CORRUPT);
	assert_null(symtab_find(symtab, 4096));
	for (int i = 0; i < 2; i++)
		assert_int_equal(symtab_add(symtab, own_file(), NULL), 0);
	assert_string_equal(find(symtab, landmark_plain, 1), "landmark_plain");
	symtab_free(symtab);
}

/* Every word of the tables' headers at its extremes: nothing is read astray. */
static void symtab_survives_files_that_lie(void **state)
{
	static const uint64_t values[] = {0, 1, 0xffff, 1ull << 40, ~0ull};
	cleanup_fd int own = own_file();
	struct stat st;

	(void)state;
	assert_int_equal(fstat(own, &st), 0);
	size_t len = (size_t)st.st_size;
	cleanup_free char *bytes = xcalloc(len, 1);

	assert_int_equal(pread(own, bytes, len, 0), len);
	cleanup_fd int fd = memfd_create("elf", MFD_CLOEXEC);

	assert_int_equal(write(fd, bytes, len), len);
	uint64_t sections;

	memcpy(&sections, bytes + 0x28, 8);
	for (uint64_t at = sections; at + 8 <= len; at += 8)
		for (size_t v = 0; v < array_len(values); v++) {
			struct symtab *symtab = symtab_new();

			assert_int_equal(pwrite(fd, &values[v], 8, (off_t)at), 8);
			(void)!symtab_add(symtab, dup(fd), NULL);
			(void)symtab_find(symtab, 4096);
			symtab_free(symtab);
			assert_int_equal(pwrite(fd, bytes + at, 8, (off_t)at), 8);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(symtab_prefers_what_programs_call),
		cmocka_unit_test(symtab_knows_nothing_of_holes),
		cmocka_unit_test(symtab_joins_files),
		cmocka_unit_test(symtab_survives_files_that_lie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
