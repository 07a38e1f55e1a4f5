/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a command and everything that it starts reads another process's memory, counted by the kernel: what a
 * sampler says of itself is one thing, what it really reads another.
 *
 *	count_reads FILE COMMAND...
 *
 * Writes the number of process_vm_readv() calls to FILE, and exits as the command did.  Needs root and the kernel's
 * system call tracepoints; exit code 125 without them.  Counting makes every call somewhat slower.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRACEFS "/sys/kernel/tracing"
#define CANNOT_COUNT 125

static int give_up(const char *what)
{
	fprintf(stderr, "count_reads: %s: %s\n", what, strerror(errno));
	return CANNOT_COUNT;
}

/* The tracepoint's number; mounts tracefs where only we see it. */
static long tracepoint(void)
{
	const char *path = TRACEFS "/events/syscalls/sys_enter_process_vm_readv/id";
	FILE *file = fopen(path, "re");
	long id = -1;

	if (!file && unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("tracefs", TRACEFS, "tracefs", 0, NULL) == 0)
		file = fopen(path, "re");
	if (file && fscanf(file, "%ld", &id) != 1)
		id = -1;
	if (file)
		fclose(file);
	return id;
}

static int open_counter(long id)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = (uint64_t)id,
		.inherit = 1,
		.disabled = 1,
		.enable_on_exec = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static int write_count(const char *path, int counter)
{
	uint64_t count;
	FILE *file = fopen(path, "we");

	if (!file || read(counter, &count, sizeof(count)) != (ssize_t)sizeof(count))
		return -1;
	fprintf(file, "%" PRIu64 "\n", count);
	return fclose(file);
}

/* The counter is the child's, and its children's: it starts with the command. */
static int run(const char *path, char **command, long id)
{
	int counter = open_counter(id), status;
	pid_t child;

	if (counter < 0)
		return give_up("cannot count system calls");
	child = fork();
	if (child == 0) {
		execvp(command[0], command);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return give_up(command[0]);
	if (write_count(path, counter) < 0)
		return give_up(path);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	long id = argc > 2 ? tracepoint() : -1;

	if (argc < 3) {
		fprintf(stderr, "usage: count_reads FILE COMMAND...\n");
		return 2;
	}
	return id < 0 ? give_up("no tracepoint for process_vm_readv") : run(argv[1], argv + 2, id);
}
