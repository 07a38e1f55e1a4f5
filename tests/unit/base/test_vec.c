/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "base/vec.h"

static void vec_grows_by_doubling_and_zeroes_what_is_new(void **state)
{
	uint32_t *values = NULL;
	size_t cap = 0;

	(void)state;
	for (size_t n = 0; n < 1000; n++) {
		values = vec_grow(values, &cap, n + 1, sizeof(*values));
		assert_true(cap >= n + 1 && cap <= 2 * n + 8);
		assert_int_equal(values[n], 0);
		values[n] = (uint32_t)n;
	}
	for (size_t n = 0; n < 1000; n++)
		assert_int_equal(values[n], n);
	free(values);
}

static void xstrndup_copies_and_terminates(void **state)
{
	char *text = xstrndup("hello", 2);

	(void)state;
	assert_string_equal(text, "he");
	free(text);
	text = xstrdup("");
	assert_string_equal(text, "");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vec_grows_by_doubling_and_zeroes_what_is_new),
		cmocka_unit_test(xstrndup_copies_and_terminates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
