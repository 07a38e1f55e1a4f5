/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a StackTraceSelector; what is understood narrows a small profile and keeps its sums. */
#include "fuzz.h"

#include <stdlib.h>

#include "server/stack_filter.h"

static void fill(struct profile *profile)
{
	static const char *const stacks[][3] = {
		{"main", "work", "foo"}, {"main", "work", "bar"}, {"main", "idle", "foo"}};

	(void)profile_column(profile, "cpu", "nanoseconds", NULL);
	for (size_t i = 0; i < array_len(stacks); i++) {
		struct node_id node = {0};

		for (size_t k = 0; k < array_len(stacks[i]); k++) {
			struct frame frame = {.name = names_cstr(profile->names, stacks[i][k])};

			node = tree_child(&profile->tree, node,
					  names_frame(profile->names, &frame));
		}
		profile_add(profile, 0, node, 1 << i);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct names *names = names_new();
	struct narrow narrow = {0};
	struct profile whole, part, pgo;
	struct arena arena;
	struct err err;

	arena_init(&arena);
	profile_init(&whole, names);
	profile_init(&part, names);
	profile_init(&pgo, names);
	fill(&whole);
	if (stack_filter_read(cursor_over(data, size), &arena, &narrow, &err) == 0) {
		narrow_profile(&narrow, &whole, &part);
		narrow_for_pgo(&narrow, &whole, &pgo);
		if (profile_sum(&pgo, 0) != profile_sum(&whole, 0) ||
		    profile_sum(&part, 0) > profile_sum(&whole, 0) ||
		    (!narrow.n_call_site && profile_sum(&part, 0) != profile_sum(&whole, 0)))
			abort();
	}
	narrow_done(&narrow);
	profile_done(&whole);
	profile_done(&part);
	profile_done(&pgo);
	arena_done(&arena);
	names_free(names);
	return 0;
}
