/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <string.h>

#include "base/compiler.h"
#include "fake_memory.h"
#include "python/version.h"

static void version_reads_hex(void **state)
{
	(void)state;
	assert_string_equal(version_from_hex(0x030b02f0).text, "3.11.2");
	assert_int_equal(version_from_hex(0x030b02f0).minor, 0x030b);
	assert_string_equal(version_from_hex(0x030d00c1).text, "3.13.0rc1");
	assert_string_equal(version_from_hex(0x030e00a7).text, "3.14.0a7");
}

static void version_reads_file_names(void **state)
{
	static const struct {
		const char *path;
		uint16_t minor;
	} cases[] = {
		{"/usr/bin/python3.11", 0x030b},
		{"/opt/python3.9/lib/libpython3.10.so.1.0", 0x030a},
		{"libpython3.6m.so", 0x0306},
		{"/usr/bin/python2.7", 0x0207},
		{"/usr/bin/python3", 0},
		{"/usr/bin/python", 0},
		{"/usr/bin/python3.", 0},
		{"/opt/python3.9/bin/snake", 0},
		{"", 0},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++)
		assert_int_equal(version_from_path(cases[i].path).minor, cases[i].minor);
}

static void version_finds_what_py_get_version_made(void **state)
{
	static const struct {
		const char *text;
		const char *version;
	} cases[] = {
		{"3.10.13 (main, Aug", "3.10.13"},
		{"xx 3.8.18 (default, ", "3.8.18"},
		{"1.2.3 4.5.6 \n3.12.0rc2+ (heads", "3.12.0rc2+"},
		{"2.7.18 (", "2.7.18"},
		{"3.99.1 (x", "3.99.1"},
		{"3.10.13(main", ""},
		{"13.10.1 (main", ""},
		{"3.10. (main", ""},
		{"3.10", ""},
		{"3.12.0\033[31m (", ""},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct version version =
			version_from_bytes((const uint8_t *)cases[i].text, strlen(cases[i].text));
		assert_string_equal(version.text, cases[i].version);
	}
}

static void version_is_found_over_the_border_of_a_chunk(void **state)
{
	struct fake_memory fake;

	(void)state;
	fake_init(&fake, layout_find(0x030a));
	fake_put(&fake, FAKE_BASE + (256 << 10) - 5, "3.10.13 (main", 13);
	assert_string_equal(
		version_from_memory(&fake.memory, FAKE_BASE, FAKE_BASE + (1 << 20)).text,
		"3.10.13");
	fake_done(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_reads_hex),
		cmocka_unit_test(version_reads_file_names),
		cmocka_unit_test(version_finds_what_py_get_version_made),
		cmocka_unit_test(version_is_found_over_the_border_of_a_chunk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
