/* SPDX-License-Identifier: Apache-2.0 */
/* Transforms (transform.c and group.c) against stacks that are changed one by one. */
#include <stdlib.h>

#include "oracle.h"

static void group_function(const struct profile *from, void *ctx, struct profile *into)
{
	(void)ctx;
	profile_group(from, GROUP_FUNCTION, into);
}

static bool change_to_functions(struct names *names, struct oracle_stack *stack, void *ctx)
{
	(void)ctx;
	for (size_t i = 0; i < stack->depth; i++)
		stack->frames[i] = names_func_frame(names, names_func_of(names, stack->frames[i]));
	return true;
}

static void grouping_by_function_drops_lines_and_nothing_else(void **state)
{
	(void)state;
	oracle_check_transform(group_function, change_to_functions, NULL);
}

static void group_line(const struct profile *from, void *ctx, struct profile *into)
{
	(void)ctx;
	profile_group(from, GROUP_LINE, into);
}

static bool change_nothing(struct names *names, struct oracle_stack *stack, void *ctx)
{
	(void)names;
	(void)stack;
	(void)ctx;
	return true;
}

static void grouping_by_line_is_a_copy(void **state)
{
	(void)state;
	oracle_check_transform(group_line, change_nothing, NULL);
}

static void group_file(const struct profile *from, void *ctx, struct profile *into)
{
	(void)ctx;
	profile_group(from, GROUP_FILE, into);
}

static bool change_to_files(struct names *names, struct oracle_stack *stack, void *ctx)
{
	size_t n = 0;

	(void)ctx;
	for (size_t i = 0; i < stack->depth; i++) {
		struct frame from = *names_frame_get(names, stack->frames[i]), file = {0};
		struct frame_id id = stack->frames[i];

		if (from.kind != FRAME_MARKER) {
			file.name = file.file = from.file;
			file.kind = from.kind;
			id = names_frame(names, &file);
		}
		if (!n || stack->frames[n - 1].v != id.v)
			stack->frames[n++] = id;
	}
	stack->depth = n;
	return true;
}

static void grouping_by_file_joins_neighbours(void **state)
{
	(void)state;
	oracle_check_transform(group_file, change_to_files, NULL);
}

static void invert(const struct profile *from, void *ctx, struct profile *into)
{
	(void)ctx;
	profile_invert(from, into);
}

static bool change_to_inverted(struct names *names, struct oracle_stack *stack, void *ctx)
{
	(void)names;
	(void)ctx;
	for (size_t i = 0; i < stack->depth / 2; i++) {
		struct frame_id swap = stack->frames[i];

		stack->frames[i] = stack->frames[stack->depth - 1 - i];
		stack->frames[stack->depth - 1 - i] = swap;
	}
	return true;
}

static void inverting_turns_every_stack_round(void **state)
{
	(void)state;
	oracle_check_transform(invert, change_to_inverted, NULL);
}

static void invert_twice(const struct profile *from, void *ctx, struct profile *into)
{
	struct profile once;

	(void)ctx;
	profile_init(&once, from->names);
	profile_invert(from, &once);
	profile_invert(&once, into);
	profile_done(&once);
}

static void inverting_twice_changes_nothing(void **state)
{
	(void)state;
	oracle_check_transform(invert_twice, change_nothing, NULL);
}

static struct func_id func_c(struct names *names)
{
	return names_func_of(names, oracle_frame(names, 2, 0));
}

static void focus_c(const struct profile *from, void *ctx, struct profile *into)
{
	(void)ctx;
	profile_focus(from, func_c(from->names), into);
}

static bool change_to_focus(struct names *names, struct oracle_stack *stack, void *ctx)
{
	size_t first = 0;

	(void)ctx;
	while (first < stack->depth &&
	       names_func_of(names, stack->frames[first]).v != func_c(names).v)
		first++;
	memmove(stack->frames, stack->frames + first,
		(stack->depth - first) * sizeof(*stack->frames));
	stack->depth -= first;
	return stack->depth > 0;
}

static void focus_keeps_what_lies_at_or_below_the_outermost_call(void **state)
{
	(void)state;
	oracle_check_transform(focus_c, change_to_focus, NULL);
}

static void callers_of_c(const struct profile *from, void *ctx, struct profile *into)
{
	(void)ctx;
	profile_callers(from, func_c(from->names), into);
}

static bool change_to_callers(struct names *names, struct oracle_stack *stack, void *ctx)
{
	size_t first = 0;

	while (first < stack->depth &&
	       names_func_of(names, stack->frames[first]).v != func_c(names).v)
		first++;
	if (first == stack->depth)
		return false;
	stack->depth = first + 1;
	return change_to_inverted(names, stack, ctx);
}

static void callers_lead_from_the_outermost_call_to_the_root(void **state)
{
	(void)state;
	oracle_check_transform(callers_of_c, change_to_callers, NULL);
}

static void drop_markers(const struct profile *from, void *ctx, struct profile *into)
{
	(void)ctx;
	profile_drop_markers(from, into);
}

static bool change_to_no_markers(struct names *names, struct oracle_stack *stack, void *ctx)
{
	size_t first = 0;

	(void)ctx;
	while (first < stack->depth &&
	       names_frame_get(names, stack->frames[first])->kind == FRAME_MARKER)
		first++;
	memmove(stack->frames, stack->frames + first,
		(stack->depth - first) * sizeof(*stack->frames));
	stack->depth -= first;
	return true;
}

static void markers_go_from_the_root_only(void **state)
{
	(void)state;
	oracle_check_transform(drop_markers, change_to_no_markers, NULL);
}

static bool is_odd_depth(const struct profile *profile, struct node_id node, void *ctx)
{
	(*(int *)ctx)++;
	return profile->tree.depth[node.v] % 2;
}

static void filter_odd(const struct profile *from, void *ctx, struct profile *into)
{
	profile_filter(from, is_odd_depth, ctx, into);
	assert_true(into->tree.n <= from->tree.n);
}

static bool change_to_odd(struct names *names, struct oracle_stack *stack, void *ctx)
{
	(void)names;
	(void)ctx;
	return stack->depth % 2;
}

static void filter_keeps_the_stacks_that_it_is_told_to(void **state)
{
	int asked = 0;

	(void)state;
	oracle_check_transform(filter_odd, change_to_odd, &asked);
	assert_true(asked > 0);
}

static void modules_are_packages_or_the_names_of_own_files(void **state)
{
	static const struct {
		const char *file, *module;
	} cases[] = {
		{"/usr/lib/python3/dist-packages/yaml/loader.py", "yaml"},
		{"/venv/lib/python3.11/site-packages/django/db/models.py", "django"},
		{"/venv/lib/python3.11/site-packages/six.py", "six"},
		{"/usr/lib/python3.11/json/decoder.py", "json"},
		{"/usr/lib/python3.11/threading.py", "threading"},
		{"/srv/app.py", "app"},
		{"app.py", "app"},
		{"<string>", "<string>"},
		{"<frozen importlib._bootstrap>", "<frozen importlib._bootstrap>"},
		{"", "[unknown]"},
		{".py", ".py"},
		{"/srv/", "[unknown]"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct names *names = names_new();
		struct frame frame = {.name = names_cstr(names, "f"),
				      .file = names_cstr(names, cases[i].file),
				      .line = 3};
		struct profile from, into;
		const struct frame *got;

		profile_init(&from, names);
		profile_init(&into, names);
		assert_int_equal(profile_column(&from, "cpu", "nanoseconds", NULL), 0);
		profile_add(&from, 0,
			    tree_child(&from.tree, (struct node_id){0}, names_frame(names, &frame)),
			    1);
		profile_group(&from, GROUP_MODULE, &into);
		got = names_frame_get(names, (struct frame_id){into.tree.frame[1]});
		assert_string_equal(names_text(names, got->name, NULL), cases[i].module);
		profile_done(&from);
		profile_done(&into);
		names_free(names);
	}
}

/*
 * Whatever the transform: a tree with little room gets the whole sum, and says what it had no room
 * for.
 */
static void transforms_into_full_trees_keep_the_sum(void **state)
{
	static oracle_transform_fn *const transforms[] = {group_function, group_file, invert,
							  drop_markers};
	uint64_t seed = 23;

	(void)state;
	for (int round = 0; round < 400; round++) {
		struct names *names = names_new();
		struct profile from, into;
		struct oracle oracle;

		profile_init(&from, names);
		profile_init(&into, names);
		oracle_fill(&seed, &from, &oracle);
		into.tree.max_nodes = 5;
		transforms[round % 4](&from, NULL, &into);
		assert_true(into.tree.n <= 5);
		assert_int_equal(profile_sum(&into, 0), oracle_sum(&oracle));
		profile_done(&from);
		profile_done(&into);
		names_free(names);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grouping_by_function_drops_lines_and_nothing_else),
		cmocka_unit_test(grouping_by_line_is_a_copy),
		cmocka_unit_test(grouping_by_file_joins_neighbours),
		cmocka_unit_test(modules_are_packages_or_the_names_of_own_files),
		cmocka_unit_test(inverting_turns_every_stack_round),
		cmocka_unit_test(inverting_twice_changes_nothing),
		cmocka_unit_test(callers_lead_from_the_outermost_call_to_the_root),
		cmocka_unit_test(focus_keeps_what_lies_at_or_below_the_outermost_call),
		cmocka_unit_test(markers_go_from_the_root_only),
		cmocka_unit_test(filter_keeps_the_stacks_that_it_is_told_to),
		cmocka_unit_test(transforms_into_full_trees_keep_the_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
