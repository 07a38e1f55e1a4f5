/* SPDX-License-Identifier: Apache-2.0 */
/* _Py_DebugOffsets that are what 3.13 has, and all the ways in which they are not. */
#include "../unit.h"

#include <string.h>

#include "base/compiler.h"
#include "python/layout.h"

struct word {
	uint16_t at;
	uint64_t value;
};

/* As 3.13.0 has them. */
static void fill(uint8_t block[DEBUG_OFFSETS_BYTES])
{
	static const struct word words[] = {
		{8, 0x030d00f0}, {24, 283320}, {40, 632},   {48, 194968}, {64, 7264},  {72, 7344},
		{88, 7656},	 {112, 16},    {120, 1000}, {136, 1016},  {144, 1008}, {152, 304},
		{168, 8},	 {176, 16},    {184, 72},   {192, 152},	  {200, 160},  {208, 232},
		{224, 88},	 {232, 8},     {240, 0},    {248, 56},	  {256, 72},   {264, 70},
		{272, 208},	 {280, 112},   {288, 120},  {296, 128},	  {304, 136},  {312, 68},
		{344, 200},	 {448, 48},    {456, 32},   {464, 40},	  {512, 40},   {520, 16},
		{528, 32},	 {536, 64},    {544, 32},   {552, 16},	  {560, 40},
	};

	memset(block, 0, DEBUG_OFFSETS_BYTES);
	memcpy(block, DEBUG_OFFSETS_COOKIE, 8);
	for (size_t i = 0; i < array_len(words); i++)
		memcpy(block + words[i].at, &words[i].value, 8);
}

static void debug_offsets_equal_the_row_made_from_headers(void **state)
{
	uint8_t block[DEBUG_OFFSETS_BYTES];
	struct layout layout;

	(void)state;
	fill(block);
	assert_int_equal(debug_offsets_parse(block, sizeof(block), &layout, NULL), 0);
	assert_memory_equal(&layout, layout_find(0x030d), sizeof(layout));
}

static void debug_offsets_that_cannot_be_name_the_field(void **state)
{
	static const struct {
		struct word word;
		int code;
		const char *text;
	} cases[] = {
		{{8, 0x030e00f0}, ERR_UNSUPPORTED, "3.14"},
		{{8, ~0ull}, ERR_UNSUPPORTED, "known"},
		{{8, 0x636300f0}, ERR_UNSUPPORTED, "99.99"},
		{{16, 1}, ERR_UNSUPPORTED, "free-threaded"},
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

		fill(block);
		memcpy(block + cases[i].word.at, &cases[i].word.value, 8);
		assert_int_equal(debug_offsets_parse(block, sizeof(block), &layout, &err),
				 cases[i].code);
		if (!strstr(err.text, cases[i].text))
			fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].text);
		assert_int_equal(layout.version, 1);
	}
}

static void debug_offsets_need_all_their_bytes_and_the_cookie(void **state)
{
	uint8_t block[DEBUG_OFFSETS_BYTES];
	struct layout layout;

	(void)state;
	fill(block);
	assert_int_equal(debug_offsets_parse(block, sizeof(block) - 1, &layout, NULL), ERR_CORRUPT);
	block[0] = 'X';
	assert_false(debug_offsets_is_block(block, sizeof(block)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(debug_offsets_equal_the_row_made_from_headers),
		cmocka_unit_test(debug_offsets_that_cannot_be_name_the_field),
		cmocka_unit_test(debug_offsets_need_all_their_bytes_and_the_cookie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
