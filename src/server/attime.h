/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times as Pyroscope's clients write them in `from` and `until`:
 *
 *	8 digits that are a date	20260822, midnight UTC
 *	13, 16, 19 digits		milliseconds, microseconds, nanoseconds since 1970
 *	other digits			seconds since 1970
 *	now, now-1h, now-30min+5s	units s, m or min, h, d, w, mon or M (30 days), y (365 days)
 *
 * Unlike Pyroscope, text that is none of these is an error instead of "now".
 */
#ifndef SERVER_ATTIME_H
#define SERVER_ATTIME_H

#include <stdint.h>

#include "base/err.h"

int attime_parse(const char *text, int64_t now_ns, int64_t *ret_ns, struct err *err) nodiscard;

#endif
