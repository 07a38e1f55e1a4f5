/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one unit of work (a sample, a request, a query), dropped in one move.
 *
 * Nothing is freed singly.  arena_reset() keeps the newest chunk, so a loop that resets its arena
 * soon stops calling malloc.  Sizes that come from outside are checked by the caller before they
 * are asked for; a failing malloc aborts.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/compiler.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *top;
	size_t used_bytes; /* handed out since init or reset */
};

void arena_init(struct arena *arena);
void arena_done(struct arena *arena);
void arena_reset(struct arena *arena);

/* Zeroed, aligned for any type; never NULL. */
void *arena_alloc(struct arena *arena, size_t len) nodiscard;
/* n elements of `elem` bytes; aborts when the product overflows. */
void *arena_array(struct arena *arena, size_t n, size_t elem) nodiscard;
char *arena_strndup(struct arena *arena, const char *text, size_t len) nodiscard;
char *arena_printf(struct arena *arena, const char *fmt, ...) printf_like(2, 3) nodiscard;

#endif
