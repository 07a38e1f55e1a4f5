/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/budget.h"

#include <stdint.h>

void codec_budget_init(struct codec_budget *budget, size_t max_bytes)
{
	atomic_init(&budget->in_flight_bytes, 0);
	budget->max_bytes = max_bytes;
	budget->max_ratio = 0;
}

int codec_loan_take(struct codec_loan *loan, size_t bytes, struct err *err)
{
	struct codec_budget *budget = loan->budget;
	size_t held;

	if (!budget)
		return 0;
	held = atomic_load(&budget->in_flight_bytes);
	do {
		if (bytes > budget->max_bytes || held > budget->max_bytes - bytes)
			return err_because(
				err, ERR_LIMIT, "rate_limited",
				"too many bytes are being unpacked at once (%zu of %zu): try again",
				held, budget->max_bytes);
	} while (!atomic_compare_exchange_weak(&budget->in_flight_bytes, &held, held + bytes));
	loan->bytes += bytes;
	return 0;
}

void codec_loan_return(struct codec_loan *loan)
{
	if (!loan)
		return;
	if (loan->budget)
		atomic_fetch_sub(&loan->budget->in_flight_bytes, loan->bytes);
	loan->bytes = 0;
}

struct codec_limits codec_limits_on(const struct codec_limits *limits,
				    const struct codec_loan *loan)
{
	struct codec_limits own = *limits;

	if (loan && loan->budget && loan->budget->max_ratio)
		own.max_ratio = loan->budget->max_ratio;
	return own;
}

size_t codec_limits_ceiling(const struct codec_limits *limits, size_t len)
{
	size_t by_ratio;

	if (!limits->max_ratio || __builtin_mul_overflow(len, limits->max_ratio, &by_ratio))
		return limits->max_bytes;
	return min_of(limits->max_bytes, max_of(by_ratio, limits->free_bytes));
}
