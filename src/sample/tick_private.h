/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the tick: what each does for the others.  tick.h has the rules. */
#ifndef SAMPLE_TICK_PRIVATE_H
#define SAMPLE_TICK_PRIVATE_H

#include "sample/tick.h"

static inline bool tick_pauses(const struct tick *tick, int64_t now_ns)
{
	return !tick->is_nonblocking && now_ns >= tick->nonblocking_until_ns;
}

/* ---- tick_take.c: what comes of a reading ---- */

/* Rule 5: true when the member is LOST for this tick without having been read. */
bool tick_avoids(struct tick *tick, struct member *member, int64_t now_ns) nodiscard;
/* The stack that was read last, and its values if there are, are the member's now. */
void tick_take(struct tick *tick, struct member *member, enum member_news news);
/* Rule 4. */
void tick_lose(struct tick *tick, struct member *member, bool is_torn);
/* The values that go with the stack of a thread that does not move, if it came out whole: `outcome`, or negative. */
int tick_read_values(struct tick *tick, const struct member *member, int outcome) nodiscard;

/* ---- tick_native.c: with native frames ---- */

/* python_read_paused() of a thread that the pauser holds, with its native stack where that is wanted. */
int tick_read_held(struct tick *tick, struct member *member, unsigned flags) nodiscard;
/* The node of the stack that was read last, with the native frames that are held. */
struct node_id tick_native_node(struct tick *tick, struct member *member,
				const struct python_stack *stack);
/* What tick_probe() does once it knows that the member may have run since its last stack. */
int tick_probe_native(struct tick *tick, struct member *member, int64_t now_ns) nodiscard;

/* ---- tick_paused.c ---- */

/*
 * Pause a thread that runs Python and read it.  1: it is done with, whatever came of it; 0: it does not run
 * Python any more; negative: the process is gone.
 */
int tick_read_running(struct tick *tick, struct member *member, unsigned flags,
		      int64_t now_ns) nodiscard;
/* All of them: one per interpreter with a GIL, any number without.  0: the picture has changed, look again. */
int tick_read_all_running(struct tick *tick, const struct python_look *look,
			  int64_t now_ns) nodiscard;

/* ---- tick_unpaused.c ---- */

/* Ask the kernel what the thread does now. */
void tick_observe(struct tick *tick, struct member *member, int64_t now_ns);
/* 0: it woke up meanwhile. */
int tick_read_asleep(struct tick *tick, struct member *member) nodiscard;
int tick_read_restless(struct tick *tick, struct member *member, int64_t now_ns) nodiscard;
/* Its Python stack is to be read with others, unpaused. */
void tick_want(struct tick *tick, uint32_t python);
/* A thread without Python, of which no more is known. */
void tick_set_native(struct tick *tick, struct member *member);
/* Ask the kernel what a member does; who has to be read is noted as wanted. */
int tick_probe(struct tick *tick, const struct python_look *look, struct member *member,
	       int64_t now_ns) nodiscard;
/* Read those that are wanted; `flags` as python_read_waiting() takes them. */
int tick_read_unpaused(struct tick *tick, uint32_t *wanted, size_t n, unsigned flags,
		       bool is_pausing) nodiscard;
int tick_read_wanted(struct tick *tick, bool is_pausing) nodiscard;

#endif
