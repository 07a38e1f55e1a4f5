/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person sees of a recording on stderr: a line that moves while it runs (on a terminal only) and
 * the account at its end: how much is proven, what was lost, what it cost.
 */
#ifndef CMD_SUMMARY_H
#define CMD_SUMMARY_H

#include "cmd/recording.h"

struct progress {
	bool is_shown;	  /* stderr is a terminal */
	bool is_drawn;	  /* there is a line to be wiped */
	int64_t begun_ns; /* monotonic */
	int64_t next_ns;
};

/* Shown on a terminal only, and only when wanted. */
void progress_init(struct progress *progress, bool is_wanted);
/* For recording.on_beat, with the progress as ctx. */
void progress_beat(void *ctx, const struct recording *recording);
void progress_wipe(struct progress *progress);

void summary_print(const struct recording_facts *facts, double rate_hz);
/* What was wrong with the target's memory, a line each: warnings when it was much, else the account. */
void summary_print_faults(const struct capture_stats *stats);

#endif
