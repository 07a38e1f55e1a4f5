/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/hash.h"

#include <string.h>
#include <sys/auxv.h>

#include "profile/hash_private.h"

#define SEED_OFFSET 8 /* base/map.c uses the first half of the sixteen bytes */

uint64_t hash_seed(void)
{
	const char *bytes =
		(const char *)getauxval(AT_RANDOM); /* NOLINT(performance-no-int-to-ptr) */
	uint64_t seed = 0x9e3779b97f4a7c15u;

	if (bytes)
		memcpy(&seed, bytes + SEED_OFFSET, sizeof(seed));
	return seed;
}

uint64_t hash_bytes(uint64_t seed, const void *data, size_t len)
{
	return hash_here(seed, data, len);
}

uint64_t hash_stable(const void *data, size_t len)
{
	return XXH3_64bits(data, len);
}
