/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "sample/state.h"

static void state_follows_the_kernel_and_the_gil(void **state)
{
	static const struct {
		enum thread_doing doing;
		bool holds, waits;
		enum thread_state want;
	} cases[] = {
		{THREAD_RUNNING, true, false, STATE_RUNNING_GIL},
		{THREAD_RUNNING, false, false, STATE_RUNNING},
		{THREAD_FUTEX, false, true, STATE_WAITING_GIL},
		{THREAD_FUTEX, false, false, STATE_WAITING_LOCK},
		{THREAD_IO, false, false, STATE_WAITING_IO},
		{THREAD_IO, true, false,
		 STATE_WAITING_IO}, /* reads a file with the GIL in its hands */
		{THREAD_POLL, false, false, STATE_WAITING_IO},
		{THREAD_BLOCKED, false, false, STATE_WAITING_IO},
		{THREAD_NAP, false, false, STATE_SLEEPING},
		{THREAD_CHILD, false, false, STATE_SLEEPING},
		{THREAD_UNKNOWN, false, false, STATE_SLEEPING},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(state_of(cases[i].doing, cases[i].holds, cases[i].waits),
				 cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_follows_the_kernel_and_the_gil),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
