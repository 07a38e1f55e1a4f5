/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random profiles beside a plain list of the stacks they were made of.  What the module computes
 * with passes over a tree is computed here stack by stack, the way a person would count it.
 */
#ifndef TESTS_UNIT_PROFILE_ORACLE_H
#define TESTS_UNIT_PROFILE_ORACLE_H

#include <string.h>

#include "base/buf.h"
#include "profile/profile.h"
#include "unit.h"

#define ORACLE_DEPTH 10
#define ORACLE_STACKS 60
#define ORACLE_FUNCS 7
#define ORACLE_LINES 3

struct oracle_stack {
	struct frame_id frames[ORACLE_DEPTH];
	size_t depth;
	int64_t value;
};

struct oracle {
	struct oracle_stack stacks[ORACLE_STACKS];
	size_t n;
};

/* xorshift64: the same trees in every run. */
uint64_t oracle_random(uint64_t *seed);

/* Frame `line` of function `func`; functions 0 and 1 are markers, 5 and 6 native. */
struct frame_id oracle_frame(struct names *names, uint32_t func, uint32_t line);
/* Fill column "cpu"/"nanoseconds" (index 0) and the list with the same random stacks. */
void oracle_fill(uint64_t *seed, struct profile *profile, struct oracle *oracle);

bool oracle_stack_has_func(const struct names *names, const struct oracle_stack *stack,
			   struct func_id func);
int64_t oracle_sum(const struct oracle *oracle);

/*
 * Every node with a value as a line "a:1;b:2 10 20" (one number per column), sorted: equal for
 * profiles that differ in numbering only.  Call free().
 */
char *profile_as_text(const struct profile *profile);

/* Changes the stack in place; false: it is left out. */
typedef bool oracle_change_fn(struct names *names, struct oracle_stack *stack, void *ctx);
typedef void oracle_transform_fn(const struct profile *from, void *ctx, struct profile *into);
/* The transformed profile equals one that is made of the changed stacks, over many random ones. */
void oracle_check_transform(oracle_transform_fn *transform, oracle_change_fn *change, void *ctx);

#endif
