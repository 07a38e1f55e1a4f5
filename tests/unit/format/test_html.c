/* SPDX-License-Identifier: Apache-2.0 */
#include "format/html.h"

#include <string.h>

#include "hostile.h"
#include "unit.h"

static const struct html_bundle viewer = {
	.script = "run()", .style = "p{}", .policy = "default-src 'none'; script-src 'sha256-x'"};

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
	f->output =
		(struct format_output){.profile = &f->profile, .title = "demo", .subtitle = "x"};
	buf_init(&f->out, 64u << 20);
}

static void fixture_done(struct fixture *f)
{
	profile_done(&f->profile);
	names_free(f->names);
	buf_done(&f->out);
}

/* The bytes between tags are what the policy's checksums are of. */
static void script_and_style_stand_between_their_tags_unchanged(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	ordinary_fill(&f.profile);
	assert_int_equal(html_write_with(&viewer, &f.output, &f.out, &f.err), 0);
	assert_non_null(strstr(f.out.data, "<script>run()</script>"));
	assert_non_null(strstr(f.out.data, "<style>p{}</style>"));
	assert_non_null(strstr(f.out.data, "script-src &#39;sha256-x&#39;"));
	assert_non_null(strstr(f.out.data, "\"view\":{\"unit\":\"nanoseconds\""));
	assert_non_null(strstr(f.out.data, "<td>foo</td><td>/srv/app.py</td><td>75.00 %</td>"));
	fixture_done(&f);
}

static void a_build_without_a_viewer_says_how_to_get_one(void **state)
{
	struct fixture f;
	int r;

	(void)state;
	fixture_init(&f);
	ordinary_fill(&f.profile);
	r = html_write(&f.output, &f.out, &f.err);
	if (html_bundle_is_built()) {
		assert_int_equal(r, 0);
		assert_non_null(strstr(f.out.data, html_bundle.script));
	} else {
		assert_int_equal(r, ERR_UNSUPPORTED);
		assert_non_null(strstr(f.err.text, "-Dweb=enabled"));
	}
	fixture_done(&f);
}

static void nothing_to_draw_and_no_room_are_errors(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	assert_int_equal(html_write_with(&viewer, &f.output, &f.out, &f.err), ERR_USAGE);
	ordinary_fill(&f.profile);
	for (size_t ceiling = 100; ceiling < 1200; ceiling += 300) {
		buf_done(&f.out);
		buf_init(&f.out, ceiling);
		assert_int_equal(html_write_with(&viewer, &f.output, &f.out, &f.err), ERR_LIMIT);
	}
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(script_and_style_stand_between_their_tags_unchanged),
		cmocka_unit_test(a_build_without_a_viewer_says_how_to_get_one),
		cmocka_unit_test(nothing_to_draw_and_no_room_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
