/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/clock_guard.h"

#include <stdbool.h>

int64_t clock_guard_now(struct clock_guard *guard, int64_t real_ns, int64_t mono_ns)
{
	int64_t expected_ns = guard->seen_real_ns + (mono_ns - guard->seen_mono_ns);
	bool has_leapt = guard->seen_real_ns && real_ns - expected_ns > CLOCK_GUARD_LEAP_NS;

	if (has_leapt && !guard->leapt_mono_ns)
		guard->leapt_mono_ns = mono_ns;
	if (has_leapt && mono_ns - guard->leapt_mono_ns < CLOCK_GUARD_CONFIRM_NS)
		return expected_ns;
	*guard = (struct clock_guard){real_ns, mono_ns, 0};
	return real_ns;
}
