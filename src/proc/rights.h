/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May we look into this process, and if not, why and what helps.
 *
 * Reading another process's memory, its registers and most of its /proc needs the right to ptrace
 * it. The kernel says no with one word, EPERM, for a dozen reasons.  rights_check() asks the
 * kernel, and on a no goes through the reasons and names the first that holds, with the command or
 * setting that removes it.  It asks nothing of the target and changes nothing.  Any thread; about
 * 200 us on a no.
 */
#ifndef PROC_RIGHTS_H
#define PROC_RIGHTS_H

#include <sys/types.h>

#include "base/err.h"

enum rights_obstacle {
	RIGHTS_NONE,	   /* nothing is in the way */
	RIGHTS_GONE,	   /* no such process, or it has ended */
	RIGHTS_SELF,	   /* it is us */
	RIGHTS_KERNEL,	   /* a kernel thread has no memory of its own */
	RIGHTS_USER_NS,	   /* it lives in a user namespace in which we hold no capability */
	RIGHTS_OTHER_USER, /* another user's, and we lack CAP_SYS_PTRACE */
	RIGHTS_MORE_CAPS,  /* it holds capabilities that we lack */
	RIGHTS_DUMPABLE,   /* it (or its set-uid executable) forbids being read */
	RIGHTS_YAMA,	   /* kernel.yama.ptrace_scope forbids it */
	RIGHTS_SECCOMP, /* our own container's seccomp filter refuses ptrace or process_vm_readv */
	RIGHTS_UNKNOWN, /* a security module or something newer than this program */
};

/*
 * 0 when memory and registers of `pid` may be read.  Else -ESRCH (GONE), ERR_UNSUPPORTED (SELF,
 * KERNEL) or -EPERM, with the reason and the remedy in err.  *ret_obstacle may be NULL.
 */
int rights_check(pid_t pid, enum rights_obstacle *ret_obstacle, struct err *err) nodiscard;

/*
 * The other thing that forbids a pause, though not reading: somebody traces the thread already.
 * 0 when nobody does, else -EBUSY with "process 7 (gdb) traces it", and the tracer in *ret_tracer.
 */
int rights_check_tracer(pid_t tid, pid_t *ret_tracer, struct err *err) nodiscard;

#endif
