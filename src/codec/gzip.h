/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip of whole bodies (libdeflate: a third faster than zlib).  Input is hostile: the output never
 * passes the ceiling and ratio of `limits`, and every byte of it is on the loan first.  Any thread.
 */
#ifndef CODEC_GZIP_H
#define CODEC_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "codec/budget.h"

#define GZIP_DEFAULT_LEVEL 6

/* Do the bytes begin as a gzip member does? */
bool gzip_is_gzip(const void *data, size_t len) nodiscard;

/*
 * Append what the members (one or more, nothing behind them) hold.  ERR_CORRUPT for damaged, cut
 * off or trailing bytes, ERR_LIMIT past the limits; `out` is as before then.  `loan` may be NULL.
 */
int gzip_decompress(const void *data, size_t len, const struct codec_limits *limits,
		    struct codec_loan *loan, struct buf *out, struct err *err) nodiscard;

/* Append one member.  Level 1 (fast) to 12.  ERR_LIMIT when `out` has no room for it. */
int gzip_compress(const void *data, size_t len, int level, struct buf *out,
		  struct err *err) nodiscard;

#endif
