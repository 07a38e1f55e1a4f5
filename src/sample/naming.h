/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of samples whose native frames get names on the way (symbol/symbol.h), without ever stopping it.
 *
 *	readers ──▶ relay ──▶ naming ──▶ sinks
 *			       │ ▲
 *			   symbolizer
 *
 *   1. Samples leave in the order in which they came.  One whose names are on their way is held, and all behind it,
 *	for at most NAMING_HOLD_NS and NAMING_MAX_HELD samples; then it goes with the names that there are.
 *   2. Everything else passes at once, but for variables, which follow their sample, and the end: these wait for the
 *	samples before them.
 *   3. Processes that appear are made known to the symbolizer, for the names of their JIT code.
 *
 *	naming = naming_new(symbolizer, events, ctx)
 *	session_start(..., naming_events(), naming, ...)
 *	poll(naming_fd(naming)); naming_pump(naming)	at least every NAMING_BEAT_NS while it holds samples
 *
 * A sample without native frames costs one look-up.  One thread.
 */
#ifndef SAMPLE_NAMING_H
#define SAMPLE_NAMING_H

#include <stdbool.h>
#include <stdint.h>

#include "format/capture.h"
#include "symbol/symbol.h"

#define NAMING_HOLD_NS (2000 * 1000000ll)
#define NAMING_BEAT_NS (200 * 1000000ll)
#define NAMING_MAX_HELD 65536

struct naming;

/* All are borrowed; `events` get nodes of the symbolizer's tree. */
struct naming *naming_new(struct symbolizer *symbolizer, const struct capture_events *events,
			  void *ctx) nodiscard;
/*
 * For streams out of files, where nobody waits at the other end: each sample waits for its names, nothing is held, and
 * processes, which are long gone, are not looked at.
 */
void naming_be_patient(struct naming *naming);
void naming_free(struct naming *naming); /* what is held is dropped: the end lets it go */

/* For whoever produces the stream, with the naming as ctx. */
const struct capture_events *naming_events(void);

/* Readable when names have come; -1 when none are on their way. */
int naming_fd(const struct naming *naming);
/* Let samples go whose names are there; returns what an event function returned. */
int naming_pump(struct naming *naming) nodiscard;

#endif
