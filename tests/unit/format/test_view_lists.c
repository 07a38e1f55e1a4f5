/* SPDX-License-Identifier: Apache-2.0 */
/* Views by callers, and the lists: functions, and what changed most between two ranges. */
#include "format/view.h"

#include <errno.h>
#include <string.h>

#include "view_scene.h"

static const struct view_page whole = {.order = VIEW_BY_SELF, .limit = 100};

static char *text_at(const struct buf *answer, const char *path, size_t i)
{
	struct values *values = values_at(answer, path);
	static char out[128];

	assert_true(i < values->n);
	snprintf(out, sizeof(out), "%s", values->texts[i]);
	values_done(values);
	return out;
}

static size_t count_at(const struct buf *answer, const char *path)
{
	struct values *values = values_at(answer, path);
	size_t n = values->n;

	values_done(values);
	return n;
}

static void callers_are_drawn_below_their_function_and_the_table_stays(void **state)
{
	struct view_key key;
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	key = view_key_of(s.names, scene_frame(&s, "foo", 12, 0));
	s.request.callers = key.text;
	scene_view(&s);
	assert_int_equal(int_at(&s.out, "total"), 75);
	assert_int_equal(int_at(&s.out, "all_total"), 100);
	assert_string_equal(frame_name(&s.out, "flame.frame[]", 1), "foo");
	assert_string_equal(frame_name(&s.out, "flame.frame[]", 2), "work");
	assert_int_equal(cell(&s.out, "flame.total[]", 2), 75);
	assert_int_equal(cell(&s.out, "table.self[]", row_of(&s.out, "bar")), 25);
	s.request.focus = key.text;
	buf_reset(&s.out);
	assert_int_equal(view_write(&s.profile, &s.request, &s.facts, &s.out, &s.err), ERR_USAGE);
	s.request.focus = NULL;
	s.request.callers = "AAAAAAAAAAA";
	assert_int_equal(view_write(&s.profile, &s.request, &s.facts, &s.out, &s.err), -ENOENT);
	assert_non_null(strstr(s.err.text, "callers: "));
	scene_done(&s);
}

static void inverted_begins_with_the_functions_on_top(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	s.request.is_inverted = true;
	scene_view(&s);
	assert_int_equal(int_at(&s.out, "total"), 100);
	assert_int_equal(cell(&s.out, "flame.total[]", 1) + cell(&s.out, "flame.total[]", 2), 100);
	assert_string_equal(frame_name(&s.out, "flame.frame[]", 3), "work");
	assert_int_equal(cell(&s.out, "table.total[]", row_of(&s.out, "work")), 100);
	scene_done(&s);
}

static void functions_come_by_self_total_and_name_a_page_at_a_time(void **state)
{
	struct view_page page = {.order = VIEW_BY_TOTAL, .offset = 1, .limit = 1};
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	assert_int_equal(
		view_write_functions(&s.profile, &s.request, &whole, &s.facts, &s.out, &s.err), 0);
	assert_int_equal(int_at(&s.out, "rows"), 3);
	assert_string_equal(text_at(&s.out, "functions[].name", 0), "foo");
	assert_string_equal(text_at(&s.out, "functions[].name", 1), "bar");
	assert_string_equal(text_at(&s.out, "functions[].name", 2), "work");
	buf_reset(&s.out);
	assert_int_equal(
		view_write_functions(&s.profile, &s.request, &page, &s.facts, &s.out, &s.err), 0);
	assert_int_equal(int_at(&s.out, "rows"), 3);
	assert_int_equal(int_at(&s.out, "functions[].total"), 75);
	page = (struct view_page){.order = VIEW_BY_NAME, .limit = 1};
	buf_reset(&s.out);
	assert_int_equal(
		view_write_functions(&s.profile, &s.request, &page, &s.facts, &s.out, &s.err), 0);
	assert_string_equal(text_at(&s.out, "functions[].name", 0), "bar");
	page = (struct view_page){.offset = SIZE_MAX, .limit = SIZE_MAX};
	buf_reset(&s.out);
	assert_int_equal(
		view_write_functions(&s.profile, &s.request, &page, &s.facts, &s.out, &s.err), 0);
	assert_int_equal(count_at(&s.out, "functions[].name"), 0);
	scene_done(&s);
}

static void a_search_lists_what_it_finds_and_says_what_that_costs(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, 12, 75);
	s.request.search = "FOO";
	assert_int_equal(
		view_write_functions(&s.profile, &s.request, &whole, &s.facts, &s.out, &s.err), 0);
	assert_int_equal(int_at(&s.out, "rows"), 1);
	assert_int_equal(int_at(&s.out, "matched"), 75);
	assert_int_equal(int_at(&s.out, "total"), 100);
	s.request.search = "/(/";
	assert_int_equal(
		view_write_functions(&s.profile, &s.request, &whole, &s.facts, &s.out, &s.err),
		ERR_USAGE);
	scene_done(&s);
}

/* foo fell from 75 to 9 of a range as long, bar stayed, what changed by less than its noise says so. */
static void changes_come_largest_first_and_admit_noise(void **state)
{
	struct scene a, b;

	(void)state;
	scene_init(&a, 12, 75);
	scene_init(&b, 12, 9);
	scene_add(&b, scene_frame(&b, "qux", 40, 41), 3);
	assert_int_equal(view_write_changes(&a.profile, &b.profile, &a.request, &whole, &a.facts,
					    &b.facts, &a.out, &a.err),
			 0);
	assert_int_equal(int_at(&a.out, "rows"), 4);
	assert_string_equal(text_at(&a.out, "changes[].name", 0), "foo");
	assert_int_equal(cell(&a.out, "changes[].change", 0), -66);
	assert_int_equal(cell(&a.out, "changes[].noise", 0), 18);
	assert_int_equal(cell(&a.out, "changes[].is_noise", 0), 0);
	assert_string_equal(text_at(&a.out, "changes[].what", 0), "changed");
	assert_string_equal(text_at(&a.out, "changes[].name", 1), "qux");
	assert_string_equal(text_at(&a.out, "changes[].what", 1), "new");
	assert_int_equal(cell(&a.out, "changes[].is_noise", 1), 1);
	scene_done(&a);
	scene_done(&b);
}

static void changes_count_rates_and_totals(void **state)
{
	struct view_page page = {.order = VIEW_BY_TOTAL, .limit = 1};
	struct scene a, b;

	(void)state;
	scene_init(&a, 12, 75);
	scene_init(&b, 12, 75);
	b.facts.wall_ms = 40000; /* b is four times as long: a quarter of the rate */
	assert_int_equal(view_write_changes(&a.profile, &b.profile, &a.request, &page, &a.facts,
					    &b.facts, &a.out, &a.err),
			 0);
	assert_string_equal(text_at(&a.out, "changes[].name", 0), "work");
	assert_int_equal(int_at(&a.out, "changes[].change"), -75);
	assert_int_equal(int_at(&a.out, "changes[].total_b"), 100);
	scene_done(&a);
	scene_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(callers_are_drawn_below_their_function_and_the_table_stays),
		cmocka_unit_test(inverted_begins_with_the_functions_on_top),
		cmocka_unit_test(functions_come_by_self_total_and_name_a_page_at_a_time),
		cmocka_unit_test(a_search_lists_what_it_finds_and_says_what_that_costs),
		cmocka_unit_test(changes_come_largest_first_and_admit_noise),
		cmocka_unit_test(changes_count_rates_and_totals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
