/* SPDX-License-Identifier: Apache-2.0 */
/* What is shown as rows of functions, for tables and JSON. */
#include <string.h>

#include "cmd/top_private.h"
#include "profile/table.h"

unsigned top_states(const struct top *top)
{
	unsigned states = 0;

	for (unsigned state = 0; state < STATE_COUNT; state++)
		if (top->options.idle || !thread_state_is_idle((enum thread_state)state))
			states |= 1u << state;
	return states;
}

static bool counts(const struct profile *profile, size_t column, unsigned states)
{
	const struct sample_type *type = &profile->columns[column].type;
	enum thread_state state;

	return strcmp(names_text(profile->names, type->type, NULL), "wall") == 0 &&
	       thread_state_parse(names_text(profile->names, type->state, NULL), &state) == 0 &&
	       states >> state & 1;
}

/* The same tree with one column, real time in those states.  Nothing of it is to be released. */
static struct profile value_of(const struct profile *from, unsigned states, struct arena *arena)
{
	int64_t *values = arena_array(arena, from->tree.n, sizeof(*values));
	struct profile value = *from;

	for (size_t c = 0; c < from->n_columns; c++)
		for (uint32_t i = 0; counts(from, c, states) && i < from->tree.n; i++)
			values[i] += profile_value(from, c, (struct node_id){i});
	value.n_columns = 1;
	value.columns[0] = (struct profile_column){.values = values, .cap = from->tree.n};
	return value;
}

static uint32_t hottest_line(const struct profile *value, struct func_id func, struct arena *arena)
{
	struct line_row *lines, *best = NULL;
	size_t n = line_table(value, 0, func, arena, &lines);

	for (size_t i = 0; i < n; i++)
		if (!best || lines[i].self > best->self ||
		    (lines[i].self == best->self && lines[i].total > best->total))
			best = &lines[i];
	return best ? best->line : 0;
}

size_t top_functions(const struct top *top, size_t n, struct arena *arena,
		     struct top_function **ret_rows, int64_t *ret_sum)
{
	const struct profile *profile = timeline_profile(top->timeline);
	struct profile value = value_of(profile, top_states(top), arena);
	struct func_row *functions;
	struct top_function *rows;

	n = min_of(n, func_table(&value, 0, FUNC_BY_SELF, arena, &functions));
	rows = arena_array(arena, max_of(n, (size_t)1), sizeof(*rows));
	for (size_t i = 0; i < n; i++) {
		rows[i] = (struct top_function){
			.func = functions[i].func,
			.self = functions[i].self,
			.total = functions[i].total,
		};
		rows[i].line = top->options.function
				       ? names_func_get(top->names, rows[i].func)->first_line
				       : hottest_line(&value, rows[i].func, arena);
	}
	*ret_rows = rows;
	*ret_sum = profile_sum(&value, 0);
	return n;
}
