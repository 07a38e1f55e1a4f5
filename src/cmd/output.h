/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a result goes: a file that appears whole or not at all.
 *
 * output_open() proves before any work is done that the result can be written, without touching
 * what is there: a regular file (or a new one) is written under "NAME.XXXXXX.part" beside it and
 * renamed by output_commit(); pipes, devices and "-" (stdout) are written in place.  The part is made,
 * dropped, and made again for the first byte, so that somebody's kill -9 leaves no empty one.  A symbolic
 * link is followed; as root only one that root or the caller's own user made.  Results that root
 * writes for a user of sudo belong to that user.
 *
 * When the disk is full at the end, output_write_all() keeps the result elsewhere: see there.
 */
#ifndef CMD_OUTPUT_H
#define CMD_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct output {
	char *path; /* as shown to people */
	char *real; /* links resolved; NULL: written in place */
	char *part; /* the file being written; NULL: written in place */
	int fd;
	bool is_stdout;
	bool starts_empty; /* written in place: truncate before the first byte */
	bool is_unmade;	   /* `part` is a pattern of mkostemps(), and there is no file yet */
	unsigned mode;	   /* of the part */
};

/* Fails with -errno and a text that says what to do; the exit code is always EXIT_CODE_OUTPUT. */
int output_open(struct output *output, const char *path, struct err *err) nodiscard;
/* Drops what was not committed; all-zero is fine. */
void output_done(struct output *output);

/* Append; short writes are completed.  -EPIPE has no text worth showing. */
int output_write(struct output *output, const void *data, size_t len, struct err *err) nodiscard;
/* The result is whole: put it under its name. */
int output_commit(struct output *output, struct err *err) nodiscard;
/* Leave what there is under the part name for the user to find; says which name. */
const char *output_keep_part(struct output *output);

/*
 * Write one whole result and commit.  When that fails for lack of space, the result is put into
 * TMPDIR instead and the error names the file: hours of sampling are not lost to a full disk.
 */
int output_write_all(struct output *output, const void *data, size_t len,
		     struct err *err) nodiscard;

#endif
