/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debug information of one file: the functions at an address with their inlined callers, files and lines.
 *
 * The one place that knows libdw, which is loaded when a worker's parent starts (dwarf_load()): it is no part
 * of the program, so that no process with rights has it in its memory, and a machine without it has names all
 * the same.  libdw trusts its input more than we do: it runs where it may crash, hang or run out of memory
 * (symbol/worker.h).  What is ours is bounded: nesting, units, functions.
 */
#ifndef SYMBOL_DWARF_H
#define SYMBOL_DWARF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define DWARF_MAX_INLINED 62 /* frames at one address, but for the function itself and a cut one */

struct dwarf_library; /* loaded once, before files can no longer be opened */
struct dwarf;

/* -ENOENT when libdw is not there or not part of this build. */
int dwarf_load(struct dwarf_library **ret_library, struct err *err) nodiscard;
void dwarf_unload(struct dwarf_library *library);

/*
 * The debug information in a file, with that of the file it shares with others (`alt_fd`, -1: none).  Takes both
 * descriptors, also on failure.  -ENODATA when there is none.
 */
int dwarf_open(const struct dwarf_library *library, int fd, int alt_fd, struct dwarf **ret_dwarf,
	       struct err *err) nodiscard;
void dwarf_close(struct dwarf *dwarf);

/* Texts live as long as the file; NULL and 0 where unknown. */
struct dwarf_frame {
	const char *name; /* as linked where that is known, else as in the source */
	const char *file;
	uint32_t line;	     /* being run, or of the call */
	uint32_t first_line; /* of the function */
};

/*
 * What is at an address as linked, innermost first: functions that were inlined, then the one that was
 * compiled.  Returns how many (at least 1), 0 when the address is not described.
 */
int dwarf_find(struct dwarf *dwarf, uint64_t vaddr, struct dwarf_frame *frames, int max) nodiscard;

#endif
