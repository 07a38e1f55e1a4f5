/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/rights.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/drop_rights.h"
#include "unit.h"

#define NOBODY 65534

static pid_t sleeping_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void own_child_may_be_read(void **state)
{
	pid_t pid = sleeping_child();
	enum rights_obstacle obstacle = RIGHTS_UNKNOWN;

	(void)state;
	assert_int_equal(rights_check(pid, &obstacle, NULL), 0);
	assert_int_equal(obstacle, RIGHTS_NONE);
	end_child(pid);
}

static void what_is_no_target_is_named(void **state)
{
	enum rights_obstacle obstacle;
	struct err err = {0};
	pid_t pid = sleeping_child();
	siginfo_t info;

	(void)state;
	assert_int_equal(rights_check(getpid(), &obstacle, &err), ERR_UNSUPPORTED);
	assert_int_equal(obstacle, RIGHTS_SELF);
	assert_int_equal(rights_check(0x7ffffff0, &obstacle, &err), -ESRCH);
	assert_int_equal(obstacle, RIGHTS_GONE);
	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(rights_check(pid, &obstacle, &err), -ESRCH);
	assert_non_null(strstr(err.text, "has ended"));
	waitpid(pid, NULL, 0);
}

/* As somebody without rights; returns 0 when the answer is `expected` and its text has `word`. */
static int ask_as_nobody(pid_t pid, enum rights_obstacle expected, const char *word)
{
	int status;
	pid_t asker = fork();

	if (asker == 0) {
		enum rights_obstacle obstacle = RIGHTS_NONE;
		struct err err = {0};

		if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
			_exit(10);
		if (rights_check(pid, &obstacle, &err) != -EPERM)
			_exit(11);
		if (obstacle != expected)
			_exit(20 + (int)obstacle);
		_exit(strstr(err.text, word) ? 0 : 12);
	}
	waitpid(asker, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void other_users_process_names_the_right(void **state)
{
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid = sleeping_child();
	assert_int_equal(ask_as_nobody(pid, RIGHTS_OTHER_USER, "CAP_SYS_PTRACE"), 0);
	end_child(pid);
}

static void process_that_forbids_it_is_told(void **state)
{
	int ends[2];
	char byte;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
			_exit(1);
		prctl(PR_SET_DUMPABLE, 0);
		(void)!write(ends[1], "x", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(ask_as_nobody(pid, RIGHTS_DUMPABLE, "PR_SET_DUMPABLE"), 0);
	end_child(pid);
	close(ends[0]);
	close(ends[1]);
}

static void seccomp_filter_of_ours_is_told(void **state)
{
	pid_t pid = sleeping_child(), asker;
	int status;

	(void)state;
	asker = fork();
	if (asker == 0) {
		enum rights_obstacle obstacle = RIGHTS_NONE;
		struct err err = {0};

		(void)drop_rights(false);
		if (rights_check(pid, &obstacle, &err) != -EPERM || obstacle != RIGHTS_SECCOMP)
			_exit(20 + (int)obstacle);
		_exit(strstr(err.text, "SYS_PTRACE") ? 0 : 2);
	}
	waitpid(asker, &status, 0);
	assert_int_equal(status, 0);
	end_child(pid);
}

static void tracer_is_named(void **state)
{
	pid_t pid = sleeping_child(), tracer = 0;
	struct err err = {0};

	(void)state;
	assert_int_equal(rights_check_tracer(pid, &tracer, &err), 0);
	assert_int_equal(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
	assert_int_equal(rights_check_tracer(pid, &tracer, &err), -EBUSY);
	assert_int_equal(tracer, getpid());
	assert_non_null(strstr(err.text, "test_rights"));
	end_child(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_child_may_be_read),
		cmocka_unit_test(what_is_no_target_is_named),
		cmocka_unit_test(other_users_process_names_the_right),
		cmocka_unit_test(process_that_forbids_it_is_told),
		cmocka_unit_test(seccomp_filter_of_ours_is_told),
		cmocka_unit_test(tracer_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
