/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One rule of unwinding: where the caller's registers are while a function stands at some place.
 *
 * This is what the programs of .eh_frame come down to, without their bytecode: a frame's address (CFA), and
 * for each register that is not what it was a place or a value.  Plain data, without libc, so that what
 * follows a rule also compiles for the kernel.  Registers have their DWARF numbers.
 */
#ifndef ELF_CFI_H
#define ELF_CFI_H

#include <stdint.h>

#if defined(__aarch64__)
#define CFI_REGS 33 /* x0-x30, sp, and the program counter, which no file mentions */
#else
#define CFI_REGS 17 /* the 16 of x86-64 and the return address */
#endif

enum cfi_cfa {
	CFI_CFA_BAD,   /* none, or an expression that is none of these */
	CFI_CFA_REG,   /* reg + off */
	CFI_CFA_DEREF, /* *(reg + off) + add: a realigned stack, a signal's frame */
	CFI_CFA_PLT,   /* reg + off, and 8 more when pc & 15 >= add: the linker's stubs */
};

enum cfi_how {
	CFI_SAME,   /* as it is; never in a rule's list */
	CFI_AT_CFA, /* in memory at CFA + off */
	CFI_AT_REG, /* in memory at base + off */
	CFI_IS_CFA, /* CFA + off itself */
	CFI_IS_REG, /* base + off itself */
	CFI_LOST,   /* undefined; of the return address: nobody called */
	CFI_BAD,    /* an expression that is none of these */
};

struct cfi_item {
	uint8_t reg, how, base, pad;
	int32_t off;
};

enum {
	CFI_SIGNAL = 1
}; /* the frame of a signal handler's return: its caller was interrupted, it called nothing */

struct cfi_rule {
	uint8_t cfa, reg, ra,
		flags; /* enum cfi_cfa; its register; the return address's; CFI_SIGNAL */
	uint8_t n, pad[3];
	int32_t off, add;
	struct cfi_item items[CFI_REGS];
};

#endif
