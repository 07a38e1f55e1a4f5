/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of code that a process made while it ran, from the files it keeps about that code.
 *
 *	perf-PID.map	a line per function: start and size in hex, a name to the end of the line
 *			(Node --perf-basic-prof, Java's agents, .NET, `python -X perf`)
 *	jit-PID.dump	perf's jitdump: functions with their lines (Node --perf-prof, `python -X perf_jit`)
 *
 * Files grow while the process runs and are read on from where the last look ended.  Addresses are used again:
 * of several functions at one address the one that was written last counts.  Both files are the target's, so
 * hostile: records, texts and their number are bounded, and what is malformed is skipped.
 *
 * Adding is amortised constant, finding logarithmic.  One thread.
 */
#ifndef SYMBOL_JIT_H
#define SYMBOL_JIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define JIT_MAX_FUNCTIONS (1u << 20)
#define JIT_MAX_LINES (4u << 20)
#define JIT_MAX_TEXT_BYTES (64u << 20)
#define JIT_NAME_MAX_BYTES 4096
#define JIT_LOOK_BYTES (4u << 20) /* read in one look at a file: the rest comes with the next */

struct jit_code;

struct jit_code *jit_code_new(void) nodiscard;
void jit_code_free(struct jit_code *code);
/* Forget all: the file began anew. */
void jit_code_reset(struct jit_code *code);

void jit_code_add(struct jit_code *code, uint64_t start, uint64_t size, const char *name,
		  size_t len);
/* The function that was at `from` is at `to` now. */
void jit_code_move(struct jit_code *code, uint64_t from, uint64_t to, uint64_t size);
/* A line of the function that is added next; lines come in the order of their addresses. */
void jit_code_add_line(struct jit_code *code, uint64_t address, uint32_t line, const char *file,
		       size_t len);

/*
 * Of the lines that wait for their function: they were told `late` bytes too far on, and those without a file are
 * in this one.
 */
void jit_code_mend_lines(struct jit_code *code, uint64_t late, const char *file, size_t len);

struct jit_found {
	const char *name; /* borrowed until the next change */
	const char *file; /* "" where unknown */
	uint32_t line;
};
bool jit_code_find(struct jit_code *code, uint64_t address, struct jit_found *ret_found) nodiscard;

/*
 * Take the whole records at the beginning of `data`.  Returns how many bytes they are, which may be more than
 * `len` when a record goes on behind it with nothing of interest; 0 when more is needed.  `is_end`: nothing
 * follows for now.
 */
size_t perf_map_read(struct jit_code *code, const void *data, size_t len, bool is_end);
size_t jitdump_read(struct jit_code *code, const void *data, size_t len, bool is_begin);

struct jit_file {
	int fd; /* owned; -1: none */
	bool is_dump;
	uint64_t at; /* read so far */
};

/* Read on; true when names were added or forgotten. */
bool jit_file_look(struct jit_file *file, struct jit_code *code);
void jit_file_done(struct jit_file *file);

#endif
