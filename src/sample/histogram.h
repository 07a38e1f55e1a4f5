/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How durations are spread: counts in eighths of octaves, so that a quantile is right within 9 % in a
 * fixed 2 KiB, whatever comes.
 */
#ifndef SAMPLE_HISTOGRAM_H
#define SAMPLE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 8 /* per octave */
#define HISTOGRAM_BUCKETS (64 * HISTOGRAM_STEPS)

struct histogram {
	uint32_t counts[HISTOGRAM_BUCKETS];
	uint64_t n;
};

/* Negative durations count as 0. */
void histogram_add(struct histogram *histogram, int64_t ns);
/* The one that `percent` of them (50: the median) are not above, 0 when there is none. */
int64_t histogram_quantile(const struct histogram *histogram, unsigned percent);

#endif
