/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks follow the kernel's own order (__ptrace_may_access in kernel/ptrace.c, Linux 6.x): same
 * user or CAP_SYS_PTRACE in the target's user namespace; then dumpable; then the security modules,
 * capabilities first, Yama after; a seccomp filter of ours stands before all of them.
 */
#include "proc/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "proc/process.h"
#include "proc/procfs_private.h"

#define HOW_ROOT "run it as root (sudo)"
#define HOW_DOCKER                                                                                 \
	"docker run --cap-add SYS_PTRACE, or securityContext.capabilities.add: [SYS_PTRACE]"

/* The inode number of the user namespace that the kernel starts with (PROC_USER_INIT_INO, Linux 3.8). */
#define FIRST_USER_NS_INODE 0xeffffffdu

struct case_file {
	pid_t pid;
	struct process process;
	uint64_t our_caps, their_caps;
};

static uint64_t caps_of(pid_t pid, const char *set)
{
	char text[PROCFS_SMALL_BYTES];
	const char *field;
	uint64_t caps = 0;

	if (procfs_read(pid, 0, "status", text, sizeof(text)) < 0)
		return 0;
	field = procfs_field(text, set);
	if (field)
		(void)procfs_take_u64(&field, 16, &caps);
	return caps;
}

static bool we_may_trace(const struct case_file *file)
{
	return file->our_caps >> CAP_SYS_PTRACE & 1;
}

/* Opening a process's memory asks for exactly the right that ptrace asks for. */
static int probe_memory(pid_t pid)
{
	int fd = procfs_open(pid, 0, "mem", O_RDONLY);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* A container's filter refuses the call before the kernel looks at the target: so ask about ourselves. */
static bool is_call_refused(void)
{
	char from = 'x', into = 0;
	struct iovec local = {&into, 1}, remote = {&from, 1};

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != 1;
}

static int yama_scope(void)
{
	char text[16];
	cleanup_fd int fd = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);
	const char *at = text;
	uint64_t scope;

	if (fd < 0 || procfs_pread(fd, text, sizeof(text)) <= 0 ||
	    !procfs_take_u64(&at, 10, &scope))
		return 0;
	return (int)(scope & 0xf);
}

static bool shares_user_namespace(const struct case_file *file)
{
	char path[64];
	struct stat ours, theirs;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)file->pid);
	if (stat("/proc/self/ns/user", &ours) < 0)
		return true;
	/*
	 * Not being allowed to look is no proof of another namespace, but where we are in one ourselves and
	 * have the right to look at everything in it.
	 */
	if (stat(path, &theirs) < 0)
		return !we_may_trace(file) || ours.st_ino == FIRST_USER_NS_INODE;
	return ours.st_ino == theirs.st_ino;
}

/* The uid that owns its files in /proc: root's when the process is not dumpable, else its own. */
static bool is_dumpable(const struct case_file *file)
{
	char path[64];
	struct stat owner;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)file->pid);
	return stat(path, &owner) < 0 || owner.st_uid == file->process.uid;
}

static int say(enum rights_obstacle what, enum rights_obstacle *ret_obstacle, int code)
{
	if (ret_obstacle)
		*ret_obstacle = what;
	return code;
}

static int explain_yama(const struct case_file *file, int scope, struct err *err)
{
	const int pid = (int)file->pid;

	if (scope == 1)
		return err_set(err, -EPERM,
			       "not allowed to look into process %d: kernel.yama.ptrace_scope is 1 "
			       "(own children "
			       "only); " HOW_ROOT
			       ", or once: sudo sysctl kernel.yama.ptrace_scope=0",
			       pid);
	if (scope == 2)
		return err_set(
			err, -EPERM,
			"not allowed to look into process %d: kernel.yama.ptrace_scope is 2 (needs "
			"CAP_SYS_PTRACE); " HOW_ROOT,
			pid);
	return err_set(err, -EPERM,
		       "not allowed to look into process %d: kernel.yama.ptrace_scope is 3 (nobody "
		       "may, until the "
		       "next boot)",
		       pid);
}

static int explain_user(const struct case_file *file, struct err *err)
{
	return err_set(
		err, -EPERM,
		"not allowed to look into process %d: it belongs to user %u, we are %u and lack "
		"CAP_SYS_PTRACE; " HOW_ROOT "; in a container: " HOW_DOCKER,
		(int)file->pid, (unsigned)file->process.uid, (unsigned)geteuid());
}

static int explain_seccomp(const struct case_file *file, struct err *err)
{
	return err_set(
		err, -EPERM,
		"not allowed to look into process %d: this container's seccomp filter refuses "
		"process_vm_readv; " HOW_DOCKER,
		(int)file->pid);
}

static int explain_namespace(const struct case_file *file, struct err *err)
{
	return err_set(err, -EPERM,
		       "not allowed to look into process %d: it lives in another user namespace, "
		       "where we lack "
		       "CAP_SYS_PTRACE; run as root outside of it, or inside: nsenter -U -t %d",
		       (int)file->pid, (int)file->pid);
}

static int explain_dumpable(const struct case_file *file, struct err *err)
{
	return err_set(
		err, -EPERM,
		"not allowed to look into process %d: it, or its set-uid program, forbids it "
		"(PR_SET_DUMPABLE); " HOW_ROOT,
		(int)file->pid);
}

static int explain_caps(const struct case_file *file, struct err *err)
{
	return err_set(err, -EPERM,
		       "not allowed to look into process %d: it has capabilities (%llx) that we "
		       "lack; " HOW_ROOT,
		       (int)file->pid, (unsigned long long)(file->their_caps & ~file->our_caps));
}

static int explain_unknown(const struct case_file *file, int code, struct err *err)
{
	return err_set(err, -EPERM,
		       "not allowed to look into process %d (%s): a security module (AppArmor, "
		       "SELinux) may forbid it, the kernel log (dmesg) then says so",
		       (int)file->pid, err_name(code));
}

/* The first reason that holds. */
static int explain(const struct case_file *file, int code, enum rights_obstacle *ret_obstacle,
		   struct err *err)
{
	int scope = yama_scope();

	if (is_call_refused())
		return say(RIGHTS_SECCOMP, ret_obstacle, explain_seccomp(file, err));
	if (!shares_user_namespace(file))
		return say(RIGHTS_USER_NS, ret_obstacle, explain_namespace(file, err));
	if (!we_may_trace(file) && file->process.uid != geteuid())
		return say(RIGHTS_OTHER_USER, ret_obstacle, explain_user(file, err));
	if (!we_may_trace(file) && !is_dumpable(file))
		return say(RIGHTS_DUMPABLE, ret_obstacle, explain_dumpable(file, err));
	if (!we_may_trace(file) && (file->their_caps & ~file->our_caps))
		return say(RIGHTS_MORE_CAPS, ret_obstacle, explain_caps(file, err));
	if (scope == 3 || (scope > 0 && !we_may_trace(file)))
		return say(RIGHTS_YAMA, ret_obstacle, explain_yama(file, scope, err));
	return say(RIGHTS_UNKNOWN, ret_obstacle, explain_unknown(file, code, err));
}

int rights_check(pid_t pid, enum rights_obstacle *ret_obstacle, struct err *err)
{
	struct case_file file = {.pid = pid};
	int r;

	if (pid == getpid())
		return say(RIGHTS_SELF, ret_obstacle,
			   err_set(err, ERR_UNSUPPORTED, "process %d is this profiler itself",
				   (int)pid));
	r = process_load(pid, &file.process, err);
	if (r < 0)
		return say(RIGHTS_GONE, ret_obstacle, r);
	if (file.process.is_kernel)
		return say(RIGHTS_KERNEL, ret_obstacle,
			   err_set(err, ERR_UNSUPPORTED, "process %d (%s) is a part of the kernel",
				   (int)pid, file.process.comm));
	if (!process_is_alive(file.process.id))
		return say(RIGHTS_GONE, ret_obstacle,
			   err_set(err, -ESRCH,
				   "process %d has ended (its parent has not noticed yet)",
				   (int)pid));
	r = probe_memory(pid);
	if (r >= 0 && !is_call_refused())
		return say(RIGHTS_NONE, ret_obstacle, 0);
	file.our_caps = caps_of(getpid(), "CapEff");
	file.their_caps = caps_of(pid, "CapPrm");
	return explain(&file, r, ret_obstacle, err);
}

int rights_check_tracer(pid_t tid, pid_t *ret_tracer, struct err *err)
{
	pid_t tracer = process_tracer(tid);
	struct process process = {.comm = "unknown"};

	if (!tracer)
		return 0;
	(void)!process_load(tracer, &process, NULL);
	if (ret_tracer)
		*ret_tracer = tracer;
	return err_set(err, -EBUSY,
		       "process %d (%s) traces it: a thread can have one tracer; end that one, or "
		       "use --nonblocking",
		       (int)tracer, process.comm);
}
