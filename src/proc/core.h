/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Core files: the memory of a process that has ended, with the interface of a live one.
 *
 * A core holds what the process had written to; of files that were mapped it mostly has only the first page, so
 * their bytes come from the files themselves, by the paths that the core names.  A file whose first page is not
 * the one in the core has been replaced since, and is not used.
 *
 * The file is hostile: headers, notes, counts and offsets are compared with limits before they are used, and what
 * does not fit is ERR_CORRUPT with the reason.  ELF, 64-bit, of our own kind of processor, as the kernel (SIGABRT …) and gdb's gcore write
 * it.  One thread uses a struct core.
 */
#ifndef PROC_CORE_H
#define PROC_CORE_H

#include "base/err.h"
#include "proc/maps.h"
#include "proc/memory.h"
#include "proc/pause.h"

#define CORE_MAX_SEGMENTS 131072u
#define CORE_MAX_NOTES (64u << 20) /* bytes */
#define CORE_MAX_THREADS 32768u
#define CORE_MAX_FILES 4096u /* that were mapped, by name */
#define CORE_COMMAND_MAX 128

struct core;

/* Takes the descriptor over, also on failure. */
int core_open(int fd, struct core **ret_core, struct err *err) nodiscard;
void core_free(struct core *core); /* NULL is fine */

/* Borrowed until core_free(), as all that follows. */
struct memory *core_memory(struct core *core);
/* What was mapped.  Inodes and devices are made up: equal for equal paths. */
const struct maps *core_maps(const struct core *core);
/* The file behind a mapping, checked as above; a descriptor of the caller's.  `ctx` is the core. */
int core_open_file(void *ctx, const struct mapping *mapping, struct err *err) nodiscard;

/* As the process numbered them itself; 0 where the core does not say. */
pid_t core_pid(const struct core *core);
/* Its threads, the one that got the signal first. */
const pid_t *core_threads(const struct core *core, size_t *ret_n);
/* The registers that a thread of that list had; its floating point ones are not told. */
int core_regs(const struct core *core, size_t i, struct pause_regs *ret_regs) nodiscard;
/* The start of its command line, printable; "" where the core does not say. */
const char *core_command(const struct core *core);

#endif
