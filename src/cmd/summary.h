/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person sees of a recording on stderr: a line that moves while it runs (on a terminal only) and
 * the account at its end: how much is proven, what was lost, what it cost.
 */
#ifndef CMD_SUMMARY_H
#define CMD_SUMMARY_H

#include "cmd/progress.h"
#include "cmd/recording.h"

/* A recording's line: for recording.on_beat, with a struct progress as ctx. */
void summary_beat(void *ctx, const struct recording *recording);

/* On a terminal with who was sampled. */
void summary_print(const struct recording_facts *facts, double rate_hz);
/* What was wrong with the target's memory, a line each: warnings when it was much, else the account. */
void summary_print_faults(const struct capture_stats *stats);
/* Of a dump with native frames: why some are missing, a warning each. */
void summary_print_missing(const struct capture_stats *stats);
/* On a terminal: what a person may want to do with the result at `path`. */
void summary_print_next(const char *path);

#endif
