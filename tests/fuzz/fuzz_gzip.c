/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a gzip and as a zstd body: never more output than the limits, and the budget comes back. */
#include "fuzz.h"

#include <stdlib.h>

#include "codec/gzip.h"
#include "codec/zstd.h"

#define MAX_OUTPUT_BYTES ((size_t)1 << 20)

static void check_limits(const struct buf *out, const struct codec_loan *loan)
{
	if (out->len > MAX_OUTPUT_BYTES || loan->bytes > MAX_OUTPUT_BYTES || out->len > loan->bytes)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct codec_limits limits = codec_limits_of(MAX_OUTPUT_BYTES);
	struct codec_budget budget;
	struct codec_loan loan;
	struct buf out;

	codec_budget_init(&budget, MAX_OUTPUT_BYTES);
	loan = codec_loan_from(&budget);
	buf_init(&out, MAX_OUTPUT_BYTES);
	(void)!gzip_decompress(data, size, &limits, &loan, &out, NULL);
	check_limits(&out, &loan);
	codec_loan_return(&loan);
	buf_reset(&out);
	(void)!zstd_decompress(data, size, &limits, &loan, &out, NULL);
	check_limits(&out, &loan);
	codec_loan_return(&loan);
	if (budget.in_flight_bytes)
		abort();
	buf_done(&out);
	return 0;
}
