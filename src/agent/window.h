/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cutting a live capture into windows that adjoin exactly.
 *
 * Two windows can be open at once: samples that stand for time before a border may still come for
 * WINDOW_GRACE_NS after it.  A window is handed over when the stream has passed its end by the grace,
 * or when the stream ends.  One thread owns a cutter.
 */
#ifndef AGENT_WINDOW_H
#define AGENT_WINDOW_H

#include "format/capture_profile.h"

#define WINDOW_GRACE_NS 400000000ll

/* A silence longer than this is a gap, not a row of empty windows. */
#define WINDOW_MAX_SILENCE_NS (60 * 1000000000ll)

/*
 * One window: column "cpu" and a column "wall" per state, with process and thread markers.  start_ns
 * and duration_ns are exact.  The profile is the callee's to change; it is freed afterwards.
 */
typedef int window_done_fn(void *ctx, struct profile *profile);

struct window_cutter;

/* Borrows all; `fold` knows the threads and has its markers switched on. */
struct window_cutter *window_cutter_new(struct names *names, struct capture_fold *fold,
					window_done_fn *done, void *ctx) nodiscard;
void window_cutter_free(struct window_cutter *cutter);

/* Each returns 0, ERR_CORRUPT for times that no clock shows, or what `done` returned. */
int window_start(struct window_cutter *cutter, const struct capture_header *header) nodiscard;
int window_sample(struct window_cutter *cutter, const struct capture_sample *sample) nodiscard;
/* The stream has come to this time: everything before it was sent. */
int window_reached(struct window_cutter *cutter, int64_t time_ns) nodiscard;
/* The stream has ended: hand over what is open, up to the last time that was reached. */
int window_finish(struct window_cutter *cutter) nodiscard;

#endif
