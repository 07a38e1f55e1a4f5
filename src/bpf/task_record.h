/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kernel's side (task_regs.bpf.c) tells of a thread: the record that both sides know. */
#ifndef BPF_TASK_RECORD_H
#define BPF_TASK_RECORD_H

#ifndef __bpf__
#include <stdint.h>
#endif

#define TASK_REGS_MAX 17 /* x86-64: by their DWARF numbers, 16 is the program counter */
#define TASK_KERNEL_MAX 48

enum task_record_flags {
	TASK_ASLEEP = 1, /* waits in the kernel: its registers are those it entered with */
	TASK_HAS_REGS = 2,
};

struct task_record {
	int32_t tid;
	uint32_t flags;
	uint32_t n_kernel;
	uint32_t state;	   /* TASK_* of the kernel */
	uint64_t switches; /* how often it was taken off a CPU: equal means that it has not run */
	uint64_t regs[TASK_REGS_MAX];
	uint64_t kernel[TASK_KERNEL_MAX]; /* innermost first; n_kernel of them */
};

#endif
