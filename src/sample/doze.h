/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ticks of a process whose threads all sleep need no look: they are slept through, together with the target.
 *
 *	AWAKE ──every tick for DOZE_AFTER_NS found all asleep: watch them──▶ WATCHING
 *	WATCHING ──one more tick has found them so──▶ DOZING ──chores──▶ WATCHING
 *	WATCHING, DOZING ──somebody ran──▶ AWAKE
 *
 * While DOZING the kernel tells when a thread runs (proc/stir.h); what was due until then is counted as ticks that found
 * everybody asleep, which is what they would have found.  Where the kernel may not be asked we stay AWAKE for good.
 * Fifty idle processes at 100 Hz: 100 wake-ups of ours a second and process become 8.
 */
#ifndef SAMPLE_DOZE_H
#define SAMPLE_DOZE_H

#include "proc/stir.h"
#include "sample/crew.h"

#define DOZE_AFTER_NS (300 * 1000000ll)

enum doze_state { DOZE_AWAKE, DOZE_WATCHING, DOZE_DOZING };

/* All-zero is AWAKE. */
struct doze {
	struct stir stir;
	enum doze_state state;
	int64_t quiet_since_ns; /* every tick since found all asleep; 0: the last did not */
	bool cannot_watch;
};

/* Once, before: the signal of the kernel is blocked from here on. */
void doze_init(struct doze *doze);
void doze_done(struct doze *doze);

/* After a tick.  `may_doze`: nothing else needs us at every tick. */
void doze_after_tick(struct doze *doze, const struct crew *crew, int64_t now_ns, bool may_doze);
/* Look again at the next tick: after chores. */
void doze_look_up(struct doze *doze);
/* Somebody ran. */
void doze_wake(struct doze *doze);

#endif
