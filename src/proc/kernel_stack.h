/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in the kernel a thread waits, as /proc tells it to who may see it: by name, since /proc/PID/task/TID/stack
 * has names.  CAP_SYS_ADMIN; a thread that runs has none.
 */
#ifndef PROC_KERNEL_STACK_H
#define PROC_KERNEL_STACK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define KERNEL_STACK_FRAMES 64
#define KERNEL_NAME_MAX 128

struct kernel_place {
	char name[KERNEL_NAME_MAX];   /* printable */
	char module[KERNEL_NAME_MAX]; /* "" for the kernel itself */
};

struct kernel_stack {
	struct kernel_place frames[KERNEL_STACK_FRAMES]; /* innermost first */
	size_t n;
};

/* -EPERM, -ESRCH; n is 0 for a thread that runs. */
int kernel_stack_read(pid_t pid, pid_t tid, struct kernel_stack *ret_stack) nodiscard;
/* From the text of that file: "[<0>] futex_wait+0x6b/0xb0 [module]" a line. */
void kernel_stack_parse(const char *text, struct kernel_stack *ret_stack);
/* May we?  Tries it on ourselves. */
int kernel_stack_check(struct err *err) nodiscard;

#endif
