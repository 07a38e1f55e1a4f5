/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an OTLP request: all that is read is within the limits, whatever is rejected on the way. */
#include "fuzz.h"

#include "format_oracle.h"

#include "format/otlp.h"

static int begin(void *ctx, const struct otlp_profile *profile, struct err *err)
{
	(void)ctx;
	(void)profile;
	(void)err;
	return 0;
}

static int series(void *ctx, const struct labels *labels, struct profile **ret_profile,
		  struct err *err)
{
	(void)labels;
	(void)err;
	*ret_profile = ctx;
	return 0;
}

static int done(void *ctx, struct err *err)
{
	(void)ctx;
	(void)err;
	return 0;
}

static void end(void *ctx, int code)
{
	(void)ctx;
	(void)code;
}

static int read_all(const void *data, size_t len, const struct format_limits *limits,
		    struct profile *into, struct err *err)
{
	struct otlp_sink sink = {
		.begin = begin,
		.close = done,
		.end = end,
		.split = {.series = series, .ctx = into, .keeps_spans = true},
	};
	struct otlp_result result;

	return otlp_read(data, len, limits, into->names, &sink, &result, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_reader(read_all, data, size);
	return 0;
}
