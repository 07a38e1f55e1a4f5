/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries made by hand, true and forged, and all functions of this program and its libc: the linker's
 * index against a walk, and every row against libdw where that is installed.
 */
#include "../unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "eh_oracle.h"
#include "elf/eh_frame.h"

#define BASE 0x1000
#define CODE 0x400000

/* ---- entries by hand ---- */

struct bytes {
	uint8_t at[4096];
	size_t n;
};

static void put(struct bytes *bytes, const void *data, size_t len)
{
	assert_true(bytes->n + len <= sizeof(bytes->at));
	memcpy(bytes->at + bytes->n, data, len);
	bytes->n += len;
}

static void put_u32(struct bytes *bytes, uint32_t value)
{
	put(bytes, &value, 4);
}

static void patch_u32(struct bytes *bytes, size_t at, uint32_t value)
{
	memcpy(bytes->at + at, &value, 4);
}

/* "zR" or "zRS", pointers relative to their place with 4 signed bytes, CFA = rsp + 8, the return address at CFA - 8. */
static void put_cie(struct bytes *bytes, bool is_signal)
{
	static const uint8_t plain[] = {1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1};
	static const uint8_t signal[] = {1, 'z',  'R',	'S', 0, 1,    0x78, 16,
					 1, 0x1b, 0x0c, 7,   8, 0x90, 1};

	put_u32(bytes, (uint32_t)(4 + (is_signal ? sizeof(signal) : sizeof(plain))));
	put_u32(bytes, 0);
	put(bytes, is_signal ? signal : plain, is_signal ? sizeof(signal) : sizeof(plain));
}

/* Of CODE to CODE + 0x100, at the present end; its CIE is at 0. */
static size_t put_fde(struct bytes *bytes, const uint8_t *program, size_t len)
{
	size_t at = bytes->n;

	put_u32(bytes, (uint32_t)(4 + 4 + 4 + 1 + len));
	put_u32(bytes, (uint32_t)(at + 4));
	put_u32(bytes, (uint32_t)(CODE - (BASE + at + 8)));
	put_u32(bytes, 0x100);
	put(bytes, "", 1);
	put(bytes, program, len);
	return at;
}

struct rows {
	struct cfi_rule rules[64];
	uint64_t at[64];
	size_t n;
};

static int keep(void *ctx, uint64_t vaddr, const struct cfi_rule *rule)
{
	struct rows *rows = ctx;

	if (rows->n == array_len(rows->at))
		return ERR_LIMIT;
	rows->at[rows->n] = vaddr - CODE;
	rows->rules[rows->n++] = *rule;
	return 0;
}

static int decode_with(struct bytes *bytes, const uint8_t *program, size_t len, struct rows *rows)
{
	size_t at = put_fde(bytes, program, len);
	struct eh_entry cie_entry, entry;
	struct eh_cie cie;
	struct eh_fde fde;

	rows->n = 0;
	int r = eh_entry_parse(bytes->at, bytes->n, BASE, &cie_entry);
	if (r == 0)
		r = eh_cie_parse(&cie_entry, &cie);
	if (r == 0)
		r = eh_entry_parse(bytes->at + at, bytes->n - at, BASE + at, &entry);
	if (r == 0) {
		assert_int_equal(entry.cie_vaddr, BASE);
		r = eh_fde_parse(&entry, &cie, &fde);
	}
	return r < 0 ? r : eh_rows(&cie, &fde, keep, rows);
}

static int decode(const uint8_t *program, size_t len, struct rows *rows)
{
	struct bytes bytes = {.n = 0};

	put_cie(&bytes, false);
	return decode_with(&bytes, program, len, rows);
}

static const struct cfi_item *item_of(const struct cfi_rule *rule, uint8_t reg)
{
	for (uint8_t i = 0; i < rule->n; i++)
		if (rule->items[i].reg == reg)
			return &rule->items[i];
	return NULL;
}

static void a_prologue_with_a_frame_pointer_gives_three_rows(void **state)
{
	/* advance 1, CFA = rsp + 16, rbp at CFA - 16, advance 3, CFA by rbp */
	static const uint8_t program[] = {0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6};
	struct rows rows;

	(void)state;
	assert_int_equal(decode(program, sizeof(program), &rows), 0);
	assert_int_equal(rows.n, 3);
	assert_int_equal(rows.at[1], 1);
	assert_int_equal(rows.at[2], 4);
	assert_int_equal(rows.rules[0].off, 8);
	assert_int_equal(rows.rules[1].off, 16);
	assert_int_equal(rows.rules[2].reg, 6);
	assert_null(item_of(&rows.rules[0], 6));
	assert_int_equal(item_of(&rows.rules[2], 6)->off, -16);
	assert_int_equal(item_of(&rows.rules[2], 16)->off, -8);
}

static void states_are_remembered_and_registers_restored(void **state)
{
	static const uint8_t program[] = {0x83, 2,    0x0e, 32,	  0x0a, 0x41, 0x0e,
					  8,	0xc3, 0x41, 0x0b, 0x41, 0x08, 3};
	struct rows rows;

	(void)state;
	assert_int_equal(decode(program, sizeof(program), &rows), 0);
	assert_int_equal(rows.n, 4);
	assert_int_equal(rows.rules[1].off, 8);
	assert_null(item_of(&rows.rules[1], 3));
	assert_int_equal(rows.rules[2].off, 32);
	assert_int_equal(item_of(&rows.rules[2], 3)->off, -16);
	assert_null(item_of(&rows.rules[3], 3));
}

static void expressions_become_rules(void **state)
{
	static const struct {
		const char *text;
		uint8_t program[24];
		uint8_t len, cfa, reg;
		int32_t off, add;
	} cases[] = {
		{"rbp - 8, dereferenced", {0x0f, 3, 0x76, 0x78, 0x06}, 5, CFI_CFA_DEREF, 6, -8, 0},
		{"rsp + 40, dereferenced, + 8",
		 {0x0f, 5, 0x77, 40, 0x06, 0x23, 8},
		 7,
		 CFI_CFA_DEREF,
		 7,
		 40,
		 8},
		{"a constant before a register",
		 {0x0f, 4, 0x38, 0x77, 8, 0x22},
		 6,
		 CFI_CFA_REG,
		 7,
		 16,
		 0},
		{"the linker's stub",
		 {0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22},
		 13,
		 CFI_CFA_PLT,
		 7,
		 8,
		 11},
		{"a product", {0x0f, 5, 0x77, 0, 0x32, 0x1e, 0x06}, 7, CFI_CFA_BAD, 7, 8, 0},
		{"nothing", {0x0f, 0}, 2, CFI_CFA_BAD, 7, 8, 0},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct rows rows;

		print_message("%s\n", cases[i].text);
		assert_int_equal(decode(cases[i].program, cases[i].len, &rows), 0);
		assert_int_equal(rows.rules[0].cfa, cases[i].cfa);
		assert_int_equal(rows.rules[0].reg, cases[i].reg);
		assert_int_equal(rows.rules[0].off, cases[i].off);
		assert_int_equal(rows.rules[0].add, cases[i].add);
	}
}

static void registers_have_all_kinds_of_rules(void **state)
{
	static const struct {
		const char *text;
		uint8_t program[16];
		uint8_t len, reg, how, base;
		int32_t off;
	} cases[] = {
		{"undefined", {0x07, 16}, 2, 16, CFI_LOST, 0, 0},
		{"in a register", {0x09, 16, 5}, 3, 16, CFI_IS_REG, 5, 0},
		{"at an expression", {0x10, 3, 2, 0x77, 0x28}, 5, 3, CFI_AT_REG, 7, 40},
		{"an expression's value", {0x16, 7, 2, 0x76, 8}, 5, 7, CFI_IS_REG, 6, 8},
		{"a value in memory", {0x16, 3, 3, 0x77, 8, 0x06}, 6, 3, CFI_AT_REG, 7, 8},
		{"CFA less 16 itself", {0x14, 7, 2}, 3, 7, CFI_IS_CFA, 0, -16},
		{"an extended offset", {0x05, 12, 4}, 3, 12, CFI_AT_CFA, 0, -32},
		{"a negative one", {0x2f, 12, 4}, 3, 12, CFI_AT_CFA, 0, 32},
		{"at CFA + 24 by an expression", {0x10, 3, 2, 0x23, 24}, 5, 3, CFI_AT_CFA, 0, 24},
		{"two dereferences", {0x10, 3, 3, 0x77, 8, 0x06}, 6, 3, CFI_BAD, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct rows rows;

		print_message("%s\n", cases[i].text);
		assert_int_equal(decode(cases[i].program, cases[i].len, &rows), 0);
		const struct cfi_item *item = item_of(&rows.rules[0], cases[i].reg);
		assert_non_null(item);
		assert_int_equal(item->how, cases[i].how);
		assert_int_equal(item->base, cases[i].base);
		assert_int_equal(item->off, cases[i].off);
	}
}

static void a_signal_frame_says_so(void **state)
{
	static const uint8_t program[] = {0};
	struct bytes bytes = {.n = 0};
	struct rows rows;

	(void)state;
	put_cie(&bytes, true);
	assert_int_equal(decode_with(&bytes, program, sizeof(program), &rows), 0);
	assert_int_equal(rows.rules[0].flags, CFI_SIGNAL);
}

/* ---- forged ---- */

static void forged_programs_are_refused(void **state)
{
	static const struct {
		const char *text;
		uint8_t program[16];
		uint8_t len;
		int code;
	} cases[] = {
		{"past the function's end", {0x03, 0, 2}, 3, ERR_CORRUPT},
		{"back", {0x01, 0, 0, 0, 0}, 5, ERR_CORRUPT},
		{"recall without memory", {0x0b}, 1, ERR_CORRUPT},
		{"an operand cut off", {0x0c, 7}, 2, ERR_CORRUPT},
		{"an endless number", {0x0e, 0xff, 0xff, 0xff, 0xff}, 5, ERR_CORRUPT},
		{"a block longer than all", {0x0f, 0xff, 0x7f, 0x77}, 4, ERR_CORRUPT},
		{"unknown", {0x3f, 0}, 2, ERR_UNSUPPORTED},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct rows rows;

		print_message("%s\n", cases[i].text);
		assert_int_equal(decode(cases[i].program, cases[i].len, &rows), cases[i].code);
	}
}

static void remembering_without_end_is_refused(void **state)
{
	uint8_t program[3000];
	struct rows rows;

	(void)state;
	memset(program, 0x0a, sizeof(program));
	assert_int_equal(decode(program, sizeof(program), &rows), ERR_LIMIT);
	assert_int_equal(decode(program, EH_MAX_REMEMBERED, &rows), 0);
}

static void forged_cies_are_refused(void **state)
{
	static const struct {
		const char *text;
		size_t at;
		uint8_t value;
	} cases[] = {
		{"version 0", 8, 0},
		{"letters without end", 11, 'R'},
		{"unknown letters", 9, 'e'},
		{"no code alignment", 12, 0},
		{"return address 99", 14, 99},
		{"letters' data past the end", 15, 0x7f},
		{"length past the limit", 2, 0xff},
		{"an indirect pointer", 16, 0x9b},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		static const uint8_t program[] = {0};
		struct bytes bytes = {.n = 0};
		struct rows rows;

		print_message("%s\n", cases[i].text);
		put_cie(&bytes, false);
		if (cases[i].at == 11) /* all of the rest, so that no byte ends the string */
			memset(bytes.at + 11, 'R', bytes.n - 11);
		bytes.at[cases[i].at] = cases[i].value;
		if (cases[i].at == 11) {
			struct eh_entry entry;
			struct eh_cie cie;

			assert_int_equal(eh_entry_parse(bytes.at, bytes.n, BASE, &entry), 0);
			assert_int_equal(eh_cie_parse(&entry, &cie), ERR_CORRUPT);
			continue;
		}
		assert_true(decode_with(&bytes, program, sizeof(program), &rows) < 0);
	}
}

static void a_walk_survives_entries_that_lead_nowhere(void **state)
{
	static const uint8_t program[] = {0};
	struct bytes bytes = {.n = 0};
	struct eh_index index;

	(void)state;
	put_cie(&bytes, false);
	size_t first = put_fde(&bytes, program, 1);
	size_t second = put_fde(&bytes, program, 1);
	size_t third = put_fde(&bytes, program, 1);
	patch_u32(&bytes, second + 4, 0x7fffffff);		     /* no such CIE */
	patch_u32(&bytes, third + 4, (uint32_t)(third + 4 - first)); /* an FDE for a CIE */
	put_u32(&bytes, 0xfffffff0);
	assert_int_equal(eh_index_from_section(bytes.at, bytes.n, BASE, BASE, &index), 0);
	assert_int_equal(index.n, 1);
	assert_int_equal(index.fdes[0], first);
	eh_index_done(&index);
	assert_int_equal(eh_index_from_section(bytes.at, 3, BASE, BASE, &index), -ENOENT);
}

static void a_table_that_is_none_is_refused(void **state)
{
	uint8_t hdr[12 + 16] = {1, 0x1b, 0x03, 0x3b, 0, 1, 0, 0, 2};
	int32_t table[] = {0x2000, 0x100, 0x1000, 0x120};
	struct eh_index index;
	uint64_t section;

	(void)state;
	memcpy(hdr + 12, table, sizeof(table));
	assert_int_equal(eh_index_from_hdr(hdr, sizeof(hdr), BASE, BASE, &index),
			 ERR_CORRUPT); /* falls */
	assert_int_equal(eh_index_from_hdr(hdr, sizeof(hdr) - 1, BASE, BASE, &index), ERR_CORRUPT);
	table[0] = 0x800;
	memcpy(hdr + 12, table, sizeof(table));
	assert_int_equal(eh_index_from_hdr(hdr, sizeof(hdr), BASE, BASE, &index), 0);
	assert_int_equal(index.n, 2);
	assert_int_equal(index.starts[1], 0x1000);
	eh_index_done(&index);
	assert_int_equal(eh_hdr_section(hdr, sizeof(hdr), BASE, &section), 0);
	assert_int_equal(section, BASE + 4 + 0x100);
	hdr[3] = 0x0b;
	assert_int_equal(eh_index_from_hdr(hdr, sizeof(hdr), BASE, BASE, &index), ERR_UNSUPPORTED);
	hdr[0] = 2;
	assert_int_equal(eh_index_from_hdr(hdr, sizeof(hdr), BASE, BASE, &index), ERR_CORRUPT);
}

/* ---- files ---- */

static const char *libc_path(void)
{
	Dl_info info;

	assert_true(dladdr((void *)(uintptr_t)&dlopen, &info) != 0);
	return info.dli_fname;
}

static struct elf *open_elf(const char *path)
{
	struct elf *elf;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(elf_open(fd, &elf, NULL), 0);
	return elf;
}

static void a_walk_finds_what_the_linker_listed(void **state)
{
	(void)state;
	struct elf *elf = open_elf(libc_path());
	struct elf_range section;
	struct eh_frame *frame;
	struct eh_index walked;

	assert_int_equal(eh_frame_open(elf, &frame, NULL), 0);
	assert_int_equal(elf_section(elf, ".eh_frame", &section), 0);
	cleanup_free uint8_t *bytes = xcalloc(section.size, 1);
	assert_int_equal(elf_read_vaddr(elf, section.vaddr, bytes, section.size), 0);
	assert_int_equal(
		eh_index_from_section(bytes, section.size, section.vaddr, elf_base(elf), &walked),
		0);
	const struct eh_index *listed = eh_frame_index(frame);
	assert_true(listed->n > 1000);
	assert_int_equal(walked.n, listed->n);
	assert_memory_equal(walked.starts, listed->starts, 4 * listed->n);
	eh_index_done(&walked);
	eh_frame_close(frame);
	elf_close(elf);
}

struct comparison {
	struct eh_oracle *oracle;
	size_t rows, differences;
};

static int compare_row(void *ctx, uint64_t vaddr, const struct cfi_rule *rule)
{
	struct comparison *comparison = ctx;

	comparison->rows++;
	if (comparison->oracle && !eh_oracle_agrees(comparison->oracle, vaddr, rule)) {
		comparison->differences++;
		print_message("differs at %#lx\n", vaddr);
	}
	return 0;
}

static void compare_file(const char *path)
{
	struct elf *elf = open_elf(path);
	struct comparison comparison = {.oracle = eh_oracle_open(path)};
	struct eh_frame *frame;

	assert_int_equal(eh_frame_open(elf, &frame, NULL), 0);
	for (size_t i = 0; i < eh_frame_index(frame)->n; i++) {
		struct eh_fde fde;

		assert_int_equal(eh_frame_rows(frame, i, &fde, compare_row, &comparison), 0);
	}
	assert_true(comparison.rows > eh_frame_index(frame)->n);
	assert_int_equal(comparison.differences, 0);
	eh_oracle_close(comparison.oracle);
	eh_frame_close(frame);
	elf_close(elf);
}

static void every_row_is_what_libdw_says(void **state)
{
	(void)state;
	compare_file("/proc/self/exe");
	compare_file(libc_path());
	if (!EH_HAS_ORACLE)
		skip(); /* decoded, but with nothing to compare with: needs libdw */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prologue_with_a_frame_pointer_gives_three_rows),
		cmocka_unit_test(states_are_remembered_and_registers_restored),
		cmocka_unit_test(expressions_become_rules),
		cmocka_unit_test(registers_have_all_kinds_of_rules),
		cmocka_unit_test(a_signal_frame_says_so),
		cmocka_unit_test(forged_programs_are_refused),
		cmocka_unit_test(remembering_without_end_is_refused),
		cmocka_unit_test(forged_cies_are_refused),
		cmocka_unit_test(a_walk_survives_entries_that_lead_nowhere),
		cmocka_unit_test(a_table_that_is_none_is_refused),
		cmocka_unit_test(a_walk_finds_what_the_linker_listed),
		cmocka_unit_test(every_row_is_what_libdw_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
