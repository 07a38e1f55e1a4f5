/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one thread is doing and what CPU time it used, cheaply, many times a second.
 *
 * The files of /proc stay open and each question is one pread.  Costs, measured on an idle machine:
 * thread_cpu() 0.9 us, thread_look() 1.2 us for a running thread and 2 us for one that sleeps in a
 * system call, thread_letter() 3 us.  Descriptors are opened at their first use: a thread that is
 * asked for its CPU time only holds one.  Every call fails with -ESRCH once the thread has ended; a
 * reused tid is not mistaken for it, since the descriptors name the thread that was opened.
 *
 * One thread uses a struct thread.
 */
#ifndef PROC_THREAD_H
#define PROC_THREAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"

#define THREAD_COMM_MAX 64 /* printable UTF-8 of the kernel's 15 bytes, escapes included */

struct thread {
	pid_t pid, tid;
	int schedstat_fd, syscall_fd, stat_fd; /* -1: not open yet */
};

/* Opens nothing yet. */
void thread_init(struct thread *thread, pid_t pid, pid_t tid);
void thread_done(struct thread *thread);

/*
 * The scheduler's account.  Fresh right after the thread stopped or went to sleep; for a thread
 * that runs it is as old as the last scheduler tick (1-4 ms).
 */
struct thread_cpu {
	int64_t cpu_ns;	  /* on a CPU, user and system */
	int64_t queue_ns; /* ready to run, but not on a CPU */
	uint64_t slices;  /* times it was put on a CPU: unchanged means it did not run */
};

int thread_cpu(struct thread *thread, struct thread_cpu *ret_cpu) nodiscard;

enum thread_doing {
	THREAD_UNKNOWN, /* asleep in a call that we do not classify */
	THREAD_RUNNING, /* on a CPU or ready for one, in user mode or the kernel */
	THREAD_FUTEX,	/* lock, condition, join, also the GIL */
	THREAD_IO,	/* read, write, accept, connect, fsync … */
	THREAD_POLL,	/* select, poll, epoll_wait: waits for any of several */
	THREAD_NAP,	/* nanosleep, clock_nanosleep, pause, sigsuspend, select of nothing */
	THREAD_CHILD,	/* wait4, waitid */
	THREAD_BLOCKED, /* in the kernel without a system call: page fault, I/O on a mapping, exit
			 */
};

struct thread_view {
	enum thread_doing doing;
	int32_t number; /* of the system call, -1: none, or the thread runs */
	uint64_t args[6];
	uint64_t sp, pc; /* of user mode; 0 while it runs */
};

/* Needs the right to ptrace it, as everything that shows registers does. */
int thread_look(struct thread *thread, struct thread_view *ret_view) nodiscard;

/* State letter of /proc: R S D T t Z X I; negative error. */
int thread_letter(struct thread *thread) nodiscard;

/* The kernel's name of the thread, printable; "" when it is gone. */
void thread_comm(const struct thread *thread, char dst[THREAD_COMM_MAX]);

/* "futex", "epoll_wait": the call's name, or NULL for one we do not know. */
const char *thread_syscall_name(int32_t number);

#endif
