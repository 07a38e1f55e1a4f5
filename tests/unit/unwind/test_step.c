/* SPDX-License-Identifier: Apache-2.0 */
/* One step at a time, over a stack of eight words: rules of every kind, and what each of them needs. */
#include "../unit.h"

#include <string.h>

#include "base/compiler.h"
#include "unwind/step.h"

#define SP 0x1000
#define WORDS 8
#define KNOWN (1ull << 3 | 1ull << 5 | 1ull << 6 | 1ull << 7 | 1ull << 16)

/* Word i is 0x100 + i, but for word 4, which is an address of the stack itself. */
static bool read_word(void *ctx, uint64_t addr, uint64_t *ret_value)
{
	uint64_t i = (addr - SP) / 8;

	(void)ctx;
	if (addr < SP || i >= WORDS || addr % 8)
		return false;
	*ret_value = i == 4 ? SP + 16 : 0x100 + i;
	return true;
}

static struct unwind_regs regs_before(uint64_t known)
{
	struct unwind_regs regs = {.known = known};

	regs.r[3] = 33;
	regs.r[5] = 55;
	regs.r[6] = SP + 32;
	regs.r[7] = SP;
	regs.r[16] = 0x40000c;
	return regs;
}

struct step_case {
	const char *text;
	struct cfi_rule rule;
	uint64_t known;
	enum unwind_stepped outcome;
	uint64_t pc, sp;
};

#define RA_BELOW(off_)                                                                             \
	{                                                                                          \
		.reg = 16, .how = CFI_AT_CFA, .off = off_                                          \
	}

static const struct step_case cases[] = {
	{"rsp + 16",
	 {.cfa = CFI_CFA_REG, .reg = 7, .ra = 16, .off = 16, .n = 1, .items = {RA_BELOW(-8)}},
	 KNOWN,
	 UNWIND_STEPPED,
	 0x101,
	 SP + 16},
	{"rbp + 16, unknown",
	 {.cfa = CFI_CFA_REG, .reg = 6, .ra = 16, .off = 16, .n = 1, .items = {RA_BELOW(-8)}},
	 1ull << 7 | 1ull << 16,
	 UNWIND_NEEDS_REG,
	 0,
	 0},
	{"the address in memory at rbp",
	 {.cfa = CFI_CFA_DEREF, .reg = 6, .ra = 16, .add = 8, .n = 1, .items = {RA_BELOW(-8)}},
	 KNOWN,
	 UNWIND_STEPPED,
	 0x102,
	 SP + 24},
	{"a stub before it pushed",
	 {.cfa = CFI_CFA_PLT,
	  .reg = 7,
	  .ra = 16,
	  .off = 8,
	  .add = 13,
	  .n = 1,
	  .items = {RA_BELOW(-8)}},
	 KNOWN,
	 UNWIND_STEPPED,
	 0x100,
	 SP + 8},
	{"a stub after it pushed",
	 {.cfa = CFI_CFA_PLT,
	  .reg = 7,
	  .ra = 16,
	  .off = 8,
	  .add = 11,
	  .n = 1,
	  .items = {RA_BELOW(-8)}},
	 KNOWN,
	 UNWIND_STEPPED,
	 0x101,
	 SP + 16},
	{"vfork's: the return address in rdi",
	 {.cfa = CFI_CFA_REG,
	  .reg = 7,
	  .ra = 16,
	  .off = 8,
	  .n = 1,
	  .items = {{.reg = 16, .how = CFI_IS_REG, .base = 5}}},
	 KNOWN,
	 UNWIND_STEPPED,
	 55,
	 SP + 8},
	{"nobody called",
	 {.cfa = CFI_CFA_REG,
	  .reg = 7,
	  .ra = 16,
	  .off = 8,
	  .n = 1,
	  .items = {{.reg = 16, .how = CFI_LOST}}},
	 KNOWN,
	 UNWIND_AT_BASE,
	 0,
	 0},
	{"stack that is not there",
	 {.cfa = CFI_CFA_REG, .reg = 7, .ra = 16, .off = 800, .n = 1, .items = {RA_BELOW(-8)}},
	 KNOWN,
	 UNWIND_NEEDS_MEMORY,
	 0,
	 0},
	{"no rule for the frame", {.cfa = CFI_CFA_BAD, .ra = 16}, KNOWN, UNWIND_NEEDS_RULE, 0, 0},
	{"no rule for the return address",
	 {.cfa = CFI_CFA_REG, .reg = 7, .ra = 16, .off = 8},
	 KNOWN,
	 UNWIND_NEEDS_RULE,
	 0,
	 0},
	{"a register that is none",
	 {.cfa = CFI_CFA_REG, .reg = 200, .ra = 16},
	 KNOWN,
	 UNWIND_NEEDS_RULE,
	 0,
	 0},
	{"a signal's frame: the stack pointer from memory",
	 {.cfa = CFI_CFA_REG,
	  .reg = 7,
	  .ra = 16,
	  .flags = CFI_SIGNAL,
	  .off = 64,
	  .n = 2,
	  .items = {{.reg = 7, .how = CFI_AT_REG, .base = 7, .off = 8},
		    {.reg = 16, .how = CFI_AT_REG, .base = 7, .off = 16}}},
	 KNOWN,
	 UNWIND_STEPPED,
	 0x102,
	 0x101},
};

static void each_rule_leads_where_it_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct unwind_regs before = regs_before(cases[i].known), regs = before;

		print_message("%s\n", cases[i].text);
		assert_int_equal(unwind_step(&cases[i].rule, &regs, read_word, NULL),
				 cases[i].outcome);
		if (cases[i].outcome != UNWIND_STEPPED) {
			assert_memory_equal(&regs, &before, sizeof(regs));
			continue;
		}
		assert_int_equal(regs.r[16], cases[i].pc);
		assert_int_equal(regs.r[7], cases[i].sp);
	}
}

static void a_call_keeps_what_the_abi_preserves(void **state)
{
	static const struct cfi_rule rule = {
		.cfa = CFI_CFA_REG, .reg = 7, .ra = 16, .off = 16, .n = 1, .items = {RA_BELOW(-8)}};
	struct unwind_regs regs = regs_before(KNOWN);

	(void)state;
	assert_int_equal(unwind_step(&rule, &regs, read_word, NULL), UNWIND_STEPPED);
	assert_true(unwind_regs_has(&regs, 3));
	assert_int_equal(regs.r[3], 33);
	assert_false(unwind_regs_has(&regs, 5)); /* rdi was the callee's to use */
}

static void a_saved_register_becomes_known(void **state)
{
	static const struct cfi_rule rule = {.cfa = CFI_CFA_REG,
					     .reg = 7,
					     .ra = 16,
					     .off = 24,
					     .n = 3,
					     .items = {{.reg = 6, .how = CFI_AT_CFA, .off = -16},
						       {.reg = 12, .how = CFI_AT_CFA, .off = 4000},
						       RA_BELOW(-8)}};
	struct unwind_regs regs = regs_before(1ull << 7 | 1ull << 12 | 1ull << 16);

	(void)state;
	assert_int_equal(unwind_step(&rule, &regs, read_word, NULL), UNWIND_STEPPED);
	assert_true(unwind_regs_has(&regs, 6));
	assert_int_equal(regs.r[6], 0x101);
	assert_false(
		unwind_regs_has(&regs, 12)); /* its place cannot be read: lost, not the stack */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_leads_where_it_says),
		cmocka_unit_test(a_call_keeps_what_the_abi_preserves),
		cmocka_unit_test(a_saved_register_becomes_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
