/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to sample next.
 *
 * Gaps between ticks are exponential around the period, so that no rhythm of the target can fall in
 * step with us (fixed gaps are off by 8 standard deviations at 10 kHz on a target with a period of
 * its own).  Deadlines are absolute: the work of a tick does not push the later ones back.  A tick
 * that begins more than one period after its deadline is late; deadlines that are more than one
 * period old when the next one is drawn are given up and counted as missed.  Weights are measured,
 * not assumed (sample/account.h), so neither loses time.
 */
#ifndef SAMPLE_PACE_H
#define SAMPLE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_MAX_HZ 1000000.0
#define PACE_MAX_PAUSING_HZ 10000.0 /* beyond, the target would stand still half of the time */
#define PACE_MAX_GAP_PERIODS                                                                       \
	16 /* one gap in nine million is longer; cut, so that no tick waits for ever */

struct pace {
	int64_t period_ns;
	int64_t due_ns;	 /* when the next tick shall begin */
	int64_t last_ns; /* when the last one began */
	int64_t spacing_ns; /* mean time between ticks lately: the period, more where some were missed */
	uint64_t random;
	uint64_t ticks, late, missed;
};

/* rate_hz in (0, PACE_MAX_HZ]; `seed` may be any number. */
void pace_init(struct pace *pace, double rate_hz, int64_t now_ns, uint64_t seed);

/* A tick begins now: count it, draw the next deadline, tell whether this one came late. */
bool pace_tick(struct pace *pace, int64_t now_ns);

/* Ticks until now need nobody: count them as made when they were due.  How many, and when the last was (if any). */
uint32_t pace_skip(struct pace *pace, int64_t now_ns, int64_t *ret_last_ns);

#endif
