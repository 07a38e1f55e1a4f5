/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many bytes all decoders together may hold: one budget per program part (the server has one),
 * passed in, so that a thousand small bombs at once cost no more than one large one.
 *
 * Whoever decodes holds a loan; what decoders put out is taken from the budget into it, and
 * codec_loan_return() gives all of it back when the output is dropped:
 *
 *	cleanup(codec_loan_return) struct codec_loan loan = codec_loan_from(budget);
 *	r = gzip_decompress(data, len, &limits, &loan, &out, err);
 *
 * Any thread may take and return; a loan belongs to one thread.  A NULL budget never runs out.
 */
#ifndef CODEC_BUDGET_H
#define CODEC_BUDGET_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"

struct codec_budget {
	atomic_size_t in_flight_bytes;
	size_t max_bytes;
	size_t max_ratio; /* of everything on this budget, instead of that of codec_limits; 0: theirs */
};

struct codec_loan {
	struct codec_budget *budget; /* borrowed; NULL: unlimited */
	size_t bytes;
};

void codec_budget_init(struct codec_budget *budget, size_t max_bytes);

static inline struct codec_loan codec_loan_from(struct codec_budget *budget)
{
	return (struct codec_loan){.budget = budget};
}

/* ERR_LIMIT (nothing is taken) when the budget is used up: worth a retry later, unlike a ceiling.
 */
int codec_loan_take(struct codec_loan *loan, size_t bytes, struct err *err) nodiscard;
/* All that was taken goes back; a NULL or all-zero loan is fine. */
void codec_loan_return(struct codec_loan *loan);

/* Ceilings of one decompression. */
struct codec_limits {
	size_t max_bytes;  /* of output */
	size_t max_ratio;  /* output : input, once the output is past free_bytes; 0: any */
	size_t free_bytes; /* output that is always allowed, below max_bytes */
};

/* 200:1 after the first MiB: real profiles stay below 40:1, a bomb is 1000:1. */
#define CODEC_MAX_RATIO 200
#define CODEC_FREE_BYTES ((size_t)1 << 20)

static inline struct codec_limits codec_limits_of(size_t max_bytes)
{
	return (struct codec_limits){max_bytes, CODEC_MAX_RATIO, CODEC_FREE_BYTES};
}

/* What holds for a decompression on that loan, which may be NULL. */
struct codec_limits codec_limits_on(const struct codec_limits *limits,
				    const struct codec_loan *loan);
/* The most that `len` bytes of input may become. */
size_t codec_limits_ceiling(const struct codec_limits *limits, size_t len);

#endif
