/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of a thread, each known or not.  Plain data without libc: it also compiles for the kernel. */
#ifndef UNWIND_REGS_H
#define UNWIND_REGS_H

#include <stdbool.h>
#include <stdint.h>

/* Registers by their DWARF numbers.  The program counter is the column of the return address. */
#if defined(__aarch64__)
enum { UNWIND_FP = 29, UNWIND_LR = 30, UNWIND_SP = 31, UNWIND_PC = 32, UNWIND_REGS = 33 };
#else
enum {
	UNWIND_RAX = 0,
	UNWIND_RDX = 1,
	UNWIND_RCX = 2,
	UNWIND_RBX = 3,
	UNWIND_RSI = 4,
	UNWIND_RDI = 5,
	UNWIND_FP = 6, /* rbp */
	UNWIND_SP = 7, /* rsp; 8 to 15 are r8 to r15 */
	UNWIND_PC = 16,
	UNWIND_REGS = 17,
};
#endif

struct unwind_regs {
	uint64_t r[UNWIND_REGS];
	uint64_t known; /* bit i: r[i] holds the thread's value.  SP and PC must be known */
};

static inline void unwind_regs_set(struct unwind_regs *regs, unsigned number, uint64_t value)
{
	regs->r[number] = value;
	regs->known |= 1ull << number;
}

static inline bool unwind_regs_has(const struct unwind_regs *regs, unsigned number)
{
	return (regs->known >> number & 1) != 0;
}

#endif
