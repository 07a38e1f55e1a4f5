/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes of bytes: the one place that knows xxhash.
 *
 * Tables that hold names from targets and uploads use hash_bytes() with the process's seed, so that
 * nobody outside can aim for one bucket.  What is written into URLs uses hash_stable(), which gives
 * the same number in every process and version.  Any thread may call these.
 */
#ifndef PROFILE_HASH_H
#define PROFILE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Secret of this process (from AT_RANDOM); read it once and keep it in the table that uses it. */
uint64_t hash_seed(void) nodiscard;
uint64_t hash_bytes(uint64_t seed, const void *data, size_t len) nodiscard;

/*
 * Two words into one, without a call: a product of 128 bits, folded.  Neither word may be what somebody outside can make 0:
 * mix a seed into both.
 */
static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Two ids mixed with a seed: for tables keyed by ids.  Who walks a stack waits for it once a frame. */
static inline uint64_t hash_pair(uint64_t seed, uint32_t a, uint32_t b)
{
	return hash_fold(a ^ seed ^ 0x9e3779b97f4a7c15u,
			 b ^ (seed << 32 | seed >> 32) ^ 0xd1b54a32d192ed03u);
}

/* XXH3 (64 bits, no seed), which its authors promised not to change from 0.8.0 on. */
uint64_t hash_stable(const void *data, size_t len) nodiscard;

#endif
