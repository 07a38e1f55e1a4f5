/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/watchdog.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

#define FINAL_CODE 7

static int64_t in_seconds(int64_t s)
{
	return clock_monotonic_ns() + s * NS_PER_S;
}

static int end_at_once(void *ctx, struct heartbeat *beat, const struct keeper_job *job)
{
	(void)ctx, (void)beat, (void)job;
	return FINAL_CODE;
}

static int die_twice(void *ctx, struct heartbeat *beat, const struct keeper_job *job)
{
	(void)ctx, (void)beat;
	if (job->attempt <= 2)
		raise(SIGKILL);
	return FINAL_CODE;
}

static int pause_too_long(void *ctx, struct heartbeat *beat, const struct keeper_job *job)
{
	(void)ctx;
	if (job->start == 1) {
		beat_pause_began(beat, clock_monotonic_ns());
		poll(NULL, 0, 20000);
	}
	return FINAL_CODE;
}

static int fall_silent(void *ctx, struct heartbeat *beat, const struct keeper_job *job)
{
	(void)ctx;
	if (job->start == 1) {
		beat_now(beat);
		poll(NULL, 0, 20000);
	}
	return FINAL_CODE;
}

/* Many pauses, each within its limit, and a long rest without a heartbeat. */
static int behave(void *ctx, struct heartbeat *beat, const struct keeper_job *job)
{
	(void)ctx, (void)job;
	for (int i = 0; i < 200; i++) {
		beat_now(beat);
		beat_pause_began(beat, clock_monotonic_ns());
		poll(NULL, 0, 1);
		beat_pause_ended(beat);
	}
	beat_rest(beat);
	poll(NULL, 0, 300);
	return FINAL_CODE;
}

static int wait_for_term(void *ctx, struct heartbeat *beat, const struct keeper_job *job)
{
	(void)ctx, (void)beat, (void)job;
	poll(NULL, 0, 60000);
	return 1;
}

static int ignore_term(void *ctx, struct heartbeat *beat, const struct keeper_job *job)
{
	signal(SIGTERM, SIG_IGN);
	return wait_for_term(ctx, beat, job);
}

struct outcome {
	int code;
	uint32_t starts, kills, deaths;
};

static struct outcome keep(int (*reader)(void *, struct heartbeat *, const struct keeper_job *))
{
	const struct keeper_config config = {.reader = reader,
					     .pause_limit_ns = 100 * NS_PER_MS,
					     .beat_limit_ns = 200 * NS_PER_MS};
	struct outcome outcome;
	struct keeper keeper;

	assert_int_equal(keeper_start(&keeper, &config, NULL), 0);
	outcome.code = keeper_wait(&keeper, in_seconds(15));
	outcome.starts = keeper.beat->starts;
	outcome.kills = keeper.beat->kills;
	outcome.deaths = keeper.beat->deaths;
	keeper_done(&keeper);
	return outcome;
}

static void reader_is_started_again_after_deaths_only(void **state)
{
	static const struct {
		int (*reader)(void *, struct heartbeat *, const struct keeper_job *);
		uint32_t starts, kills;
	} cases[] = {
		{end_at_once, 1, 0},
		{die_twice, 3, 0},
		{pause_too_long, 2, 1},
		{fall_silent, 2, 1},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct outcome outcome = keep(cases[i].reader);

		assert_int_equal(outcome.code, FINAL_CODE);
		assert_int_equal(outcome.starts, cases[i].starts);
		assert_int_equal(outcome.kills, cases[i].kills);
	}
}

static void healthy_reader_is_left_alone(void **state)
{
	struct outcome outcome = keep(behave);

	(void)state;
	assert_int_equal(outcome.code, FINAL_CODE);
	assert_int_equal(outcome.starts, 1);
	assert_int_equal(outcome.kills, 0);
}

static int die_always(void *ctx, struct heartbeat *beat, const struct keeper_job *job)
{
	(void)ctx, (void)beat, (void)job;
	return raise(SIGKILL);
}

static void reader_that_only_dies_is_given_up(void **state)
{
	struct outcome outcome = keep(die_always);

	(void)state;
	assert_int_equal(outcome.code, 128 + SIGKILL);
	assert_int_equal(outcome.starts, 5);
	assert_int_equal(outcome.deaths, 5);
}

static int stop(int (*reader)(void *, struct heartbeat *, const struct keeper_job *),
		int64_t grace_ns)
{
	const struct keeper_config config = {.reader = reader};
	struct keeper keeper;
	int code;

	assert_int_equal(keeper_start(&keeper, &config, NULL), 0);
	while (!keeper.beat->reader_pid)
		usleep(1000);
	usleep(50000);
	keeper_stop(&keeper, grace_ns);
	code = keeper_wait(&keeper, in_seconds(10));
	keeper_done(&keeper);
	return code;
}

static void stop_asks_first_and_kills_after_grace(void **state)
{
	(void)state;
	assert_int_equal(stop(wait_for_term, 5 * NS_PER_S), 128 + SIGTERM);
	assert_int_equal(stop(ignore_term, 100 * NS_PER_MS), 128 + SIGKILL);
}

static void waiting_ends_at_its_deadline_and_leaves_nobody(void **state)
{
	const struct keeper_config config = {.reader = wait_for_term};
	struct keeper keeper;
	pid_t reader;

	(void)state;
	assert_int_equal(keeper_start(&keeper, &config, NULL), 0);
	while (!(reader = keeper.beat->reader_pid))
		usleep(1000);
	assert_int_equal(keeper_wait(&keeper, clock_monotonic_ns() + 50 * NS_PER_MS), -ETIMEDOUT);
	for (int i = 0; i < 5000 && kill(reader, 0) == 0; i++)
		usleep(1000);
	assert_int_equal(keeper_wait(&keeper, 0), -ESRCH);
	keeper_done(&keeper);
	keeper_done(&(struct keeper){0});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader_is_started_again_after_deaths_only),
		cmocka_unit_test(healthy_reader_is_left_alone),
		cmocka_unit_test(reader_that_only_dies_is_given_up),
		cmocka_unit_test(stop_asks_first_and_kills_after_grace),
		cmocka_unit_test(waiting_ends_at_its_deadline_and_leaves_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
