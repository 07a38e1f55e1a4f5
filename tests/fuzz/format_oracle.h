/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every format: what was read, written and read again, has the same sums. */
#ifndef TESTS_FUZZ_FORMAT_ORACLE_H
#define TESTS_FUZZ_FORMAT_ORACLE_H

#include "format/format.h"

/* Small ceilings, so that a fuzzer finds them; aborts when a promise is broken. */
void check_format(const char *name, const uint8_t *data, size_t size);

typedef int format_read_fn(const void *data, size_t len, const struct format_limits *limits,
			   struct profile *into, struct err *err);
/* Of a format that is only read: what it gives is within the limits. */
void check_reader(format_read_fn *read, const uint8_t *data, size_t size);

#endif
