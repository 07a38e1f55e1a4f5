/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One tick: the true stack and the state of every thread of the target, at one moment.
 *
 *   1. Only a thread that runs Python (it holds a GIL; in a build without one, it is attached) is paused,
 *      for one bounded read, one after the other, and never one that sleeps.
 *   2. A holder's stack counts only if the GIL, read after the stop, is still its own; else everybody is
 *      looked at again, TICK_MAX_TRIES times.
 *   3. Others are read as they are, twice; those that have not run since their last true stack are not
 *      read at all.
 *   4. What could not be proven is LOST for this tick, counted, and its time goes to the next sample.
 *   5. A thread whose memory is not what Python's is, ten times in a row, is left alone for ever longer
 *      times, a second at most; its samples are LOST meanwhile.  Nobody can make us pause him for nothing.
 *
 * With native frames a thread's registers and native stack belong to its sample (sample/native.h).  So threads that run
 * are paused whatever they run, with the GIL, without, or without any Python, each once; those that wait are still not
 * touched.
 *
 * Without pausing (asked for, or because somebody else traces the target) the holder is read like the
 * others: what is not equal twice is lost, which thins out what changes fast.
 *
 * Not pausing is also for high rates.  There who runs, who sleeps, who holds the GIL and what the kernel charged is
 * asked every TICK_LOOK_GAP_NS, and ticks in between read the stacks of those that run, in one system call.  The
 * kernel's account of a running thread moves every 1-4 ms anyway; a thread that falls asleep or wakes is shown so
 * up to that time too late, no matter at which rate.
 *
 * In the steady state a tick allocates nothing, formats nothing, and makes one system call for the look,
 * four for the pause, one for the read and one per thread that may have run.
 */
#ifndef SAMPLE_TICK_H
#define SAMPLE_TICK_H

#include "format/capture.h"
#include "proc/pause.h"
#include "profile/tree.h"
#include "sample/crew.h"
#include "sample/histogram.h"
#include "sample/locals.h"
#include "sample/native.h"
#include "sample/target.h"

#define TICK_MAX_TRIES 5 /* looks until a holder stands still as the holder; 1 nearly always does */
#define TICK_MAX_NUDGES 32 /* inside a push or pop: one or two are enough in practice */
#define TICK_LOOK_GAP_NS (400 * 1000ll)
/* For a thread in a crowded run queue to be stopped; the keeper kills us at 100 ms (proc/watchdog.h). */
#define TICK_PAUSE_WAIT_NS (60 * 1000000ll)

struct tick {
	struct target *target; /* borrowed, as all the rest */
	struct crew *crew;
	struct pauser *pauser;
	struct tree *tree;
	struct locals *locals; /* values to be read with stacks */
	struct native *native; /* native frames; NULL: Python's only */
	struct capture_stats *stats;
	struct node_id native_node; /* stack of a thread without Python frames */
	bool with_kernel;	    /* pauses tell where the thread stood */
	bool is_nonblocking;
	int64_t nonblocking_until_ns; /* somebody else traces it: try to pause again then */
	int64_t refused_since_ns; /* every pause since, since somebody else traces it; 0: none */
	struct histogram pauses;  /* how long each held the target */
	int64_t look_due_ns;	  /* without pausing: between looks only stacks are read */
	int64_t last_ns;  /* the moment of the last tick: new threads' wall time begins there */
	bool is_stopped;  /* by its user, as the pause found */
	uint32_t *wanted; /* look indexes to be read unpaused, and what came of them */
	uint8_t *outcomes;
	size_t wanted_cap, outcomes_cap;
	size_t n_wanted;
};

void tick_done(struct tick *tick); /* all-zero is fine */

/*
 * Run one tick: every member's news, node and state are new after it.  `*ret_now_ns` is the moment that
 * the samples stand for.  0; ERR_TORN when nothing was learnt (all lost); ERR_GONE or -ESRCH when the
 * process ended or became another program; -EPERM.
 */
int tick_run(struct tick *tick, int64_t *ret_now_ns) nodiscard;

#endif
