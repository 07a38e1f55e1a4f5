/* SPDX-License-Identifier: Apache-2.0 */
/* What one process can show; the programs that are hard to pause are in tests/integration/test_pause.py. */
#include "proc/pause.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/process.h"
#include "unit.h"

#define EXIT_CODE 37

static int64_t soon(void)
{
	return clock_monotonic_ns() + 5 * NS_PER_S;
}

/* Counts up in shared memory for ever; ends with EXIT_CODE at SIGUSR1. */
static void on_usr1(int signal)
{
	(void)signal;
	_exit(EXIT_CODE);
}

static pid_t counting_child(volatile uint64_t **ret_count)
{
	volatile uint64_t *count =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGUSR1, on_usr1);
		for (;;)
			++*count;
	}
	while (!*count)
		usleep(100);
	*ret_count = count;
	return pid;
}

static void paused_thread_stands_still_until_resumed(void **state)
{
	struct pauser *pauser = pauser_new(NULL, NULL);
	volatile uint64_t *count;
	pid_t pid = counting_child(&count);
	struct pause_regs regs;
	uint64_t before;

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(pause_thread(pauser, pid, pid, soon()), PAUSE_STOPPED);
		before = *count;
		assert_int_equal(pause_regs(pauser, &regs), 0);
		assert_true(regs.pc && regs.sp && regs.syscall == -1);
		usleep(1000);
		assert_true(*count == before);
		pause_resume(pauser);
		while (*count == before)
			usleep(100);
		assert_int_equal(process_tracer(pid), 0); /* between pauses nobody traces it */
	}
	assert_int_equal(pauser_stats(pauser)->outcomes[PAUSE_STOPPED], 50);
	assert_int_equal(pauser_threads(pauser), 0);
	pauser_free(pauser);
	assert_int_equal(process_tracer(pid), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void nudged_thread_moves_and_stands_still_again(void **state)
{
	struct pauser *pauser = pauser_new(NULL, NULL);
	volatile uint64_t *count;
	pid_t pid = counting_child(&count);
	uint64_t before, after;

	(void)state;
	assert_int_equal(pause_thread(pauser, pid, pid, soon()), PAUSE_STOPPED);
	for (int i = 0; i < 20; i++) {
		before = *count;
		assert_int_equal(pause_nudge(pauser, soon()), PAUSE_STOPPED);
		after = *count;
		assert_true(after >= before);
		usleep(500);
		assert_true(*count == after);
	}
	pause_resume(pauser);
	pauser_free(pauser);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void sleeper_and_stranger_are_not_touched(void **state)
{
	struct pauser *pauser = pauser_new(NULL, NULL);
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		poll(NULL, 0, -1);
		_exit(1);
	}
	usleep(50000);
	assert_int_equal(pause_thread(pauser, pid, pid, soon()), PAUSE_ASLEEP);
	assert_int_equal(process_tracer(pid), 0);
	assert_int_equal(pause_thread(pauser, 0x7ffffff0, 0x7ffffff0, soon()), PAUSE_GONE);
	/* The thread of another process is none of this one's. */
	assert_int_equal(pause_thread(pauser, pid, getppid(), soon()), PAUSE_GONE);
	assert_int_equal(pauser_threads(pauser), 0);
	pauser_free(pauser);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Also while a child that nobody has waited for stands in front of what there is to serve. */
static void exit_status_of_a_paused_child_is_left_to_its_parent(void **state)
{
	struct pauser *pauser = pauser_new(NULL, NULL);
	volatile uint64_t *count;
	pid_t dead = fork(), pid;
	int status;

	(void)state;
	if (dead == 0)
		_exit(3);
	pid = counting_child(&count);
	assert_int_equal(pause_thread(pauser, pid, pid, soon()), PAUSE_STOPPED);
	kill(pid, SIGUSR1);
	pause_resume(pauser);
	assert_int_equal(pauser_threads(pauser), 0);
	pauser_free(pauser);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), EXIT_CODE);
	assert_int_equal(waitpid(dead, &status, 0), dead);
	assert_int_equal(WEXITSTATUS(status), 3);
}

static void thread_that_ends_in_its_pause_is_served(void **state)
{
	struct pauser *pauser = pauser_new(NULL, NULL);
	volatile uint64_t *count;
	pid_t pid = counting_child(&count);
	siginfo_t info;

	(void)state;
	assert_int_equal(pause_thread(pauser, pid, pid, soon()), PAUSE_STOPPED);
	kill(pid, SIGKILL);
	/* Dead, and left for us to reap: its status stays with its parent (WNOWAIT). */
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	pause_resume(pauser);
	assert_int_equal(pause_thread(pauser, pid, pid, soon()), PAUSE_GONE);
	pauser_free(pauser);
	waitpid(pid, NULL, 0);
}

static void stopped_thread_stays_on_the_leash_until_released(void **state)
{
	struct pauser *pauser = pauser_new(NULL, NULL);
	volatile uint64_t *count;
	pid_t pid = counting_child(&count);
	int64_t until = soon();
	int status;

	(void)state;
	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_int_equal(pause_thread(pauser, pid, pid, soon()), PAUSE_STOPPED_ALREADY);
	pause_resume(pauser);
	pauser_release_idle(pauser, NS_PER_S);
	assert_int_equal(pauser_threads(pauser), 1);
	while (pauser_threads(pauser) && clock_monotonic_ns() < until) {
		pauser_release(pauser, pid);
		usleep(1000);
		pauser_pump(pauser);
	}
	assert_int_equal(process_tracer(pid), 0);
	assert_int_equal(pause_thread(pauser, pid, pid, soon()), PAUSE_STOPPED_ALREADY);
	pause_resume(pauser);
	pauser_free(pauser);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paused_thread_stands_still_until_resumed),
		cmocka_unit_test(nudged_thread_moves_and_stands_still_again),
		cmocka_unit_test(sleeper_and_stranger_are_not_touched),
		cmocka_unit_test(exit_status_of_a_paused_child_is_left_to_its_parent),
		cmocka_unit_test(thread_that_ends_in_its_pause_is_served),
		cmocka_unit_test(stopped_thread_stays_on_the_leash_until_released),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
