/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Being in a hurry: while somebody stands still for us, nobody else's work may keep us from letting it go.
 *
 * The calling thread runs at a real-time priority between urgency_raise() and urgency_lower(), and only
 * then: a reader that is preempted while it holds lengthens the pause by whatever runs instead (3-8 ms
 * about once a second beside busy processes, now none).  That needs CAP_SYS_NICE or a limit on real-time
 * priorities, and where it is refused it does nothing.  It costs two system calls, about 1 us each.
 *
 * It cannot take a machine down: what is done in a pause has a budget, and a thread that computes at
 * this priority for longer than the keeper (proc/watchdog.h) would wait is ended by the kernel
 * (RLIMIT_RTTIME).
 */
#ifndef PROC_URGENCY_PRIVATE_H
#define PROC_URGENCY_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

struct urgency {
	bool is_possible;
	int32_t nice; /* of the thread at other times */
};

/*
 * For the calling thread, which from here on also asks for short slices: from Linux 6.12 on such a thread
 * preempts one with long slices when it wakes up (ticks come in time), older kernels ignore it.
 */
void urgency_init(struct urgency *urgency);
void urgency_raise(const struct urgency *urgency);
void urgency_lower(const struct urgency *urgency);

#endif
