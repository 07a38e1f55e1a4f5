/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/native_stack.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/vec.h"

/* Between `leave` and `ret` the caller's frame pointer is what lies below the stack pointer, say gcc's tables. */
#define RED_ZONE_BYTES 128
/* Beyond the last word that unwinding has read: a frame's saved registers may lie a little further in the next sample. */
#define TOP_MARGIN_BYTES 256
#define PAGE_BYTES 4096
/* Of a handler's stack; larger ones are not believed. */
#define OWN_MAX_BYTES (64ull << 20)

/* In the frame that the kernel makes for a handler, from the word that tells where its stack begins (ss_sp) on. */
#define OWN_SIZE_WORDS 2
#if defined(__aarch64__)
#define OWN_SP_WORDS 52
#else
#define OWN_SP_WORDS 18
#endif

void native_stack_init(struct native_stack *stack)
{
	*stack = (struct native_stack){
		.bytes = xcalloc(NATIVE_MAX_COPY, 1),
		.more = xcalloc(NATIVE_MAX_HALF + NATIVE_MAX_OUTER, 1),
	};
}

void native_stack_done(struct native_stack *stack)
{
	free(stack->bytes);
	free(stack->more);
}

void native_stack_forget(struct native_stack *stack)
{
	stack->n = stack->n_more = 0;
	stack->end = stack->after_at = 0;
	stack->is_cut = false;
}

/* ---- where a stack ends ---- */

static struct native_base *base_of(struct native_stack *stack, uint64_t tls)
{
	return &stack->bases[(tls >> 6 ^ tls >> 14 ^ tls >> 22) % NATIVE_BASES];
}

/*
 * From glibc 2.42 on guard pages are part of the mapping (MADV_GUARD_INSTALL) and the stacks of
 * neighbouring threads are one mapping: what ends a stack is the thread's own area, which lies at its top.
 */
static raddr_t end_of(struct native_stack *stack, const struct mapping *mapping, raddr_t sp)
{
	const struct native_base *base = base_of(stack, stack->tls);
	raddr_t end = mapping->end;

	if (stack->tls > sp)
		end = min_of(end, (raddr_t)(stack->tls | (PAGE_BYTES - 1)) + 1);
	if (stack->tls && base->tls == stack->tls && base->top > sp)
		end = min_of(end, base->top);
	return end;
}

/* Not the stack that the thread was made with: a handler's, or a coroutine's. */
static bool is_elsewhere(const struct mapping *mapping, raddr_t sp, uint64_t tls)
{
	return tls && strcmp(mapping->path, "[stack]") != 0 && !(tls > sp && tls < mapping->end);
}

bool native_stack_aim(struct native_stack *stack, const struct maps *maps, raddr_t sp, uint64_t tls,
		      struct mem_span *ret_span)
{
	raddr_t at = sp - RED_ZONE_BYTES;
	const struct mapping *mapping = maps_find(maps, at);

	native_stack_forget(stack);
	if (!mapping) {
		at = sp;
		mapping = maps_find(maps, at);
	}
	if (!mapping)
		return false;
	stack->tls = tls;
	stack->at = at;
	stack->end = end_of(stack, mapping, sp);
	stack->is_elsewhere = is_elsewhere(mapping, sp, tls);
	uint64_t most = stack->is_elsewhere ? NATIVE_MAX_HALF : NATIVE_MAX_COPY;
	*ret_span = (struct mem_span){
		.addr = at, .into = stack->bytes, .len = (size_t)min_of(stack->end - at, most)};
	return true;
}

/* ---- a handler on a stack of its own ---- */

static uint64_t word_at(const struct native_stack *stack, size_t at)
{
	uint64_t word;

	memcpy(&word, stack->bytes + at, sizeof(word));
	return word;
}

/* Do the words at `at` tell of a stack that they lie on, together with all from the stack pointer to there? */
static bool tells_own_stack(const struct native_stack *stack, size_t at)
{
	uint64_t begin = word_at(stack, at);
	uint64_t size = word_at(stack, at + OWN_SIZE_WORDS * sizeof(uint64_t));

	return begin <= stack->at && size <= OWN_MAX_BYTES && stack->at + at - begin < size;
}

/* The stack pointer of what the handler interrupted; 0: there is none. */
static raddr_t find_interrupted(const struct native_stack *stack, const struct maps *maps)
{
	size_t reach = (OWN_SP_WORDS + 1) * sizeof(uint64_t);

	for (size_t at = stack->at & 7 ? 8 - (stack->at & 7) : 0; at + reach <= stack->n; at += 8) {
		if (!tells_own_stack(stack, at))
			continue;
		raddr_t sp = word_at(stack, at + OWN_SP_WORDS * sizeof(uint64_t));
		raddr_t begin = word_at(stack, at);
		raddr_t size = word_at(stack, at + OWN_SIZE_WORDS * sizeof(uint64_t));

		/* Else the handler was itself interrupted on its stack: the first one lies further up. */
		if (sp - begin >= size && maps_find(maps, sp))
			return sp;
	}
	return 0;
}

static void read_interrupted(struct native_stack *stack, struct memory *memory,
			     const struct maps *maps)
{
	raddr_t sp = find_interrupted(stack, maps), at = sp - RED_ZONE_BYTES;
	const struct mapping *mapping = sp ? maps_find(maps, at) : NULL;

	if (!mapping)
		return;
	raddr_t end = end_of(stack, mapping, sp);
	size_t len = (size_t)min_of(end - at, (raddr_t)(NATIVE_MAX_COPY - stack->n));

	len = min_of(len, (size_t)NATIVE_MAX_HALF);
	memory_budget_set(memory, 1, NATIVE_MAX_COPY);
	if (memory_read(memory, at, stack->more, len) < 0)
		return;
	stack->more_at = at;
	stack->n_more = len;
	stack->end = end;
}

void native_stack_hold(struct native_stack *stack, struct memory *memory, const struct maps *maps,
		       const struct mem_span *span)
{
	stack->n = span->ok ? span->len : 0;
	if (stack->n && stack->is_elsewhere)
		read_interrupted(stack, memory, maps);
	stack->is_cut = (stack->n_more ? stack->more_at + stack->n_more : stack->at + stack->n) <
			stack->end;
	if (stack->is_cut)
		stack->held_ns = clock_monotonic_ns();
}

/* ---- what is larger ---- */

void native_stack_follow(struct native_stack *stack, struct memory *memory)
{
	bool has_more = stack->n_more > 0;
	raddr_t from = has_more ? stack->more_at + stack->n_more : stack->at + stack->n;
	size_t held = has_more ? stack->n_more : stack->n;
	const uint8_t *last = (has_more ? stack->more : stack->bytes) + held - NATIVE_OVERLAP;

	if (from >= stack->end || held < NATIVE_OVERLAP)
		return;
	struct mem_span spans[] = {
		{.addr = from - NATIVE_OVERLAP, .into = stack->overlap, .len = NATIVE_OVERLAP},
		{.addr = from,
		 .into = stack->more + stack->n_more,
		 .len = (size_t)min_of(stack->end - from, (raddr_t)NATIVE_MAX_OUTER)},
	};

	stack->end = 0; /* once */
	memory_budget_set(memory, array_len(spans), NATIVE_OVERLAP + NATIVE_MAX_OUTER);
	if (memory_readv(memory, spans, array_len(spans)) != (int)array_len(spans) ||
	    memcmp(stack->overlap, last, NATIVE_OVERLAP) != 0 ||
	    clock_monotonic_ns() - stack->held_ns > NATIVE_FOLLOW_NS)
		return;
	if (!has_more)
		stack->more_at = from;
	stack->n_more += spans[1].len;
	stack->after_at = from;
}

void native_stack_read(struct native_stack *stack, struct memory *memory, const struct maps *maps,
		       raddr_t sp)
{
	const struct mapping *mapping = maps_find(maps, sp);
	size_t len = mapping ? (size_t)min_of(mapping->end - sp, (raddr_t)NATIVE_MAX_COPY) : 0;

	native_stack_forget(stack);
	stack->tls = 0;
	stack->at = sp;
	if (len && memory_read(memory, sp, stack->bytes, len) == 0)
		stack->n = len;
}

/* ---- unwinding it ---- */

struct unwind_stack native_stack_view(const struct native_stack *stack)
{
	return (struct unwind_stack){
		.sp = stack->at,
		.bytes = stack->bytes,
		.len = stack->n,
		.more_at = stack->more_at,
		.more = stack->more,
		.more_len = stack->n_more,
	};
}

bool native_stack_learn(struct native_stack *stack, raddr_t top)
{
	if (stack->tls)
		*base_of(stack, stack->tls) = (struct native_base){
			.tls = stack->tls, .top = (top + TOP_MARGIN_BYTES + 7) & ~(raddr_t)7};
	return stack->after_at && top > stack->after_at &&
	       top - stack->more_at <= stack->n_more + TOP_MARGIN_BYTES;
}

void native_stack_unlearn(struct native_stack *stack)
{
	if (stack->tls)
		*base_of(stack, stack->tls) = (struct native_base){0};
}
