/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every format: what was read, written and read again, has the same sums. */
#ifndef TESTS_FUZZ_FORMAT_ORACLE_H
#define TESTS_FUZZ_FORMAT_ORACLE_H

#include "format/format.h"

/* Small ceilings, so that a fuzzer finds them; aborts when a promise is broken. */
void check_format(const char *name, const uint8_t *data, size_t size);

#endif
