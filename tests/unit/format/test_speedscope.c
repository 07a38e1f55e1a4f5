/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "format/speedscope.h"
#include "sample_profiles.h"

struct text {
	struct names *names;
	struct profile profile;
	struct err err;
	int code;
};

static void text_read(struct text *text, const char *body, size_t len)
{
	*text = (struct text){.names = names_new()};
	profile_init(&text->profile, text->names);
	text->code = speedscope_read(body, len, &format_limits_server, &text->profile, &text->err);
}

static void text_done(struct text *text)
{
	profile_done(&text->profile);
	names_free(text->names);
}

static void speedscope_reads_back_what_was_written(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < 60; seed++) {
		uint32_t flags = seed & (SAMPLE_MARKERS | SAMPLE_HOSTILE | SAMPLE_NATIVE);
		struct names *names = names_new();
		struct format_output output = {0};
		struct profile profile;
		struct text text;
		struct buf bytes;

		profile_init(&profile, names);
		sample_profile(&profile, seed, flags);
		output.profile = &profile;
		buf_init(&bytes, 16u << 20);
		assert_int_equal(speedscope_write(&output, &bytes, NULL), 0);
		text_read(&text, bytes.data, bytes.len);
		assert_int_equal(text.code, 0);
		assert_same_profile(&profile, &text.profile);
		buf_done(&bytes);
		text_done(&text);
		profile_done(&profile);
		names_free(names);
	}
}

static void speedscope_names_the_process_where_there_are_several(void **state)
{
	struct names *names = names_new();
	struct profile profile;
	struct format_output output = {.profile = &profile};
	const struct timed_thread threads[] = {{5, 5, "Main"}, {7, 7, "Main"}};
	const struct timed_sample samples[] = {{1, 0, {0}, 10, 1}, {2, 1, {0}, 7, 1}};
	struct timed timed = {samples, 2, threads, 2};
	struct buf bytes;

	(void)state;
	profile_init(&profile, names);
	(void)profile_column(&profile, "wall", "nanoseconds", NULL);
	output.timed = &timed;
	buf_init(&bytes, 1u << 16);
	assert_int_equal(speedscope_write(&output, &bytes, NULL), 0);
	assert_non_null(strstr(bytes.data, "\"Process 5 Thread 5 \\\"Main\\\"\""));
	assert_non_null(strstr(bytes.data, "\"Process 7 Thread 7 \\\"Main\\\"\""));
	buf_done(&bytes);
	profile_done(&profile);
	names_free(names);
}

static void speedscope_writes_a_profile_per_thread_in_time_order(void **state)
{
	static const char expected[] =
		"{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","
		"\"exporter\":\"pyrometer\",\"name\":\"app\",\"activeProfileIndex\":0,\"profiles\":"
		"["
		"{\"type\":\"sampled\",\"name\":\"Thread 5 "
		"\\\"Main\\\"\",\"unit\":\"nanoseconds\","
		"\"valueType\":\"wall\",\"startValue\":0,\"endValue\":30,"
		"\"samples\":[[0],[0,1]],\"weights\":[10,20]},"
		"{\"type\":\"sampled\",\"name\":\"Thread 6 "
		"\\\"w\\\"\",\"unit\":\"nanoseconds\","
		"\"valueType\":\"wall\",\"startValue\":0,\"endValue\":7,"
		"\"samples\":[[0,1]],\"weights\":[7]}],"
		"\"shared\":{\"frames\":[{\"name\":\"a\",\"file\":null,\"line\":null,"
		"\"col\":null},{\"name\":\"b\",\"file\":\"b.py\",\"line\":3,\"col\":null}]}}";
	struct names *names = names_new();
	struct frame a = {.name = names_cstr(names, "a")};
	struct frame b = {.name = names_cstr(names, "b"),
			  .file = names_cstr(names, "b.py"),
			  .line = 3,
			  .kind = FRAME_PYTHON};
	struct profile profile;
	struct format_output output = {.profile = &profile, .title = "app"};
	struct text text;
	struct buf bytes;

	(void)state;
	profile_init(&profile, names);
	struct node_id outer =
		tree_child(&profile.tree, (struct node_id){0}, names_frame(names, &a));
	struct node_id inner = tree_child(&profile.tree, outer, names_frame(names, &b));
	size_t column = (size_t)profile_column(&profile, "wall", "nanoseconds", NULL);
	const struct timed_thread threads[] = {{5, 5, "Main"}, {5, 9, "silent"}, {5, 6, "w"}};
	const struct timed_sample samples[] = {
		{1, 0, outer, 10, 1}, {2, 2, inner, 7, 1}, {3, 0, inner, 20, 2}};
	struct timed timed = {samples, 3, threads, 3};

	profile_add(&profile, column, outer, 10);
	profile_add(&profile, column, inner, 27);
	output.timed = &timed;
	buf_init(&bytes, 1u << 16);
	assert_int_equal(speedscope_write(&output, &bytes, NULL), 0);
	assert_string_equal(bytes.data, expected);
	text_read(&text, bytes.data, bytes.len);
	assert_same_profile(&profile, &text.profile);
	text_done(&text);
	buf_done(&bytes);
	profile_done(&profile);
	names_free(names);
}

#define FRAMES "\"shared\":{\"frames\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}]}"
#define FILE_OF(profiles) "{\"profiles\":[" profiles "]," FRAMES "}"
#define SAMPLED(unit, samples, weights)                                                            \
	FILE_OF("{\"type\":\"sampled\",\"unit\":\"" unit "\",\"samples\":[" samples                \
		"],\"weights\":[" weights "]}")
#define EVENTED(events)                                                                            \
	FILE_OF("{\"type\":\"evented\",\"unit\":\"none\",\"endValue\":20,\"events\":[" events "]"  \
		"}")
#define O(frame, at) "{\"type\":\"O\",\"frame\":" #frame ",\"at\":" #at "}"
#define C(frame, at) "{\"type\":\"C\",\"frame\":" #frame ",\"at\":" #at "}"

static const struct {
	const char *text;
	int64_t sum;
	uint32_t nodes;
} good[] = {
	{SAMPLED("none", "[0,1],[0]", "3,4"), 7, 3},
	{SAMPLED("seconds", "[0]", "0.25"), 250000000, 2},
	{SAMPLED("milliseconds", "[0],[1]", "1.5,2"), 3500000, 3},
	{SAMPLED("nanoseconds", "[0]", "9007199254740993"), 9007199254740993, 2},
	{SAMPLED("none", "[],[0]", "2,3"), 5, 2},
	{EVENTED(O(0, 0) "," O(1, 5) "," C(1, 9) "," C(0, 10)), 10, 3},
	{EVENTED(O(0, 3) "," O(1, 5)), 17, 3},
	{FILE_OF("{\"type\":\"sampled\",\"unit\":\"none\",\"samples\":[[0],[1]]}"), 2, 3},
	{FILE_OF(""), 0, 1},
};

static void speedscope_reads_sampled_and_evented(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(good); i++) {
		struct text text;

		text_read(&text, good[i].text, strlen(good[i].text));
		assert_int_equal(text.code, 0);
		assert_int_equal(text.profile.n_columns ? profile_sum(&text.profile, 0) : 0,
				 good[i].sum);
		assert_int_equal(text.profile.tree.n, good[i].nodes);
		text_done(&text);
	}
}

static const struct {
	const char *text, *says;
} broken[] = {
	{"", "JSON"},
	{"[1,2", "JSON"},
	{"{\"a\":NaN}", "JSON"},
	{"{}", "no profiles"},
	{"{\"profiles\":[]}", "no profiles"},
	{"{\"profiles\":{}," FRAMES "}", "no profiles"},
	{"{\"$schema\":\"other\"}", "$schema"},
	{SAMPLED("lightyears", "[0]", "1"), "unit"},
	{FILE_OF("{\"type\":\"sampled\",\"samples\":[[0]],\"weights\":[1]}"), "unit"},
	{FILE_OF("{\"type\":\"other\"}"), "sampled"},
	{SAMPLED("none", "[0]", "1,2"), "weights"},
	{SAMPLED("none", "[0]", "-1"), "weight"},
	{SAMPLED("none", "[0]", "\"1\""), "weight"},
	{SAMPLED("none", "[0]", "1e999"), "weight"},
	{SAMPLED("none", "[3]", "1"), "frame 3"},
	{SAMPLED("none", "[-1]", "1"), "index"},
	{SAMPLED("none", "[1.5]", "1"), "index"},
	{SAMPLED("none", "[\"0\"]", "1"), "index"},
	{SAMPLED("none", "[1e309]", "1"), "index"},
	{SAMPLED("none", "[[0]]", "1"), "index"},
	{SAMPLED("none", "0", "1"), "list"},
	{EVENTED(C(0, 1)), "closes"},
	{EVENTED(O(0, 1) "," O(1, 2) "," C(0, 3)), "closes"},
	{EVENTED(O(0, 5) "," C(0, 3)), "go back"},
	{EVENTED("{\"type\":\"O\",\"frame\":0}"), "missing"},
	{EVENTED("{\"type\":\"X\",\"frame\":0,\"at\":1}"), "neither"},
	{EVENTED("{\"type\":\"O\",\"at\":1}"), "names frame"},
	{"{\"profiles\":[],\"shared\":{\"frames\":[{\"file\":\"x\"}]}}", "no name"},
	{"{\"profiles\":[],\"shared\":{\"frames\":[{\"name\":null}]}}", "no text"},
	{"{\"profiles\":[],\"shared\":{\"frames\":[7]}}", "no object"},
};

static void speedscope_refuses_what_is_malformed_and_says_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(broken); i++) {
		struct text text;

		text_read(&text, broken[i].text, strlen(broken[i].text));
		assert_int_equal(text.code, ERR_CORRUPT);
		if (!strstr(text.err.text, broken[i].says))
			fail_msg("%s: %s", broken[i].text, text.err.text);
		text_done(&text);
	}
}

static void speedscope_cut_anywhere_is_refused(void **state)
{
	static const char whole[] = SAMPLED("none", "[0,1],[0]", "3,4");

	(void)state;
	for (size_t len = 0; len < strlen(whole); len++) {
		struct text text;

		text_read(&text, whole, len);
		assert_int_equal(text.code, ERR_CORRUPT);
		text_done(&text);
	}
}

static void speedscope_bounds_nesting(void **state)
{
	char deep[10000];
	struct text text;

	(void)state;
	memset(deep, '[', sizeof(deep));
	text_read(&text, deep, sizeof(deep));
	assert_int_equal(text.code, ERR_LIMIT);
	text_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(speedscope_reads_back_what_was_written),
		cmocka_unit_test(speedscope_writes_a_profile_per_thread_in_time_order),
		cmocka_unit_test(speedscope_names_the_process_where_there_are_several),
		cmocka_unit_test(speedscope_reads_sampled_and_evented),
		cmocka_unit_test(speedscope_refuses_what_is_malformed_and_says_why),
		cmocka_unit_test(speedscope_cut_anywhere_is_refused),
		cmocka_unit_test(speedscope_bounds_nesting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
