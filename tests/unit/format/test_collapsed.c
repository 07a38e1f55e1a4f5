/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "format/collapsed.h"
#include "sample_profiles.h"

struct text {
	struct names *names;
	struct profile profile;
	struct collapsed_result result;
	struct err err;
	int code;
};

static void text_read(struct text *text, const char *body, size_t len,
		      const struct format_limits *limits, bool is_bare)
{
	struct collapsed_opts opts = {.is_bare = is_bare};

	*text = (struct text){.names = names_new()};
	profile_init(&text->profile, text->names);
	text->code = collapsed_read_lines(body, len, limits, &opts, &text->profile, &text->result,
					  &text->err);
}

static void text_done(struct text *text)
{
	profile_done(&text->profile);
	names_free(text->names);
}

static const char *written(const struct profile *profile, struct buf *out)
{
	struct format_output output = {.profile = profile};

	buf_init(out, 16u << 20);
	assert_int_equal(collapsed_write(&output, out, NULL), 0);
	return out->data ? out->data : "";
}

static void collapsed_reads_back_what_was_written(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < 100; seed++) {
		uint32_t flags = seed % (SAMPLE_MARKERS | SAMPLE_HOSTILE | SAMPLE_NATIVE | 2) & ~2u;
		struct names *names = names_new();
		struct profile profile;
		struct text text;
		struct buf bytes;

		profile_init(&profile, names);
		sample_profile(&profile, seed, flags);
		profile.columns[0].type.type = names_cstr(names, "samples");
		profile.columns[0].type.unit = names_cstr(names, "count");
		written(&profile, &bytes);
		text_read(&text, bytes.data, bytes.len, &format_limits_server, false);
		assert_int_equal(text.code, 0);
		assert_int_equal(text.result.n_bad, 0);
		assert_same_profile(&profile, &text.profile);
		buf_done(&bytes);
		text_done(&text);
		profile_done(&profile);
		names_free(names);
	}
}

/* Input and what it is once written again (NULL: the same). */
static const struct {
	const char *in, *out;
} texts[] = {
	{"a;b;c 3\n", NULL},
	{"work (/srv/app.py:31);foo (/srv/app.py:14) 68\n", NULL},
	{"<module> (<string>:1) 2\n", NULL},
	{"thread 12: MainThread;a 1\n", NULL},
	{"do_syscall_64_[k] 9\n", NULL},
	{"memcpy (libc.so.6) 9\n", NULL},
	{"std::function<void (int)>::operator() 4\n", NULL},
	{"a b;c d 5\n", NULL},
	{"[no stack] 7\n", NULL},
	{"a;b 1\r\na;b 2\r\n", "a;b 3\n"},
	{"a;b 1", "a;b 1\n"},
	{"\xef\xbb\xbf"
	 "a 1\n",
	 "a 1\n"},
	{"a\t1\n", "a 1\n"},
	{"a   1\n", "a 1\n"},
	{";;a;;b; 1\n", "a;b 1\n"},
	{"# comment 12\n\n   \na 1\n", "a 1\n"},
	{"a 9223372036854775807\na 1\n", "a 9223372036854775807\n"},
	{"a\\x3bb 1\n", NULL},
	{"a\\x3Bb 1\n", "a\\x5cx3Bb 1\n"},
	/* what cannot be seen, and what only looks like its escape */
	{"a\xc2\x9b"
	 "b\xe2\x80\xae 1\n",
	 "a\\u009bb\\u202e 1\n"},
	{"a\\u009bb\\u202e 1\n", NULL},
	{"a\\u0041\\user 1\n", NULL},
	{"a\\x5cu009b 1\n", NULL},
};

static void collapsed_reads_the_text_of_every_tool(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(texts); i++) {
		struct text text;
		struct buf bytes;

		text_read(&text, texts[i].in, strlen(texts[i].in), &format_limits_server, false);
		assert_int_equal(text.code, 0);
		assert_string_equal(written(&text.profile, &bytes),
				    texts[i].out ? texts[i].out : texts[i].in);
		buf_done(&bytes);
		text_done(&text);
	}
}

static void collapsed_refuses_lines_without_a_count(void **state)
{
	static const char *const bad[] = {
		"a",	"a -1",	  "a 1e5", "a 0x1f",	 "a 1.5", "a 99999999999999999999",
		" 5",	";;;; 1", "5",	   "a \xd9\xa3", "a 1 x", "",
		"\n\n",
	};

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		struct text text;

		text_read(&text, bad[i], strlen(bad[i]), &format_limits_server, false);
		assert_int_equal(text.code, ERR_CORRUPT);
		text_done(&text);
	}
}

static void collapsed_leaves_out_few_bad_lines_and_counts_them(void **state)
{
	struct text text;
	struct buf body;

	(void)state;
	buf_init(&body, 1u << 20);
	buf_puts(&body, "good 1\nbad\n");
	for (int i = 0; i < 200; i++)
		buf_printf(&body, "good;%d 1\n", i);
	text_read(&text, body.data, body.len, &format_limits_server, false);
	assert_int_equal(text.code, 0);
	assert_int_equal(text.result.n_bad, 1);
	assert_int_equal(text.result.first_bad, 2);
	assert_int_equal(profile_sum(&text.profile, 0), 201);
	text_done(&text);
	buf_puts(&body, "bad\nbad\n");
	text_read(&text, body.data, body.len, &format_limits_server, false);
	assert_int_equal(text.code, ERR_CORRUPT);
	assert_non_null(strstr(text.err.text, "line 2"));
	text_done(&text);
	buf_done(&body);
}

static void collapsed_counts_bare_lines_once(void **state)
{
	struct text text;

	(void)state;
	text_read(&text, "a;b\na;b 5\na;b\n", 13, &format_limits_server, true);
	assert_int_equal(text.code, 0);
	assert_int_equal(profile_sum(&text.profile, 0), 3);
	assert_int_equal(text.profile.tree.n, 4);
	text_done(&text);
}

static void collapsed_bounds_depth_lines_and_bytes(void **state)
{
	struct format_limits limits = format_limits_server;
	struct text text;
	struct buf body;

	(void)state;
	buf_init(&body, 16u << 20);
	for (int i = 0; i < 1000000; i++)
		buf_printf(&body, "f%d;", i % 10);
	buf_puts(&body, "leaf 1\n");
	text_read(&text, body.data, body.len, &limits, false);
	assert_int_equal(text.code, 0);
	assert_int_equal(text.profile.tree.n, 1 + 1024 + 1);
	text_done(&text);
	limits.max_samples = 1;
	text_read(&text, "a 1\na 1\n", 8, &limits, false);
	assert_int_equal(text.code, ERR_LIMIT);
	text_done(&text);
	limits.max_inflated_bytes = 3;
	text_read(&text, "a 1\n", 4, &limits, false);
	assert_int_equal(text.code, ERR_LIMIT);
	text_done(&text);
	buf_done(&body);
}

static void collapsed_refuses_utf16(void **state)
{
	struct text text;

	(void)state;
	text_read(&text,
		  "\xff\xfe"
		  "a\0 \0"
		  "1\0",
		  8, &format_limits_server, false);
	assert_int_equal(text.code, ERR_UNSUPPORTED);
	text_done(&text);
}

static void collapsed_writes_entries_where_asked(void **state)
{
	struct names *names = names_new();
	struct frame frame = {.name = names_cstr(names, "a")};
	struct format_output output = {.count_entries = true};
	struct profile profile;
	struct node_id node;
	struct buf out;

	(void)state;
	profile_init(&profile, names);
	node = tree_child(&profile.tree, (struct node_id){0}, names_frame(names, &frame));
	profile_add(&profile, (size_t)profile_column(&profile, "wall", "nanoseconds", NULL), node,
		    99);
	profile_add(&profile, (size_t)profile_column(&profile, "samples", "count", NULL), node, 2);
	output.profile = &profile;
	buf_init(&out, 100);
	assert_int_equal(collapsed_write(&output, &out, NULL), 0);
	assert_string_equal(out.data, "a 2\n");
	buf_done(&out);
	buf_init(&out, 3);
	assert_int_equal(collapsed_write(&output, &out, NULL), ERR_LIMIT);
	buf_done(&out);
	profile_done(&profile);
	names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(collapsed_reads_back_what_was_written),
		cmocka_unit_test(collapsed_reads_the_text_of_every_tool),
		cmocka_unit_test(collapsed_refuses_lines_without_a_count),
		cmocka_unit_test(collapsed_leaves_out_few_bad_lines_and_counts_them),
		cmocka_unit_test(collapsed_counts_bare_lines_once),
		cmocka_unit_test(collapsed_bounds_depth_lines_and_bytes),
		cmocka_unit_test(collapsed_refuses_utf16),
		cmocka_unit_test(collapsed_writes_entries_where_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
