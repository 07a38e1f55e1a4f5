/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of one thread's stack: what is copied of it while it stands still, and what is read afterwards.
 *
 *	       sp                                                    base       end
 *	        |---- copied in the pause (NATIVE_MAX_COPY) ----|------|------------|
 *	                                            |- overlap -|-after|
 *
 *   1. In a pause at most NATIVE_MAX_COPY bytes are copied, all pieces together.
 *   2. No more is copied than unwinding needs: where a thread's outermost frame lies was seen when it was last
 *	unwound to its base, and stays there as long as the thread lives.  What lies behind (TLS, the environment)
 *	is not read again.
 *   3. A signal handler on a stack of its own (sigaltstack): the kernel wrote there where the interrupted stack is,
 *	and which stack this one is, so the words are known by themselves.  Half of the bytes are for each.
 *   4. What is larger is read right after the pause, together with the outer NATIVE_OVERLAP bytes of what was copied.
 *	Only when these are the same, and NATIVE_FOLLOW_NS have not passed, is the rest believed: a thread that
 *	returned into the outer part in between and came back would have had to make all frames of the overlap
 *	again, to the last word, in the time that one read takes.
 *
 * Belongs to the reader's one thread.
 */
#ifndef SAMPLE_NATIVE_STACK_H
#define SAMPLE_NATIVE_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proc/maps.h"
#include "proc/memory.h"
#include "unwind/unwind.h"

#define NATIVE_MAX_COPY (64u << 10)
#define NATIVE_MAX_HALF (NATIVE_MAX_COPY / 2)
#define NATIVE_OVERLAP (16u << 10)
#define NATIVE_MAX_OUTER (1u << 20) /* read after a pause; a stack that goes on is cut */
#define NATIVE_FOLLOW_NS 500000	    /* 20 us are usual; longer is a reader that lost its processor */
#define NATIVE_BASES 256	    /* threads whose outermost frame is remembered */

struct native_stack {
	raddr_t at, more_at; /* of bytes[0] and more[0] */
	uint8_t *bytes;	     /* NATIVE_MAX_COPY */
	uint8_t *more;	     /* NATIVE_MAX_HALF and NATIVE_MAX_OUTER */
	size_t n, n_more;    /* bytes that are held */
	uint64_t tls;
	raddr_t end;	   /* of the stack that is read last; 0: nothing of it is missing */
	int64_t held_ns;   /* when, if is_cut */
	raddr_t after_at;  /* what was read after the pause begins here; 0: nothing was */
	bool is_elsewhere; /* rule 3 may apply */
	bool is_cut;	   /* the pause's copy ended before the stack did */
	uint8_t overlap[NATIVE_OVERLAP];
	struct native_base {
		uint64_t tls; /* the thread's own area tells threads apart */
		raddr_t top;
	} bases[NATIVE_BASES];
};

void native_stack_init(struct native_stack *stack);
void native_stack_done(struct native_stack *stack);

/* Nothing is held. */
void native_stack_forget(struct native_stack *stack);

/* In a pause: what to read first; false when nothing is mapped at sp.  `tls` 0: not known. */
bool native_stack_aim(struct native_stack *stack, const struct maps *maps, raddr_t sp, uint64_t tls,
		      struct mem_span *ret_span);
/* In the same pause, after that was read: reads what a handler on a stack of its own has interrupted. */
void native_stack_hold(struct native_stack *stack, struct memory *memory, const struct maps *maps,
		       const struct mem_span *span);
/* After the pause: reads on where the copy was too small.  One vectored read; none in the ordinary case. */
void native_stack_follow(struct native_stack *stack, struct memory *memory);
/* Of a thread that waits: its stack from sp on, as far as the first piece reaches. */
void native_stack_read(struct native_stack *stack, struct memory *memory, const struct maps *maps,
		       raddr_t sp);

/* What is held, for unwind_run(); without memory. */
struct unwind_stack native_stack_view(const struct native_stack *stack);
/* It led to its base, and `top` is where what was read of it ends.  True: further than the pause's copy. */
bool native_stack_learn(struct native_stack *stack, raddr_t top);
/* It did not: what is known of this thread may be another's of that area. */
void native_stack_unlearn(struct native_stack *stack);

#endif
