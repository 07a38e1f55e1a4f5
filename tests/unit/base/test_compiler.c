/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/compiler.h"

static int next(int *counter)
{
	return ++*counter;
}

static void min_of_and_max_of_evaluate_each_argument_once(void **state)
{
	int counter = 0;

	(void)state;
	assert_int_equal(max_of(next(&counter), 0), 1);
	assert_int_equal(counter, 1);
	assert_int_equal(min_of(10, max_of(next(&counter), next(&counter))), 3);
	assert_int_equal(counter, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(min_of_and_max_of_evaluate_each_argument_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
