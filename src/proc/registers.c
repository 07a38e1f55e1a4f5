/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/registers_private.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/*
 * Of the kernel, not in its public headers (linux/errno.h): "start this call again, unless a handler
 * runs; then it returns EINTR".  Unlike ERESTARTSYS it does not care about SA_RESTART, which is right:
 * the calls that return a plain EINTR (epoll_wait, receives with a timeout, semop …) do not either.
 */
#define ERESTARTNOHAND 514

int registers_get(pid_t tid, struct registers *ret_registers)
{
	struct iovec space = {.iov_base = &ret_registers->raw,
			      .iov_len = sizeof(ret_registers->raw)};

	if (ptrace(PTRACE_GETREGSET, tid, (void *)(uintptr_t)NT_PRSTATUS, &space) < 0)
		return -errno;
	return 0;
}

static int registers_set(pid_t tid, const struct registers *registers)
{
	struct iovec space = {.iov_base = (void *)(uintptr_t)&registers->raw,
			      .iov_len = sizeof(registers->raw)};

	if (ptrace(PTRACE_SETREGSET, tid, (void *)(uintptr_t)NT_PRSTATUS, &space) < 0)
		return -errno;
	return 0;
}

bool registers_are_equal(const struct registers *a, const struct registers *b)
{
	return !memcmp(&a->raw, &b->raw, sizeof(a->raw));
}

#if defined(__x86_64__)

#define CODE_SEGMENT_64 0x33 /* cs of 64-bit user mode; 32-bit programs have other call numbers */

uint64_t registers_pc(const struct registers *registers)
{
	return registers->raw.rip;
}

uint64_t registers_sp(const struct registers *registers)
{
	return registers->raw.rsp;
}

uint64_t registers_fp(const struct registers *registers)
{
	return registers->raw.rbp;
}

uint64_t registers_tls(const struct registers *registers)
{
	return registers->raw.fs_base;
}

void registers_all(const struct registers *registers, uint64_t ret_all[PAUSE_REGS])
{
	const struct user_regs_struct *raw = &registers->raw;
	const uint64_t all[PAUSE_REGS] = {
		raw->rax, raw->rdx, raw->rcx, raw->rbx, raw->rsi, raw->rdi,
		raw->rbp, raw->rsp, raw->r8,  raw->r9,	raw->r10, raw->r11,
		raw->r12, raw->r13, raw->r14, raw->r15, raw->rip,
	};

	memcpy(ret_all, all, sizeof(all));
}

int64_t registers_syscall(const struct registers *registers)
{
	return (int64_t)registers->raw.orig_rax;
}

static int64_t syscall_result(const struct registers *registers)
{
	return (int64_t)registers->raw.rax;
}

static void set_syscall_result(struct registers *registers, int64_t value)
{
	registers->raw.rax = (uint64_t)value;
}

static bool is_repairable(const struct registers *registers)
{
	return registers->raw.cs == CODE_SEGMENT_64;
}

#elif defined(__aarch64__)

uint64_t registers_pc(const struct registers *registers)
{
	return registers->raw.pc;
}

uint64_t registers_sp(const struct registers *registers)
{
	return registers->raw.sp;
}

uint64_t registers_fp(const struct registers *registers)
{
	return registers->raw.regs[29];
}

/* tpidr_el0 is in a set of its own, which would cost another call in the pause. */
uint64_t registers_tls(const struct registers *registers)
{
	(void)registers;
	return 0;
}

void registers_all(const struct registers *registers, uint64_t ret_all[PAUSE_REGS])
{
	memcpy(ret_all, registers->raw.regs, 31 * sizeof(ret_all[0]));
	ret_all[31] = registers->raw.sp;
	ret_all[32] = registers->raw.pc;
}

/* The kernel forgets the number before it stops (arch/arm64/kernel/signal.c, do_signal()). */
int64_t registers_syscall(const struct registers *registers)
{
	(void)registers;
	return -1;
}

/* And with it how the call could be started again: what returns EINTR by itself returns it. */
static int64_t syscall_result(const struct registers *registers)
{
	return (int64_t)registers->raw.regs[0];
}

static void set_syscall_result(struct registers *registers, int64_t value)
{
	registers->raw.regs[0] = (uint64_t)value;
}

static bool is_repairable(const struct registers *registers)
{
	(void)registers;
	return false;
}

#else
#error "registers.c knows x86-64 and aarch64 only"
#endif

void registers_tell(const struct registers *registers, struct pause_regs *ret_regs)
{
	*ret_regs = (struct pause_regs){
		.pc = registers_pc(registers),
		.sp = registers_sp(registers),
		.fp = registers_fp(registers),
		.tls = registers_tls(registers),
		.syscall = registers_syscall(registers),
	};
	registers_all(registers, ret_regs->all);
}

int registers_repair_eintr(pid_t tid, struct registers *registers)
{
	int64_t number = registers_syscall(registers);

	/* close() that was interrupted has closed: a second one would hit somebody else's descriptor. */
	if (number < 0 || number == SYS_close || syscall_result(registers) != -EINTR ||
	    !is_repairable(registers))
		return 0;
	set_syscall_result(registers, -ERESTARTNOHAND);
	return registers_set(tid, registers) < 0 ? -ESRCH : 1;
}
