/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "format/dot.h"

struct drawing {
	struct names *names;
	struct profile profile;
	struct buf text;
};

static void begin(struct drawing *drawing)
{
	drawing->names = names_new();
	profile_init(&drawing->profile, drawing->names);
	(void)profile_column(&drawing->profile, "samples", "count", NULL);
	buf_init(&drawing->text, 1 << 20);
}

/* "a;b;c": outermost first. */
static void add(struct drawing *drawing, const char *stack, int64_t value)
{
	struct node_id node = {0};

	while (*stack) {
		size_t len = strcspn(stack, ";");
		struct frame frame = {.name = names_str(drawing->names, stack, len)};

		node = tree_child(&drawing->profile.tree, node,
				  names_frame(drawing->names, &frame));
		stack += len + (stack[len] == ';');
	}
	profile_add(&drawing->profile, 0, node, value);
}

static void draw(struct drawing *drawing, uint32_t max_nodes)
{
	struct dot_opts opts = {.title = "shop", .max_nodes = max_nodes};

	buf_reset(&drawing->text);
	dot_write(&drawing->profile, &opts, &drawing->text);
}

static void end(struct drawing *drawing)
{
	profile_done(&drawing->profile);
	names_free(drawing->names);
	buf_done(&drawing->text);
}

static void has(const struct drawing *drawing, const char *part)
{
	if (!strstr(drawing->text.data, part))
		fail_msg("no %s in\n%s", part, drawing->text.data);
}

static void recursion_counts_once(void **state)
{
	struct drawing drawing;

	(void)state;
	begin(&drawing);
	add(&drawing, "a;b;a;b;a", 3);
	add(&drawing, "a;b", 1);
	draw(&drawing, 0);
	has(&drawing, "[label=\"a\\n3 samples (75.00 %)\\nof 4 samples (100.00 %)\"");
	has(&drawing, "[label=\"b\\n1 samples (25.00 %)\\nof 4 samples (100.00 %)\"");
	has(&drawing, "N1 -> N2 [label=\" 4 samples\"");
	has(&drawing, "N2 -> N1 [label=\" 3 samples\"");
	end(&drawing);
}

static void calls_over_functions_that_are_left_out_are_dotted(void **state)
{
	struct drawing drawing;

	(void)state;
	begin(&drawing);
	add(&drawing, "a;thin;b", 2);
	add(&drawing, "a;slim;b", 2);
	add(&drawing, "b", 5);
	draw(&drawing, 2);
	has(&drawing, "Showing 2 functions out of 4");
	has(&drawing, "N2 -> N1 [label=\" 4 samples\"");
	has(&drawing, "style=\"dotted\" tooltip=\"a -> b (4 samples)\"");
	assert_null(strstr(drawing.text.data, "thin"));
	add(&drawing, "a;b", 1);
	draw(&drawing, 2);
	has(&drawing, "N2 -> N1 [label=\" 5 samples\"");
	assert_null(strstr(drawing.text.data, "dotted"));
	end(&drawing);
}

static void names_cannot_end_their_quotes(void **state)
{
	struct drawing drawing;

	(void)state;
	begin(&drawing);
	add(&drawing, "quo\"te\\;line\nbreak", 1);
	draw(&drawing, 0);
	has(&drawing, "label=\"quo\\\"te\\\\\\n");
	has(&drawing, "label=\"line break\\n");
	end(&drawing);
}

static void values_at_the_end_of_their_range_stay_there(void **state)
{
	struct drawing drawing;

	(void)state;
	begin(&drawing);
	add(&drawing, "a;b", INT64_MAX);
	add(&drawing, "c;a;b", INT64_MAX);
	draw(&drawing, 0);
	has(&drawing, " 9223372036854775807 samples");
	end(&drawing);
}

static void nothing_is_drawn_of_nothing(void **state)
{
	struct drawing drawing;

	(void)state;
	begin(&drawing);
	draw(&drawing, 0);
	assert_int_equal(drawing.text.len, 0);
	end(&drawing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recursion_counts_once),
		cmocka_unit_test(calls_over_functions_that_are_left_out_are_dotted),
		cmocka_unit_test(names_cannot_end_their_quotes),
		cmocka_unit_test(values_at_the_end_of_their_range_stay_there),
		cmocka_unit_test(nothing_is_drawn_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
