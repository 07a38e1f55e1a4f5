/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tui/term.h"
#include "unit.h"

#define XTERM "xterm-256color"

static void colours_follow_the_stream_the_environment_and_the_option(void **state)
{
	static const struct {
		struct term_surroundings around;
		enum term_when when;
		enum tui_colours colours;
	} cases[] = {
		{{.is_tty = true, .term = XTERM}, TERM_AUTO, TUI_COLOURS_256},
		{{.is_tty = true, .term = "linux"}, TERM_AUTO, TUI_COLOURS_16},
		{{.is_tty = true, .term = "linux", .colorterm = "truecolor"},
		 TERM_AUTO,
		 TUI_COLOURS_256},
		{{.is_tty = true, .term = XTERM}, TERM_NEVER, TUI_COLOURS_NONE},
		{{.is_tty = true, .term = XTERM, .no_color = "1"}, TERM_AUTO, TUI_COLOURS_NONE},
		{{.is_tty = true, .term = XTERM, .no_color = ""}, TERM_AUTO, TUI_COLOURS_256},
		{{.is_tty = true, .term = XTERM, .no_color = "1"}, TERM_ALWAYS, TUI_COLOURS_256},
		{{.is_tty = true, .term = "dumb"}, TERM_AUTO, TUI_COLOURS_NONE},
		{{.is_tty = true}, TERM_AUTO, TUI_COLOURS_NONE},
		{{.term = XTERM}, TERM_AUTO, TUI_COLOURS_NONE},
		{{.term = XTERM, .clicolor_force = "1"}, TERM_AUTO, TUI_COLOURS_256},
		{{.term = XTERM, .clicolor_force = "0"}, TERM_AUTO, TUI_COLOURS_NONE},
		{{.term = XTERM, .clicolor_force = "1", .no_color = "1"},
		 TERM_AUTO,
		 TUI_COLOURS_NONE},
		{{.term = NULL}, TERM_ALWAYS, TUI_COLOURS_16},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++)
		assert_int_equal(term_judge(&cases[i].around, cases[i].when).colours,
				 cases[i].colours);
}

static void a_locale_is_the_first_that_is_set(void **state)
{
	static const struct {
		struct term_surroundings around;
		bool has_unicode;
	} cases[] = {
		{{.lang = "en_US.UTF-8"}, true},
		{{.lang = "de_DE.utf8"}, true},
		{{.lang = "de_DE.ISO-8859-1"}, false},
		{{.lc_all = "en_US.ISO-8859-1", .lang = "en_US.UTF-8"}, false},
		{{.lc_all = "", .lc_ctype = "C.UTF-8", .lang = "ru_RU.KOI8-R"}, true},
		/* what nobody chose */
		{{.lang = "C"}, true},
		{{.lang = NULL}, true},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++)
		assert_int_equal(term_judge(&cases[i].around, TERM_AUTO).has_unicode,
				 cases[i].has_unicode);
}

static void a_size_that_is_unknown_is_the_usual_one(void **state)
{
	struct term term =
		term_judge(&(struct term_surroundings){.rows = 12, .columns = 0}, TERM_AUTO);

	(void)state;
	assert_int_equal(term.rows, 12);
	assert_int_equal(term.columns, TERM_FALLBACK_COLUMNS);
}

static void when_is_one_of_three_words(void **state)
{
	enum term_when when = TERM_AUTO;

	(void)state;
	assert_int_equal(term_when_parse("never", &when), 0);
	assert_int_equal(when, TERM_NEVER);
	assert_true(term_when_parse("sometimes", &when) < 0);
	assert_int_equal(when, TERM_NEVER);
}

static void cells_are_as_wide_as_they_should_be(void **state)
{
	static const struct {
		const char *text;
		int columns;
		enum term_align align;
		bool has_unicode;
		const char *wanted;
	} cases[] = {
		{"ab", 4, TERM_LEFT, true, "ab  "},
		{"ab", 4, TERM_RIGHT, true, "  ab"},
		{"abcdef", 4, TERM_LEFT, true, "abc…"},
		{"日本語", 5, TERM_LEFT, true, "日本…"},
		{"日本語", 4, TERM_LEFT, true, "日… "},
		{"日本", 4, TERM_LEFT, false, "??  "},
		{"abcdef", 4, TERM_LEFT, false, "abc~"},
		{"a\x1b[m", 9, TERM_LEFT, true, "a\\x1b[m  "},
		{"", 3, TERM_LEFT, true, "   "},
		{"abc", 0, TERM_LEFT, true, ""},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct term term = {.has_unicode = cases[i].has_unicode};
		struct buf out;

		buf_init(&out, 4096);
		buf_puts(&out, "");
		term_cell(&out, &term, STYLE_PLAIN, cases[i].text, cases[i].columns,
			  cases[i].align);
		assert_string_equal(out.data ? out.data : "", cases[i].wanted);
		buf_done(&out);
	}
}

static void text_has_sequences_where_there_are_colours_only(void **state)
{
	struct term plain = {.has_unicode = true};
	struct term colour = {.has_unicode = true, .colours = TUI_COLOURS_256};
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	term_puts(&out, &plain, STYLE_BAD, "a\033]0;x\007");
	assert_string_equal(out.data, "a\\x1b]0;x\\x07");
	buf_reset(&out);
	term_puts(&out, &colour, STYLE_BAD, "a");
	assert_string_equal(out.data, "\033[0;1;38;5;167ma\033[0m");
	buf_reset(&out);
	term_puts(&out, &colour, STYLE_PLAIN, "a");
	assert_string_equal(out.data, "a");
	buf_done(&out);
}

static void bars_fill_as_far_as_they_should(void **state)
{
	static const struct {
		int64_t part, whole;
		const char *wanted;
	} cases[] = {{0, 10, "----"},  {5, 10, "##--"},	 {10, 10, "####"},
		     {99, 10, "####"}, {-5, 10, "----"}, {1, 0, "----"}};
	struct term term = {0};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct buf out;

		buf_init(&out, 4096);
		term_bar(&out, &term, cases[i].part, cases[i].whole, 4);
		assert_string_equal(out.data, cases[i].wanted);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(colours_follow_the_stream_the_environment_and_the_option),
		cmocka_unit_test(a_locale_is_the_first_that_is_set),
		cmocka_unit_test(a_size_that_is_unknown_is_the_usual_one),
		cmocka_unit_test(when_is_one_of_three_words),
		cmocka_unit_test(cells_are_as_wide_as_they_should_be),
		cmocka_unit_test(text_has_sequences_where_there_are_colours_only),
		cmocka_unit_test(bars_fill_as_far_as_they_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
