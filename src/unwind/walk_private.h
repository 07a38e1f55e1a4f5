/* SPDX-License-Identifier: Apache-2.0 */
/* One stack on its way: between run.c (rules), search.c (without) and code.c (what instructions tell). */
#ifndef UNWIND_WALK_PRIVATE_H
#define UNWIND_WALK_PRIVATE_H

#include "unwind/unwind_private.h"

#define WALK_WINDOW_BYTES 2048 /* of memory that was not copied, read at a time */

struct walk {
	struct unwind_space *space;
	const struct unwind_stack *stack;
	struct unwind_regs regs; /* in frames[n - 1], or in the one that comes next */
	struct unwind_frame *frames;
	size_t n, max;
	uint8_t flags;	   /* of the frame that comes next */
	bool is_searching; /* what leads to nowhere is a wrong turn, not an end */
	uint32_t left_steps;
	raddr_t window_at;
	uint32_t window_bytes;
	uint8_t window[WALK_WINDOW_BYTES];
};

/* Eight bytes of the stack; ctx is the walk. */
bool walk_read(void *ctx, uint64_t addr, uint64_t *ret_value);

/*
 * Follow rules from the present registers on.  Everything but UNWIND_NO_REG, _NO_TABLE and _BAD_RULE is final;
 * with these the last frame's caller is what could not be found, and the registers are those of that frame.
 */
enum unwind_outcome walk_on(struct walk *walk);

/* By a frame record: the caller's frame pointer and, above it, the return address.  False: there is none. */
bool walk_record(struct walk *walk);

/* The same, by searching the stack where rules do not lead on.  `stuck` is walk_on()'s outcome. */
enum unwind_outcome search(struct walk *walk, enum unwind_outcome stuck);

/* ---- what instructions tell ---- */

/*
 * Is there a call right before `address`, or do signal handlers return to it?  *ret_target: the address that the
 * call names, or 0.
 */
bool code_is_call(struct unwind_space *space, uint64_t address, uint64_t *ret_target);
/* Does what follows end the thread? */
bool code_ends_thread(struct unwind_space *space, uint32_t module, uint64_t address);
/* How much a function that begins at `start` makes room for in its first instructions. */
bool code_room(struct unwind_space *space, uint32_t module, uint64_t start, uint64_t *ret_bytes);
/* Follow straight code from the program counter to its return, as far as it touches the stack. */
bool code_return(struct walk *walk, uint32_t module);
/* At the return from a signal handler: the registers become those of what was interrupted. */
bool code_signal(struct walk *walk);

#endif
