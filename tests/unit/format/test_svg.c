/* SPDX-License-Identifier: Apache-2.0 */
#include "format/svg.h"

#include <string.h>

#include "format/svg_text.h"
#include "hostile.h"
#include "unit.h"

struct fixture {
	struct names *names;
	struct profile profile;
	struct format_output output;
	struct buf out;
	struct err err;
};

static void fixture_init(struct fixture *f)
{
	*f = (struct fixture){.names = names_new()};
	profile_init(&f->profile, f->names);
	f->output = (struct format_output){
		.profile = &f->profile, .title = "demo <1>", .subtitle = "100 Hz & more"};
	buf_init(&f->out, 64u << 20);
}

static void fixture_done(struct fixture *f)
{
	profile_done(&f->profile);
	names_free(f->names);
	buf_done(&f->out);
}

static void assert_has(const struct fixture *f, const char *text)
{
	if (!strstr(f->out.data, text))
		fail_msg("no %s in %s", text, f->out.data);
}

static void the_picture_is_true_without_scripts(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	ordinary_fill(&f.profile);
	assert_int_equal(svg_write(&f.output, &f.out, &f.err), 0);
	assert_has(&f, "<title>demo &lt;1&gt;</title>");
	assert_has(&f, ">100 Hz &amp; more</text>");
	assert_has(&f, "<title>foo (app.py:13)\n/srv/app.py\n75.00 s, 75.00 % of all, self 75.00 %"
		       "</title><rect x=\"305.0000\" y=\"98\" width=\"885.0000\"");
	assert_has(&f,
		   "<title>work (app.py:31)\n/srv/app.py\n100.00 s, 100.00 % of all, self 0.00 %");
	assert_has(&f, ">bar (app.py:22)</text>");
	assert_has(&f, "100.00 s in all, 4 of 4 boxes drawn</text>");
	assert_has(&f, ">own Python</text>");
	assert_null(strstr(f.out.data, "garbage collection"));
	fixture_done(&f);
}

static void what_is_too_narrow_is_merged_and_said(void **state)
{
	struct frame frame = {.kind = FRAME_NATIVE};
	struct fixture f;
	char name[16];

	(void)state;
	fixture_init(&f);
	ordinary_fill(&f.profile);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "tiny %d", i);
		frame.name = names_cstr(f.names, name);
		profile_add(&f.profile, 0,
			    tree_child(&f.profile.tree, (struct node_id){0},
				       names_frame(f.names, &frame)),
			    1000000);
	}
	assert_int_equal(svg_write(&f.output, &f.out, &f.err), 0);
	assert_has(&f, "<title>50 merged\n");
	assert_has(&f, "4 of 54 boxes drawn, 0.05 % in merged ones");
	assert_null(strstr(f.out.data, "tiny"));
	fixture_done(&f);
}

static void a_profile_without_samples_is_a_picture_that_says_so(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	assert_int_equal(svg_write(&f.output, &f.out, &f.err), ERR_USAGE);
	assert_int_equal(profile_column(&f.profile, "cpu", "nanoseconds", NULL), 0);
	assert_int_equal(svg_write(&f.output, &f.out, &f.err), 0);
	assert_has(&f, "no samples in all");
	assert_null(strstr(f.out.data, "nan"));
	assert_null(strstr(f.out.data, "inf\""));
	fixture_done(&f);
}

static void an_output_over_its_ceiling_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	ordinary_fill(&f.profile);
	buf_done(&f.out);
	buf_init(&f.out, 1000);
	assert_int_equal(svg_write(&f.output, &f.out, &f.err), ERR_LIMIT);
	fixture_done(&f);
}

static void the_script_stays_small_and_cannot_end_its_section(void **state)
{
	(void)state;
	assert_true(strlen(svg_script) <= 6 * 1024);
	assert_null(strstr(svg_script, "]]>"));
	assert_null(strchr(svg_style, '<'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_picture_is_true_without_scripts),
		cmocka_unit_test(what_is_too_narrow_is_merged_and_said),
		cmocka_unit_test(a_profile_without_samples_is_a_picture_that_says_so),
		cmocka_unit_test(an_output_over_its_ceiling_is_refused),
		cmocka_unit_test(the_script_stays_small_and_cannot_end_its_section),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
