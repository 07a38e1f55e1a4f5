/* SPDX-License-Identifier: Apache-2.0 */
/* Values as people read them: "1.23 s", "4.5 MiB", "17 samples". */
#ifndef FORMAT_AMOUNT_H
#define FORMAT_AMOUNT_H

#include "base/buf.h"

/* `unit` as sample types name it: nanoseconds, bytes, count … */
void amount_put(struct buf *out, int64_t value, const char *unit);
/* "12.34 %" of `whole`; "0 %" when that is nothing. */
void amount_put_share(struct buf *out, int64_t value, int64_t whole);

#endif
