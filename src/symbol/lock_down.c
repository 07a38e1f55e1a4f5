/* SPDX-License-Identifier: Apache-2.0 */
/* No files, no network, no other processes: what a worker can still do when a file has taken it over. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compiler.h"
#include "symbol/worker.h"

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

/* Sanitizers keep shadows of all memory and ask the kernel for more than a worker does. */
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

/* All others fail with EPERM: libraries may try, and go on without. */
static const uint32_t allowed[] = {
	SYS_read,	   SYS_pread64,	     SYS_readv,		 SYS_write,	   SYS_writev,
	SYS_close,	   SYS_fstat,	     SYS_newfstatat,	 SYS_lseek,	   SYS_mmap,
	SYS_mprotect,	   SYS_munmap,	     SYS_mremap,	 SYS_madvise,	   SYS_brk,
	SYS_recvmsg,	   SYS_sendmsg,	     SYS_recvfrom,	 SYS_sendto,	   SYS_futex,
	SYS_clock_gettime, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_memfd_create,
	SYS_ftruncate,	   SYS_fcntl,	     SYS_getpid,	 SYS_gettid,	   SYS_tgkill,
	SYS_getrandom,	   SYS_dup,	     SYS_exit,		 SYS_exit_group,
};

#define FILTER_HEAD 4
#define FILTER_LEN (FILTER_HEAD + array_len(allowed) + 2)

static void allow_few_calls(void)
{
	const struct sock_filter head[FILTER_HEAD] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_filter filter[FILTER_LEN];
	const struct sock_fprog program = {.len = FILTER_LEN, .filter = filter};
	size_t n = 0;

	for (; n < FILTER_HEAD; n++)
		filter[n] = head[n];
	for (size_t i = 0; i < array_len(allowed); i++, n++)
		filter[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i],
							 (uint8_t)(array_len(allowed) - i), 0);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	filter[n] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	(void)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

/* No path leads anywhere; behind the filter a second wall where the kernel has it (5.13). */
static void hide_files(void)
{
	const struct landlock_ruleset_attr all = {.handled_access_fs =
							  LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1};
	long fd = syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);

	if (fd < 0)
		return;
	(void)syscall(SYS_landlock_restrict_self, fd, 0);
	close((int)fd);
}

static void limit(__rlimit_resource_t what, rlim_t most)
{
	const struct rlimit limits = {most, most};

	(void)setrlimit(what, &limits);
}

void worker_lock_down(void)
{
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NPROC, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	hide_files();
	if (IS_SANITIZED)
		return;
	limit(RLIMIT_DATA, WORKER_DATA_BYTES);
	allow_few_calls();
}
