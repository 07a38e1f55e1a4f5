/* SPDX-License-Identifier: Apache-2.0 */
/* _Py_DebugOffsets as interpreters have them (goldens, by tools/record-offsets), and all the ways in which they are not. */
#include "../unit.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "python/layout.h"

static const char *folder;

struct word {
	uint16_t at;
	uint64_t value;
};

static void fill(const char *name, uint8_t block[DEBUG_OFFSETS_BYTES])
{
	char path[4096];
	unsigned long long value;
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	for (; n < DEBUG_OFFSETS_BYTES && fscanf(file, "%llx", &value) == 1; n += 8)
		memcpy(block + n, &value, 8);
	fclose(file);
	assert_int_equal(n, DEBUG_OFFSETS_BYTES);
}

static void debug_offsets_equal_the_row_made_from_headers(void **state)
{
	static const struct {
		const char *name;
		uint16_t version;
		bool is_free_threaded;
	} cases[] = {
		{"offsets-3.13.0.txt", 0x030d, false},
		{"offsets-3.13.15t.txt", 0x030d, true},
		{"offsets-3.14.10.txt", 0x030e, false},
		{"offsets-3.15.2.txt", 0x030f, false},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		uint8_t block[DEBUG_OFFSETS_BYTES];
		struct layout layout;

		fill(cases[i].name, block);
		assert_int_equal(debug_offsets_parse(block, sizeof(block), &layout, NULL), 0);
		assert_memory_equal(&layout,
				    cases[i].is_free_threaded
					    ? layout_find_free_threaded(cases[i].version)
					    : layout_find(cases[i].version),
				    sizeof(layout));
	}
}

static void debug_offsets_that_cannot_be_name_the_field(void **state)
{
	static const struct {
		struct word word;
		int code;
		const char *text;
	} cases[] = {
		{{8, 0x031000f0},
		 ERR_UNSUPPORTED,
		 "Python 3.16 is not known (known: 2.7, 3.6-3.15)"},
		{{8, 0x030d00b2}, ERR_UNSUPPORTED, "pre-release"},
		{{8, 0x030e00f0}, ERR_CORRUPT, "pyobject"},
		{{8, ~0ull}, ERR_UNSUPPORTED, "known"},
		{{8, 0x636300f0}, ERR_UNSUPPORTED, "99.99"},
		{{16, 1}, ERR_CORRUPT, "pyobject"},
		{{40, ~7ull}, ERR_CORRUPT, "runtime_state.interpreters_head"},
		{{40, 633}, ERR_CORRUPT, "runtime_state.interpreters_head"},
		{{24, 1ull << 40}, ERR_CORRUPT, "runtime_state.interpreters_head"},
		{{152, 0}, ERR_CORRUPT, "thread_state.next"},
		{{184, 0x8000}, ERR_CORRUPT, "thread_state.current_frame"},
		{{184, 16}, ERR_CORRUPT, "two fields of thread_state"},
		{{264, 200}, ERR_CORRUPT, "interpreter_frame.owner"},
		{{280, 113}, ERR_CORRUPT, "code_object.filename"},
		{{136, 5000}, ERR_CORRUPT, "GIL"},
		{{144, 0}, ERR_CORRUPT, "GIL"},
		{{560, 1 << 20}, ERR_CORRUPT, "asciiobject_size"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		uint8_t block[DEBUG_OFFSETS_BYTES];
		struct layout layout = {.version = 1};
		struct err err = {0};

		fill("offsets-3.13.0.txt", block);
		memcpy(block + cases[i].word.at, &cases[i].word.value, 8);
		assert_int_equal(debug_offsets_parse(block, sizeof(block), &layout, &err),
				 cases[i].code);
		if (!strstr(err.text, cases[i].text))
			fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].text);
		assert_int_equal(layout.version, 1);
	}
}

/* 3.13 does not say where the count is; its later releases have two words more, behind it. */
static void the_count_of_codes_has_its_place_in_all_releases(void **state)
{
	static const struct {
		int more;
		uint32_t place;
	} cases[] = {{0, 17000}, {16, 17000}, {24, NO_FIELD}, {-24, NO_FIELD}};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		uint8_t block[DEBUG_OFFSETS_BYTES];
		struct layout layout;
		uint64_t size;

		fill("offsets-3.13.0.txt", block);
		memcpy(&size, block + 48, sizeof(size));
		size += (uint64_t)(int64_t)cases[i].more;
		memcpy(block + 48, &size, sizeof(size));
		assert_int_equal(debug_offsets_parse(block, sizeof(block), &layout, NULL), 0);
		assert_int_equal(layout.is_code_generation, cases[i].place);
	}
}

static void debug_offsets_of_an_unknown_free_threaded_version_are_named(void **state)
{
	uint8_t block[DEBUG_OFFSETS_BYTES];
	uint64_t version = 0x031000f0;
	struct layout layout;
	struct err err = {0};

	(void)state;
	fill("offsets-3.13.15t.txt", block);
	memcpy(block + 8, &version, sizeof(version));
	assert_int_equal(debug_offsets_parse(block, sizeof(block), &layout, &err), ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "free-threaded Python 3.16 is not known"));
}

static void debug_offsets_need_all_their_bytes_and_the_cookie(void **state)
{
	static const struct {
		const char *name;
		size_t bytes;
	} cases[] = {{"offsets-3.13.0.txt", 584},
		     {"offsets-3.14.10.txt", 760},
		     {"offsets-3.15.2.txt", 888}};
	uint8_t block[DEBUG_OFFSETS_BYTES];
	struct layout layout;

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		fill(cases[i].name, block);
		assert_int_equal(debug_offsets_parse(block, cases[i].bytes, &layout, NULL), 0);
		assert_int_equal(debug_offsets_parse(block, cases[i].bytes - 1, &layout, NULL),
				 ERR_CORRUPT);
	}
	block[0] = 'X';
	assert_false(debug_offsets_is_block(block));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(debug_offsets_equal_the_row_made_from_headers),
		cmocka_unit_test(debug_offsets_that_cannot_be_name_the_field),
		cmocka_unit_test(the_count_of_codes_has_its_place_in_all_releases),
		cmocka_unit_test(debug_offsets_of_an_unknown_free_threaded_version_are_named),
		cmocka_unit_test(debug_offsets_need_all_their_bytes_and_the_cookie),
	};

	if (argc < 2)
		return 2;
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
