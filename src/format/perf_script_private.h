/* SPDX-License-Identifier: Apache-2.0 */
/* For files of this folder only: one line of perf script, taken apart. */
#ifndef FORMAT_PERF_SCRIPT_PRIVATE_H
#define FORMAT_PERF_SCRIPT_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "profile/names.h"

#define PERF_TEXT_MAX 4096 /* of a name or a file; longer ones are cut */

struct perf_text {
	const char *at;
	size_t len;
};

struct perf_header {
	struct perf_text command;
	int64_t pid, tid;	/* 0: not printed */
	int64_t time_ns;	/* -1: not printed */
	int64_t period;		/* 0: not printed */
	struct perf_text event; /* without its colon; empty: not printed */
	struct perf_text rest;	/* behind the event: a frame, or what a tracepoint has to say */
};

struct perf_frame {
	uint64_t address;
	struct perf_text symbol; /* without "+0x1f"; "[unknown]" */
	struct perf_text module; /* "(…)", without its brackets */
};

bool perf_take_header(struct perf_text line, struct perf_header *ret_header);
bool perf_take_frame(struct perf_text line, struct perf_frame *ret_frame);
/* "file.c:12"; the number is cut off. */
bool perf_take_place(struct perf_text line, struct perf_text *ret_file, uint32_t *ret_line);

/* The frame as the model has it; `symbol` stands for frame->symbol when that is known better. */
struct frame perf_frame_of(struct names *names, const struct perf_frame *frame, const char *symbol);

#endif
