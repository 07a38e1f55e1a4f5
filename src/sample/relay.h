/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One recording out of the streams of several readers.
 *
 * A reader that was killed is started again and begins a stream of its own: ids count from 1, times
 * from its own start, statistics from 0.  The relay passes events on as if there had been one reader:
 * threads and processes that were known keep their ids, times count from the first start, statistics
 * are sums, one header comes first and one end last.
 *
 *	capture_reader_new(names, tree, relay_events(), relay)	for each stream
 *	relay_next_stream(relay)				when one broke off
 *
 * What a stream says is checked as far as the relay relies on it; the rest is the decoder's work.
 */
#ifndef SAMPLE_RELAY_H
#define SAMPLE_RELAY_H

#include "format/capture.h"

struct relay;

/* Events go to `events` with `ctx`; both are borrowed. */
struct relay *relay_new(const struct capture_events *events, void *ctx) nodiscard;
void relay_free(struct relay *relay);

/* For capture_reader_new(), with the relay as ctx. */
const struct capture_events *relay_events(void);

void relay_next_stream(struct relay *relay);
bool relay_has_ended(const struct relay *relay);  /* an end was passed on */
int64_t relay_last_ns(const struct relay *relay); /* the latest time that was passed on */
int64_t relay_lost_ns(const struct relay *relay); /* between streams: nobody was there */

#endif
