/* SPDX-License-Identifier: Apache-2.0 */
/* Functions to be named: inlined ones in one another, static ones, cold parts, an alias. */
#include <stdlib.h>

static inline __attribute__((always_inline)) int innermost(int x)
{
	return x % 7 ? x * 3 : abs(x) + 1;
}

static inline __attribute__((always_inline)) int middle(int x)
{
	int sum = 0;

	for (int i = 0; i < x; i++)
		sum += innermost(i);
	return sum;
}

__attribute__((noinline)) static int hidden(int x)
{
	return middle(x) ^ middle(x + 1);
}

int visible(int x)
{
	if (__builtin_expect(x < 0, 0))
		abort();
	return hidden(x) + innermost(x);
}

int same_as_visible(int x) __attribute__((alias("visible")));
