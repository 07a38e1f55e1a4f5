/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of core files share: headers and notes (core.c), memory (core_memory.c). */
#ifndef PROC_CORE_PRIVATE_H
#define PROC_CORE_PRIVATE_H

#include "proc/core.h"
#include "proc/registers_private.h"

struct core_segment {
	raddr_t start, end;
	uint64_t in_core;   /* bytes from its start that the core has */
	uint64_t at;	    /* where, in the core */
	uint32_t file;	    /* index + 1; 0: not of a file */
	uint64_t file_from; /* where its start is in the file */
	uint8_t perms;	    /* MAPPING_* */
};

/* A mapping as the list of files has it. */
struct core_mapped {
	raddr_t start, end;
	uint64_t from; /* in the file */
	uint32_t file; /* index */
};

struct core_file {
	const char *path; /* as in the core; in core.notes */
	int fd;		  /* -1: not opened yet, -2: cannot be used */
	raddr_t head;	  /* address of its first page, if that is mapped */
	bool has_head;
};

struct core {
	struct memory memory; /* first: core_memory.c comes from it to the core */
	int fd;
	struct core_segment *segments; /* rising, without overlap */
	size_t n_segments, segments_cap;
	struct core_file *files;
	size_t n_files, files_cap;
	struct core_mapped *mapped; /* rising, without overlap */
	size_t n_mapped, mapped_cap;
	char *notes;
	size_t notes_len, notes_cap;
	pid_t pid;
	pid_t *threads;
	struct registers *regs; /* of each thread */
	size_t n_threads, threads_cap, regs_cap;
	raddr_t vdso; /* where the kernel put its own code; 0: not told */
	struct maps maps;
	char command[CORE_COMMAND_MAX];
};

extern const struct memory_ops core_memory_ops;
/* All `len` bytes at `at`; -EFAULT past the file's end. */
int core_pread(int fd, void *into, size_t len, uint64_t at) nodiscard;
/* How a program or library wants that place of it mapped (MAPPING_*): what gcore leaves out has no header that says so. */
uint8_t core_file_perms(struct core *core, uint32_t index, uint64_t from) nodiscard;
/* The open file, checked, or negative. */
int core_file_fd(struct core *core, uint32_t index) nodiscard;

#endif
