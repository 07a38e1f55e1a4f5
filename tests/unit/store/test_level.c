/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "store/sqlite/clock_guard.h"
#include "store/sqlite/dirty.h"
#include "store/sqlite/level.h"
#include "unit.h"

#define DAY_NS (86400 * NS_PER_S)
#define NOW (1763800000 * NS_PER_S) /* 2025-11-22 08:26:40 */

static void levels_nest(void **state)
{
	(void)state;
	for (int level = LEVEL_10M; level < LEVEL_COUNT; level++)
		assert_int_equal(levels[level].window_ns % levels[level - 1].window_ns, 0);
	assert_int_equal(DAY_NS % levels[LEVEL_1D].window_ns, 0);
}

static void level_periods_adjoin_over_ten_years(void **state)
{
	(void)state;
	for (int level = 0; level < LEVEL_COUNT; level++) {
		int64_t at = NOW;

		while (at < NOW + 3660 * DAY_NS) {
			struct store_range period = level_period(level, at);

			assert_true(period.from_ns <= at && at < period.until_ns);
			assert_int_equal(level_period(level, period.until_ns - 1).from_ns,
					 period.from_ns);
			assert_int_equal(level_period(level, period.until_ns).from_ns,
					 period.until_ns);
			at = period.until_ns;
		}
	}
}

static void level_names_months_and_days(void **state)
{
	char name[16];

	(void)state;
	level_period_name(LEVEL_FINE, NOW, name);
	assert_string_equal(name, "2025-11-22");
	level_period_name(LEVEL_1H, NOW, name);
	assert_string_equal(name, "2025-11");
	assert_int_equal(level_month(NOW + 30 * DAY_NS) - level_month(NOW), 1);
	assert_int_equal(level_month(NOW + 45 * DAY_NS) - level_month(NOW), 2);
}

/* ---- dirty windows ---- */

static bool always(void *ctx, int level, const struct dirty_window *window)
{
	(void)ctx;
	(void)level;
	(void)window;
	return true;
}

static void dirty_marks_all_coarser_windows(void **state)
{
	struct dirty dirty = {0};
	int64_t minute = level_window(LEVEL_1M, NOW);

	(void)state;
	dirty_mark(&dirty, 6, LEVEL_1M, (struct store_range){NOW, NOW + 90 * NS_PER_S}, 5);
	assert_true(dirty_is(&dirty, 6, LEVEL_1M, minute));
	assert_true(dirty_is(&dirty, 6, LEVEL_1M, minute + 60 * NS_PER_S));
	assert_true(dirty_is(&dirty, 6, LEVEL_1D, level_window(LEVEL_1D, NOW)));
	assert_false(dirty_is(&dirty, 6, LEVEL_1M, minute - 60 * NS_PER_S));
	assert_false(dirty_is(&dirty, 8, LEVEL_1M, minute));
	dirty_clear(&dirty, 6, LEVEL_1M, minute);
	assert_false(dirty_is(&dirty, 6, LEVEL_1M, minute));
	assert_true(dirty_is(&dirty, 6, LEVEL_10M, level_window(LEVEL_10M, NOW)));
	dirty_done(&dirty);
}

static void dirty_gives_windows_that_are_over_and_quiet(void **state)
{
	struct dirty dirty = {0};
	struct dirty_window out[8];
	struct dirty_due due = {
		.closed_before_ns = NOW + 3600 * NS_PER_S, .quiet_since_s = 10, .is_ready = always};

	(void)state;
	dirty_mark(&dirty, 2, LEVEL_1M, (struct store_range){NOW, NOW + 1}, 5);
	dirty_mark(&dirty, 4, LEVEL_1M, (struct store_range){NOW, NOW + 1}, 50);
	assert_int_equal(dirty_take(&dirty, LEVEL_1M, &due, out, 8), 1);
	assert_int_equal(out[0].owner, 2);
	/* Taken, still marked; given back it comes again. */
	assert_int_equal(dirty_take(&dirty, LEVEL_1M, &due, out, 8), 0);
	dirty_return(&dirty, LEVEL_1M, &(struct dirty_window){2, level_window(LEVEL_1M, NOW)});
	assert_int_equal(dirty_take(&dirty, LEVEL_1M, &due, out, 8), 1);
	due.quiet_since_s = 60;
	due.closed_before_ns = NOW;
	assert_int_equal(dirty_take(&dirty, LEVEL_1M, &due, out, 8), 0);
	due.closed_before_ns = NOW + 60 * NS_PER_S;
	assert_int_equal(dirty_take(&dirty, LEVEL_1M, &due, out, 8), 1);
	assert_int_equal(out[0].owner, 4);
	dirty_done(&dirty);
}

/* ---- the clock ---- */

static void a_clock_that_leaps_is_believed_after_an_hour(void **state)
{
	const int64_t hour = 3600 * NS_PER_S;
	struct clock_guard guard = {NOW, 1, 0};

	(void)state;
	assert_int_equal(clock_guard_now(&guard, NOW + hour, 1 + hour), NOW + hour);
	/* Ten years on: only the time that passed counts, until an hour has. */
	assert_int_equal(clock_guard_now(&guard, NOW + 3650 * DAY_NS, 2 * hour),
			 NOW + 2 * hour - 1);
	assert_int_equal(clock_guard_now(&guard, NOW + 3650 * DAY_NS, 2 * hour + hour / 2),
			 NOW + 2 * hour + hour / 2 - 1);
	assert_int_equal(clock_guard_now(&guard, NOW + 3650 * DAY_NS, 3 * hour),
			 NOW + 3650 * DAY_NS);
	/* Back again is never a danger; nor is a leap that was undone in time. */
	assert_int_equal(clock_guard_now(&guard, NOW + 4 * hour, 4 * hour), NOW + 4 * hour);
	assert_int_equal(clock_guard_now(&guard, NOW + 90 * DAY_NS, 4 * hour + 5),
			 NOW + 4 * hour + 5);
	assert_int_equal(clock_guard_now(&guard, NOW + 5 * hour, 5 * hour), NOW + 5 * hour);
	assert_int_equal(guard.leapt_mono_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_nest),
		cmocka_unit_test(level_periods_adjoin_over_ten_years),
		cmocka_unit_test(level_names_months_and_days),
		cmocka_unit_test(dirty_marks_all_coarser_windows),
		cmocka_unit_test(dirty_gives_windows_that_are_over_and_quiet),
		cmocka_unit_test(a_clock_that_leaps_is_believed_after_an_hour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
