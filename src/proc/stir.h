/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Be told when a sleeping process stirs, instead of looking again and again.
 *
 * Each thread gets an event of the kernel's that fires once, after STIR_NS on a CPU, as the signal SIGIO, which the
 * caller has blocked and waits for (sigtimedwait).  A thread that sleeps costs nothing meanwhile, neither itself nor
 * us; one that ran for less than STIR_NS altogether goes unnoticed.  Takes CAP_PERFMON, or kernel.perf_event_paranoid at
 * 1 or less.  One descriptor per thread; belongs to the thread that waits.
 */
#ifndef PROC_STIR_H
#define PROC_STIR_H

#include <stddef.h>
#include <sys/types.h>

#include "base/compiler.h"

#define STIR_NS 20000
#define STIR_MAX_THREADS 64

/* All-zero watches nobody. */
struct stir {
	int fds[STIR_MAX_THREADS];
	size_t n;
};

/*
 * Watch one more thread.  Who calls has to look once more at all of them afterwards: what they did before is not told.
 * -EPERM, -EACCES, -ESRCH, ERR_LIMIT when there are too many.
 */
int stir_watch(struct stir *stir, pid_t tid) nodiscard;
/* Watch nobody any more, and forget a signal that is on its way. */
void stir_end(struct stir *stir);

#endif
