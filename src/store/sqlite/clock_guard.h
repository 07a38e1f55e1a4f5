/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real-time clock that leaps forward (a wrong date set, a battery gone) must not make everything look
 * expired: what retention would delete by it waits until the clock has kept to the new time for an hour.
 */
#ifndef STORE_SQLITE_CLOCK_GUARD_H
#define STORE_SQLITE_CLOCK_GUARD_H

#include <stdint.h>

#define CLOCK_GUARD_LEAP_NS (24 * 3600 * 1000000000ll)
#define CLOCK_GUARD_CONFIRM_NS (3600 * 1000000000ll)

struct clock_guard {
	int64_t seen_real_ns, seen_mono_ns; /* the last time that was believed; 0: none yet */
	int64_t leapt_mono_ns; /* when the clock first showed another; 0: it does not */
};

/*
 * The time to delete by: `real_ns`, or while that is not believed the time that has passed since the last
 * one that was.  Before the first call set seen_* to the newest time known to be true (of stored data).
 */
int64_t clock_guard_now(struct clock_guard *guard, int64_t real_ns, int64_t mono_ns);

#endif
