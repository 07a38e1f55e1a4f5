/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a capture that is a file: what convert and top share.
 */
#ifndef CMD_CAPTURE_FILE_H
#define CMD_CAPTURE_FILE_H

#include "format/capture.h"

/* Called now and then with how far it is, of how much. */
typedef void capture_file_progress_fn(void *ctx, int64_t done_bytes, int64_t bytes);

struct capture_file {
	const char *path; /* borrowed */
	int fd;		  /* 0: not open */
	int64_t bytes;
	capture_file_progress_fn *on_progress; /* may be NULL */
	void *progress_ctx;
};

/* A regular file, from its begin.  Fails with -errno. */
int capture_file_open(struct capture_file *file, const char *path, struct err *err) nodiscard;
void capture_file_done(struct capture_file *file); /* all-zero is fine */
/*
 * Feed it from its begin; stops early when `until` (may be NULL) becomes true.  Returns 0 or the decoder's
 * error.
 */
int capture_file_feed(struct capture_file *file, struct capture_reader *reader, const bool *until,
		      struct err *err) nodiscard;
/*
 * Was it whole?  0, or 1 for one that is damaged or cut off, which is said; `code` is what
 * capture_file_feed() returned.  Negative: `code`, when not even one block was good.
 */
int capture_file_verdict(const struct capture_file *file, const struct capture_reader *reader,
			 int code) nodiscard;

#endif
