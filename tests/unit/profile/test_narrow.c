/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a profile against stacks that are looked at one by one. */
#include <stdlib.h>

#include "oracle.h"
#include "profile/narrow.h"

static const char *name_of(const struct names *names, struct frame_id id)
{
	return names_text(names, names_frame_get(names, id)->name, NULL);
}

static bool is_marker(const struct names *names, struct frame_id id)
{
	return names_frame_get(names, id)->kind == FRAME_MARKER;
}

/* Markers at the root: no part of the stack. */
static size_t markers_of(const struct names *names, const struct oracle_stack *stack)
{
	size_t n = 0;

	while (n < stack->depth && is_marker(names, stack->frames[n]))
		n++;
	return n;
}

static void narrowed(const struct profile *from, void *ctx, struct profile *into)
{
	narrow_profile(ctx, from, into);
}

static bool has_text(const struct narrow_list *list, const char *name)
{
	for (size_t i = 0; i < list->n_names; i++)
		if (strcmp(list->names[i], name) == 0)
			return true;
	return false;
}

static bool change_to_narrowed(struct names *names, struct oracle_stack *stack, void *ctx)
{
	const struct narrow *narrow = ctx;
	size_t markers = markers_of(names, stack), n = markers;

	for (size_t i = markers; i < stack->depth; i++) {
		const char *name = name_of(names, stack->frames[i]);

		if ((!narrow->include.n_names || has_text(&narrow->include, name)) &&
		    !has_text(&narrow->exclude, name))
			stack->frames[n++] = stack->frames[i];
	}
	stack->depth = n;
	for (size_t i = 0; i < narrow->n_call_site; i++)
		if (markers + i >= n ||
		    strcmp(name_of(names, stack->frames[markers + i]), narrow->call_site[i]) != 0)
			return false;
	return true;
}

static void a_call_site_is_the_beginning_of_a_stack(void **state)
{
	const char *site[] = {"c", "e", "b"};
	struct narrow narrow = {.call_site = site};

	(void)state;
	for (narrow.n_call_site = 0; narrow.n_call_site <= 3; narrow.n_call_site++)
		oracle_check_transform(narrowed, change_to_narrowed, &narrow);
}

static void frames_that_go_leave_their_time_to_their_callers(void **state)
{
	const char *some[] = {"d", "f"}, *site[] = {"c", "e"};
	struct narrow excluded = {.exclude = {.names = some, .n_names = 2}};
	struct narrow included = {.include = {.names = some, .n_names = 2}};
	struct narrow both = {
		.call_site = site, .n_call_site = 2, .exclude = {.names = some, .n_names = 2}};

	(void)state;
	oracle_check_transform(narrowed, change_to_narrowed, &excluded);
	oracle_check_transform(narrowed, change_to_narrowed, &included);
	oracle_check_transform(narrowed, change_to_narrowed, &both);
}

static bool change_by_expression(struct names *names, struct oracle_stack *stack, void *ctx)
{
	size_t markers = markers_of(names, stack), n = markers;

	(void)ctx;
	for (size_t i = markers; i < stack->depth; i++)
		if (!strchr("ceg", name_of(names, stack->frames[i])[0]))
			stack->frames[n++] = stack->frames[i];
	stack->depth = n;
	return true;
}

static void frames_go_by_anchored_expressions(void **state)
{
	struct narrow narrow = {0};
	struct err err;

	(void)state;
	assert_int_equal(narrow_add_expression(&narrow.exclude, "[ce]|g", &err), 0);
	assert_int_equal(narrow_add_expression(&narrow.exclude, "x", &err), 0);
	assert_false(narrow_is_all(&narrow));
	oracle_check_transform(narrowed, change_by_expression, &narrow);
	assert_int_equal(narrow_add_expression(&narrow.exclude, "(", &err), ERR_USAGE);
	for (size_t i = narrow.exclude.n_expressions; i < NARROW_MAX_EXPRESSIONS; i++)
		assert_int_equal(narrow_add_expression(&narrow.exclude, "x", &err), 0);
	assert_int_equal(narrow_add_expression(&narrow.exclude, "x", &err), ERR_LIMIT);
	narrow_done(&narrow);
	assert_true(narrow_is_all(&narrow));
}

static void for_pgo(const struct profile *from, void *ctx, struct profile *into)
{
	narrow_for_pgo(ctx, from, into);
}

static bool change_for_pgo(struct names *names, struct oracle_stack *stack, void *ctx)
{
	const struct narrow *narrow = ctx;
	size_t skip = markers_of(names, stack);

	if (narrow->pgo_frames && stack->depth - skip > narrow->pgo_frames)
		skip = stack->depth - narrow->pgo_frames;
	stack->depth -= skip;
	memmove(stack->frames, stack->frames + skip, stack->depth * sizeof(*stack->frames));
	if (stack->depth && narrow->pgo_aggregates_leafs) {
		struct frame_id *leaf = &stack->frames[stack->depth - 1];

		*leaf = names_func_frame(names, names_func_of(names, *leaf));
	}
	return true;
}

static void compilers_get_the_innermost_frames(void **state)
{
	struct narrow narrow = {.is_pgo = true};

	(void)state;
	for (narrow.pgo_frames = 0; narrow.pgo_frames < 4; narrow.pgo_frames++) {
		narrow.pgo_aggregates_leafs = narrow.pgo_frames & 1;
		oracle_check_transform(for_pgo, change_for_pgo, &narrow);
	}
}

static void to_names(const struct profile *from, void *ctx, struct profile *into)
{
	(void)ctx;
	narrow_to_names(from, into);
}

static bool change_to_names(struct names *names, struct oracle_stack *stack, void *ctx)
{
	size_t markers = markers_of(names, stack);

	(void)ctx;
	for (size_t i = markers; i < stack->depth; i++) {
		struct frame bare = {.name = names_cstr(names, name_of(names, stack->frames[i]))};

		stack->frames[i - markers] = names_frame(names, &bare);
	}
	stack->depth -= markers;
	return true;
}

static void names_are_all_that_is_left_of_functions(void **state)
{
	(void)state;
	oracle_check_transform(to_names, change_to_names, NULL);
}

static void as_many_nodes_keep_every_sum(void **state)
{
	uint64_t seed = 23;

	(void)state;
	for (uint32_t round = 0; round < 300; round++) {
		struct names *names = names_new();
		struct profile from, into;
		struct arena arena;
		struct oracle oracle;
		uint32_t most = 1 + round % 40;

		arena_init(&arena);
		profile_init(&from, names);
		profile_init(&into, names);
		oracle_fill(&seed, &from, &oracle);
		narrow_to_nodes(&from, most, &arena, &into);
		assert_int_equal(profile_sum(&into, 0), oracle_sum(&oracle));
		/* What stays, and at most one "other" below each. */
		assert_true(into.tree.n <= 2 * (most + 1));
		profile_done(&from);
		profile_done(&into);
		names_free(names);
		arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_site_is_the_beginning_of_a_stack),
		cmocka_unit_test(frames_that_go_leave_their_time_to_their_callers),
		cmocka_unit_test(frames_go_by_anchored_expressions),
		cmocka_unit_test(compilers_get_the_innermost_frames),
		cmocka_unit_test(names_are_all_that_is_left_of_functions),
		cmocka_unit_test(as_many_nodes_keep_every_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
