/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_FIRST_CHUNK_BYTES 4096
#define ARENA_MAX_CHUNK_BYTES (1u << 20)

struct arena_chunk {
	struct arena_chunk *below;
	size_t cap;
	size_t used;
	alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena)
{
	*arena = (struct arena){0};
}

static void chunks_free(struct arena_chunk *chunk)
{
	while (chunk) {
		struct arena_chunk *below = chunk->below;

		free(chunk);
		chunk = below;
	}
}

void arena_done(struct arena *arena)
{
	chunks_free(arena->top);
	*arena = (struct arena){0};
}

void arena_reset(struct arena *arena)
{
	if (arena->top) {
		chunks_free(arena->top->below);
		arena->top->below = NULL;
		arena->top->used = 0;
	}
	arena->used_bytes = 0;
}

static void chunk_push(struct arena *arena, size_t len)
{
	size_t cap = arena->top ? arena->top->cap * 2 : ARENA_FIRST_CHUNK_BYTES;
	struct arena_chunk *chunk;

	cap = min_of(cap, (size_t)ARENA_MAX_CHUNK_BYTES);
	cap = max_of(cap, len);
	chunk = malloc(sizeof(*chunk) + cap);
	if (!chunk)
		abort();
	chunk->cap = cap;
	chunk->used = 0;
	chunk->below = arena->top;
	arena->top = chunk;
}

/* Memory as it comes.  It is cleared when it is handed out: most of a short arena's only chunk never is. */
static void *take(struct arena *arena, size_t len)
{
	struct arena_chunk *chunk = arena->top;
	void *out;

	if (len > SIZE_MAX / 4)
		abort();
	len = (len + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (!chunk || chunk->cap - chunk->used < len) {
		chunk_push(arena, len);
		chunk = arena->top;
	}
	out = chunk->data + chunk->used;
	chunk->used += len;
	arena->used_bytes += len;
	return out;
}

void *arena_alloc(struct arena *arena, size_t len)
{
	return memset(take(arena, len), 0, len);
}

void *arena_array(struct arena *arena, size_t n, size_t elem)
{
	size_t len;

	if (__builtin_mul_overflow(n, elem, &len))
		abort();
	return arena_alloc(arena, len);
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
	char *out = take(arena, len + 1);

	if (len)
		memcpy(out, text, len);
	out[len] = '\0';
	return out;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list args, again;
	char *out;
	int len;

	va_start(args, fmt);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, args);
	if (len < 0)
		abort();
	out = take(arena, (size_t)len + 1);
	vsnprintf(out, (size_t)len + 1, fmt, again);
	va_end(again);
	va_end(args);
	return out;
}
