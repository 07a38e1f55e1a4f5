/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/drop_rights.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/opt.h"
#include "proc/user_groups.h"

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#define FOREIGN_CALLS 0x40000000u /* x32 calls come under the same architecture */
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#define FOREIGN_CALLS 0xffffffffu
#endif

/* What looks into other processes, or into the kernel. */
static const uint32_t refused[] = {
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_perf_event_open,
	SYS_bpf,
	SYS_kcmp,
	SYS_userfaultfd,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
	SYS_kexec_file_load,
	SYS_add_key,
	SYS_keyctl,
	SYS_request_key,
	SYS_setns,
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_unshare,
	SYS_open_by_handle_at,
#ifdef SYS_pidfd_getfd
	SYS_pidfd_getfd,
#endif
#ifdef SYS_process_madvise
	SYS_process_madvise,
#endif
};

#define FILTER_HEAD 5
#define FILTER_LEN (FILTER_HEAD + array_len(refused) + 2)

static bool refuse_calls(void)
{
	const struct sock_filter head[FILTER_HEAD] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		/* To the final "refuse" when it is a call of a foreign table. */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FOREIGN_CALLS, array_len(refused) + 1, 0),
	};
	struct sock_filter filter[FILTER_LEN];
	const struct sock_fprog program = {.len = FILTER_LEN, .filter = filter};
	size_t n = 0;

	for (; n < FILTER_HEAD; n++)
		filter[n] = head[n];
	for (size_t i = 0; i < array_len(refused); i++, n++)
		filter[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused[i],
							 (uint8_t)(array_len(refused) - i), 0);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	filter[n] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) ==
	       0;
}

/* Kept by a front that writes files where root may, and ends a command that it started as its caller. */
static const uint64_t file_rights =
	1ull << CAP_DAC_OVERRIDE | 1ull << CAP_CHOWN | 1ull << CAP_FOWNER | 1ull << CAP_KILL;

static bool set_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective &= (uint32_t)(keep >> (32 * i));
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) == 0;
}

static bool drop_capabilities(uint64_t keep)
{
	/* Bounding set first: leaving it needs CAP_SETPCAP.  Without that, no_new_privs must do. */
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (!(keep >> cap & 1) && prctl(PR_CAPBSET_READ, cap) == 1)
			(void)prctl(PR_CAPBSET_DROP, cap);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return set_capabilities(keep);
}

unsigned drop_rights(bool keep_file_rights)
{
	unsigned dropped = 0;

	if (prctl(PR_SET_DUMPABLE, 0) == 0)
		dropped |= DROPPED_DUMPABLE;
	if (drop_capabilities(keep_file_rights ? file_rights : 0))
		dropped |= DROPPED_CAPABILITIES;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		dropped |= DROPPED_NEW_PRIVILEGES;
	/* An unprivileged process may only filter itself once it has no_new_privs. */
	if ((dropped & DROPPED_NEW_PRIVILEGES) && refuse_calls())
		dropped |= DROPPED_CALLS;
	return dropped;
}

static int number_of(const char *name, int64_t *ret_value, struct err *err)
{
	const char *text = getenv(name);

	return text ? opt_parse_int(text, 0, INT32_MAX, ret_value, err) : -ENOENT;
}

int drop_to_sudo_user(struct err *err)
{
	int64_t uid, gid;

	if (geteuid() != 0 || number_of("SUDO_UID", &uid, NULL) < 0 ||
	    number_of("SUDO_GID", &gid, NULL) < 0 || uid == 0)
		return 0;
	if (user_groups_take((uid_t)uid, (gid_t)gid) < 0)
		return err_sys(err, -errno, "cannot take the groups of user %d", (int)uid);
	if (setresgid((gid_t)gid, (gid_t)gid, (gid_t)gid) < 0 ||
	    setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0)
		return err_sys(err, -errno, "cannot become user %d", (int)uid);
	return 1;
}
