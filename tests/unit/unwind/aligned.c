/* SPDX-License-Identifier: Apache-2.0 */
/* A stack that is aligned to more than the ABI asks for: the rules go through memory. */
#include "levels.h"

__attribute__((noinline)) void aligned(struct trail *trail, int depth, last_fn *last, void *ctx)
{
	volatile char room[64] __attribute__((aligned(64)));

	room[depth & 31] = 1;
	trail_add(trail, __builtin_return_address(0));
	if (depth)
		aligned(trail, depth - 1, last, ctx);
	else
		last(ctx);
	room[0] = room[depth & 31]; /* so that the call above is none to jump to */
}
