/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collapsed stacks, the text that every flame graph tool reads: a line per stack, frames outermost first
 * joined by ';', a space, a count.  Written as py-spy's raw format; docs/FORMATS.md has the syntax.
 *
 *	process 4711: python app.py;thread 4711: MainThread;work (/srv/app.py:31);foo (/srv/app.py:14) 68
 *
 * Frames: "name (file:line)", "name (file)", native "name (module)", kernel "name_[k]", markers as they
 * are.  ';', control characters and a backslash before 'x' are written as \xHH.  Reading gives back name,
 * file and line; the kind follows from the file's ending.
 */
#ifndef FORMAT_COLLAPSED_H
#define FORMAT_COLLAPSED_H

#include "format/format.h"

int collapsed_write(const struct format_output *output, struct buf *out, struct err *err) nodiscard;

/* Into the column samples/count. */
int collapsed_read(const void *data, size_t len, const struct format_limits *limits,
		   struct profile *into, struct err *err) nodiscard;

struct collapsed_opts {
	bool is_bare;		 /* lines have no count: each stands for one sample */
	const char *type, *unit; /* of the column; NULL: samples, count */
};

struct collapsed_result {
	uint64_t n_good, n_bad; /* lines; empty ones and comments ('#') are neither */
	uint64_t first_bad;	/* its line number from 1; 0: none */
};

/*
 * Up to 1 % of the lines may be bad (no count, no frame): they are left out and counted.  More, or not
 * one good line: ERR_CORRUPT that names the first bad one; `into` holds the good ones then.
 */
int collapsed_read_lines(const void *data, size_t len, const struct format_limits *limits,
			 const struct collapsed_opts *opts, struct profile *into,
			 struct collapsed_result *ret_result, struct err *err) nodiscard;

#endif
