/* SPDX-License-Identifier: Apache-2.0 */
#include "format_oracle.h"

#include <stdlib.h>
#include <string.h>

static const struct format_limits limits = {
	.max_inflated_bytes = 1u << 20,
	.max_samples = 5000,
	.max_depth = 64,
	.max_columns = 8,
};

#define MAX_OUTPUT_BYTES ((size_t)64 << 20)

static void check_bounds(const struct profile *profile)
{
	const struct tree *tree = &profile->tree;

	for (uint32_t node = 1; node < tree->n; node++)
		if (tree->parent[node] >= node || tree->depth[node] > TREE_MAX_DEPTH)
			abort();
	for (size_t i = 0; i < profile->n_columns; i++)
		if (profile_sum(profile, i) < 0)
			abort();
}

/* Only what a writer keeps: speedscope and collapsed have one column each. */
static void check_again(const struct format *format, const struct profile *profile, size_t column)
{
	struct format_output output = {.profile = profile, .column = column};
	struct format_limits loose = limits;
	struct names *names = names_new();
	struct profile back;
	struct buf bytes;

	loose.max_depth = 100; /* markers and "[deeper]" on top of what was read */
	loose.max_inflated_bytes = MAX_OUTPUT_BYTES;
	loose.max_samples *= 20;
	profile_init(&back, names);
	buf_init(&bytes, MAX_OUTPUT_BYTES);
	if (format->write(&output, &bytes, NULL) == 0 && profile_sum(profile, column) > 0) {
		int64_t sum = profile_sum(profile, column), sum_back = 0;
		const struct sample_type *type = &profile->columns[column].type;
		const char *wanted = names_text(profile->names, type->type, NULL);

		if (format->read(bytes.data, bytes.len, &loose, &back, NULL) < 0)
			abort();
		for (size_t i = 0; i < back.n_columns; i++)
			if (back.n_columns == 1 ||
			    (strcmp(names_text(names, back.columns[i].type.type, NULL), wanted) ==
				     0 &&
			     strcmp(names_text(names, back.columns[i].type.unit, NULL),
				    names_text(profile->names, type->unit, NULL)) == 0 &&
			     strcmp(names_text(names, back.columns[i].type.state, NULL),
				    names_text(profile->names, type->state, NULL)) == 0))
				sum_back += profile_sum(&back, i);
		if (sum != sum_back && sum < INT64_MAX)
			abort();
	}
	buf_done(&bytes);
	profile_done(&back);
	names_free(names);
}

void check_format(const char *name, const uint8_t *data, size_t size)
{
	const struct format *format = format_by_name(name);
	struct names *names = names_new();
	struct profile profile;
	struct err err;

	(void)format_sniff(data, size);
	profile_init(&profile, names);
	if (format->read(data, size, &limits, &profile, &err) == 0) {
		check_bounds(&profile);
		for (size_t i = 0; i < profile.n_columns; i++)
			check_again(format, &profile, i);
	}
	profile_done(&profile);
	names_free(names);
}

void check_reader(format_read_fn *read, const uint8_t *data, size_t size)
{
	struct names *names = names_new();
	struct profile profile;
	struct err err;

	profile_init(&profile, names);
	if (read(data, size, &limits, &profile, &err) == 0)
		check_bounds(&profile);
	profile_done(&profile);
	names_free(names);
}
