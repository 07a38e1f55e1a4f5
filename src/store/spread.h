/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a value that belongs to a stretch of time is divided over parts of it.
 *
 * Of a value v over d nanoseconds the first e hold
 *
 *	F(e) = floor((v * e + d / 2) / d),	F(0) = 0, F(d) = v
 *
 * and [a, b) holds F(b) - F(a).  Parts that adjoin therefore add up exactly, however often and
 *wherever one cuts, no part is negative, and nothing has to be remembered between cuts.
 *Largest-remainder division would be as exact for one set of borders but not for the next query's.
 */
#ifndef STORE_SPREAD_H
#define STORE_SPREAD_H

#include <stdint.h>

static inline int64_t spread_until(int64_t value, int64_t elapsed_ns, int64_t duration_ns)
{
	if (elapsed_ns <= 0)
		return 0;
	if (elapsed_ns >= duration_ns)
		return value;
	return (int64_t)(((__int128)value * elapsed_ns + duration_ns / 2) / duration_ns);
}

/* Part of `value` in [from, until), both counted from the start of its duration. */
static inline int64_t spread_part(int64_t value, int64_t from_ns, int64_t until_ns,
				  int64_t duration_ns)
{
	return spread_until(value, until_ns, duration_ns) -
	       spread_until(value, from_ns, duration_ns);
}

#endif
