/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Line tables: from an instruction to the line it came from.  For files of this folder only.
 *
 * The rule of all formats: the first entry whose END is greater than the instruction's offset.  It is
 * right for the instruction that runs as well as for a caller that waits in its call, also when the call
 * spans many lines.  Tables are hostile bytes: a line that cannot be is 0 (unknown).
 */
#ifndef PYTHON_LINES_H
#define PYTHON_LINES_H

#include <stdint.h>

#include "python/layout.h"

/*
 * Columns are 1-based and count bytes of the line as UTF-8, as CPython counts them (from 0); 0: unknown, as
 * always before 3.11.  They are those of the expression that the instruction belongs to: of a call, where
 * the call begins.
 */
struct place {
	uint32_t line, column;
};

/* `offset` in bytes from the start of the bytecode; negative (not started): the first line. */
struct place lines_find(enum layout_lines lines, const uint8_t *table, size_t len,
			uint32_t first_line, int64_t offset);

#endif
