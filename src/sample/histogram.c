/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/histogram.h"

/* Octave from the highest bit, step from the three bits behind it. */
static unsigned bucket_of(uint64_t ns)
{
	unsigned octave;

	if (ns < HISTOGRAM_STEPS)
		return (unsigned)ns;
	octave = 63u - (unsigned)__builtin_clzll(ns);
	return (octave - 2) * HISTOGRAM_STEPS + (unsigned)((ns >> (octave - 3)) & 7);
}

/* The middle of a bucket. */
static int64_t value_of(unsigned bucket)
{
	unsigned shift;

	if (bucket < HISTOGRAM_STEPS)
		return bucket;
	shift = bucket / HISTOGRAM_STEPS - 1;
	return (int64_t)((uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS) << shift) +
	       (int64_t)((1ull << shift) / 2);
}

void histogram_add(struct histogram *histogram, int64_t ns)
{
	histogram->counts[bucket_of(ns > 0 ? (uint64_t)ns : 0)]++;
	histogram->n++;
}

int64_t histogram_quantile(const struct histogram *histogram, unsigned percent)
{
	uint64_t seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->counts[i];
		if (seen * 100 > histogram->n * percent)
			return value_of(i);
	}
	return 0;
}
