/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values of local variables, read together with the stacks that they belong to.
 *
 *   1. Values are those of the moment of the stack.  A thread that is paused is read in its pause.  Of one that
 *	nobody stopped they are read, then its stack again, then the values again: they count only if both
 *	stacks and both readings are the same.
 *   2. A pause stays short: within it at most LOCALS_ALL_READS reads (a dump, where somebody waits for the
 *	answer) or LOCALS_ON_READS (a recording, per sample that matches).  Where they end the rest is left out, and said.
 *
 * Two uses.  A dump wants all variables of all frames: they follow the thread's sample in the stream (struct
 * capture_local).  A recording with --locals-on wants those of some functions: they become a marker frame
 * "[n=5, path="/x"]" under the innermost of these functions, so that every format and filter can show how time
 * divides by value; at most LOCALS_MAX_MARKERS of them are told apart.
 */
#ifndef SAMPLE_LOCALS_H
#define SAMPLE_LOCALS_H

#include "base/map.h"
#include "format/capture.h"
#include "sample/crew.h"

#define LOCALS_ALL_READS 8000 /* of one thread: some 10 ms; the keeper's limit is 100 ms */
#define LOCALS_ON_READS 150   /* some 200 us */
#define LOCALS_ON_CHARS 48    /* of one value */
#define LOCALS_ON_VARIABLES 12
#define LOCALS_MAX_MARKERS 4096
#define LOCALS_OVER_LIMIT "[values over limit]"
#define LOCALS_MAX_FUNCTIONS 16

struct locals_config {
	uint32_t max_chars; /* of one value, of all variables; 0: a dump without them */
	const char *functions[LOCALS_MAX_FUNCTIONS]; /* borrowed: names or qualified names */
	size_t n_functions;
};

/* All variables of one thread's stack. */
struct held_locals {
	uint32_t member;	      /* member.id; 0: free */
	struct python_locals *frames; /* innermost first */
	uint32_t n;
	bool is_cut; /* frames further out were not read */
};

struct locals {
	const struct locals_config *config; /* borrowed, as all pointers */
	struct target *target;
	struct names *names;
	struct held_locals *held;
	size_t n_held, held_cap;
	struct python_locals one; /* scratch */
	struct buf text, again;	  /* a marker's name */
	struct frame_id marker;	  /* of the stack that was read last; 0: none */
	uint32_t marker_frame;	  /* under this one, 0 is the innermost */
	struct map64 markers;	  /* frame ids: what LOCALS_MAX_MARKERS counts */
};

void locals_init(struct locals *locals, const struct locals_config *config, struct target *target,
		 struct names *names);
void locals_done(struct locals *locals); /* all-zero is fine */

/* Is there anything to be read with a stack? */
bool locals_are_wanted(const struct locals *locals);

/*
 * Read what is wanted of the stack that the last COMPLETE reading of the member's thread gave: the thread stands
 * still.  0, or negative when the process is gone.
 */
int locals_read(struct locals *locals, const struct member *member) nodiscard;

/*
 * The same of a thread that nobody stopped, with `flags` of python_read_waiting().  1: they are of that stack; 0:
 * it has moved on, and its stack is to be read again as well.
 */
int locals_read_waiting(struct locals *locals, const struct member *member,
			unsigned flags) nodiscard;

/* The node of a stack, with the marker of its values if there is one. */
struct node_id locals_stack(const struct locals *locals, struct tree *tree,
			    const struct python_stack *stack);

/* After the member's sample was written: its variables. */
int locals_write(const struct locals *locals, const struct member *member,
		 struct capture_writer *writer) nodiscard;

#endif
