/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that call one another through files compiled in different ways, and note by whom they were
 * called: the truth that an unwinder has to find.
 */
#ifndef TESTS_UNIT_UNWIND_LEVELS_H
#define TESTS_UNIT_UNWIND_LEVELS_H

#include <stddef.h>
#include <stdint.h>

#define TRAIL_MAX 256

/* Return addresses, the outermost first. */
struct trail {
	uint64_t pcs[TRAIL_MAX];
	size_t n;
};

typedef void last_fn(void *ctx);

static inline void trail_add(struct trail *trail, const void *pc)
{
	trail->pcs[trail->n++] = (uint64_t)(uintptr_t)pc;
}

/* Without unwind information (untold.c), with frame pointers (framed.c), with a realigned stack (aligned.c). */
void untold(struct trail *trail, int depth, last_fn *last, void *ctx);
void framed(struct trail *trail, int depth, last_fn *last, void *ctx);
void aligned(struct trail *trail, int depth, last_fn *last, void *ctx);

#endif
