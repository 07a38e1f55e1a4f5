/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes and tiny helpers that every file may use. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <stddef.h>

#define nodiscard __attribute__((warn_unused_result))
/* For what a hot loop is made of, where the compiler would rather keep one copy. */
#define hot_inline inline __attribute__((always_inline))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))
#define array_len(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/*
 * Each argument is evaluated once, so that min_of(deadline - clock_monotonic_ns(), limit) is what it
 * looks like.  The counter keeps the names of nested uses apart; only these two macros glue names.
 */
#define min_of(a, b) pick_of(a, <, b, __COUNTER__)
#define max_of(a, b) pick_of(a, >, b, __COUNTER__)
#define pick_of(a, op, b, n) pick_of_named(a, op, b, n)
#define pick_of_named(a, op, b, n)                                                                 \
	__extension__({                                                                            \
		__typeof__(a) first_##n = (a);                                                     \
		__typeof__(b) second_##n = (b);                                                    \
		first_##n op second_##n ? first_##n : second_##n;                                  \
	})

#endif
