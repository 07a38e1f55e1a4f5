/* SPDX-License-Identifier: Apache-2.0 */
/* Tables (table.c and edges.c) against counting stack by stack. */
#include "profile/table.h"

#include <stdlib.h>

#include "oracle.h"

struct fixture {
	struct names *names;
	struct profile profile;
	struct oracle oracle;
	struct arena arena;
};

static void fixture_init(struct fixture *f, uint64_t *seed)
{
	f->names = names_new();
	arena_init(&f->arena);
	profile_init(&f->profile, f->names);
	oracle_fill(seed, &f->profile, &f->oracle);
}

static void fixture_done(struct fixture *f)
{
	profile_done(&f->profile);
	names_free(f->names);
	arena_done(&f->arena);
}

static uint32_t func_at(const struct fixture *f, const struct oracle_stack *stack, size_t i)
{
	return names_func_of(f->names, stack->frames[i]).v;
}

static bool is_marker(const struct fixture *f, uint32_t func)
{
	return names_func_get(f->names, (struct func_id){func})->kind == FRAME_MARKER;
}

static struct func_row expected_func(const struct fixture *f, uint32_t func)
{
	struct func_row row = {.func = {func}};

	for (size_t i = 0; i < f->oracle.n; i++) {
		const struct oracle_stack *stack = &f->oracle.stacks[i];

		if (oracle_stack_has_func(f->names, stack, row.func))
			row.total += stack->value;
		if (stack->depth && func_at(f, stack, stack->depth - 1) == func)
			row.self += stack->value;
	}
	return row;
}

static struct frame_row expected_frame(const struct fixture *f, struct frame_id frame)
{
	struct frame_row row = {.frame = frame};

	for (size_t i = 0; i < f->oracle.n; i++) {
		const struct oracle_stack *stack = &f->oracle.stacks[i];
		bool is_on = false;

		for (size_t k = 0; k < stack->depth; k++)
			is_on |= stack->frames[k].v == frame.v;
		row.total += is_on ? stack->value : 0;
		if (stack->depth && stack->frames[stack->depth - 1].v == frame.v)
			row.self += stack->value;
	}
	return row;
}

static void frames_count_recursion_once(void **state)
{
	uint64_t seed = 31;

	(void)state;
	for (int round = 0; round < 500; round++) {
		enum func_order order = round % 2 ? FUNC_BY_SELF : FUNC_BY_TOTAL;
		struct frame_row *rows;
		struct fixture f;
		size_t n, expected = 0;

		fixture_init(&f, &seed);
		n = frame_table(&f.profile, 0, order, &f.arena, &rows);
		for (size_t i = 0; i < n; i++) {
			struct frame_row row = expected_frame(&f, rows[i].frame);

			assert_int_equal(rows[i].self, row.self);
			assert_int_equal(rows[i].total, row.total);
			if (i && order == FUNC_BY_SELF)
				assert_true(rows[i - 1].self >= rows[i].self);
			if (i && order == FUNC_BY_TOTAL)
				assert_true(rows[i - 1].total >= rows[i].total);
		}
		for (uint32_t frame = 1; frame < names_frame_count(f.names); frame++) {
			struct frame_row row = expected_frame(&f, (struct frame_id){frame});
			uint32_t func = names_func_of(f.names, row.frame).v;

			expected += !is_marker(&f, func) && (row.self || row.total);
		}
		assert_int_equal(n, expected);
		fixture_done(&f);
	}
}

static void functions_count_recursion_once(void **state)
{
	uint64_t seed = 29;

	(void)state;
	for (int round = 0; round < 1500; round++) {
		enum func_order order = round % 2 ? FUNC_BY_SELF : FUNC_BY_TOTAL;
		struct func_row *rows;
		struct fixture f;
		size_t n, expected = 0;

		fixture_init(&f, &seed);
		n = func_table(&f.profile, 0, order, &f.arena, &rows);
		for (size_t i = 0; i < n; i++) {
			struct func_row row = expected_func(&f, rows[i].func.v);

			assert_int_equal(rows[i].self, row.self);
			assert_int_equal(rows[i].total, row.total);
			assert_false(is_marker(&f, rows[i].func.v));
			if (i && order == FUNC_BY_SELF)
				assert_true(rows[i - 1].self >= rows[i].self);
			if (i && order == FUNC_BY_TOTAL)
				assert_true(rows[i - 1].total >= rows[i].total);
		}
		for (uint32_t func = 1; func < names_func_count(f.names); func++)
			expected += !is_marker(&f, func) && expected_func(&f, func).total;
		assert_int_equal(n, expected);
		fixture_done(&f);
	}
}

static int64_t expected_line(const struct fixture *f, uint32_t func, uint32_t line, bool is_self)
{
	int64_t sum = 0;

	for (size_t i = 0; i < f->oracle.n; i++) {
		const struct oracle_stack *stack = &f->oracle.stacks[i];
		bool is_there = false;

		for (size_t j = 0; j < stack->depth; j++)
			if (!is_self || j == stack->depth - 1)
				is_there |=
					func_at(f, stack, j) == func &&
					names_frame_get(f->names, stack->frames[j])->line == line;
		sum += is_there ? stack->value : 0;
	}
	return sum;
}

static void lines_add_up_to_the_function(void **state)
{
	uint64_t seed = 31;

	(void)state;
	for (int round = 0; round < 500; round++) {
		struct func_row *funcs;
		struct line_row *lines;
		struct fixture f;
		size_t n, n_lines;

		fixture_init(&f, &seed);
		n = func_table(&f.profile, 0, FUNC_BY_SELF, &f.arena, &funcs);
		for (size_t i = 0; i < n; i++) {
			int64_t self = 0;

			n_lines = line_table(&f.profile, 0, funcs[i].func, &f.arena, &lines);
			for (size_t j = 0; j < n_lines; j++) {
				assert_true(!j || lines[j - 1].line < lines[j].line);
				self += lines[j].self;
				assert_int_equal(lines[j].self, expected_line(&f, funcs[i].func.v,
									      lines[j].line, true));
				assert_int_equal(
					lines[j].total,
					expected_line(&f, funcs[i].func.v, lines[j].line, false));
			}
			assert_int_equal(self, funcs[i].self);
		}
		fixture_done(&f);
	}
}

/* The frame next to the outermost (caller) or innermost (callee) occurrence, 0 for none. */
static uint32_t neighbour(const struct fixture *f, const struct oracle_stack *stack, uint32_t func,
			  bool is_caller)
{
	size_t at = 0;

	for (size_t i = 0; i < stack->depth; i++) {
		if (func_at(f, stack, i) != func)
			continue;
		at = i;
		if (is_caller)
			break;
	}
	if (is_caller)
		return at ? func_at(f, stack, at - 1) : 0;
	return at + 1 < stack->depth ? func_at(f, stack, at + 1) : 0;
}

static void check_edges(const struct fixture *f, struct func_row func, bool is_caller,
			const struct edge_row *rows, size_t n)
{
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t expected = 0;

		for (size_t j = 0; j < f->oracle.n; j++) {
			const struct oracle_stack *stack = &f->oracle.stacks[j];

			if (oracle_stack_has_func(f->names, stack, func.func) &&
			    neighbour(f, stack, func.func.v, is_caller) == rows[i].func.v)
				expected += stack->value;
		}
		assert_int_equal(rows[i].value, expected);
		assert_true(!i || rows[i - 1].value >= rows[i].value);
		sum += rows[i].value;
	}
	assert_int_equal(sum, func.total);
}

static void callers_and_callees_each_add_up_to_the_total(void **state)
{
	uint64_t seed = 37;

	(void)state;
	for (int round = 0; round < 500; round++) {
		struct func_row *funcs;
		struct edge_row *rows;
		struct fixture f;
		size_t n, n_rows;

		fixture_init(&f, &seed);
		n = func_table(&f.profile, 0, FUNC_BY_SELF, &f.arena, &funcs);
		for (size_t i = 0; i < n; i++) {
			n_rows = func_callers(&f.profile, 0, funcs[i].func, &f.arena, &rows);
			check_edges(&f, funcs[i], true, rows, n_rows);
			n_rows = func_callees(&f.profile, 0, funcs[i].func, &f.arena, &rows);
			check_edges(&f, funcs[i], false, rows, n_rows);
		}
		fixture_done(&f);
	}
}

static void diff_rows_hold_both_sides_and_the_largest_change_is_first(void **state)
{
	uint64_t seed = 41;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct func_row *table;
		struct diff_row *rows;
		struct profile diff;
		struct fixture a, b;
		size_t n, n_b;

		fixture_init(&a, &seed);
		fixture_init(&b, &seed);
		profile_init(&diff, a.names);
		assert_int_equal(profile_diff(&a.profile, &b.profile, 1, &diff), 0);
		n = func_diff_table(&diff, 0, &a.arena, &rows);
		for (size_t i = 0; i < n; i++) {
			struct func_row row = expected_func(&a, rows[i].func.v);

			assert_int_equal(rows[i].self_a, row.self);
			assert_int_equal(rows[i].total_a, row.total);
			if (i)
				assert_true(labs(rows[i - 1].self_b - rows[i - 1].self_a) >=
					    labs(rows[i].self_b - rows[i].self_a));
		}
		/* b's numbers, by way of its own table */
		n_b = func_table(&b.profile, 0, FUNC_BY_SELF, &b.arena, &table);
		for (size_t i = 0; i < n_b; i++) {
			const struct frame *theirs = names_func_get(b.names, table[i].func);
			const char *name = names_text(b.names, theirs->name, NULL);
			bool is_found = false;

			for (size_t j = 0; j < n; j++) {
				const struct frame *mine = names_func_get(a.names, rows[j].func);

				if (strcmp(names_text(a.names, mine->name, NULL), name) != 0)
					continue;
				is_found = true;
				assert_int_equal(rows[j].self_b, table[i].self);
				assert_int_equal(rows[j].total_b, table[i].total);
			}
			assert_true(is_found);
		}
		profile_done(&diff);
		fixture_done(&a);
		fixture_done(&b);
	}
}

/* 4,096 deep and only one function: the walk needs no stack of ours, and counts once. */
static void the_deepest_recursion_counts_once(void **state)
{
	struct names *names = names_new();
	struct frame_id frame = oracle_frame(names, 3, 1);
	struct node_id node = {0};
	struct profile profile;
	struct func_row *rows;
	struct arena arena;

	(void)state;
	arena_init(&arena);
	profile_init(&profile, names);
	assert_int_equal(profile_column(&profile, "cpu", "nanoseconds", NULL), 0);
	for (int i = 0; i < TREE_MAX_DEPTH; i++) {
		node = tree_child(&profile.tree, node, frame);
		profile_add(&profile, 0, node, 2);
	}
	assert_int_equal(func_table(&profile, 0, FUNC_BY_SELF, &arena, &rows), 1);
	assert_int_equal(rows[0].self, 2 * TREE_MAX_DEPTH);
	assert_int_equal(rows[0].total, 2 * TREE_MAX_DEPTH);
	profile_done(&profile);
	names_free(names);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_count_recursion_once),
		cmocka_unit_test(frames_count_recursion_once),
		cmocka_unit_test(lines_add_up_to_the_function),
		cmocka_unit_test(callers_and_callees_each_add_up_to_the_total),
		cmocka_unit_test(diff_rows_hold_both_sides_and_the_largest_change_is_first),
		cmocka_unit_test(the_deepest_recursion_counts_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
