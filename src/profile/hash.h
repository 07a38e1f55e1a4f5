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

/* Two ids mixed with a seed, without a call: for tables keyed by ids. */
static inline uint64_t hash_pair(uint64_t seed, uint32_t a, uint32_t b)
{
	uint64_t key = ((uint64_t)a << 32 | b) ^ seed;

	/* Finaliser of splitmix64. */
	key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9u;
	key = (key ^ key >> 27) * 0x94d049bb133111ebu;
	return key ^ key >> 31;
}

/* XXH3 (64 bits, no seed), which its authors promised not to change from 0.8.0 on. */
uint64_t hash_stable(const void *data, size_t len) nodiscard;

#endif
