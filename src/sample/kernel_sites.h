/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The places of user mode that a thread went into the kernel from, and the kernel time that samples still owe to each.
 *
 * The clock's looks bring time in, samples paused at the same place pay it out (sample/kernel.h, rule 1):
 *
 *	kernel_sites_owe(sites, &look, period_ns)	a look found the thread in the kernel
 *	look = kernel_sites_pay(sites, pc, cost_ns)	a sample that stands for `cost_ns` was paused at pc
 *
 * What is paid out at a place is what was brought in, as long as samples meet it: however often they do more than that.
 * What nobody meets for long is forgotten.  Fixed size, no allocation.
 */
#ifndef SAMPLE_KERNEL_SITES_H
#define SAMPLE_KERNEL_SITES_H

#include <stdint.h>

#include "proc/cpu_clock.h"

#define KERNEL_SITES_MAX 64	    /* the least recently met makes room */
#define KERNEL_SITES_OWED_SAMPLES 8 /* what is owed beyond so many samples is forgotten */

struct kernel_site {
	uint64_t pc;	 /* 0: free */
	int64_t owed_ns; /* below 0: shown ahead, by half a sample at most */
	int64_t used_ns;
	struct cpu_clock_reading look; /* the last */
};

/* All-zero is empty. */
struct kernel_sites {
	struct kernel_site items[KERNEL_SITES_MAX];
};

void kernel_sites_owe(struct kernel_sites *sites, const struct cpu_clock_reading *look,
		      int64_t period_ns);
/* The look to show, or NULL: the sample was in user mode, as far as is known.  Borrowed until the next call. */
const struct cpu_clock_reading *kernel_sites_pay(struct kernel_sites *sites, uint64_t pc,
						 int64_t cost_ns);

#endif
