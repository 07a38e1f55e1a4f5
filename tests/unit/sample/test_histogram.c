/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "sample/histogram.h"

static void histogram_median_is_right_within_a_tenth(void **state)
{
	static const int64_t values[] = {0, 1, 7, 8, 9, 100, 24000, 39000, 1000000, 123456789012};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		struct histogram histogram = {.n = 0};
		int64_t median;

		for (int k = 0; k < 5; k++)
			histogram_add(&histogram, values[i]);
		histogram_add(&histogram, 0);
		histogram_add(&histogram, INT64_MAX);
		median = histogram_quantile(&histogram, 50);
		assert_true(median >= values[i] - values[i] / 10);
		assert_true(median <= values[i] + values[i] / 10);
	}
}

static void histogram_takes_anything(void **state)
{
	struct histogram histogram = {.n = 0};

	(void)state;
	assert_int_equal(histogram_quantile(&histogram, 50), 0);
	histogram_add(&histogram, INT64_MIN);
	assert_int_equal(histogram_quantile(&histogram, 50), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(histogram_median_is_right_within_a_tenth),
		cmocka_unit_test(histogram_takes_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
