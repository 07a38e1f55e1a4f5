/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native stacks: from the registers of one thread and its stack to the addresses of its callers.
 *
 * A struct unwind_space is what one process has mapped to run.  For each file in it the unwind information
 * (.eh_frame) is turned into rows of our own, function by function, when a stack first passes through the
 * function.  No library takes part: this runs where the rights are, on files that are hostile, and nothing
 * that it reads makes it loop, allocate without limit or read outside of what it was given.
 *
 *	1. No system call and no allocation for functions that were seen before, but for stack that is
 *	   neither in the copied bytes nor read yet.
 *	2. Registers are known or not known, never guessed unseen: what was found by looking for a return
 *	   address instead of by a rule carries UNWIND_FRAME_RECOVERED.
 *	3. Every stack has an outcome.  UNWIND_BASE alone means that it is complete: that it ends in a
 *	   function that says that nobody called it (_start, clone), or at the outermost frame record.
 *
 * One thread uses a space.  60 frames through functions seen before cost less than 30 us.
 */
#ifndef UNWIND_UNWIND_H
#define UNWIND_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proc/maps.h"
#include "proc/memory.h"
#include "unwind/regs.h"

/* The thread's stack: what was copied while it stood, then, for a thread that waits, its memory in place. */
struct unwind_stack {
	raddr_t sp;	      /* address of bytes[0] */
	const uint8_t *bytes; /* borrowed; may be NULL when len is 0 */
	size_t len;
	/* A second piece: what lies further out, or the stack that a handler on a stack of its own interrupted. */
	raddr_t more_at;
	const uint8_t *more;
	size_t more_len;
	struct memory *memory; /* NULL: nothing but the bytes.  Reads are charged to its budget */
};

enum {
	UNWIND_FRAME_EXACT =
		1, /* pc is where it stands (the leaf, or below a signal's handler), else a return address */
	UNWIND_FRAME_SIGNAL = 2,    /* the kernel's return from a signal handler */
	UNWIND_FRAME_RECOVERED = 4, /* how it was called was found by searching the stack */
	UNWIND_FRAME_BASE = 8,	    /* nobody called it */
};

#define UNWIND_NO_MODULE UINT32_MAX
#define UNWIND_MAX_FRAMES 4096 /* of one stack, whatever the caller has room for */

struct unwind_frame {
	uint64_t pc;
	uint32_t module; /* for unwind_module(), or UNWIND_NO_MODULE */
	uint8_t flags;
};

/*
 * The address whose function and line are those of the frame: a call can be the last thing in its function, but
 * nobody called the kernel's return from a handler, which begins there.
 */
static inline uint64_t unwind_frame_address(const struct unwind_frame *frame)
{
	return frame->flags & (UNWIND_FRAME_EXACT | UNWIND_FRAME_SIGNAL) ? frame->pc
									 : frame->pc - 1;
}

/* How a stack ended.  Frames up to there are true in any case. */
enum unwind_outcome {
	UNWIND_BASE,	/* complete */
	UNWIND_CUT,	/* more frames than there was room for */
	UNWIND_OUTSIDE, /* an address where nothing executable is mapped */
	UNWIND_NO_TABLE, /* a function without unwind information that the search could not pass either */
	UNWIND_BAD_RULE, /* a rule that we cannot follow, or damaged unwind information */
	UNWIND_NO_REG, /* a rule needs a register that is not known (a waiting thread's frame pointer) */
	UNWIND_BAD_MEMORY, /* stack that was not copied, not mapped or past the budget */
	UNWIND_LOOP,	   /* the stack did not rise */
	UNWIND_LATER, /* too many files or functions not seen before: the next attempts get on */
	UNWIND_OUTCOMES,
};

/* "complete", "needs a register": a constant for counters and reports. */
const char *unwind_outcome_name(enum unwind_outcome outcome);

struct unwind_args {
	/* Opens the file behind a mapping, as maps_open(); a negative result leaves that module without table. */
	int (*open)(void *ctx, const struct mapping *mapping, struct err *err);
	void *ctx;
	/* Of the process, borrowed: the vDSO's pages, code without a file.  May be NULL. */
	struct memory *memory;
};

struct unwind_space;

struct unwind_space *unwind_space_new(const struct unwind_args *args) nodiscard;
void unwind_space_free(struct unwind_space *space); /* NULL is fine */

/* What is mapped now.  Modules keep their index for the life of the space, also when they are unmapped. */
void unwind_space_update(struct unwind_space *space, const struct maps *maps);

/*
 * The frames of a stack, the leaf first, at most `max`; returns how many there are (>= 1 when max is).
 * `ret_outcome` says how it ended.
 */
size_t unwind_run(struct unwind_space *space, const struct unwind_regs *regs,
		  const struct unwind_stack *stack, struct unwind_frame *frames, size_t max,
		  enum unwind_outcome *ret_outcome);

/* Where the last stack that ended with UNWIND_BASE begins: the stack pointer of its outermost frame. */
raddr_t unwind_top(const struct unwind_space *space);

enum unwind_kind {
	UNWIND_FILE,
	UNWIND_VDSO,
	UNWIND_ANONYMOUS, /* code that was made at run time */
};

#define UNWIND_BUILD_ID_TEXT 129 /* hexadecimal digits and a NUL */

struct unwind_module {
	enum unwind_kind kind;
	const char *path;		     /* as maps has it; "[vdso]", "[anonymous]" */
	char build_id[UNWIND_BUILD_ID_TEXT]; /* ""; known from the first frame in it on */
	uint64_t
		bias; /* an address less this is the one that the file was linked for (modulo 2^64) */
	bool is_loaded; /* the file was looked into; before, `bias` takes offsets in the file for addresses */
	bool has_table;	     /* unwind information was found */
	uint64_t dev, inode; /* of the file; dev is major << 32 | minor */
};

size_t unwind_modules(const struct unwind_space *space);
/* Borrowed until the next unwind_space_update() or unwind_run(). */
const struct unwind_module *unwind_module(const struct unwind_space *space, uint32_t i);
/* The module at an address, or UNWIND_NO_MODULE. */
uint32_t unwind_module_at(const struct unwind_space *space, raddr_t addr);

/* The bounds [start, end) of the function or part of one around an address, by its unwind information; -ENOENT. */
int unwind_function(struct unwind_space *space, raddr_t addr, raddr_t *ret_start,
		    raddr_t *ret_end) nodiscard;

#endif
