/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Registers and kernel stacks of threads that wait, from the kernel itself: nobody is stopped, woken or traced.
 *
 * /proc tells where a waiting thread is (pc, sp), but not its frame pointer and the other registers that its callers'
 * frames are found by; a task iterator (a BPF program that the kernel runs over the threads of one process when a
 * descriptor is read) tells them all, and on wish the kernel's own frames.
 *
 *	r = task_regs_open(pid, TASK_REGS_KERNEL, &regs, err);
 *	r = task_regs_read(regs, threads, cap, &n);	one pass over all threads
 *	task_regs_free(regs);
 *
 * Needs CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN), Linux 5.17, a kernel that describes its types, and a build that had clang and
 * bpftool; task_regs_open() says which of these is missing.  No library is needed at run time.
 *
 * What is read of a thread that runs meanwhile means nothing: such threads are not TASK_ASLEEP, and whoever relies
 * on one that is compares its time slices before and after, as everywhere.
 *
 * Costs: open 1-3 ms and some descriptors; a pass 3 us and 0.3 us a thread.  Belongs to one thread.
 */
#ifndef BPF_TASK_REGS_H
#define BPF_TASK_REGS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "bpf/task_record.h"

struct task_regs;

/* `flags`: TASK_REGS_KERNEL: kernel stacks, too (which cost 0.5 us a thread). */
enum { TASK_REGS_KERNEL = 1 };

/*
 * -EPERM without the right, ERR_UNSUPPORTED when kernel or build cannot.  Loads the program: once a process.
 */
int task_regs_open(pid_t pid, unsigned flags, struct task_regs **ret_regs,
		   struct err *err) nodiscard;
void task_regs_free(struct task_regs *regs); /* NULL is fine */

/*
 * All threads, as our own namespace numbers them, in no particular order, the first `cap` of them.
 * -ESRCH when the process has ended.
 */
int task_regs_read(struct task_regs *regs, struct task_record *ret_threads, size_t cap,
		   size_t *ret_n) nodiscard;
/* One thread of the process; -ESRCH when it is not there. */
int task_regs_read_one(struct task_regs *regs, pid_t tid, struct task_record *ret_thread) nodiscard;

/* May we, and can this kernel and this build?  Tries it on ourselves. */
int task_regs_check(struct err *err) nodiscard;

#endif
