/* SPDX-License-Identifier: Apache-2.0 */
#include "oracle.h"

#include <stdlib.h>

#include "base/vec.h"

uint64_t oracle_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

struct frame_id oracle_frame(struct names *names, uint32_t func, uint32_t line)
{
	char name[] = {(char)('a' + func), 0};
	struct frame frame = {
		.name = names_cstr(names, name),
		.file = names_cstr(names, func % 2 ? "/srv/odd.py" : "/srv/even.py"),
		.line = 10 * func + line,
		.kind = FRAME_PYTHON,
	};

	if (func < 2)
		frame.kind = FRAME_MARKER;
	if (func >= 5)
		frame.kind = FRAME_NATIVE;
	return names_frame(names, &frame);
}

void oracle_fill(uint64_t *seed, struct profile *profile, struct oracle *oracle)
{
	int column = profile_column(profile, "cpu", "nanoseconds", NULL);

	assert_int_equal(column, 0);
	oracle->n = oracle_random(seed) % ORACLE_STACKS;
	for (size_t i = 0; i < oracle->n; i++) {
		struct oracle_stack *stack = &oracle->stacks[i];

		stack->depth = oracle_random(seed) % (ORACLE_DEPTH + 1);
		stack->value = (int64_t)(oracle_random(seed) % 1000);
		for (size_t j = 0; j < stack->depth; j++) {
			uint32_t random = (uint32_t)oracle_random(seed);

			stack->frames[j] = oracle_frame(profile->names, random % ORACLE_FUNCS,
							random / 64 % ORACLE_LINES);
		}
		profile_add(profile, 0, tree_stack(&profile->tree, stack->frames, stack->depth),
			    stack->value);
	}
	profile->n_profiles = 1;
	profile->n_samples = (int64_t)oracle->n;
	profile->start_ns = (int64_t)(oracle_random(seed) % 5);
	profile->duration_ns = (int64_t)(oracle_random(seed) % 100);
	profile->period = (int64_t)(oracle_random(seed) % 3);
	profile->period_type = names_cstr(profile->names, oracle_random(seed) % 2 ? "cpu" : "wall");
	profile->period_unit = names_cstr(profile->names, "nanoseconds");
}

bool oracle_stack_has_func(const struct names *names, const struct oracle_stack *stack,
			   struct func_id func)
{
	for (size_t i = 0; i < stack->depth; i++)
		if (names_func_of(names, stack->frames[i]).v == func.v)
			return true;
	return false;
}

int64_t oracle_sum(const struct oracle *oracle)
{
	int64_t sum = 0;

	for (size_t i = 0; i < oracle->n; i++)
		sum += oracle->stacks[i].value;
	return sum;
}

static int line_compare(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static char *node_as_text(const struct profile *profile, struct node_id node)
{
	struct frame_id frames[TREE_MAX_DEPTH];
	size_t depth = tree_path(&profile->tree, node, frames, TREE_MAX_DEPTH), len;
	bool has_value = false;
	struct buf line;

	buf_init(&line, 1 << 20);
	for (size_t i = 0; i < depth; i++) {
		const struct frame *frame = names_frame_get(profile->names, frames[i]);

		buf_printf(&line, "%s%s@%s:%u/%d", i ? ";" : "",
			   names_text(profile->names, frame->name, NULL),
			   names_text(profile->names, frame->file, NULL), frame->line, frame->kind);
	}
	for (size_t i = 0; i < profile->n_columns; i++) {
		int64_t value = profile_value(profile, i, node);

		has_value |= value != 0;
		buf_printf(&line, " %lld", (long long)value);
	}
	if (!has_value) {
		buf_done(&line);
		return NULL;
	}
	return buf_take(&line, &len);
}

char *profile_as_text(const struct profile *profile)
{
	char **lines = xcalloc(profile->tree.n, sizeof(*lines));
	struct buf out;
	size_t n = 0, len;

	for (uint32_t i = 0; i < profile->tree.n; i++) {
		lines[n] = node_as_text(profile, (struct node_id){i});
		n += lines[n] != NULL;
	}
	qsort(lines, n, sizeof(*lines), line_compare);
	buf_init(&out, 1 << 24);
	buf_puts(&out, "");
	for (size_t i = 0; i < n; i++) {
		buf_printf(&out, "%s\n", lines[i]);
		free(lines[i]);
	}
	free(lines);
	buf_putc(&out, '\n');
	return buf_take(&out, &len);
}

void oracle_check_transform(oracle_transform_fn *transform, oracle_change_fn *change, void *ctx)
{
	uint64_t seed = 17;

	for (int round = 0; round < 1000; round++) {
		struct names *names = names_new();
		struct profile from, into, expected;
		struct oracle oracle;
		char *got, *wanted;

		profile_init(&from, names);
		profile_init(&into, names);
		profile_init(&expected, names);
		oracle_fill(&seed, &from, &oracle);
		transform(&from, ctx, &into);
		assert_int_equal(profile_column(&expected, "cpu", "nanoseconds", NULL), 0);
		for (size_t i = 0; i < oracle.n; i++) {
			struct oracle_stack *stack = &oracle.stacks[i];

			if (change(names, stack, ctx))
				profile_add(&expected, 0,
					    tree_stack(&expected.tree, stack->frames, stack->depth),
					    stack->value);
		}
		got = profile_as_text(&into);
		wanted = profile_as_text(&expected);
		assert_string_equal(got, wanted);
		assert_int_equal(into.n_samples, from.n_samples);
		assert_int_equal(into.period, from.period);
		free(got);
		free(wanted);
		profile_done(&from);
		profile_done(&into);
		profile_done(&expected);
		names_free(names);
	}
}
