/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step: from the registers in a function and its rule to the registers in its caller.
 *
 * Pure: no libc, no allocation, no recursion, every loop bounded by a constant, so that the same lines
 * compile for the kernel.  Memory comes through a function of the caller's; a compiler that sees which
 * one puts it in place.
 */
#ifndef UNWIND_STEP_H
#define UNWIND_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "elf/cfi.h"
#include "unwind/regs.h"

enum unwind_stepped {
	UNWIND_STEPPED,
	UNWIND_AT_BASE,	  /* the return address is undefined: nobody called */
	UNWIND_NEEDS_REG, /* that is not known */
	UNWIND_NEEDS_MEMORY,
	UNWIND_NEEDS_RULE, /* CFI_CFA_BAD or CFI_BAD where it matters */
};

/* Eight bytes of the thread's stack; false: cannot be read. */
typedef bool unwind_read_fn(void *ctx, uint64_t addr, uint64_t *ret_value);

#if defined(__aarch64__)
/* x19 to x29 and the stack: what a call leaves as it was. */
#define UNWIND_PRESERVED (0x7ffull << 19 | 1ull << UNWIND_SP)
/* A signed return address has its signature where a user's address has zeros. */
#define UNWIND_ADDRESS_MASK ((1ull << 48) - 1)
#else
#define UNWIND_PRESERVED (1ull << UNWIND_RBX | 1ull << UNWIND_FP | 0xfull << 12)
#define UNWIND_ADDRESS_MASK UINT64_MAX
#endif

static inline enum unwind_stepped unwind_cfa(const struct cfi_rule *rule,
					     const struct unwind_regs *regs, unwind_read_fn *read,
					     void *ctx, uint64_t *ret_cfa)
{
	uint64_t value;

	if (rule->cfa == CFI_CFA_BAD || rule->reg >= UNWIND_REGS)
		return UNWIND_NEEDS_RULE;
	if (!unwind_regs_has(regs, rule->reg))
		return UNWIND_NEEDS_REG;
	value = regs->r[rule->reg] + (uint64_t)(int64_t)rule->off;
	if (rule->cfa == CFI_CFA_DEREF) {
		if (!read(ctx, value, &value))
			return UNWIND_NEEDS_MEMORY;
		value += (uint64_t)(int64_t)rule->add;
	} else if (rule->cfa == CFI_CFA_PLT) {
		value += (regs->r[UNWIND_PC] & 15) >= (uint64_t)rule->add ? 8 : 0;
	}
	*ret_cfa = value;
	return UNWIND_STEPPED;
}

/* The caller's value of one register; it is lost where the result is not UNWIND_STEPPED. */
static inline enum unwind_stepped unwind_item(const struct cfi_item *item,
					      const struct unwind_regs *regs, uint64_t cfa,
					      unwind_read_fn *read, void *ctx, uint64_t *ret_value)
{
	uint64_t base = cfa;

	if (item->how == CFI_BAD || item->base >= UNWIND_REGS)
		return UNWIND_NEEDS_RULE;
	if (item->how == CFI_AT_REG || item->how == CFI_IS_REG) {
		if (!unwind_regs_has(regs, item->base))
			return UNWIND_NEEDS_REG;
		base = regs->r[item->base];
	}
	base += (uint64_t)(int64_t)item->off;
	if (item->how == CFI_AT_CFA || item->how == CFI_AT_REG)
		return read(ctx, base, ret_value) ? UNWIND_STEPPED : UNWIND_NEEDS_MEMORY;
	*ret_value = base;
	return UNWIND_STEPPED;
}

/*
 * With the frame's address known (unwind_cfa(), or found otherwise): `regs` become the caller's.  On any
 * other result than UNWIND_STEPPED they are as they were.
 */
static inline enum unwind_stepped unwind_step_from(const struct cfi_rule *rule,
						   struct unwind_regs *regs, uint64_t cfa,
						   unwind_read_fn *read, void *ctx)
{
	struct unwind_regs next = *regs;
	bool has_ra = false;

	if (!(rule->flags & CFI_SIGNAL))
		next.known &= UNWIND_PRESERVED | 1ull << rule->ra;
	unwind_regs_set(&next, UNWIND_SP, cfa);
	for (unsigned i = 0; i < CFI_REGS; i++) {
		if (i >= rule->n)
			break;
		const struct cfi_item *item = &rule->items[i];
		enum unwind_stepped done;
		uint64_t value;

		if (item->reg >= UNWIND_REGS)
			continue;
		next.known &= ~(1ull << item->reg);
		if (item->how == CFI_LOST) {
			if (item->reg == rule->ra)
				return UNWIND_AT_BASE;
			continue;
		}
		done = unwind_item(item, regs, cfa, read, ctx, &value);
		if (done == UNWIND_STEPPED)
			unwind_regs_set(&next, item->reg, value);
		else if (item->reg == rule->ra || item->reg == UNWIND_SP)
			return done;
		has_ra |= item->reg == rule->ra;
	}
	if (!unwind_regs_has(&next, rule->ra) || (!has_ra && rule->ra == UNWIND_PC))
		return UNWIND_NEEDS_RULE; /* the program counter itself is nobody's return address */
	unwind_regs_set(&next, UNWIND_PC, next.r[rule->ra] & UNWIND_ADDRESS_MASK);
	if (rule->ra != UNWIND_PC && !(rule->flags & CFI_SIGNAL))
		next.known &= ~(1ull << rule->ra);
	*regs = next;
	return UNWIND_STEPPED;
}

static inline enum unwind_stepped unwind_step(const struct cfi_rule *rule, struct unwind_regs *regs,
					      unwind_read_fn *read, void *ctx)
{
	uint64_t cfa = 0;
	enum unwind_stepped done = unwind_cfa(rule, regs, read, ctx, &cfa);

	/* Only then is the return address asked for: _start has no frame that could be followed. */
	if (done != UNWIND_STEPPED)
		return done;
	return unwind_step_from(rule, regs, cfa, read, ctx);
}

#endif
