/* SPDX-License-Identifier: Apache-2.0 */
/* Collecting (speedscope_read.c) and resolving (speedscope_resolve.c) share the document as flat lists. */
#ifndef FORMAT_SPEEDSCOPE_PRIVATE_H
#define FORMAT_SPEEDSCOPE_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

#include "format/speedscope.h"

#define SPEEDSCOPE_SCHEMA "https://www.speedscope.app/file-format-schema.json"

/* Units of the format; `scale` to ours. */
struct speedscope_unit {
	const char *name;
	int64_t scale;
	const char *type, *unit; /* of our column, where the file does not name a type */
};

static const struct speedscope_unit speedscope_units[] = {
	{"nanoseconds", 1, "wall", "nanoseconds"},
	{"microseconds", 1000, "wall", "nanoseconds"},
	{"milliseconds", 1000000, "wall", "nanoseconds"},
	{"seconds", 1000000000, "wall", "nanoseconds"},
	{"bytes", 1, "space", "bytes"},
	{"none", 1, "samples", "count"},
};

#define SPEEDSCOPE_UNKNOWN_UNIT SIZE_MAX

struct speedscope_event {
	bool opens;
	uint32_t frame;
	double at;
};

/* Whole numbers stay exact past 2^53. */
struct speedscope_weight {
	int64_t whole; /* -1: see real */
	double real;
};

/* One profile of the file: [first, first + n) of the lists below. */
struct speedscope_part {
	bool is_evented;
	size_t unit;   /* index into speedscope_units */
	char type[64]; /* valueType; "": not said */
	struct str_id name;
	double end_value;
	size_t first_stack, n_stacks, first_weight, n_weights, first_event, n_events;
};

struct speedscope_frame {
	struct str_id name, file;
	bool has_name;
	uint32_t line, column;
	struct frame_id frame; /* made at the end */
};

struct speedscope_reader {
	const struct format_limits *limits;
	struct names *names;
	struct speedscope_frame *frames;
	struct speedscope_part *parts;
	uint32_t *refs;	    /* frames of all stacks, one after the other */
	size_t *stack_ends; /* per stack: where it ends in refs */
	struct speedscope_weight *weights;
	struct speedscope_event *events;
	size_t n_frames, n_parts, n_refs, n_stacks, n_weights, n_events;
	size_t frames_cap, parts_cap, refs_cap, stacks_cap, weights_cap, events_cap;
	bool has_profiles, has_frames;
};

/* ERR_CORRUPT: "not a valid speedscope file: …". */
int speedscope_bad(struct err *err, const char *what) nodiscard;
int speedscope_too_many(struct err *err, const char *what, uint64_t limit) nodiscard;

/* The profiles of a whole document into series. */
int speedscope_resolve(struct speedscope_reader *reader, const struct speedscope_opts *opts,
		       const struct speedscope_split *split, struct err *err) nodiscard;

#endif
