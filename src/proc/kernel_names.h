/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's functions by address, from /proc/kallsyms: what kernel stacks are named by.
 *
 * Who may not see addresses (kernel.kptr_restrict, no CAP_SYSLOG) gets a list of zeros: that is -EPERM here.  Reads
 * the list once (200,000 functions, 30 ms, 8 MB); modules that are loaded later are not in it.  Belongs to nobody in
 * particular: nothing changes after kernel_names_read().
 */
#ifndef PROC_KERNEL_NAMES_H
#define PROC_KERNEL_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define KERNEL_NAMES_MAX (1u << 20)
#define KERNEL_NAMES_MAX_BYTES (64u << 20)

struct kernel_names;

struct kernel_function {
	uint64_t start, end;	   /* the next one's start */
	const char *name, *module; /* "" for the kernel itself; borrowed */
};

int kernel_names_read(struct kernel_names **ret_names, struct err *err) nodiscard;
/* The same from the text of such a list. */
int kernel_names_parse(const char *text, size_t len, struct kernel_names **ret_names,
		       struct err *err) nodiscard;
void kernel_names_free(struct kernel_names *names); /* NULL is fine */

/* May we see them?  Reads the first of the list. */
int kernel_names_check(struct err *err) nodiscard;

/* The function around an address; -ENOENT. */
int kernel_names_find(const struct kernel_names *names, uint64_t addr,
		      struct kernel_function *ret_function) nodiscard;
/* The first function of that name; -ENOENT. */
int kernel_names_lookup(const struct kernel_names *names, const char *name,
			struct kernel_function *ret_function) nodiscard;

#endif
