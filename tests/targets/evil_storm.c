/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil_storm SECONDS: two threads that fork, vfork, exec and exit as fast as they can and check each
 * child's exit code.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>

#include "evil.h"

static int64_t end_ns;
static const char *self;

struct count {
	pthread_t thread;
	int64_t children, errors;
};

static pid_t start_plain(int code)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(code);
	return pid;
}

static pid_t start_exec(int code)
{
	char text[16];
	pid_t pid;

	snprintf(text, sizeof(text), "%d", code);
	pid = fork();
	if (pid == 0) {
		execl(self, self, "child", text, NULL);
		_exit(127);
	}
	return pid;
}

/* The parent sleeps in vfork until the child has gone, and cannot be stopped meanwhile. */
static pid_t start_vfork(int code)
{
	struct timespec time = {.tv_nsec = 3000000};
	pid_t pid = vfork();

	if (pid == 0) {
		nanosleep(&time, NULL);
		_exit(code);
	}
	return pid;
}

static void *storm(void *argument)
{
	static pid_t (*const starts[])(int) = {start_plain, start_exec, start_vfork};
	struct count *count = argument;

	while (now_ns() < end_ns) {
		int code = (int)(count->children % 100), status = 0;
		pid_t pid = starts[count->children % 3](code);

		if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
		    WEXITSTATUS(status) != code)
			count->errors++;
		count->children++;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct count counts[2] = {0};

	if (argc == 3 && !strcmp(argv[1], "child"))
		return (int)strtol(argv[2], NULL, 10);
	self = argv[0];
	end_ns = now_ns() + seconds_arg(argc, argv, 1);
	for (int i = 0; i < 2; i++)
		pthread_create(&counts[i].thread, NULL, storm, &counts[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(counts[i].thread, NULL);
	printf("{\"children\":%lld,\"errors\":%lld}\n",
	       (long long)(counts[0].children + counts[1].children),
	       (long long)(counts[0].errors + counts[1].errors));
	return 0;
}
