/* SPDX-License-Identifier: Apache-2.0 */
/* The processes whose JIT code has names in files: each with its code, its files, and what it cost to look. */
#ifndef SYMBOL_PROCESSES_H
#define SYMBOL_PROCESSES_H

#include <sys/types.h>

#include "base/map.h"
#include "symbol/jit.h"

#define PROCESSES_MAX 4096
#define PROCESSES_LOOK_NS (100 * 1000000ll) /* files that may have grown are looked at so often */
/* Files that a process may yet make; who has none after that gets none. */
#define PROCESSES_FIND_NS (2000 * 1000000ll)

struct jit_process {
	uint32_t id;
	pid_t pid; /* 0: files were given */
	struct jit_code *code;
	struct jit_file map, dump;
	int64_t next_look_ns, next_find_ns;
	struct map64 memo; /* nodes with JIT code: valid until its names change */
};

struct processes {
	struct jit_process *items; /* 0: stands for all that nobody has added */
	size_t n, cap;
	struct map64 by_id;
};

void processes_init(struct processes *processes);
void processes_done(struct processes *processes);
/* Valid until the next process is added. */
struct jit_process *processes_add(struct processes *processes, uint32_t id, pid_t pid);
struct jit_process *processes_get(struct processes *processes, uint32_t id);

/* Read on in the process's files when it is time to. */
void jit_process_look(struct jit_process *process);

#endif
