/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "tui/style.h"
#include "tui/words.h"
#include "unit.h"

static void words_share_never_rounds_something_to_nothing(void **state)
{
	static const struct {
		int64_t value, whole;
		const char *wanted;
	} cases[] = {
		{75, 100, "75.0%"}, {1, 3, "33.3%"},	{0, 100, "-"},	{1, 100000, "<0.1%"},
		{5, 0, "-"},	    {100, 100, "100%"}, {-3, 100, "-"}, {99999, 100000, "100%"}};
	char out[WORDS_MAX];

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		words_share(out, cases[i].value, cases[i].whole);
		assert_string_equal(out, cases[i].wanted);
	}
}

static void words_time_fits_into_seven_columns(void **state)
{
	static const struct {
		int64_t ns;
		const char *wanted;
	} cases[] = {{0, "-"},
		     {-5, "-"},
		     {250000000, "250ms"},
		     {1000000000, "1.00s"},
		     {12340000000, "12.34s"},
		     {125000000000, "2m05s"},
		     {12000000000000, "3h20m"},
		     {INT64_MAX, "106751d"}};
	char out[WORDS_MAX];

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		words_time(out, cases[i].ns);
		assert_string_equal(out, cases[i].wanted);
		assert_true(strlen(out) <= 7);
	}
}

static void words_change_says_equal_within_chance(void **state)
{
	char out[WORDS_MAX];

	(void)state;
	words_change(out, 0.75, 0.1);
	assert_string_equal(out, "+0.75");
	words_change(out, -0.2, 0.1);
	assert_string_equal(out, "-0.20");
	words_change(out, -0.2, 0.3);
	assert_string_equal(out, "=");
	words_change(out, 0.001, 0);
	assert_string_equal(out, "=");
}

static void words_of_frames_say_kind_place_and_line(void **state)
{
	struct names *names = names_new();
	char long_path[2000], out[WORDS_NAME_MAX];
	struct frame python = {.name = names_cstr(names, "foo"),
			       .qualname = names_cstr(names, "Service.foo"),
			       .file = names_cstr(names, "/srv/app/service.py"),
			       .line = 14,
			       .kind = FRAME_PYTHON};
	struct frame native = {.name = names_cstr(names, "memcpy"),
			       .module = names_cstr(names, "/lib/libc.so.6"),
			       .kind = FRAME_NATIVE};
	struct frame kernel = {.name = names_cstr(names, "page_fault"), .kind = FRAME_KERNEL};

	(void)state;
	words_both(out, names, &python);
	assert_string_equal(out, "Service.foo (service.py:14)");
	words_path(out, names, &python);
	assert_string_equal(out, "/srv/app/service.py:14");
	words_both(out, names, &native);
	assert_string_equal(out, "C memcpy (libc.so.6)");
	words_both(out, names, &kernel);
	assert_string_equal(out, "k page_fault ([kernel])");
	assert_int_equal(style_of_frame(names, &python), STYLE_OWN);
	assert_int_equal(style_box_of_frame(names, &kernel), STYLE_BOX_KERNEL);

	/* The end of a path that does not fit stays, in whole characters. */
	for (size_t i = 0; i + 2 < sizeof(long_path); i += 2)
		memcpy(long_path + i, "\xc3\xa9", 2);
	memcpy(long_path + sizeof(long_path) - 6, "/x.py", 6);
	python.file = names_cstr(names, long_path);
	words_path(out, names, &python);
	assert_true(utf8_is_valid(out, strlen(out)));
	assert_string_equal(out + strlen(out) - 8, "/x.py:14");
	names_free(names);
}

static void styles_tell_states_apart_without_colour(void **state)
{
	char seen[STATE_COUNT + 1] = "";

	(void)state;
	for (int i = 0; i < STATE_COUNT; i++) {
		char letter = style_letter_of_state((enum thread_state)i);

		assert_null(strchr(seen, letter));
		seen[i] = letter;
		assert_true(*style_words_of_state((enum thread_state)i));
		assert_int_equal(style_of_state((enum thread_state)i), STYLE_STATE_UNKNOWN + i);
	}
	assert_int_equal(style_letter_of_state((enum thread_state)200), '?');
}

static void styles_have_colours_that_exist(void **state)
{
	(void)state;
	for (int i = 0; i < STYLE_COUNT; i++) {
		struct style_look all = style_look((enum tui_style)i, TUI_COLOURS_256);
		struct style_look few = style_look((enum tui_style)i, TUI_COLOURS_16);
		struct style_look none = style_look((enum tui_style)i, TUI_COLOURS_NONE);

		assert_in_range(all.ink + 1, 0, 256);
		assert_in_range(all.paper + 1, 0, 256);
		assert_in_range(few.ink + 1, 0, 8);
		assert_in_range(few.paper + 1, 0, 8);
		assert_int_equal(none.ink, -1);
		assert_int_equal(none.paper, -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_share_never_rounds_something_to_nothing),
		cmocka_unit_test(words_time_fits_into_seven_columns),
		cmocka_unit_test(words_change_says_equal_within_chance),
		cmocka_unit_test(words_of_frames_say_kind_place_and_line),
		cmocka_unit_test(styles_tell_states_apart_without_colour),
		cmocka_unit_test(styles_have_colours_that_exist),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
