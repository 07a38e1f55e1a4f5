/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stream of capture events to several listeners: the fold that becomes a picture, a capture file,
 * the agent that pushes, the line on the terminal.  The first listener that fails stops the stream.
 */
#ifndef CMD_SINKS_H
#define CMD_SINKS_H

#include "format/capture.h"

#define SINKS_MAX 4

struct sinks {
	struct {
		const struct capture_events *events;
		void *ctx;
	} items[SINKS_MAX];
	size_t n;
};

/* Both are borrowed. */
void sinks_add(struct sinks *sinks, const struct capture_events *events, void *ctx);
/* For session_start() or capture_reader_new(), with the sinks as ctx. */
const struct capture_events *sinks_events(void);

/* Events that are written on with a capture writer, which is the ctx. */
const struct capture_events *sinks_writer_events(void);

#endif
