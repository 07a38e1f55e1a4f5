/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/kernel_names.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

static struct kernel_names *parse(const char *text)
{
	struct kernel_names *names = NULL;
	struct err err = {0};

	assert_int_equal(kernel_names_parse(text, strlen(text), &names, &err), 0);
	return names;
}

static void functions_are_found_by_any_address_in_them(void **state)
{
	struct kernel_names *names = parse("ffffffff81000200 t second\n"
					   "ffffffff81000100 T first\n"
					   "ffffffff81000180 d data\n"
					   "ffffffffc0000000 t entry\t[module]\n");
	struct kernel_function found;

	(void)state;
	assert_int_equal(kernel_names_find(names, 0xffffffff810001ffull, &found), 0);
	assert_string_equal(found.name, "first");
	assert_string_equal(found.module, "");
	assert_true(found.start == 0xffffffff81000100ull && found.end == 0xffffffff81000200ull);
	assert_int_equal(kernel_names_find(names, 0xffffffffc0000010ull, &found), 0);
	assert_string_equal(found.name, "entry");
	assert_string_equal(found.module, "module");
	assert_int_equal(kernel_names_find(names, 0x1000, &found), -ENOENT);
	assert_int_equal(kernel_names_lookup(names, "second", &found), 0);
	assert_true(found.start == 0xffffffff81000200ull);
	assert_int_equal(kernel_names_lookup(names, "data", &found), -ENOENT);
	kernel_names_free(names);
	kernel_names_free(NULL);
}

static void of_several_names_the_first_is_told(void **state)
{
	struct kernel_names *names = parse("ffffffff81000100 T __x64_sys_read\n"
					   "ffffffff81000100 T alias\n"
					   "ffffffff81000200 T next\n");
	struct kernel_function found;

	(void)state;
	assert_int_equal(kernel_names_find(names, 0xffffffff81000150ull, &found), 0);
	assert_string_equal(found.name, "__x64_sys_read");
	assert_true(found.end == 0xffffffff81000200ull);
	kernel_names_free(names);
}

static void hidden_addresses_are_a_missing_right(void **state)
{
	const char *text = "0000000000000000 T first\n0000000000000000 T second\n";
	struct kernel_names *names = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(kernel_names_parse(text, strlen(text), &names, &err), -EPERM);
	assert_non_null(strstr(err.text, "CAP_SYSLOG"));
}

static void lines_that_make_no_sense_are_left_out(void **state)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"nonsense",
		"ffffffff81000100",
		"ffffffff81000100 \n",
		"ffffffff81000100 T\n",
		"ffffffffffffffffffffffff T long_address\n",
		"ffffffff81000100 T cut off here",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct kernel_names *names = NULL;

		assert_int_equal(kernel_names_parse(texts[i], strlen(texts[i]), &names, NULL),
				 -EPERM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_are_found_by_any_address_in_them),
		cmocka_unit_test(of_several_names_the_first_is_told),
		cmocka_unit_test(hidden_addresses_are_a_missing_right),
		cmocka_unit_test(lines_that_make_no_sense_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
