/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/drop_rights.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* What holds is for ever, so each look happens in a child; returns its exit code. */
static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int call_is_refused(void)
{
	char from = 'x', into = 0;
	struct iovec local = {&into, 1}, remote = {&from, 1};

	if (drop_rights(false) != DROPPED_ALL)
		return 1;
	if (ptrace(PTRACE_SEIZE, getppid(), 0, 0) == 0 || errno != EPERM)
		return 2;
	if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) >= 0 || errno != EPERM)
		return 3;
	if (syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0) >= 0 || errno != EPERM)
		return 4;
	if (syscall(SYS_bpf, 0, NULL, 0) >= 0 || errno != EPERM)
		return 5;
	return 0;
}

static void dropped_front_cannot_look_into_processes(void **state)
{
	(void)state;
	assert_int_equal(in_child(call_is_refused), 0);
}

static int everyday_calls_work(void)
{
	char text[4096];
	int fd;
	ssize_t n;

	drop_rights(true);
	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 1;
	text[n] = 0;
	if (!strstr(text, "NoNewPrivs:\t1") || !strstr(text, "Seccomp:\t2"))
		return 2;
	if (geteuid() != 0 && !strstr(text, "CapEff:\t0000000000000000"))
		return 3;
	if (geteuid() == 0 && !strstr(text, "CapEff:\t000000000000002b"))
		return 4;
	if (fork() == 0)
		_exit(0);
	return wait(NULL) > 0 ? 0 : 5;
}

static void dropped_front_still_reads_files_and_forks(void **state)
{
	(void)state;
	assert_int_equal(in_child(everyday_calls_work), 0);
}

static int becomes_sudo_user(void)
{
	setenv("SUDO_UID", "65534", 1);
	setenv("SUDO_GID", "65534", 1);
	if (drop_to_sudo_user(NULL) != 1)
		return 1;
	return geteuid() == 65534 && getegid() == 65534 && setuid(0) < 0 ? 0 : 2;
}

static void command_runs_as_the_user_who_called_sudo(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(in_child(becomes_sudo_user), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dropped_front_cannot_look_into_processes),
		cmocka_unit_test(dropped_front_still_reads_files_and_forks),
		cmocka_unit_test(command_runs_as_the_user_who_called_sudo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
