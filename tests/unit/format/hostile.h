/* SPDX-License-Identifier: Apache-2.0 */
/* A profile whose names try to get out of every format, and an ordinary one beside it. */
#ifndef TESTS_UNIT_FORMAT_HOSTILE_H
#define TESTS_UNIT_FORMAT_HOSTILE_H

#include "profile/profile.h"

/* work calls foo (75 %) and bar (25 %), in nanoseconds of cpu; 100 s in all. */
void ordinary_fill(struct profile *profile);
/* Deep, wide, with odd names, kinds and files; the same for the same seed. */
void hostile_fill(struct profile *profile, uint64_t seed);

#endif
