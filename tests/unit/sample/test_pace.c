/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>

#include "base/clock.h"
#include "sample/pace.h"

#define TICKS 20000

static void pace_keeps_the_rate_with_exponential_gaps(void **state)
{
	struct pace pace;
	int64_t last = 0;
	double sum = 0, squares = 0;

	(void)state;
	pace_init(&pace, 1000, 0, 42);
	for (int i = 0; i < TICKS; i++) {
		double gap = (double)(pace.due_ns - last) / NS_PER_MS;

		sum += gap;
		squares += gap * gap;
		last = pace.due_ns;
		assert_false(pace_tick(&pace, pace.due_ns));
	}
	/* Mean 1, variance 1; both within 5 standard errors. */
	assert_true(fabs(sum / TICKS - 1) < 0.036);
	assert_true(fabs(squares / TICKS - 2) < 0.16);
	assert_int_equal(pace.ticks, TICKS);
	assert_int_equal(pace.missed, 0);
}

static void pace_does_not_drift_when_ticks_take_time(void **state)
{
	struct pace pace;
	int64_t now = 0;

	(void)state;
	pace_init(&pace, 100, 0, 7);
	for (int i = 0; i < TICKS; i++) {
		now = pace.due_ns > now ? pace.due_ns : now;
		(void)pace_tick(&pace, now);
		now += NS_PER_MS; /* a tenth of the period */
	}
	assert_true(fabs((double)now / (double)(pace.ticks + pace.missed) / (10.0 * NS_PER_MS) -
			 1) < 0.05);
	assert_true(pace.missed < TICKS / 100);
}

static void pace_counts_skipped_ticks_as_made_when_they_were_due(void **state)
{
	struct pace pace;
	int64_t last_ns = -1;
	uint32_t n;

	(void)state;
	pace_init(&pace, 1000, 0, 11);
	assert_int_equal(pace_skip(&pace, pace.due_ns - 1, &last_ns), 0);
	assert_int_equal(last_ns, -1);
	n = pace_skip(&pace, 10 * NS_PER_S, &last_ns);
	assert_true(fabs(n / 10000.0 - 1) < 0.05);
	assert_int_equal(pace.ticks, n);
	assert_int_equal(pace.missed, 0);
	assert_true(last_ns <= 10 * NS_PER_S && pace.due_ns > 10 * NS_PER_S);
	assert_int_equal(pace.last_ns, last_ns);
}

static void pace_tells_the_spacing_of_ticks_also_when_some_are_missed(void **state)
{
	struct pace pace;
	int64_t now = 0;
	double sum = 0;

	(void)state;
	pace_init(&pace, 1000, 0, 3);
	for (int i = 0; i < TICKS; i++) {
		now = pace.due_ns;
		(void)pace_tick(&pace, now);
		sum += (double)pace.spacing_ns / NS_PER_MS;
	}
	assert_true(fabs(sum / TICKS - 1) < 0.05);
	/* Four of five periods are gone before the next look. */
	for (int i = 0; i < TICKS; i++) {
		now = pace.due_ns > now + 5 * NS_PER_MS ? pace.due_ns : now + 5 * NS_PER_MS;
		(void)pace_tick(&pace, now);
	}
	assert_true(fabs((double)pace.spacing_ns / (5.0 * NS_PER_MS) - 1) < 0.1);
}

static void pace_counts_late_and_missed_ticks(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace, 1000, 0, 1);
	assert_true(pace_tick(&pace, pace.due_ns + 500 * NS_PER_MS));
	assert_int_equal(pace.late, 1);
	assert_in_range(pace.missed, 400, 600);
	assert_true(pace.due_ns >= 499 * NS_PER_MS);
}

static void pace_gives_each_seed_its_own_ticks(void **state)
{
	struct pace a, b;

	(void)state;
	pace_init(&a, 100, 0, 0);
	pace_init(&b, 100, 0, 1);
	assert_int_not_equal(a.due_ns, b.due_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pace_keeps_the_rate_with_exponential_gaps),
		cmocka_unit_test(pace_does_not_drift_when_ticks_take_time),
		cmocka_unit_test(pace_counts_skipped_ticks_as_made_when_they_were_due),
		cmocka_unit_test(pace_tells_the_spacing_of_ticks_also_when_some_are_missed),
		cmocka_unit_test(pace_counts_late_and_missed_ticks),
		cmocka_unit_test(pace_gives_each_seed_its_own_ticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
