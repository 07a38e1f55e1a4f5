/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/cpu_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

#define PERIOD_NS NS_PER_MS
#define PATIENCE_NS (10 * NS_PER_S)

static void open_or_skip(struct cpu_clock *clock)
{
	struct err err = {0};
	int r = cpu_clock_open(clock, 0, PERIOD_NS, &err);

	if (r == -EPERM)
		print_message("%s\n", err.text);
	if (r < 0) /* or a kernel, or a sandbox, without perf_event_open */
		skip();
}

/* Readings while `work` is done again and again, until `enough` of them are in the kernel or not. */
static unsigned count(struct cpu_clock *clock, void (*work)(int fd), int fd, bool in_kernel,
		      unsigned enough, int64_t *ret_last_ns)
{
	int64_t until_ns = clock_monotonic_ns() + PATIENCE_NS;
	struct cpu_clock_reading reading;
	unsigned n = 0;

	while (n < enough && clock_monotonic_ns() < until_ns) {
		work(fd);
		while (cpu_clock_read(clock, &reading)) {
			assert_true(reading.user_pc != 0);
			assert_true(reading.time_ns >= *ret_last_ns &&
				    reading.time_ns <= clock_monotonic_ns());
			*ret_last_ns = reading.time_ns;
			for (uint32_t i = 0; i < reading.n_kernel; i++)
				assert_true((int64_t)reading.kernel[i] < 0);
			n += (reading.n_kernel > 0) == in_kernel;
		}
	}
	return n;
}

static void work_in_the_kernel(int fd)
{
	static char bytes[1 << 16];

	for (int i = 0; i < 64; i++)
		if (read(fd, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes))
			return;
}

static void work_in_user_mode(int fd)
{
	(void)fd;
	for (volatile int i = 0; i < 200000; i++)
		continue;
}

static void readings_tell_the_mode_and_where_it_was_entered(void **state)
{
	struct cpu_clock clock = {0};
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int64_t last_ns = 0;

	(void)state;
	open_or_skip(&clock);
	assert_true(fd >= 0);
	assert_int_equal(count(&clock, work_in_the_kernel, fd, true, 5, &last_ns) >= 5, 1);
	assert_int_equal(count(&clock, work_in_user_mode, fd, false, 5, &last_ns) >= 5, 1);
	close(fd);
	cpu_clock_close(&clock);
	cpu_clock_close(&clock);
}

static void what_does_not_fit_is_left_out_and_reading_goes_on(void **state)
{
	struct cpu_clock clock = {0};
	int64_t until_ns, last_ns = 0;

	(void)state;
	open_or_skip(&clock);
	until_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) + 400 * NS_PER_MS;
	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < until_ns)
		work_in_user_mode(-1);
	(void)count(&clock, work_in_user_mode, -1, false, 1, &last_ns);
	assert_int_equal(count(&clock, work_in_user_mode, -1, false, 3, &last_ns) >= 3, 1);
	cpu_clock_close(&clock);
}

static void a_thread_that_is_not_there_is_none(void **state)
{
	struct cpu_clock clock = {0};

	(void)state;
	assert_true(cpu_clock_open(&clock, 0x7ffffff0, PERIOD_NS, NULL) < 0);
	assert_null(clock.ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readings_tell_the_mode_and_where_it_was_entered),
		cmocka_unit_test(what_does_not_fit_is_left_out_and_reading_goes_on),
		cmocka_unit_test(a_thread_that_is_not_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
