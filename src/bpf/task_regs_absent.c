/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* In the place of task_regs.c where there was no clang or bpftool to make its program. */
#include "bpf/task_regs.h"

#include <errno.h>

int task_regs_open(pid_t pid, unsigned flags, struct task_regs **ret_regs, struct err *err)
{
	(void)pid;
	(void)flags;
	(void)ret_regs;
	return err_set(err, ERR_UNSUPPORTED,
		       "this build has no BPF: it was made without clang and bpftool");
}

void task_regs_free(struct task_regs *regs)
{
	(void)regs;
}

int task_regs_read(struct task_regs *regs, struct task_record *ret_threads, size_t cap,
		   size_t *ret_n)
{
	(void)regs;
	(void)ret_threads;
	(void)cap;
	(void)ret_n;
	return -EOPNOTSUPP;
}

int task_regs_read_one(struct task_regs *regs, pid_t tid, struct task_record *ret_thread)
{
	(void)regs;
	(void)tid;
	(void)ret_thread;
	return -EOPNOTSUPP;
}

int task_regs_check(struct err *err)
{
	struct task_regs *regs = NULL;

	return task_regs_open(0, 0, &regs, err);
}
