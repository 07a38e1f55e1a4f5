/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/compiler.h"
#include "sample/roster.h"

static uint32_t process(struct roster *roster, int32_t pid, int64_t start, const char *runtime,
			int expected)
{
	struct capture_process event = {.pid = pid, .start_ticks = start, .runtime = runtime};
	uint32_t id = 0;

	assert_int_equal(roster_process(roster, &event, &id), expected);
	return id;
}

static uint32_t thread(struct roster *roster, uint32_t process_id, int32_t tid, uint64_t ident,
		       uint32_t stream)
{
	struct capture_thread event = {.tid = tid, .python_ident = ident};
	uint32_t id = 0;

	assert_int_equal(roster_thread(roster, process_id, &event, stream, &id), 0);
	return id;
}

static void processes_are_told_apart_by_pid_and_start(void **state)
{
	struct roster roster = {.n_read = 0};

	(void)state;
	assert_int_equal(process(&roster, 10, 5, "CPython", 1), 1);
	assert_int_equal(process(&roster, 10, 6, "CPython", 1), 2);
	assert_int_equal(process(&roster, 11, 5, "", 1), 3);
	assert_int_equal(process(&roster, 11, 5, "", 0), 3);
	assert_int_equal(roster.n_read, 2);
	assert_int_equal(process(&roster, 11, 5, "CPython", 1), 3);
	assert_int_equal(process(&roster, 11, 5, "CPython", 1), 3);
	assert_int_equal(roster.n_read, 3);
	roster_done(&roster);
	roster_done(&roster);
}

/* Numbers that fall on the same key of the index, as only a lie can be. */
static void forged_processes_are_not_mixed_up(void **state)
{
	struct roster roster = {.n_read = 0};
	const struct {
		int32_t pid;
		int64_t start;
	} liars[] = {{-1, 0}, {-1, -1}, {INT32_MIN, INT64_MIN}, {1 << 22, 0}, {0, 1}};

	(void)state;
	for (size_t i = 0; i < array_len(liars); i++) {
		uint32_t id = process(&roster, liars[i].pid, liars[i].start, "x", 1);

		assert_int_equal(roster.processes[id - 1].pid, liars[i].pid);
		assert_int_equal(roster.processes[id - 1].start_ticks, liars[i].start);
	}
	roster_done(&roster);
}

static void a_thread_is_known_again_by_another_stream_only(void **state)
{
	struct roster roster = {.n_read = 0};

	(void)state;
	assert_int_equal(thread(&roster, 1, 10, 7, 1), 1);
	assert_int_equal(thread(&roster, 1, 10, 7, 1), 2); /* the tid was given out again */
	assert_int_equal(thread(&roster, 1, 10, 7, 2), 2); /* to its last owner */
	assert_int_equal(thread(&roster, 1, 10, 8, 2), 3);
	assert_int_equal(thread(&roster, 2, 10, 7, 3), 4); /* of another process */
	roster_done(&roster);
}

/* One thread id for all: the look through its owners is bounded, the numbers stay apart. */
static void many_owners_of_a_thread_id_cost_little(void **state)
{
	struct roster roster = {.n_read = 0};

	(void)state;
	for (uint32_t i = 1; i <= 100000; i++)
		assert_int_equal(thread(&roster, 1, 10, i, 1), i);
	assert_int_equal(thread(&roster, 1, 10, 100000, 2), 100000);
	roster_done(&roster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_are_told_apart_by_pid_and_start),
		cmocka_unit_test(forged_processes_are_not_mixed_up),
		cmocka_unit_test(a_thread_is_known_again_by_another_stream_only),
		cmocka_unit_test(many_owners_of_a_thread_id_cost_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
