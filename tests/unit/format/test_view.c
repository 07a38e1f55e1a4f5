/* SPDX-License-Identifier: Apache-2.0 */
#include "format/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "oracle.h"
#include "view_scene.h"

static void a_view_has_graph_table_and_numbers_of_scene_a(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	s.request.search = "FOO";
	scene_view(&s);
	assert_int_equal(int_at(&s.out, "total"), 100);
	assert_int_equal(int_at(&s.out, "all_total"), 100);
	assert_int_equal(int_at(&s.out, "scale"), 1);
	assert_int_equal(int_at(&s.out, "samples"), 100);
	assert_int_equal(int_at(&s.out, "wall_ms"), 10000);
	assert_int_equal(int_at(&s.out, "series"), 1);
	assert_int_equal(int_at(&s.out, "flame.tree_nodes"), 4);
	assert_string_equal(frame_name(&s.out, "flame.frame[]", 0), "all");
	assert_string_equal(frame_name(&s.out, "flame.frame[]", 1), "work");
	assert_string_equal(frame_name(&s.out, "flame.frame[]", 2), "bar");
	assert_string_equal(frame_name(&s.out, "flame.frame[]", 3), "foo");
	assert_int_equal(cell(&s.out, "flame.x[]", 3), 25);
	assert_int_equal(cell(&s.out, "flame.total[]", 3), 75);
	assert_int_equal(cell(&s.out, "flame.parent[]", 3), 1);
	assert_int_equal(cell(&s.out, "flame.depth[]", 3), 2);
	assert_int_equal(row_of(&s.out, "foo"), 0);
	assert_int_equal(row_of(&s.out, "work"), 2);
	assert_int_equal(cell(&s.out, "table.self[]", 0), 75);
	assert_int_equal(cell(&s.out, "table.total[]", 2), 100);
	assert_int_equal(int_at(&s.out, "table.rows"), 3);
	assert_int_equal(int_at(&s.out, "search.matched"), 75);
	assert_int_equal(int_at(&s.out, "search.functions"), 1);
	assert_string_equal(frame_name(&s.out, "search.frames[]", 0), "foo");
	scene_done(&s);
}

/* The number in URLs: if this changes, every link that anybody kept is broken. */
static void keys_are_the_same_in_every_process_and_version(void **state)
{
	struct scene s;
	struct frame_id foo, line, lambda, other;

	(void)state;
	scene_init(&s, 12, 75);
	foo = names_func_frame(s.names, names_func_of(s.names, scene_frame(&s, "foo", 12, 13)));
	line = scene_frame(&s, "foo", 12, 13);
	lambda = scene_frame(&s, "<lambda>", 12, 0);
	other = scene_frame(&s, "<lambda>", 13, 0);
	assert_string_equal(view_key_of(s.names, foo).text, "5ExM_r-Vjww");
	assert_string_equal(view_key_of_func(s.names, names_func_of(s.names, line)).text,
			    view_key_of(s.names, foo).text);
	/* moved, but the same function */
	assert_string_equal(view_key_of(s.names, scene_frame(&s, "foo", 99, 0)).text,
			    view_key_of(s.names, foo).text);
	assert_string_not_equal(view_key_of(s.names, line).text, view_key_of(s.names, foo).text);
	assert_string_not_equal(view_key_of(s.names, lambda).text,
				view_key_of(s.names, other).text);
	assert_string_equal(view_key_of(s.names, (struct frame_id){0}).text, "");
	scene_done(&s);
}

static void a_path_of_keys_zooms_and_a_wrong_one_is_said(void **state)
{
	struct view_key work, foo;
	char path[64];
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	work = view_key_of(s.names, scene_frame(&s, "work", 30, 0));
	foo = view_key_of(s.names, scene_frame(&s, "foo", 12, 0));
	snprintf(path, sizeof(path), "%s.%s", work.text, foo.text);
	s.request.root = path;
	scene_view(&s);
	assert_int_equal(int_at(&s.out, "flame.root_found"), 1);
	assert_int_equal(int_at(&s.out, "flame.tree_nodes"), 1);
	assert_string_equal(frame_name(&s.out, "flame.frame[]", 0), "foo");
	assert_int_equal(cell(&s.out, "flame.total[]", 0), 75);
	assert_int_equal(int_at(&s.out, "total"), 100);
	/* foo is not called from the root */
	s.request.root = foo.text;
	scene_view(&s);
	assert_int_equal(int_at(&s.out, "flame.root_found"), 0);
	assert_int_equal(int_at(&s.out, "flame.tree_nodes"), 4);
	s.request.root = "short.keys";
	buf_reset(&s.out);
	assert_int_equal(view_write(&s.profile, &s.request, &s.facts, &s.out, &s.err), ERR_USAGE);
	assert_non_null(strstr(s.err.text, "root: 'short' is not the key"));
	scene_done(&s);
}

static void focus_counts_what_lies_below_a_function(void **state)
{
	struct view_key key;
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	key = view_key_of(s.names, scene_frame(&s, "foo", 12, 0));
	s.request.focus = key.text;
	scene_view(&s);
	assert_int_equal(int_at(&s.out, "total"), 75);
	assert_int_equal(int_at(&s.out, "all_total"), 100);
	assert_string_equal(frame_name(&s.out, "flame.frame[]", 1), "foo");
	s.request.focus = "AAAAAAAAAAA";
	buf_reset(&s.out);
	assert_int_equal(view_write(&s.profile, &s.request, &s.facts, &s.out, &s.err), -ENOENT);
	s.request.focus = "no key";
	assert_int_equal(view_write(&s.profile, &s.request, &s.facts, &s.out, &s.err), ERR_USAGE);
	s.request.focus = NULL;
	s.request.search = "/(/";
	assert_int_equal(view_write(&s.profile, &s.request, &s.facts, &s.out, &s.err), ERR_USAGE);
	scene_done(&s);
}

static void threads_split_keeps_their_markers_as_boxes_but_not_as_rows(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	s.request.is_split = true;
	scene_view(&s);
	assert_string_equal(frame_name(&s.out, "flame.frame[]", 1), "thread 1: MainThread");
	assert_int_equal(row_of(&s.out, "thread 1: MainThread"), -1);
	assert_int_equal(int_at(&s.out, "table.rows"), 3);
	scene_done(&s);
}

static void grouping_by_line_and_module_names_other_boxes(void **state)
{
	struct values *lines;
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	s.request.group = GROUP_LINE;
	scene_view(&s);
	lines = values_at(&s.out, "flame.frame[]");
	assert_int_equal(lines->n, 5);
	values_done(lines);
	assert_int_equal(int_at(&s.out, "table.rows"), 3);
	s.request.group = GROUP_MODULE;
	scene_view(&s);
	assert_string_equal(frame_name(&s.out, "flame.frame[]", 1), "app");
	assert_int_equal(int_at(&s.out, "flame.tree_nodes"), 2);
	scene_done(&s);
}

static void words_of_queries_parse_or_say_what_there_is(void **state)
{
	enum profile_group group;
	uint32_t states;
	struct err err;

	(void)state;
	assert_int_equal(view_group_parse("module", &group, &err), 0);
	assert_int_equal(group, GROUP_MODULE);
	assert_int_equal(view_group_parse("colour", &group, &err), ERR_USAGE);
	assert_non_null(strstr(err.text, "use function, line, file or module"));
	assert_int_equal(view_states_parse("running,waiting-gil", &states, &err), 0);
	assert_int_equal(states, 1 << STATE_RUNNING | 1 << STATE_WAITING_GIL);
	assert_int_equal(view_states_parse("", &states, &err), 0);
	assert_int_equal(states, 0);
	assert_int_equal(view_states_parse("running,dancing", &states, &err), ERR_USAGE);
	assert_non_null(strstr(err.text, "'dancing' is no state"));
}

static void states_choose_among_columns_of_one_type(void **state)
{
	struct scene s;
	struct node_id node;

	(void)state;
	scene_init(&s, 12, 75);
	node = tree_child(&s.profile.tree, (struct node_id){0}, scene_frame(&s, "poll", 1, 1));
	assert_int_equal(profile_column(&s.profile, "wall", "nanoseconds", "running"), 1);
	assert_int_equal(profile_column(&s.profile, "wall", "nanoseconds", "sleeping"), 2);
	assert_int_equal(profile_column(&s.profile, "wall", "nanoseconds", NULL), 3);
	profile_add(&s.profile, 1, node, 10);
	profile_add(&s.profile, 2, node, 200);
	profile_add(&s.profile, 3, node, 3000);
	scene_view(&s);
	assert_int_equal(int_at(&s.out, "total"), 100);
	s.request.column = 1; /* of a type that tells states apart: all of them */
	scene_view(&s);
	assert_int_equal(int_at(&s.out, "total"), 3210);
	s.request.states = 1u << STATE_SLEEPING;
	scene_view(&s);
	assert_int_equal(int_at(&s.out, "total"), 200);
	s.request.states = 1u << STATE_SLEEPING | 1u << STATE_RUNNING;
	scene_view(&s);
	assert_int_equal(int_at(&s.out, "total"), 210);
	s.request.column = 3; /* the whole, as the store gives it */
	s.request.states = 0;
	scene_view(&s);
	assert_int_equal(int_at(&s.out, "total"), 3000);
	scene_done(&s);
}

static void values_that_doubles_cannot_hold_are_scaled_and_still_add_up(void **state)
{
	struct values *total, *self, *parent;
	int64_t sums[8] = {0};
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	scene_add(&s, scene_frame(&s, "foo", 12, 13), INT64_C(1) << 60);
	scene_add(&s, scene_frame(&s, "bar", 21, 22), (INT64_C(1) << 55) + 999);
	scene_view(&s);
	assert_int_equal(int_at(&s.out, "scale"), 1000);
	total = values_at(&s.out, "flame.total[]");
	self = values_at(&s.out, "flame.self[]");
	parent = values_at(&s.out, "flame.parent[]");
	for (size_t i = 0; i < total->n; i++) {
		assert_true(total->ints[i] < INT64_C(1) << 53);
		sums[i] += self->ints[i];
		if (i)
			sums[parent->ints[i]] += total->ints[i];
	}
	for (size_t i = 0; i < total->n; i++)
		assert_true(sums[i] == total->ints[i]);
	assert_true(int_at(&s.out, "total") == total->ints[0]);
	values_done(total);
	values_done(self);
	values_done(parent);
	scene_done(&s);
}

static void hostile_names_stay_inside_their_strings(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	scene_add(&s, scene_frame(&s, "</script><b>&\"\\\x01\n\xe2\x80\xa8", 1, 1), 5);
	s.request.json_flags = JSON_ESCAPE_MARKUP;
	scene_view(&s);
	assert_null(memchr(s.out.data, '<', s.out.len));
	assert_true(row_of(&s.out, "</script><b>&\"\\\x01\n\xe2\x80\xa8") >= 0);
	scene_done(&s);
}

static void a_range_without_data_is_an_empty_view(void **state)
{
	struct scene s;
	struct profile none;

	(void)state;
	scene_init(&s, 12, 75);
	profile_init(&none, s.names);
	assert_int_equal(view_write(&none, &s.request, &s.facts, &s.out, &s.err), 0);
	assert_int_equal(int_at(&s.out, "total"), 0);
	assert_int_equal(int_at(&s.out, "flame.tree_nodes"), 1);
	assert_int_equal(int_at(&s.out, "table.rows"), 0);
	/* a column that the profile does not have, for another type of it was asked for */
	buf_reset(&s.out);
	s.request.column = 7;
	assert_int_equal(view_write(&s.profile, &s.request, &s.facts, &s.out, &s.err), 0);
	assert_int_equal(int_at(&s.out, "total"), 0);
	s.request.column = 0;
	buf_reset(&s.out);
	assert_int_equal(
		view_write_diff(&none, &s.profile, &s.request, &s.facts, &s.facts, &s.out, &s.err),
		0);
	assert_int_equal(int_at(&s.out, "total"), 0);
	assert_int_equal(int_at(&s.out, "total_b"), 100);
	buf_reset(&s.out);
	assert_int_equal(
		view_write_diff(&none, &none, &s.request, &s.facts, &s.facts, &s.out, &s.err), 0);
	assert_int_equal(int_at(&s.out, "total_b"), 0);
	profile_done(&none);
	scene_done(&s);
}

static void samples_are_counted_or_follow_from_the_period(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	s.profile.n_samples = 0;
	s.profile.period = 2;
	scene_view(&s);
	assert_int_equal(int_at(&s.out, "samples"), 50);
	/* Ticks that came late leave fewer samples than the time would hold. */
	s.profile.n_samples = 40;
	scene_view(&s);
	assert_int_equal(int_at(&s.out, "samples"), 40);
	s.profile.period_unit = names_cstr(s.names, "bytes");
	s.profile.n_samples = 0;
	scene_view(&s);
	assert_int_equal(int_at(&s.out, "samples"), 0);
	scene_done(&s);
}

static void an_answer_over_its_ceiling_is_refused(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	buf_done(&s.out);
	buf_init(&s.out, 300);
	assert_int_equal(view_write(&s.profile, &s.request, &s.facts, &s.out, &s.err), ERR_LIMIT);
	scene_done(&s);
}

static void facts_of_the_store_are_passed_on(void **state)
{
	static const struct view_gap gaps[] = {{1000, 2000}, {5000, 7000}};
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	s.facts.is_partial = true;
	s.facts.missing = gaps;
	s.facts.n_missing = 2;
	scene_view(&s);
	assert_int_equal(int_at(&s.out, "is_partial"), 1);
	assert_int_equal(cell(&s.out, "missing[].from", 1), 5000);
	assert_int_equal(cell(&s.out, "missing[].until", 1), 7000);
	scene_done(&s);
}

/*
 * Rows past the limit: the first ones by self and by total stay, and `rows` says how many there
 * are.
 */
static void a_long_table_keeps_the_largest_of_both_orders(void **state)
{
	struct values *rows;
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	for (uint32_t i = 0; i < 20; i++)
		scene_add(&s, scene_frame(&s, "small", i + 100, i + 101), 1);
	s.request.max_rows = 1;
	scene_view(&s);
	rows = values_at(&s.out, "table.frame[]");
	assert_int_equal(rows->n, 2);
	values_done(rows);
	assert_int_equal(row_of(&s.out, "foo"), 0);
	assert_int_equal(row_of(&s.out, "work"), 1);
	assert_int_equal(int_at(&s.out, "table.rows"), 23);
	scene_done(&s);
}

/* Random profiles: the picture adds up and the table adds up to it. */
static void every_view_of_random_profiles_adds_up(void **state)
{
	uint64_t seed = 71;

	(void)state;
	for (int round = 0; round < 60; round++) {
		struct view_request request = {.group = (enum profile_group)(round % 4),
					       .is_split = round % 8 > 3,
					       .max_nodes =
						       1 + (uint32_t)(oracle_random(&seed) % 40)};
		struct view_facts facts = {0};
		struct values *self, *table;
		struct names *names = names_new();
		struct profile profile;
		struct oracle oracle;
		struct buf out;
		struct err err;
		int64_t sum = 0, table_sum = 0;

		profile_init(&profile, names);
		buf_init(&out, 1 << 20);
		oracle_fill(&seed, &profile, &oracle);
		assert_int_equal(view_write(&profile, &request, &facts, &out, &err), 0);
		assert_int_equal(int_at(&out, "total"), oracle_sum(&oracle));
		self = values_at(&out, "flame.self[]");
		table = values_at(&out, "table.self[]");
		for (size_t i = 0; i < self->n; i++)
			sum += self->ints[i];
		for (size_t i = 0; i < table->n; i++)
			table_sum += table->ints[i];
		assert_int_equal(sum, oracle_sum(&oracle));
		assert_true(table_sum <= sum);
		values_done(self);
		values_done(table);
		profile_done(&profile);
		names_free(names);
		buf_done(&out);
	}
}

/* ---- lines ---- */

static void lines_of_a_function_add_up_to_its_self(void **state)
{
	struct view_source source = {.text = "def foo():\n", .len = 11, .sent_ms = 5};
	struct view_key key;
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	key = view_key_of(s.names, scene_frame(&s, "foo", 12, 0));
	assert_int_equal(
		view_write_lines(&s.profile, &s.request, key.text, &source, &s.out, &s.err), 0);
	assert_int_equal(int_at(&s.out, "self"), 75);
	assert_int_equal(int_at(&s.out, "total"), 75);
	assert_int_equal(int_at(&s.out, "view_total"), 100);
	assert_int_equal(int_at(&s.out, "function.first_line"), 12);
	assert_int_equal(cell(&s.out, "lines[].line", 0), 13);
	assert_int_equal(cell(&s.out, "lines[].self", 0), 14);
	assert_int_equal(cell(&s.out, "lines[].line", 1), 14);
	assert_int_equal(cell(&s.out, "lines[].self", 1), 61);
	assert_int_equal(int_at(&s.out, "callers[].value"), 75);
	assert_int_equal(int_at(&s.out, "callees[].value"), 75);
	assert_int_equal(int_at(&s.out, "callees[].frame"), -1); /* itself on top */
	assert_int_equal(int_at(&s.out, "source.sent"), 5);
	/* the key of one of its lines names it too */
	key = view_key_of(s.names, scene_frame(&s, "foo", 12, 14));
	buf_reset(&s.out);
	assert_int_equal(view_write_lines(&s.profile, &s.request, key.text, NULL, &s.out, &s.err),
			 0);
	assert_int_equal(int_at(&s.out, "self"), 75);
	assert_int_equal(int_at(&s.out, "source"), -1);
	scene_done(&s);
}

static void functions_that_share_a_key_are_counted_as_one(void **state)
{
	struct view_key key;
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	scene_add(&s, scene_frame(&s, "foo", 50, 51), 4);
	key = view_key_of(s.names, scene_frame(&s, "foo", 50, 0));
	assert_int_equal(view_write_lines(&s.profile, &s.request, key.text, NULL, &s.out, &s.err),
			 0);
	assert_int_equal(int_at(&s.out, "self"), 79);
	assert_int_equal(int_at(&s.out, "total"), 79);
	assert_int_equal(int_at(&s.out, "function.first_line"), 12);
	assert_int_equal(cell(&s.out, "lines[].line", 2), 51);
	scene_done(&s);
}

static void lines_of_a_function_that_is_not_there_are_an_error(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	assert_int_equal(
		view_write_lines(&s.profile, &s.request, "AAAAAAAAAAA", NULL, &s.out, &s.err),
		-ENOENT);
	assert_non_null(strstr(s.err.text, "no function with the key AAAAAAAAAAA"));
	assert_int_equal(view_write_lines(&s.profile, &s.request, "foo", NULL, &s.out, &s.err),
			 ERR_USAGE);
	scene_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_view_has_graph_table_and_numbers_of_scene_a),
		cmocka_unit_test(keys_are_the_same_in_every_process_and_version),
		cmocka_unit_test(a_path_of_keys_zooms_and_a_wrong_one_is_said),
		cmocka_unit_test(focus_counts_what_lies_below_a_function),
		cmocka_unit_test(threads_split_keeps_their_markers_as_boxes_but_not_as_rows),
		cmocka_unit_test(grouping_by_line_and_module_names_other_boxes),
		cmocka_unit_test(words_of_queries_parse_or_say_what_there_is),
		cmocka_unit_test(states_choose_among_columns_of_one_type),
		cmocka_unit_test(values_that_doubles_cannot_hold_are_scaled_and_still_add_up),
		cmocka_unit_test(hostile_names_stay_inside_their_strings),
		cmocka_unit_test(a_range_without_data_is_an_empty_view),
		cmocka_unit_test(samples_are_counted_or_follow_from_the_period),
		cmocka_unit_test(an_answer_over_its_ceiling_is_refused),
		cmocka_unit_test(facts_of_the_store_are_passed_on),
		cmocka_unit_test(a_long_table_keeps_the_largest_of_both_orders),
		cmocka_unit_test(every_view_of_random_profiles_adds_up),
		cmocka_unit_test(lines_of_a_function_add_up_to_its_self),
		cmocka_unit_test(functions_that_share_a_key_are_counted_as_one),
		cmocka_unit_test(lines_of_a_function_that_is_not_there_are_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
