/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a recording; and as the length of a labels snapshot (two bytes), the snapshot and a recording. */
#include <stdlib.h>

#include "format/jfr.h"
#include "fuzz.h"

static const struct format_limits limits = {
	.max_inflated_bytes = 1u << 20,
	.max_samples = 5000,
	.max_depth = 64,
	.max_columns = 8,
};

static void check(const struct profile *profile)
{
	const struct tree *tree = &profile->tree;

	for (uint32_t node = 1; node < tree->n; node++)
		if (tree->parent[node] >= node || tree->depth[node] > TREE_MAX_DEPTH)
			abort();
	for (size_t i = 0; i < profile->n_columns; i++)
		if (profile_sum(profile, i) < 0)
			abort();
}

/* Series all into one, but never one without a kind. */
static int take_series(void *ctx, const struct jfr_kind *kind, const struct labels *labels,
		       struct profile **ret_profile, struct err *err)
{
	(void)err;
	if (!kind->metric || labels->n > LABELS_MAX)
		abort();
	*ret_profile = ctx;
	return 0;
}

static void read_as(const struct jfr_opts *opts, const uint8_t *data, size_t size)
{
	struct jfr_split split = {.series = take_series, .keeps_spans = true};
	struct names *names = names_new();
	struct profile profile;
	struct err err = {0};

	profile_init(&profile, names);
	split.ctx = &profile;
	if (jfr_read_split(data, size, opts, &limits, names, &split, &err) == 0)
		check(&profile);
	else if (!err.text[0])
		abort();
	profile_done(&profile);
	names_free(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jfr_opts opts = {0};
	size_t len;

	read_as(&opts, data, size);
	if (size < 2)
		return 0;
	len = (size_t)data[0] | (size_t)data[1] << 8;
	if (len > size - 2)
		return 0;
	opts.snapshot = data + 2;
	opts.snapshot_len = len;
	opts.period_ns = 1000;
	read_as(&opts, data + 2 + len, size - 2 - len);
	return 0;
}
