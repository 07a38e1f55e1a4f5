/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source text of what was sampled, for pages that show the hot lines.
 *
 * Only on request, only files that a sampled frame names and that end in ".py", only inside the target's
 * own root (proc/maps.h opens them as hostile paths), each once, at most CAPTURE_SOURCE_MAX_BYTES long
 * and SOURCE_MAX_TOTAL_BYTES together.  One file at a time, between ticks, so that a slow disk delays
 * one tick and not many.
 */
#ifndef SAMPLE_SOURCE_H
#define SAMPLE_SOURCE_H

#include "format/capture.h"

#define SOURCE_MAX_TOTAL_BYTES (64u << 20)

struct sources {
	const struct names *names; /* borrowed, as all pointers */
	const struct tree *tree;
	struct capture_writer *writer;
	uint32_t process_id; /* capture_process.id */
	pid_t pid;
	uint32_t next_node; /* of the tree, not looked at yet */
	uint8_t *is_done;   /* per string id: sent, or never to be */
	size_t is_done_cap;
	size_t sent_bytes;
};

void sources_done(struct sources *sources); /* all-zero is fine */

/*
 * Send the next file that samples have named since the last call.  1: there may be more, 0: nothing new,
 * negative: the stream is broken.  A file that cannot be read is passed over.
 */
int sources_send_next(struct sources *sources) nodiscard;

#endif
