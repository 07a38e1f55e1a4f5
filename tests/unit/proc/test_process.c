/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/process.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

static pid_t sleeping_child(const char *comm)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, comm);
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

static void identity_ends_with_the_process(void **state)
{
	pid_t pid = sleeping_child("x");
	struct process_id id, other;

	(void)state;
	assert_int_equal(process_identify(pid, &id, NULL), 0);
	assert_true(process_is_alive(id));
	other = id;
	other.start_ticks++;
	assert_false(process_is_alive(other)); /* the pid was reused */
	kill(pid, SIGKILL);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_false(process_is_alive(id)); /* a zombie */
	waitpid(pid, NULL, 0);
	assert_false(process_is_alive(id));
	assert_int_equal(process_identify(pid, &id, NULL), -ESRCH);
}

static void hostile_comm_changes_no_field(void **state)
{
	pid_t pid = sleeping_child(") Z 1 \033[2J(");
	struct process process;
	char text[256];

	(void)state;
	while (process_load(pid, &process, NULL) == 0 && process.comm[0] != ')')
		usleep(1000);
	assert_int_equal(process.parent, getpid());
	assert_int_equal(process.uid, getuid());
	assert_int_equal(process.threads, 1);
	assert_int_equal(process.tracer, 0);
	assert_false(process.is_kernel);
	assert_null(strchr(process.comm, '\033'));
	process_command(pid, text, sizeof(text));
	assert_null(strchr(text, '\033'));
	end_child(pid);
}

static void children_are_listed(void **state)
{
	pid_t one = sleeping_child("one"), two = sleeping_child("two"), found[8] = {0};
	int n = process_children(getpid(), found, 8, NULL);

	(void)state;
	assert_int_equal(n, 2);
	assert_true((found[0] == one && found[1] == two) || (found[0] == two && found[1] == one));
	assert_int_equal(process_children(getpid(), found, 1, NULL), 2);
	end_child(one);
	end_child(two);
	assert_int_equal(process_children(getpid(), found, 8, NULL), 0);
}

static void *sleep_until_told(void *argument)
{
	pthread_barrier_t *barriers = argument;

	pthread_barrier_wait(&barriers[0]);
	pthread_barrier_wait(&barriers[1]);
	return NULL;
}

static void threads_are_listed_with_their_own_ids(void **state)
{
	struct process_threads threads = {0};
	pthread_barrier_t barriers[2];
	pthread_t thread;

	(void)state;
	pthread_barrier_init(&barriers[0], NULL, 2);
	pthread_barrier_init(&barriers[1], NULL, 2);
	pthread_create(&thread, NULL, sleep_until_told, barriers);
	pthread_barrier_wait(&barriers[0]);
	assert_int_equal(process_threads_read(&threads, getpid(), true, NULL), 0);
	assert_true(threads.n >= 2);
	assert_true(process_threads_has(&threads, getpid()));
	assert_false(process_threads_has(&threads, 1));
	for (size_t i = 0; i < threads.n; i++) {
		assert_true(i == 0 || threads.items[i - 1].tid < threads.items[i].tid);
		assert_int_equal(process_threads_find_ns(&threads, threads.items[i].ns_tid),
				 threads.items[i].tid);
	}
	pthread_barrier_wait(&barriers[1]);
	pthread_join(thread, NULL);
	process_threads_done(&threads);
	assert_int_equal(process_threads_read(&threads, 0x7ffffff0, false, NULL), -ESRCH);
}

/*
 * What a child that was started with these arguments is called.  It blocks on an empty pipe.  In the middle of its
 * execve() it has no arguments, and is called by its comm, in brackets.
 */
static void check_command(const char *expected, const char *const argv[])
{
	char text[256];
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[0], 0);
		close(ends[1]);
		execv("/bin/sh", (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(ends[0]);
	do {
		usleep(1000);
		process_command(pid, text, sizeof(text));
	} while (!strncmp(text, "test_process", strlen("test_process")) || text[0] == '[');
	assert_string_equal(text, expected);
	close(ends[1]);
	end_child(pid);
}

/* A shell with "-s" reads commands from its standard input, whatever it is called. */
static void command_shows_the_script_and_no_secrets(void **state)
{
	(void)state;
	check_command("sh", (const char *[]){"/bin/sh", "-s", "token=secret", NULL});
	check_command("python3.11 app.py",
		      (const char *[]){"/opt/python3.11", "-s", "/srv/app.py", "secret", NULL});
	check_command("python3", (const char *[]){"python3", "-s", NULL});
	check_command("my-worker:", (const char *[]){"my-worker: secret title", "-s", NULL});
}

static void cpu_time_of_a_process_grows_as_it_works(void **state)
{
	int64_t before, after, until = clock_monotonic_ns() + 30 * NS_PER_MS;

	(void)state;
	assert_int_equal(process_cpu(getpid(), &before), 0);
	while (clock_monotonic_ns() < until)
		;
	assert_int_equal(process_cpu(getpid(), &after), 0);
	assert_true(after > before);
	assert_int_equal(process_cpu(0x7ffffff0, &after), -ESRCH);
}

static void exe_is_the_running_file(void **state)
{
	char path[4096];

	(void)state;
	assert_true(process_exe(getpid(), path, sizeof(path), NULL) > 0);
	assert_non_null(strstr(path, "/test_process"));
	assert_true(process_shares_pid_namespace(getpid()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity_ends_with_the_process),
		cmocka_unit_test(hostile_comm_changes_no_field),
		cmocka_unit_test(children_are_listed),
		cmocka_unit_test(threads_are_listed_with_their_own_ids),
		cmocka_unit_test(command_shows_the_script_and_no_secrets),
		cmocka_unit_test(cpu_time_of_a_process_grows_as_it_works),
		cmocka_unit_test(exe_is_the_running_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
