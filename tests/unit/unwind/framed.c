/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled with frame pointers, which then are what the rules go by. */
#include "levels.h"

__attribute__((noinline)) void framed(struct trail *trail, int depth, last_fn *last, void *ctx)
{
	volatile char room[40]; /* between the return address and the stack pointer */

	room[depth & 31] = 1;
	trail_add(trail, __builtin_return_address(0));
	if (depth)
		framed(trail, depth - 1, last, ctx);
	else
		last(ctx);
	room[0] = room[depth & 31]; /* so that the call above is none to jump to */
}
