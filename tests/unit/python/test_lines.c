/* SPDX-License-Identifier: Apache-2.0 */
/* Line tables of 3.6-3.13 against what CPython makes of them (goldens, by tools/record-lines), and damaged ones. */
#include "../unit.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "python/lines.h"

#define TEXT_MAX (1u << 20)

static const char *folder;

static enum layout_lines format_of(const char *name)
{
	return !strcmp(name, "lnotab")	 ? LINES_LNOTAB
	       : !strcmp(name, "ranges") ? LINES_RANGES
					 : LINES_LOCATION;
}

static size_t from_hex(const char *hex, uint8_t *bytes)
{
	size_t n = 0;
	unsigned byte;

	while (sscanf(hex + 2 * n, "%2x", &byte) == 1)
		bytes[n++] = (uint8_t)byte;
	return n;
}

/* Returns how many instructions were compared. */
static size_t check_code(FILE *file, const char *format, uint32_t first_line)
{
	static char hex[TEXT_MAX], pairs[TEXT_MAX];
	static uint8_t table[TEXT_MAX / 2];
	size_t n = 0;

	assert_non_null(fgets(hex, sizeof(hex), file));
	assert_non_null(fgets(pairs, sizeof(pairs), file));
	size_t len = from_hex(hex, table);
	int used, offset;
	unsigned line, column;
	for (const char *at = pairs; sscanf(at, "%d:%u:%u%n", &offset, &line, &column, &used) == 3;
	     at += used, n++) {
		struct place found = lines_find(format_of(format), table, len, first_line, offset);

		if (found.line != line || found.column != column)
			fail_msg("code at %u, offset %d: %u:%u, not %u:%u", first_line, offset,
				 found.line, found.column, line, column);
	}
	return n;
}

static size_t check_file(const char *name)
{
	char path[4096], format[16];
	unsigned first_line;
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	cleanup_file FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fscanf(file, "code %15s %u\n", format, &first_line) == 2)
		n += check_code(file, format, first_line);
	assert_true(feof(file));
	return n;
}

static void lines_are_those_of_cpython(void **state)
{
	DIR *dir = opendir(folder);
	int n = 0;

	(void)state;
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (strncmp(entry->d_name, "lines-", 6) != 0)
			continue;
		assert_true(check_file(entry->d_name) > 500);
		n++;
	}
	closedir(dir);
	assert_true(n >= 8);
}

static void lines_of_damaged_tables_are_unknown_or_in_range(void **state)
{
	static const enum layout_lines formats[] = {LINES_LNOTAB, LINES_RANGES, LINES_LOCATION,
						    LINES_LNOTAB_UNSIGNED};
	uint8_t table[64];
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < 30000; round++) {
		for (size_t i = 0; i < sizeof(table); i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			table[i] = (uint8_t)(seed >> 56);
		}
		struct place place =
			lines_find(formats[(size_t)round % array_len(formats)], table,
				   (size_t)round % 65, (uint32_t)seed, (int64_t)(seed % 300) - 2);
		assert_true(place.line <= INT32_MAX && place.column <= INT32_MAX);
	}
}

static void assert_place(struct place place, uint32_t line)
{
	assert_int_equal(place.line, line);
	assert_int_equal(place.column, 0);
}

static void lines_saturate_and_truncated_varints_end(void **state)
{
	static const uint8_t endless[] = {0x80 | 14 << 3, 0x7f, 0x7f, 0x7f, 0x7f,
					  0x7f,		  0x7f, 0x7f, 0x7f};
	static const uint8_t cut[] = {0x80 | 14 << 3 | 7, 0x40};
	static const uint8_t huge[] = {0x80 | 13 << 3 | 7, 0x7e, 0x7f, 0x7f, 0x7f, 0x7f, 0x03};
	static const uint8_t no_start_bit[] = {13 << 3, 0};

	(void)state;
	assert_place(lines_find(LINES_LOCATION, endless, sizeof(endless), 5, 0), 0);
	assert_place(lines_find(LINES_LOCATION, cut, sizeof(cut), 5, 0), 0);
	assert_place(lines_find(LINES_LOCATION, huge, sizeof(huge), INT32_MAX, 0), 0);
	assert_place(lines_find(LINES_LOCATION, no_start_bit, sizeof(no_start_bit), 5, 0), 0);
	assert_place(lines_find(LINES_LOCATION, NULL, 0, 5, 0), 0);
	assert_place(lines_find(LINES_LOCATION, NULL, 0, 5, -2), 5); /* not started */
	assert_place(lines_find(LINES_LNOTAB, NULL, 0, 5, 0), 5);
	assert_place(lines_find(LINES_LNOTAB, NULL, 0, UINT32_MAX, 0), 0);
}

static void lines_of_2_7_only_grow(void **state)
{
	static const uint8_t table[] = {6, 200, 3, 255, 0, 45, 9, 1};

	(void)state;
	assert_place(lines_find(LINES_LNOTAB_UNSIGNED, table, sizeof(table), 10, 5), 10);
	assert_place(lines_find(LINES_LNOTAB_UNSIGNED, table, sizeof(table), 10, 6), 210);
	assert_place(lines_find(LINES_LNOTAB_UNSIGNED, table, sizeof(table), 10, 9), 510);
	assert_place(lines_find(LINES_LNOTAB_UNSIGNED, table, sizeof(table), 10, 99), 511);
	assert_place(lines_find(LINES_LNOTAB, table, sizeof(table), 100, 6), 44);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_those_of_cpython),
		cmocka_unit_test(lines_of_damaged_tables_are_unknown_or_in_range),
		cmocka_unit_test(lines_of_2_7_only_grow),
		cmocka_unit_test(lines_saturate_and_truncated_varints_end),
	};

	assert(argc == 2);
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
