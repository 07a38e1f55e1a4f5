/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/task_regs.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* What bpftool makes is not held to our warnings. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wpointer-arith"
#include "bpf/task_regs_program.h"
#pragma GCC diagnostic pop

#define READ_AT_ONCE 32 /* records: the kernel fills 32 KiB a call at the most */

struct task_regs {
	struct task_regs_program *program;
	pid_t pid;
	int link_fd;	 /* its threads */
	bool has_filter; /* Linux 6.1: the kernel itself leaves all other processes out */
};

static int sys_bpf(int command, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

static int link_iterator(const struct task_regs *regs, const union bpf_iter_link_info *info)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)regs->program->progs.tell_thread.prog_fd;
	attr.link_create.attach_type = BPF_TRACE_ITER;
	if (info) {
		attr.link_create.iter_info = (uint64_t)(uintptr_t)info;
		attr.link_create.iter_info_len = sizeof(*info);
	}
	return sys_bpf(BPF_LINK_CREATE, &attr);
}

static int link_threads(struct task_regs *regs)
{
	union bpf_iter_link_info info = {.task = {.pid = (uint32_t)regs->pid}};
	int r = link_iterator(regs, &info);

	regs->has_filter = r >= 0;
	if (r == -EINVAL || r == -E2BIG)
		r = link_iterator(regs, NULL); /* the program compares, thread by thread */
	if (r < 0)
		return r;
	regs->link_fd = r;
	return 0;
}

static int refuse(struct err *err, int code)
{
	if (code == -EPERM || code == -EACCES)
		return err_set(err, -EPERM,
			       "BPF is not allowed here: it needs CAP_BPF and CAP_PERFMON");
	return err_set(err, ERR_UNSUPPORTED,
		       "this kernel does not run our BPF program (%s): it needs Linux 5.17 with "
		       "BTF",
		       err_name(code));
}

static int load(struct task_regs *regs, unsigned flags)
{
	int r;

	regs->program = task_regs_program__open();
	if (!regs->program)
		return -ENOMEM;
	regs->program->rodata->wanted_tgid = regs->pid;
	regs->program->rodata->with_kernel = (flags & TASK_REGS_KERNEL) != 0;
	r = task_regs_program__load(regs->program);
	return r < 0 ? r : link_threads(regs);
}

int task_regs_open(pid_t pid, unsigned flags, struct task_regs **ret_regs, struct err *err)
{
	struct task_regs *regs = calloc(1, sizeof(*regs));
	int r;

	if (!regs)
		abort();
	regs->pid = pid;
	regs->link_fd = -1;
	r = load(regs, flags);
	if (r < 0) {
		task_regs_free(regs);
		return refuse(err, r);
	}
	*ret_regs = regs;
	return 0;
}

void task_regs_free(struct task_regs *regs)
{
	if (!regs)
		return;
	if (regs->link_fd >= 0)
		close(regs->link_fd);
	task_regs_program__destroy(regs->program);
	free(regs);
}

/* Each descriptor is one pass. */
static int begin_pass(int link_fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.iter_create.link_fd = (uint32_t)link_fd;
	return sys_bpf(BPF_ITER_CREATE, &attr);
}

/* Records are written whole: a short read ends between two of them, or goes on inside one. */
static int read_pass(int fd, struct task_record *into, size_t cap, size_t *ret_n)
{
	size_t len = 0;

	while (len < cap * sizeof(*into)) {
		size_t space = cap * sizeof(*into) - len;
		ssize_t got =
			read(fd, (char *)into + len, min_of(space, READ_AT_ONCE * sizeof(*into)));

		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	*ret_n = len / sizeof(*into);
	return *ret_n ? 0 : -ESRCH;
}

static int pass(int link_fd, struct task_record *into, size_t cap, size_t *ret_n)
{
	int fd = begin_pass(link_fd), r;

	if (fd < 0)
		return fd;
	r = read_pass(fd, into, cap, ret_n);
	close(fd);
	return r;
}

int task_regs_read(struct task_regs *regs, struct task_record *ret_threads, size_t cap,
		   size_t *ret_n)
{
	return pass(regs->link_fd, ret_threads, cap, ret_n);
}

int task_regs_read_one(struct task_regs *regs, pid_t tid, struct task_record *ret_thread)
{
	union bpf_iter_link_info info = {.task = {.tid = (uint32_t)tid}};
	cleanup_fd int link_fd = -1;
	size_t n;

	if (!regs->has_filter)
		return -EOPNOTSUPP;
	link_fd = link_iterator(regs, &info);
	return link_fd < 0 ? link_fd : pass(link_fd, ret_thread, 1, &n);
}

int task_regs_check(struct err *err)
{
	struct task_regs *regs = NULL;
	int r = task_regs_open(getpid(), 0, &regs, err);

	if (r == 0)
		task_regs_free(regs);
	return r;
}
