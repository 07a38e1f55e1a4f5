/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "sample/account.h"

static void account_gives_every_nanosecond_once(void **state)
{
	struct account account = {.wall_ns = 100, .cpu_ns = 7};

	(void)state;
	assert_int_equal(account_take_wall(&account, 350), 250);
	assert_int_equal(account_take_wall(&account, 350), 0);
	assert_int_equal(account_take_wall(&account, 351), 1);
	assert_int_equal(account_take_cpu(&account, 20, 0), 13);
	assert_int_equal(account_take_cpu(&account, 20, 0), 0);
}

static void account_gives_a_period_and_a_part_of_the_rest(void **state)
{
	struct account account = {.cpu_ns = 0};

	(void)state;
	assert_int_equal(account_take_cpu(&account, 260, 100), 110);
	assert_int_equal(account_take_cpu(&account, 260, 100), 103);
	assert_int_equal(account_take_cpu(&account, 260, 100), 47);
	assert_int_equal(account_take_cpu(&account, 260, 100), 0);
}

static void account_waits_for_a_reading_that_went_backwards(void **state)
{
	struct account account = {.cpu_ns = 50};

	(void)state;
	assert_int_equal(account_take_cpu(&account, 40, 0), 0);
	assert_int_equal(account_take_cpu(&account, 60, 0), 10);
}

static void ledger_rest_is_what_the_dead_left(void **state)
{
	struct ledger ledger = {.base_ns = 1000, .given_ns = 300};

	(void)state;
	assert_int_equal(ledger_rest(&ledger, 1300, 0), 0);
	assert_int_equal(ledger_rest(&ledger, 1500, 0), 200);
	assert_int_equal(ledger_rest(&ledger, 1500, 150), 50);
}

static void ledger_never_invents_time(void **state)
{
	struct ledger ledger = {.base_ns = 1000, .given_ns = 300};

	(void)state;
	assert_int_equal(ledger_rest(&ledger, 1310, 20), 0);
	assert_int_equal(ledger_rest(&ledger, 900, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(account_gives_every_nanosecond_once),
		cmocka_unit_test(account_gives_a_period_and_a_part_of_the_rest),
		cmocka_unit_test(account_waits_for_a_reading_that_went_backwards),
		cmocka_unit_test(ledger_rest_is_what_the_dead_left),
		cmocka_unit_test(ledger_never_invents_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
