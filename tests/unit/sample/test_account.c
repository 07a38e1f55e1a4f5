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

#define MS 1000000ll

static void account_gives_a_period_and_a_part_of_the_rest(void **state)
{
	struct account account = {.cpu_ns = 0};

	(void)state;
	assert_int_equal(account_take_cpu(&account, 26 * MS, 10 * MS), 11 * MS);
	assert_int_equal(account_take_cpu(&account, 26 * MS, 10 * MS), 103 * MS / 10 + MS / 80);
	assert_int_equal(account_take_cpu(&account, 26 * MS, 10 * MS),
			 26 * MS - 11 * MS - 103 * MS / 10 - MS / 80);
	assert_int_equal(account_take_cpu(&account, 26 * MS, 10 * MS), 0);
}

/* A reading that moves by 4 ms lies on the samples of 16 ms, not on the first few after it. */
static void account_spreads_a_reading_over_the_samples_that_it_covers(void **state)
{
	struct account account = {.cpu_ns = 0};

	(void)state;
	assert_int_equal(account_take_cpu(&account, 4 * MS, 10000), 10000 + (4 * MS - 10000) / 1600);
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
		cmocka_unit_test(account_spreads_a_reading_over_the_samples_that_it_covers),
		cmocka_unit_test(account_waits_for_a_reading_that_went_backwards),
		cmocka_unit_test(ledger_rest_is_what_the_dead_left),
		cmocka_unit_test(ledger_never_invents_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
