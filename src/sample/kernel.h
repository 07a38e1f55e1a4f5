/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's part of a sample: frames below the stack of user mode, innermost last.
 *
 *	a thread that waits	its kernel stack as /proc tells it, proven by its time slices
 *	one that was paused	the pause has let it run to the end of what it did in the kernel, and tells the place of user
 *				mode where that began.  The kernel's own clock (proc/cpu_clock.h) looked at the thread
 *				meanwhile, in the kernel too, and knows the same places
 *
 *   1. The clock decides how much: each look that found the thread in the kernel is owed to its place in user mode, as
 *	CPU time, and samples paused at that place pay it out, with the frames of the last look.  So sums are those
 *	of the clock.  What the pause itself says (the thread had just left a system call) would be too much, since
 *	whoever is about to enter one when it is interrupted is stopped at its end, too, and kernels let others
 *	run there.
 *   2. A place that no sample meets shows nothing: its time stays with the code that caused it.  So it is with page
 *	faults that are spread over many instructions.
 *   3. What the clock saw of our own pauses and of interrupts is left out.
 *   4. Where the clock is not allowed, or has not looked yet, the pause's word stands: "sys_NAME".
 *
 * A node with kernel frames is member.kernel_node; member.node stays what it is.  Belongs to the reader's one thread.
 */
#ifndef SAMPLE_KERNEL_H
#define SAMPLE_KERNEL_H

#include "profile/tree.h"
#include "sample/crew.h"
#include "sample/target.h"

#define KERNEL_MAX_CLOCKS 256 /* threads that the clock looks at, those that ran last */

struct kernel;

struct kernel *kernel_new(struct target *target, struct names *names, struct tree *tree,
			  double rate_hz) nodiscard;
void kernel_free(struct kernel *kernel); /* NULL is fine */

/* After a tick: the kernel's part of every member that was read. */
void kernel_tick(struct kernel *kernel, struct crew *crew, int64_t now_ns);

#endif
