/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native stacks whose order is known by construction: what tests/targets/native/ is made of.
 *
 * A shape is a function that leads, by the way that its name tells, to the bottom: the callback when it has one (which
 * goes back into Python), else work of its own for n rounds, or a wait of -n microseconds.  Every shape has more to do
 * when the bottom comes back, so none of its frames may be missing while the bottom runs.
 */
#pragma once

typedef long (*metal_callback)(long n);
typedef long (*metal_shape)(metal_callback callback, long n);

#define METAL_DEPTH 1100 /* of metal_deep(): more than 64 KiB of stack */
#define METAL_SIXTY 60	 /* of metal_sixty(): what costs are told for */

#define METAL_SHAPE __attribute__((noinline, noclone, visibility("default")))
#define METAL_BOTTOM(callback, n) ((callback) ? (callback)(n) : metal_work(n))
