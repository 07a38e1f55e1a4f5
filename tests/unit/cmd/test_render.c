/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "cmd/render.h"

static void every_format_that_can_be_written_is_named(void **state)
{
	size_t n = 0;

	(void)state;
	assert_string_equal(render_format_names[n++], RENDER_CAPTURE_NAME);
	for (const struct format *format = formats; format->name; format++)
		if (format->write || format->is_streamed)
			assert_string_equal(render_format_names[n++], format->name);
	assert_null(render_format_names[n]);
}

static void a_format_follows_from_its_name_or_the_ending(void **state)
{
	static const struct {
		const char *name, *path, *format; /* NULL: the capture */
	} cases[] = {
		{NULL, NULL, "flamegraph"},
		{"raw", "x.svg", "raw"},
		{"SpeedScope", NULL, "speedscope"},
		{NULL, "x.pyro", NULL},
		{"PYRO", "x.svg", NULL},
		{NULL, "x.speedscope.json", "speedscope"},
		{NULL, "x.json", "speedscope"},
		{NULL, "x.chrometrace.json", "chrometrace"},
		{NULL, "x.unheard-of", "flamegraph"},
		{NULL, "-", "flamegraph"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct render_choice choice;

		assert_int_equal(render_choose(cases[i].name, cases[i].path, &choice, NULL), 0);
		assert_int_equal(choice.is_capture, cases[i].format == NULL);
		if (cases[i].format)
			assert_string_equal(choice.format->name, cases[i].format);
	}
}

static void an_unknown_format_is_told_from_those_that_are(void **state)
{
	struct render_choice choice;
	struct err err;

	(void)state;
	assert_int_equal(render_choose("pdf", NULL, &choice, &err), ERR_USAGE);
	assert_non_null(strstr(err.text, "unknown format 'pdf': choose one of pyro, flamegraph"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_that_can_be_written_is_named),
		cmocka_unit_test(a_format_follows_from_its_name_or_the_ending),
		cmocka_unit_test(an_unknown_format_is_told_from_those_that_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
