/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a thread spends its CPU time, told by the kernel's own clock (perf_event_open): now and then, while the thread
 * is on a CPU, its mode and the kernel's stack at that instant.  Nobody is stopped or woken for it.
 *
 * Needs CAP_PERFMON, or kernel.perf_event_paranoid <= 1.  Costs the thread some 2 us a reading, and us one descriptor
 * and 3 pages a thread.  Belongs to one thread.
 */
#ifndef PROC_CPU_CLOCK_H
#define PROC_CPU_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define CPU_CLOCK_FRAMES 64

struct cpu_clock {
	int fd;
	void *ring; /* NULL: closed */
};

/* One reading. */
struct cpu_clock_reading {
	int64_t time_ns;  /* CLOCK_MONOTONIC */
	uint64_t user_pc; /* in the kernel: where it entered it */
	uint64_t user_sp;
	uint32_t n_kernel;		   /* 0: it ran in user mode */
	uint64_t kernel[CPU_CLOCK_FRAMES]; /* innermost first */
};

/* A reading each `period_ns` of CPU time from now on.  -EPERM with what would allow it, -ESRCH. */
int cpu_clock_open(struct cpu_clock *clock, pid_t tid, int64_t period_ns,
		   struct err *err) nodiscard;
void cpu_clock_close(struct cpu_clock *clock); /* all-zero is fine */
/* The next reading since the last call, oldest first; false: no more.  What did not fit the ring is left out. */
bool cpu_clock_read(struct cpu_clock *clock, struct cpu_clock_reading *ret_reading);

/* May we?  Tries it on ourselves. */
int cpu_clock_check(struct err *err) nodiscard;

#endif
