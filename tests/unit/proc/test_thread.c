/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/thread.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

/* Each of these sleeps until it is killed. */
static void sleep_poll(void)
{
	int ends[2];
	struct pollfd end = {.events = POLLIN};

	if (pipe(ends) < 0)
		return;
	end.fd = ends[0];
	poll(&end, 1, -1);
}

static void sleep_poll_of_nothing(void)
{
	poll(NULL, 0, -1);
}

static void sleep_nap(void)
{
	struct timespec long_time = {.tv_sec = 1000};

	nanosleep(&long_time, NULL);
}

static void sleep_io(void)
{
	int ends[2];
	char byte;

	if (pipe(ends) == 0)
		(void)!read(ends[0], &byte, 1);
}

static void sleep_futex(void)
{
	int word = 0;

	syscall(SYS_futex, &word, 0, 0, NULL, NULL, 0);
}

static void sleep_child(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* The test may have killed the parent before that took hold. */
		while (getppid() == parent)
			pause();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void run(void)
{
	for (;;)
		;
}

static pid_t child(void (*fn)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "evil\033name");
		fn();
		_exit(0);
	}
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Waits, without a limit of its own, until the thread does that: the harness has one. */
static struct thread_view wait_for(struct thread *thread, enum thread_doing doing)
{
	struct thread_view view;

	do {
		usleep(1000);
		assert_int_equal(thread_look(thread, &view), 0);
	} while (view.doing != doing);
	return view;
}

static void sleeping_threads_say_what_they_wait_for(void **state)
{
	static const struct {
		void (*fn)(void);
		enum thread_doing doing;
	} cases[] = {
		{sleep_poll, THREAD_POLL},   {sleep_poll_of_nothing, THREAD_NAP},
		{sleep_nap, THREAD_NAP},     {sleep_io, THREAD_IO},
		{sleep_futex, THREAD_FUTEX}, {sleep_child, THREAD_CHILD},
		{run, THREAD_RUNNING},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		pid_t pid = child(cases[i].fn);
		struct thread_view view;
		struct thread thread;

		thread_init(&thread, pid, pid);
		view = wait_for(&thread, cases[i].doing);
		assert_true(view.doing == THREAD_RUNNING ||
			    (view.pc && view.sp && thread_syscall_name(view.number)));
		end_child(pid);
		assert_int_equal(thread_look(&thread, &view), -ESRCH);
		thread_done(&thread);
	}
}

static void cpu_time_stands_still_while_asleep(void **state)
{
	pid_t pid = child(sleep_poll);
	struct thread_cpu before, after;
	struct thread thread;

	(void)state;
	thread_init(&thread, pid, pid);
	(void)wait_for(&thread, THREAD_POLL);
	assert_int_equal(thread_cpu(&thread, &before), 0);
	usleep(20000);
	assert_int_equal(thread_cpu(&thread, &after), 0);
	assert_true(before.cpu_ns > 0 && after.cpu_ns == before.cpu_ns);
	assert_int_equal(after.slices, before.slices);
	assert_int_equal(thread_letter(&thread), 'S');
	end_child(pid);
	assert_true(thread_cpu(&thread, &after) < 0);
	thread_done(&thread);
}

static void stopped_thread_shows_its_letter(void **state)
{
	pid_t pid = child(run);
	struct thread thread;

	(void)state;
	thread_init(&thread, pid, pid);
	(void)wait_for(&thread, THREAD_RUNNING);
	kill(pid, SIGSTOP);
	while (thread_letter(&thread) != 'T')
		usleep(1000);
	end_child(pid);
	thread_done(&thread);
}

static void name_is_printable(void **state)
{
	pid_t pid = child(sleep_poll);
	char name[THREAD_COMM_MAX];
	struct thread thread;

	(void)state;
	thread_init(&thread, pid, pid);
	(void)wait_for(&thread, THREAD_POLL);
	thread_comm(&thread, name);
	assert_string_equal(name, "evil\\x1bname");
	end_child(pid);
	thread_comm(&thread, name);
	assert_string_equal(name, "");
	thread_done(&thread);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleeping_threads_say_what_they_wait_for),
		cmocka_unit_test(cpu_time_stands_still_while_asleep),
		cmocka_unit_test(stopped_thread_shows_its_letter),
		cmocka_unit_test(name_is_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
