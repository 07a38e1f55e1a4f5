/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where every nanosecond goes: the books behind the weights of samples.
 *
 *   1. A thread's wall time is the clock's: each sample stands for the time since the thread's last
 *      one.  Dropped, torn and late ticks leave their time to the next sample, so the weights of a
 *      thread add up to the time that it was watched.
 *   2. A thread's CPU time is the kernel's charge (schedstat), and goes to the samples that found it
 *      running: to each the mean time between ticks, and a part of what is owed beyond it, so that
 *      shares are those of the random ticks and sums those of the kernel.  Given to whichever sample
 *      comes next, it would land on the waits that end short bursts; given whole to the next running
 *      one, on how bursts begin (a function that is 24 % of bursts of 5 ms showed as 45 %).  What is
 *      owed for long goes to the stack that ran last.
 *   3. What a thread used between its last sample and its end, and what threads used that came and
 *      went between two ticks, is in no schedstat any more, but in the total of the process.  The
 *      ledger knows what was given out and what the living have not yet been given; the rest is
 *      theirs.
 *
 * Pure arithmetic; callers bring the readings.
 */
#ifndef SAMPLE_ACCOUNT_H
#define SAMPLE_ACCOUNT_H

#include <stdint.h>

struct account {
	int64_t wall_ns; /* up to this moment its wall time is in samples */
	int64_t cpu_ns;	 /* so much of its CPU time is in samples */
};

/* The time since the last call; a clock that goes backwards gives 0. */
int64_t account_take_wall(struct account *account, int64_t now_ns);
/*
 * What a running sample carries when the thread was charged `charged_ns` in all: about `spacing_ns`,
 * the mean time between ticks; with 0 all that is owed.  Never more than is owed, never negative.
 */
int64_t account_take_cpu(struct account *account, int64_t charged_ns, int64_t spacing_ns);

struct ledger {
	int64_t base_ns;  /* total of the process when we began */
	int64_t given_ns; /* CPU time in samples so far */
};

/*
 * CPU time that ended threads left behind.  `total_ns` is the total of the process and must be read
 * before the threads are, so that time that passes in between makes the rest smaller, never invents
 * any; `owed_ns` is what the living threads were charged beyond their accounts.  Never negative.
 */
int64_t ledger_rest(const struct ledger *ledger, int64_t total_ns, int64_t owed_ns);

#endif
