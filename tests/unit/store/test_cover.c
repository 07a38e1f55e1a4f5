/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "store/cover.h"
#include "store/spread.h"
#include "unit.h"

#define SPAN 500

static void cover_counts_each_moment_once(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 200; round++) {
		struct cover cover = {0};
		bool is_known[SPAN] = {false};
		int64_t sum = 0;

		for (int i = 0; i < 40; i++) {
			int64_t from = rand() % SPAN, until = from + rand() % 20;

			until = min_of(until, (int64_t)SPAN);
			cover_add(&cover, from, until);
			for (int64_t t = from; t < until; t++)
				is_known[t] = true;
		}
		for (int t = 100; t < 300; t++)
			sum += is_known[t];
		assert_int_equal(cover_length(&cover, 100, 300), sum);
		for (size_t i = 1; i < cover.n; i++)
			assert_true(cover.items[i - 1].until_ns < cover.items[i].from_ns);
		cover_done(&cover);
	}
}

static void cover_stays_small_under_many_additions_in_any_order(void **state)
{
	struct cover cover = {0};

	(void)state;
	for (int64_t i = 0; i < 200000; i++)
		cover_add(&cover, i * 7919 % 200000, i * 7919 % 200000 + 1);
	assert_int_equal(cover_length(&cover, 0, INT64_MAX), 200000);
	assert_int_equal(cover.n, 1);
	cover_done(&cover);
}

/* One run a series, as timelines add them: each sorted, and all over the same time. */
static void cover_unites_runs_that_overlap(void **state)
{
	struct cover cover = {0};

	(void)state;
	for (int64_t series = 0; series < 7; series++)
		for (int64_t at = 0; at < 100; at++)
			cover_add(&cover, at * 70 + series * 10, at * 70 + series * 10 + 9);
	assert_int_equal(cover_length(&cover, 0, 7000), 6300);
	assert_int_equal(cover.n, 700);
	for (size_t i = 1; i < cover.n; i++)
		assert_true(cover.items[i - 1].until_ns < cover.items[i].from_ns);
	cover_done(&cover);
}

static void cover_closes_only_gaps_below_the_limit(void **state)
{
	struct cover cover = {0};

	(void)state;
	cover_add(&cover, 0, 10);
	cover_add(&cover, 14, 20);
	cover_add(&cover, 25, 30);
	cover_close_gaps(&cover, 5);
	assert_int_equal(cover.n, 2);
	assert_int_equal(cover_length(&cover, 0, 100), 25);
	cover_reset(&cover);
	assert_int_equal(cover_length(&cover, 0, 100), 0);
	cover_done(&cover);
}

static void spread_parts_add_up_wherever_it_is_cut(void **state)
{
	(void)state;
	srand(2);
	for (int round = 0; round < 2000; round++) {
		int64_t duration = 1 + rand() % 1000000;
		int64_t value = rand() % 3 ? rand() % 1000 : INT64_MAX - rand();
		int64_t at = 0, sum = 0;

		while (at < duration) {
			int64_t until = min_of(duration, at + 1 + rand() % 200000);
			int64_t part = spread_part(value, at, until, duration);

			assert_true(part >= 0);
			sum += part;
			at = until;
		}
		assert_int_equal(sum, value);
	}
}

static void spread_is_proportional_within_one(void **state)
{
	(void)state;
	for (int64_t e = 0; e <= 1000; e++) {
		double exact = 12345.0 * (double)e / 1000;
		double got = (double)spread_until(12345, e, 1000);

		assert_true(got - exact <= 0.5 && exact - got <= 0.5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cover_counts_each_moment_once),
		cmocka_unit_test(cover_stays_small_under_many_additions_in_any_order),
		cmocka_unit_test(cover_unites_runs_that_overlap),
		cmocka_unit_test(cover_closes_only_gaps_below_the_limit),
		cmocka_unit_test(spread_parts_add_up_wherever_it_is_cut),
		cmocka_unit_test(spread_is_proportional_within_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
