/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marker frames that say whose stack it is: at the root of a stack, process outside thread.
 *
 *	process 4711: python app.py
 *	thread 4712: MainThread
 *
 * The number or the text may be missing ("thread: MainThread", "process 4711").  The name is all
 * there is, so that every format can carry it, and reading it back gives the same frame.
 */
#ifndef FORMAT_MARKER_H
#define FORMAT_MARKER_H

#include <stdbool.h>
#include <stdint.h>

#include "profile/names.h"

enum marker_kind { MARKER_NONE, MARKER_PROCESS, MARKER_THREAD };

struct marker {
	enum marker_kind kind;
	int64_t id; /* pid or thread id; 0: unknown */
	/* Command or thread name, borrowed from the frame's name; "" when unknown. */
	const char *text;
};

/* The frame; `id` 0 and `text` NULL or "" mean unknown (both: frame 0, which is none). */
struct frame_id marker_process(struct names *names, int64_t pid, const char *command);
struct frame_id marker_thread(struct names *names, int64_t tid, const char *name);
/* A marker of another sort, such as "[GC]" or "[deeper]". */
struct frame_id marker_frame(struct names *names, const char *name);

/* What a name says; MARKER_NONE when it is not of the form above. */
struct marker marker_parse(const char *name);
/* The same of a frame that must be of FRAME_MARKER. */
struct marker marker_of(const struct names *names, struct frame_id frame);

#endif
