/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One reader as its keeper sees it: started, looked at, killed when it holds its target too long,
 * mourned and started again.
 *
 *	WAITING ──start──▶ RUNNING ──ended, final──▶ over
 *	   ▲                  │
 *	   └──died: back-off──┘
 *
 * A look that finds the same pause or the same heartbeat as the one before, and finds it too old,
 * kills.  The look before is needed since the clock runs on while a whole machine is frozen (a laptop's
 * lid, a paused virtual machine): its first look afterwards would find an age of hours in a healthy
 * reader.
 */
#ifndef PROC_WATCH_PRIVATE_H
#define PROC_WATCH_PRIVATE_H

#include "proc/watchdog.h"

/*
 * A pause that begins right after a look is seen at the next, before it is too old, and then looked at closely: seldom
 * looks kill no later than often ones.
 */
#define WATCH_LOOK_NS (KEEPER_PAUSE_LIMIT_NS * 3 / 4)
#define WATCH_LOOK_IN_PAUSE_NS (5 * 1000000ll) /* while a pause is seen going on */

struct watch {
	const struct keeper_config *config; /* borrowed, as the heartbeat */
	struct heartbeat *beat;
	struct keeper_job job;
	pid_t reader;	  /* 0: none, start one at start_ns; negative: it could not be forked */
	int64_t start_ns; /* when to start, or when it was started */
	int64_t seen_pause_ns, seen_beat_ns; /* of the look before */
	uint32_t quick_deaths;
	bool is_killed_by_us;
};

/* Watch a process from now on: the first reader is due at once. */
void watch_init(struct watch *watch, const struct keeper_config *config, struct heartbeat *beat,
		const struct keeper_job *job);

/*
 * Fork the reader, as number `start`; in it, `own_fds` (of the keeper alone) are closed and it never
 * returns from here.
 */
void watch_start(struct watch *watch, uint32_t start, const int *own_fds, size_t n_own_fds);

static inline bool watch_is_running(const struct watch *watch)
{
	return watch->reader != 0;
}

/* Has the reader ended?  Then its status, as waitpid() gives it, is in *ret_status. */
bool watch_has_ended(struct watch *watch, int *ret_status);
/* After that: true when there shall be no other; else the next one is due at start_ns. */
bool watch_is_over(struct watch *watch, int status);

/* Look at the page, kill if need be; returns how long until the next look. */
int64_t watch_look(struct watch *watch);
void watch_signal(struct watch *watch, int signal);

#endif
