/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front gives up for good what only the reader needs.
 *
 * Network, files and formats meet the world in the front process; it must not be able to look into
 * other processes even when it is taken over.  Each step is tried whatever became of the one
 * before, since kernels and containers differ; the result says which held.  There is no way back,
 * children inherit it.  Call it once, from the only thread, after the reader was started.
 */
#ifndef PROC_DROP_RIGHTS_H
#define PROC_DROP_RIGHTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

enum {
	DROPPED_CAPABILITIES =
		1, /* effective, permitted, inheritable, ambient and bounding sets empty */
	DROPPED_NEW_PRIVILEGES = 2, /* no set-uid program gives them back */
	/*
	 * A seccomp filter answers EPERM to ptrace, process_vm_readv, process_vm_writev,
	 * perf_event_open, bpf, pidfd_getfd, kcmp, userfaultfd, init_module, kexec_load and their
	 * kin; calls of another architecture kill the process.
	 */
	DROPPED_CALLS = 4,
	DROPPED_DUMPABLE = 8, /* others of the same user cannot read us; no core dumps */
};
#define DROPPED_ALL 15u

/*
 * Returns the DROPPED_ bits that hold now.  With `keep_file_rights` a root front keeps
 * CAP_DAC_OVERRIDE, CAP_CHOWN and CAP_FOWNER, to write its output where root may, and CAP_KILL, to end
 * a command that it started as another user; it loses all others.
 */
unsigned drop_rights(bool keep_file_rights);

/*
 * Become the user who called sudo (SUDO_UID, SUDO_GID with that user's groups) for good; for a
 * command that we start.  0 when there is none to become, 1 when done.
 */
int drop_to_sudo_user(struct err *err) nodiscard;

#endif
