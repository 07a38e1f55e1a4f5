/* SPDX-License-Identifier: Apache-2.0 */
/* xxhash compiled in place: a hash of a few words is cheaper than the call to it.  For files of this folder. */
#ifndef PROFILE_HASH_PRIVATE_H
#define PROFILE_HASH_PRIVATE_H

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The same number as hash_bytes(). */
static inline uint64_t hash_here(uint64_t seed, const void *data, size_t len)
{
	return XXH3_64bits_withSeed(data, len, seed);
}

#endif
