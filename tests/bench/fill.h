/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles of a service as a server would get them, for programs of the bench: what one holds follows from shape,
 * series and time alone, so that whoever checks answers can make it again.
 *
 *	bench	300 of 500 stacks, 1 to 9 samples of each
 *	push	300 samples of 3,000 stacks, by Zipf's law (exponent 1.1): what server_bodies sends
 *	zipf	1,000 samples of 20,000 stacks, by the same law
 *	tail	200 of them: a month of 100 series with all of the tail in its days, made in minutes
 *
 * A sample weighs 10 ms and up to 10 % more or less, in whole microseconds as the store keeps them: nothing is
 * carried from one profile to the next.
 */
#ifndef BENCH_FILL_H
#define BENCH_FILL_H

#include "profile/profile.h"

struct shape {
	const char *name;
	uint32_t n_stacks, n_samples;
	double exponent; /* 0: each stack is there by chance */
};

const struct shape *fill_shape(const char *name); /* or NULL */

struct fill {
	const struct shape *shape;
	struct names *names;
	struct profile pool; /* its tree holds all stacks */
	uint32_t *leaves;    /* the likeliest first */
	uint32_t *alias;     /* Walker's table: one look a draw */
	double *keep;
	uint64_t random;
	/* The profile that is being made: sums by stack, and which are there. */
	int64_t *sums;
	uint32_t *touched, *nodes;
	int64_t *values;
	uint32_t n;
	uint64_t profiles, samples, all_nodes; /* made so far */
};

void fill_init(struct fill *fill, const struct shape *shape);
void fill_done(struct fill *fill);
/* Before each profile. */
void fill_seed(struct fill *fill, uint64_t series, uint64_t at_s);
/* Its stacks into nodes and values, n of them; two may be one node, to be added up. */
void fill_profile(struct fill *fill);
/* No two series begin their profiles at the same moment. */
int64_t fill_start_ns(int64_t at_s, int64_t step_s, int64_t series, int64_t n_series);

#endif
