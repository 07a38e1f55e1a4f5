/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled for BPF by the tests and never run: the step has to stay plain enough for the kernel. */
#include "unwind/step.h"

#define HELPER_PROBE_READ_USER 112

static bool read_user(void *ctx, uint64_t addr, uint64_t *ret_value)
{
	long (*probe)(void *, unsigned, const void *) = (void *)HELPER_PROBE_READ_USER;

	(void)ctx;
	return probe(ret_value, sizeof(*ret_value), (const void *)addr) == 0;
}

struct scratch {
	struct unwind_regs regs;
	struct cfi_rule rule;
};

int step(struct scratch *scratch);

int step(struct scratch *scratch)
{
	return unwind_step(&scratch->rule, &scratch->regs, read_user, scratch);
}
