/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void err_set_returns_its_code_and_keeps_the_text(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(err_set(&err, -ESRCH, "process %d has ended", 7), -ESRCH);
	assert_int_equal(err.code, -ESRCH);
	assert_string_equal(err.text, "process 7 has ended");
	assert_int_equal(err_set(NULL, ERR_LIMIT, "no storage"), ERR_LIMIT);
}

static void err_texts_never_hold_control_characters(void **state)
{
	struct err err;

	(void)state;
	err_set(&err, -EINVAL, "name '%s'", "a\x1b[31mb\r\n");
	assert_string_equal(err.text, "name 'a\\x1b[31mb\\x0d\\x0a'");
}

static void err_prefix_adds_context_in_front(void **state)
{
	struct err err;

	(void)state;
	err_sys(&err, -ENOENT, "x.pyro");
	assert_string_equal(err.text, "x.pyro: No such file or directory");
	assert_int_equal(err_prefix(&err, -ENOENT, "cannot convert"), -ENOENT);
	assert_string_equal(err.text, "cannot convert: x.pyro: No such file or directory");
	assert_int_equal(err_prefix(NULL, -EIO, "x"), -EIO);
}

static void err_texts_are_cut_at_a_character(void **state)
{
	char longer[2 * ERR_TEXT_MAX] = "";
	struct err err;

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(longer); i += 2)
		memcpy(longer + i, "\xc3\xa9", 3);
	err_set(&err, -EINVAL, "x%s", longer);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_string_equal(err.text + ERR_TEXT_MAX - 3, "\xc3\xa9");
}

static void every_code_has_a_name(void **state)
{
	(void)state;
	for (int code = ERR_DUPLICATE; code <= ERR_CORRUPT; code++)
		assert_string_not_equal(err_name(code), "unknown error");
	assert_string_equal(err_name(-ENOSPC), "No space left on device");
	assert_string_equal(err_name(-100000), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(err_set_returns_its_code_and_keeps_the_text),
		cmocka_unit_test(err_texts_never_hold_control_characters),
		cmocka_unit_test(err_prefix_adds_context_in_front),
		cmocka_unit_test(err_texts_are_cut_at_a_character),
		cmocka_unit_test(every_code_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
