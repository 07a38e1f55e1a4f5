/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oracle PID: what libunwind says of every thread of a process, which it halts meanwhile.  For tests only.
 *
 *	thread TID
 *	ADDRESS FLAGS	a line a frame, the leaf first; the address is where it stands or goes on; s: a signal's frame
 */
#include <dirent.h>
#include <libunwind-ptrace.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>

#define MAX_FRAMES 4096

static void tell_frames(unw_addr_space_t space, pid_t tid)
{
	void *context = _UPT_create(tid);
	unw_cursor_t cursor;
	int n = 0;

	printf("thread %d\n", (int)tid);
	if (unw_init_remote(&cursor, space, context) == 0) {
		do {
			unw_word_t pc;

			if (unw_get_reg(&cursor, UNW_REG_IP, &pc) != 0 || pc == 0)
				break;
			printf("%lx %s\n", (unsigned long)pc, unw_is_signal_frame(&cursor) > 0 ? "s" : "-");
		} while (unw_step(&cursor) > 0 && ++n < MAX_FRAMES);
	}
	_UPT_destroy(context);
}

static void tell_thread(unw_addr_space_t space, pid_t tid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0) != 0)
		return;
	ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	if (waitpid(tid, &status, __WALL) == tid)
		tell_frames(space, tid);
	ptrace(PTRACE_DETACH, tid, 0, 0);
}

int main(int argc, char **argv)
{
	unw_addr_space_t space = unw_create_addr_space(&_UPT_accessors, 0);
	char path[64];
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", argc > 1 ? atoi(argv[1]) : 0);
	tasks = opendir(path);
	if (!tasks || !space)
		return 1;
	while ((entry = readdir(tasks)))
		if (atoi(entry->d_name) > 0)
			tell_thread(space, atoi(entry->d_name));
	closedir(tasks);
	return 0;
}
