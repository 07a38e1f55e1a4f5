/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an upload of this format; spans that come out of them lie within their profile. */
#include "fuzz.h"

#include <stdlib.h>

#include "format/pprof.h"
#include "format_oracle.h"

static int series(void *ctx, const struct labels *labels, struct profile **ret_profile,
		  struct err *err)
{
	(void)labels;
	(void)err;
	*ret_profile = ctx;
	return 0;
}

static void check_spans(const struct profile *profile)
{
	for (size_t i = 0; profile->spans && i < profile->spans->n_values; i++) {
		const struct span_value *value = &profile->spans->values[i];

		if (value->span >= profile->spans->n || value->node >= profile->tree.n ||
		    value->column >= profile->n_columns || value->value <= 0 ||
		    value->value >
			    profile_value(profile, value->column, (struct node_id){value->node}))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pprof_split split = {.series = series, .keeps_spans = true};
	struct names *names = names_new();
	struct profile profile;

	check_format("pprof", data, size);
	profile_init(&profile, names);
	split.ctx = &profile;
	if (pprof_read_split(data, size, &format_limits_server, names, &split, NULL) == 0)
		check_spans(&profile);
	profile_done(&profile);
	names_free(names);
	return 0;
}
