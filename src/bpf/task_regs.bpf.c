/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's side of task_regs.h: runs once for each thread, in the one who reads the iterator's descriptor.
 */
#include "bpf/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/task_record.h"

#define STATE_WAITS 3 /* TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE */

/* Set before loading. */
const volatile int wanted_tgid = 0; /* as the namespace of the one who reads numbers it */
const volatile int with_kernel = 0;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct task_record));
} scratch SEC(".maps");

/* A task has a number in each namespace from the first one down to its own. */
static int number_at(struct pid *pid, __u32 level)
{
	const void *numbers = (const void *)pid + bpf_core_field_offset(pid->numbers);
	int nr = 0;

	if (level > BPF_CORE_READ(pid, level))
		return 0; /* of a namespace above ours: it cannot be named */
	bpf_probe_read_kernel(&nr, sizeof(nr), numbers + level * bpf_core_type_size(struct upid));
	return nr;
}

static void take_regs(struct task_struct *task, struct task_record *record)
{
	const struct pt_regs *regs = (const struct pt_regs *)bpf_task_pt_regs(task);

	if (!regs)
		return;
	record->regs[0] = regs->ax;
	record->regs[1] = regs->dx;
	record->regs[2] = regs->cx;
	record->regs[3] = regs->bx;
	record->regs[4] = regs->si;
	record->regs[5] = regs->di;
	record->regs[6] = regs->bp;
	record->regs[7] = regs->sp;
	record->regs[8] = regs->r8;
	record->regs[9] = regs->r9;
	record->regs[10] = regs->r10;
	record->regs[11] = regs->r11;
	record->regs[12] = regs->r12;
	record->regs[13] = regs->r13;
	record->regs[14] = regs->r14;
	record->regs[15] = regs->r15;
	record->regs[16] = regs->ip;
	record->flags |= TASK_HAS_REGS;
}

SEC("iter/task")
int tell_thread(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task, *reader = bpf_get_current_task_btf();
	__u32 zero = 0, level;
	struct task_record *record;
	long len;

	if (!task || !task->mm)
		return 0;
	level = BPF_CORE_READ(reader, thread_pid, level);
	if (number_at(BPF_CORE_READ(task, group_leader, thread_pid), level) != wanted_tgid)
		return 0;
	record = bpf_map_lookup_elem(&scratch, &zero);
	if (!record)
		return 0;
	record->tid = number_at(task->thread_pid, level);
	record->state = task->__state;
	record->switches = task->nvcsw + task->nivcsw;
	record->flags = (record->state & STATE_WAITS) && !task->on_cpu ? TASK_ASLEEP : 0;
	record->n_kernel = 0;
	take_regs(task, record);
	if (with_kernel && (record->flags & TASK_ASLEEP)) {
		len = bpf_get_task_stack(task, record->kernel, sizeof(record->kernel), 0);
		record->n_kernel = len > 0 ? (__u32)len / sizeof(record->kernel[0]) : 0;
	}
	bpf_seq_write(ctx->meta->seq, record, sizeof(*record));
	return 0;
}

/* bpf_get_task_stack() and the reads above are for programs under a licence that the kernel shares. */
char licence[] SEC("license") = "Dual BSD/GPL";
