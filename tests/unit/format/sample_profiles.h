/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles to write and read back: the same for the same seed, on every machine. */
#ifndef TESTS_UNIT_FORMAT_SAMPLE_PROFILES_H
#define TESTS_UNIT_FORMAT_SAMPLE_PROFILES_H

#include "profile/profile.h"

uint32_t next_random(uint32_t *seed);

/* What the profile may hold: what a format cannot carry is left out of its round trip. */
enum {
	SAMPLE_MARKERS = 1, /* process and thread at the root */
	SAMPLE_STATES = 2,
	SAMPLE_HOSTILE = 4, /* names with separators, quotes, escapes, control characters */
	SAMPLE_NATIVE = 8,
	SAMPLE_TWO_TYPES = 16,
	SAMPLE_QUALNAMES = 32,
};

/* Into an initialised, empty profile. */
void sample_profile(struct profile *into, uint32_t seed, uint32_t flags);

/* Every stack and value of a in b and the other way round, frame by frame; fails the test if not. */
void assert_same_profile(const struct profile *a, const struct profile *b);

#endif
