/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers of a stopped tracee: the only part of the pause that knows the processor.
 * A new architecture is one more branch in registers.c.
 */
#ifndef PROC_REGISTERS_PRIVATE_H
#define PROC_REGISTERS_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/compiler.h"
#include "proc/pause.h"

/* e_machine of a core file whose registers these are. */
#if defined(__aarch64__)
#define REGISTERS_MACHINE EM_AARCH64
#else
#define REGISTERS_MACHINE EM_X86_64
#endif

struct registers {
	struct user_regs_struct raw;
};

/* 0, or -ESRCH when the tracee is not (any more) in a ptrace stop. */
int registers_get(pid_t tid, struct registers *ret_registers) nodiscard;

uint64_t registers_pc(const struct registers *registers);
uint64_t registers_sp(const struct registers *registers);
uint64_t registers_fp(const struct registers *registers);
uint64_t registers_tls(const struct registers *registers);
/* As pause_regs.all has them. */
void registers_all(const struct registers *registers, uint64_t ret_all[PAUSE_REGS]);
void registers_tell(const struct registers *registers, struct pause_regs *ret_regs);
bool registers_are_equal(const struct registers *a, const struct registers *b);
/* Number of the system call that the tracee was stopped in, -1: none. */
int64_t registers_syscall(const struct registers *registers);

/*
 * A system call that is about to return EINTR is made to start again instead, unless a handler of the
 * target runs first: then it returns EINTR, as it would have without us.  Returns whether that was
 * needed; -ESRCH when the tracee is gone.
 */
int registers_repair_eintr(pid_t tid, struct registers *registers) nodiscard;

#endif
