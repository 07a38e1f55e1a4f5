/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "codec/gzip.h"
#include "codec/proto.h"
#include "format/pprof.h"
#include "sample_profiles.h"

#define ALL_FLAGS                                                                                  \
	(SAMPLE_MARKERS | SAMPLE_STATES | SAMPLE_HOSTILE | SAMPLE_NATIVE | SAMPLE_TWO_TYPES |      \
	 SAMPLE_QUALNAMES)

static int read_all(const struct buf *bytes, struct profile *into, struct err *err)
{
	return pprof_read(bytes->data, bytes->len, &format_limits_server, into, err);
}

/* ---- round trips ---- */

static void pprof_reads_back_what_was_written(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < 100; seed++) {
		struct names *names = names_new(), *other_names = names_new();
		struct profile profile, back;
		struct format_output output = {.profile = &profile};
		struct buf bytes;

		profile_init(&profile, names);
		profile_init(&back, other_names);
		sample_profile(&profile, seed, seed % (ALL_FLAGS + 1));
		buf_init(&bytes, 16u << 20);
		assert_int_equal(pprof_write(&output, &bytes, NULL), 0);
		assert_true(gzip_is_gzip(bytes.data, bytes.len));
		assert_int_equal(read_all(&bytes, &back, NULL), 0);
		assert_same_profile(&profile, &back);
		assert_int_equal(back.start_ns, profile.start_ns);
		assert_int_equal(back.duration_ns, profile.duration_ns);
		assert_int_equal(back.period, profile.period);
		assert_int_equal(back.n_profiles, 1);
		buf_done(&bytes);
		profile_done(&profile);
		profile_done(&back);
		names_free(names);
		names_free(other_names);
	}
}

/* The column of the only stack's only frame. */
static uint32_t column_read(const struct buf *bytes, const struct format_limits *limits)
{
	struct names *names = names_new();
	struct profile back;
	uint32_t column;

	profile_init(&back, names);
	assert_int_equal(pprof_read(bytes->data, bytes->len, limits, &back, NULL), 0);
	assert_int_equal(back.tree.n, 2);
	column = names_frame_get(names, (struct frame_id){back.tree.frame[1]})->column;
	profile_done(&back);
	names_free(names);
	return column;
}

static void pprof_holds_columns_and_the_server_takes_lines_whole(void **state)
{
	struct names *names = names_new();
	struct frame frame = {.name = names_cstr(names, "f"), .line = 7, .column = 13};
	struct profile profile;
	struct format_output output = {.profile = &profile};
	struct node_id node;
	struct buf bytes;

	(void)state;
	frame.file = names_cstr(names, "/srv/app.py");
	frame.kind = FRAME_PYTHON;
	profile_init(&profile, names);
	node = tree_child(&profile.tree, (struct node_id){0}, names_frame(names, &frame));
	assert_int_equal(profile_column(&profile, "cpu", "nanoseconds", NULL), 0);
	profile_add(&profile, 0, node, 1);
	buf_init(&bytes, 1u << 20);
	assert_int_equal(pprof_write(&output, &bytes, NULL), 0);
	assert_int_equal(column_read(&bytes, &format_limits_local), 13);
	assert_int_equal(column_read(&bytes, &format_limits_server), 0);
	buf_done(&bytes);
	profile_done(&profile);
	names_free(names);
}

/* ---- files made by hand ---- */

struct made {
	struct buf bytes;
	struct names *names;
	struct profile profile;
};

static void made_init(struct made *made)
{
	buf_init(&made->bytes, 1u << 20);
	made->names = names_new();
	profile_init(&made->profile, made->names);
}

static void made_done(struct made *made)
{
	buf_done(&made->bytes);
	profile_done(&made->profile);
	names_free(made->names);
}

static void put_value_type(struct buf *out, uint32_t number, uint64_t type, uint64_t unit)
{
	size_t begin = proto_begin(out, number);

	proto_put_uint(out, 1, type);
	proto_put_uint(out, 2, unit);
	proto_end(out, begin);
}

/* 1 samples 2 count 3 main 4 foo 5 app.py 6 region 7 eu 8 us 9 thread_name 10 Main */
static void put_strings(struct buf *out)
{
	static const char *const strings[] = {"",    "samples",	    "count",  "main",
					      "foo", "app.py",	    "region", "eu",
					      "us",  "thread_name", "Main"};

	for (size_t i = 0; i < array_len(strings); i++)
		proto_put_str(out, 6, strings[i]);
}

static void put_function(struct buf *out, uint64_t id, uint64_t name)
{
	size_t begin = proto_begin(out, 5);

	proto_put_uint(out, 1, id);
	proto_put_uint(out, 2, name);
	proto_put_uint(out, 4, 5);
	proto_end(out, begin);
}

static void put_location(struct buf *out, uint64_t id, uint64_t function)
{
	size_t begin = proto_begin(out, 4), line;

	proto_put_uint(out, 1, id);
	line = proto_begin(out, 4);
	proto_put_uint(out, 1, function);
	proto_put_uint(out, 2, 12);
	proto_end(out, line);
	proto_end(out, begin);
}

static void put_label(struct buf *out, uint64_t key, uint64_t str)
{
	size_t begin = proto_begin(out, 3);

	proto_put_uint(out, 1, key);
	proto_put_uint(out, 2, str);
	proto_end(out, begin);
}

/* Locations are not packed and the ids are neither dense nor in order. */
static void put_sample(struct buf *out, int64_t value, uint64_t key, uint64_t str)
{
	size_t begin = proto_begin(out, 2);

	proto_put_uint(out, 1, 900);
	proto_put_uint(out, 1, 7);
	proto_put_int(out, 2, value);
	if (key)
		put_label(out, key, str);
	proto_end(out, begin);
}

static void put_valid(struct buf *out)
{
	put_value_type(out, 1, 1, 2);
	put_sample(out, 5, 0, 0);
	put_location(out, 7, 70);
	put_location(out, 900, 20);
	put_function(out, 70, 3);
	put_function(out, 20, 4);
	put_strings(out);
}

static void pprof_resolves_sparse_ids_and_unpacked_lists(void **state)
{
	struct made made;
	struct frame_id path[4];

	(void)state;
	made_init(&made);
	put_valid(&made.bytes);
	assert_int_equal(read_all(&made.bytes, &made.profile, NULL), 0);
	assert_int_equal(profile_sum(&made.profile, 0), 5);
	assert_int_equal(made.profile.n_samples, 5);
	assert_int_equal(made.profile.tree.n, 3);
	assert_int_equal(tree_path(&made.profile.tree, (struct node_id){2}, path, 4), 2);
	assert_string_equal(
		names_text(made.names, names_frame_get(made.names, path[0])->name, NULL), "main");
	assert_int_equal(names_frame_get(made.names, path[1])->line, 12);
	assert_int_equal(names_frame_get(made.names, path[1])->kind, FRAME_PYTHON);
	made_done(&made);
}

/* ---- labels ---- */

struct splits {
	struct names *names;
	struct profile profiles[8];
	char texts[8][64];
	size_t n;
};

static int on_series(void *ctx, const struct labels *labels, struct profile **ret_profile,
		     struct err *err)
{
	struct splits *splits = ctx;
	struct buf text;

	(void)err;
	assert_in_range(splits->n, 0, 7);
	buf_init(&text, 63);
	labels_format(labels, &text);
	memcpy(splits->texts[splits->n], text.data, text.len + 1);
	buf_done(&text);
	profile_init(&splits->profiles[splits->n], splits->names);
	*ret_profile = &splits->profiles[splits->n++];
	return 0;
}

static void pprof_splits_by_labels_that_it_does_not_know(void **state)
{
	struct splits splits = {.names = names_new()};
	struct pprof_split split = {.series = on_series, .ctx = &splits};
	struct made made;

	(void)state;
	made_init(&made);
	put_valid(&made.bytes);
	put_sample(&made.bytes, 10, 6, 7);
	put_sample(&made.bytes, 20, 6, 8);
	put_sample(&made.bytes, 40, 6, 7);
	put_sample(&made.bytes, 80, 9, 10);
	assert_int_equal(pprof_read_split(made.bytes.data, made.bytes.len, &format_limits_server,
					  splits.names, &split, NULL),
			 0);
	assert_int_equal(splits.n, 3);
	assert_string_equal(splits.texts[0], "{}");
	assert_string_equal(splits.texts[1], "{region=\"eu\"}");
	assert_string_equal(splits.texts[2], "{region=\"us\"}");
	assert_int_equal(profile_sum(&splits.profiles[0], 0), 85);
	assert_int_equal(profile_sum(&splits.profiles[1], 0), 50);
	assert_int_equal(profile_sum(&splits.profiles[2], 0), 20);
	/* The thread is a marker at the root: two stacks of two frames, one of them below it. */
	assert_int_equal(splits.profiles[0].tree.n, 6);
	for (size_t i = 0; i < splits.n; i++)
		profile_done(&splits.profiles[i]);
	names_free(splits.names);
	made_done(&made);
}

/* Stacks are added up before they are sent: 70 ms at a period of 10 ms are seven samples. */
static void pprof_counts_samples_by_the_period(void **state)
{
	struct names *names = names_new();
	struct profile sent, got;
	struct pprof_write_opts opts = {0};
	struct frame frame = {.name = names_cstr(names, "f"), .kind = FRAME_PYTHON};
	struct frame_id id = names_frame(names, &frame);
	struct buf bytes;

	(void)state;
	profile_init(&sent, names);
	profile_init(&got, names);
	buf_init(&bytes, 1 << 20);
	sent.period_type = names_cstr(names, "cpu");
	sent.period_unit = names_cstr(names, "nanoseconds");
	sent.period = 10;
	assert_int_equal(profile_column(&sent, "cpu", "nanoseconds", ""), 0);
	profile_add(&sent, 0, tree_stack(&sent.tree, &id, 1), 70);
	profile_add(&sent, 0, (struct node_id){0}, 3);
	assert_int_equal(pprof_write_profile(&sent, &opts, &bytes, NULL), 0);
	assert_int_equal(read_all(&bytes, &got, NULL), 0);
	assert_int_equal(got.n_samples, 7 + 1);
	buf_done(&bytes);
	profile_done(&got);
	profile_done(&sent);
	names_free(names);
}

static void pprof_without_samples_is_one_empty_series(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	put_value_type(&made.bytes, 1, 1, 2);
	put_strings(&made.bytes);
	assert_int_equal(read_all(&made.bytes, &made.profile, NULL), 0);
	assert_int_equal(made.profile.n_columns, 1);
	assert_int_equal(made.profile.n_profiles, 1);
	assert_int_equal(profile_sum(&made.profile, 0), 0);
	made_done(&made);
}

/* ---- refusals ---- */

static void put_bad_function_id(struct buf *out)
{
	put_location(out, 1, 12345);
}

static void put_bad_location_id(struct buf *out)
{
	size_t begin = proto_begin(out, 2);

	proto_put_uint(out, 1, UINT64_MAX);
	proto_put_uint(out, 2, 1);
	proto_end(out, begin);
}

static void put_twice_the_same_location(struct buf *out)
{
	put_location(out, 7, 70);
}

static void put_location_0(struct buf *out)
{
	put_location(out, 0, 70);
}

static void put_negative_value(struct buf *out)
{
	put_sample(out, -1, 0, 0);
}

static void put_too_many_values(struct buf *out)
{
	size_t begin = proto_begin(out, 2);

	proto_put_uint(out, 2, 1);
	proto_put_uint(out, 2, 1);
	proto_end(out, begin);
}

static void put_no_value(struct buf *out)
{
	size_t begin = proto_begin(out, 2);

	proto_put_uint(out, 1, 7);
	proto_end(out, begin);
}

static void put_type_again(struct buf *out)
{
	put_value_type(out, 1, 1, 2);
}

static void put_group(struct buf *out)
{
	buf_put(out, "\x5b\x5c", 2);
}

static void put_field_0(struct buf *out)
{
	buf_put(out, "\x02\x00", 2);
}

static void put_endless_varint(struct buf *out)
{
	buf_put(out, "\x60\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12);
}

static void put_long_length(struct buf *out)
{
	buf_put(out, "\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10);
}

static void pprof_refuses_what_is_malformed(void **state)
{
	void (*const broken[])(struct buf *) = {
		put_bad_function_id, put_bad_location_id, put_twice_the_same_location,
		put_location_0,	     put_negative_value,  put_too_many_values,
		put_no_value,	     put_type_again,	  put_group,
		put_field_0,	     put_endless_varint,  put_long_length,
	};

	(void)state;
	for (size_t i = 0; i < array_len(broken); i++) {
		struct err err = {0};
		struct made made;

		made_init(&made);
		put_valid(&made.bytes);
		broken[i](&made.bytes);
		assert_int_equal(read_all(&made.bytes, &made.profile, &err), ERR_CORRUPT);
		assert_int_not_equal(err.text[0], 0);
		made_done(&made);
	}
}

/* Field and message field of each string index in profile.proto. */
static const struct {
	uint32_t message, field;
} string_fields[] = {
	{1, 1}, {1, 2}, {11, 1}, {11, 2}, {3, 5},  {3, 6},  {5, 2},  {5, 3},  {5, 4},
	{7, 0}, {8, 0}, {13, 0}, {14, 0}, {15, 0}, {2, 31}, {2, 32}, {2, 34},
};

static void pprof_checks_every_string_index_on_both_sides(void **state)
{
	const uint64_t bad[] = {UINT64_MAX, 11, 1ull << 31, 1ull << 63, (uint64_t)INT32_MIN};

	(void)state;
	for (size_t i = 0; i < array_len(string_fields) * array_len(bad); i++) {
		uint32_t message = string_fields[i / array_len(bad)].message;
		uint32_t field = string_fields[i / array_len(bad)].field;
		uint64_t value = bad[i % array_len(bad)];
		struct err err = {0};
		struct made made;
		size_t begin, label;

		made_init(&made);
		put_valid(&made.bytes);
		if (!field) {
			proto_put_uint(&made.bytes, message, value);
		} else {
			begin = proto_begin(&made.bytes, message);
			if (message == 3 || message == 5)
				proto_put_uint(&made.bytes, 1, 4000); /* an id of its own */
			if (message == 2) {
				proto_put_uint(&made.bytes, 2, 1);
				label = proto_begin(&made.bytes, 3);
				proto_put_uint(&made.bytes, field % 30, value);
				proto_end(&made.bytes, label);
			} else {
				proto_put_uint(&made.bytes, field, value);
			}
			proto_end(&made.bytes, begin);
		}
		assert_int_equal(read_all(&made.bytes, &made.profile, &err), ERR_CORRUPT);
		assert_non_null(strstr(err.text, "names string"));
		made_done(&made);
	}
}

static void pprof_cut_anywhere_is_refused_or_smaller(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	put_valid(&made.bytes);
	for (size_t len = 0; len < made.bytes.len; len++) {
		struct profile profile;

		profile_init(&profile, made.names);
		if (pprof_read(made.bytes.data, len, &format_limits_server, &profile, NULL) == 0)
			assert_in_range(profile_sum(&profile, 0), 0, 5);
		profile_done(&profile);
	}
	made_done(&made);
}

static void pprof_names_what_else_was_sent(void **state)
{
	static const struct {
		const char *body, *word;
	} cases[] = {
		{"{\"a\":1}", "JSON"},
		{"<html>", "HTML"},
		{"\x7f"
		 "ELF\x02",
		 "ELF"},
		{"heap profile: 1: 2 [3: 4] @ x", "legacy"},
		{"--- contention:", "legacy"},
	};
	struct names *names = names_new();
	struct profile profile;
	struct err err;

	(void)state;
	profile_init(&profile, names);
	for (size_t i = 0; i < array_len(cases); i++) {
		assert_int_equal(pprof_read(cases[i].body, strlen(cases[i].body),
					    &format_limits_server, &profile, &err),
				 ERR_UNSUPPORTED);
		assert_non_null(strstr(err.text, cases[i].word));
	}
	assert_int_equal(pprof_read("", 0, &format_limits_server, &profile, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.text, "empty"));
	profile_done(&profile);
	names_free(names);
}

static void pprof_holds_its_limits(void **state)
{
	struct format_limits limits = format_limits_server;
	struct made made;
	struct err err;

	(void)state;
	made_init(&made);
	put_valid(&made.bytes);
	for (int i = 0; i < 10; i++)
		put_sample(&made.bytes, 1, 0, 0);
	limits.max_samples = 10;
	assert_int_equal(pprof_read(made.bytes.data, made.bytes.len, &limits, &made.profile, &err),
			 ERR_LIMIT);
	assert_non_null(strstr(err.text, "10 samples"));
	limits = format_limits_server;
	limits.max_inflated_bytes = 20;
	assert_int_equal(pprof_read(made.bytes.data, made.bytes.len, &limits, &made.profile, &err),
			 ERR_LIMIT);
	made_done(&made);
}

static void pprof_keeps_both_ends_of_a_deep_stack(void **state)
{
	struct made made;
	size_t begin;
	struct frame_id path[1100];

	(void)state;
	made_init(&made);
	put_valid(&made.bytes);
	begin = proto_begin(&made.bytes, 2);
	for (int i = 0; i < 100000; i++)
		proto_put_uint(&made.bytes, 1, i == 0 || i == 99999 ? 900 : 7);
	proto_put_int(&made.bytes, 2, 1);
	proto_end(&made.bytes, begin);
	assert_int_equal(read_all(&made.bytes, &made.profile, NULL), 0);
	assert_int_equal(profile_sum(&made.profile, 0), 6);
	assert_int_equal(tree_path(&made.profile.tree, (struct node_id){made.profile.tree.n - 1},
				   path, array_len(path)),
			 1025);
	assert_string_equal(
		names_text(made.names, names_frame_get(made.names, path[0])->name, NULL), "foo");
	assert_string_equal(
		names_text(made.names, names_frame_get(made.names, path[1024])->name, NULL), "foo");
	assert_string_equal(
		names_text(made.names, names_frame_get(made.names, path[512])->name, NULL),
		"[deeper]");
	made_done(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pprof_holds_columns_and_the_server_takes_lines_whole),
		cmocka_unit_test(pprof_reads_back_what_was_written),
		cmocka_unit_test(pprof_resolves_sparse_ids_and_unpacked_lists),
		cmocka_unit_test(pprof_splits_by_labels_that_it_does_not_know),
		cmocka_unit_test(pprof_counts_samples_by_the_period),
		cmocka_unit_test(pprof_without_samples_is_one_empty_series),
		cmocka_unit_test(pprof_refuses_what_is_malformed),
		cmocka_unit_test(pprof_checks_every_string_index_on_both_sides),
		cmocka_unit_test(pprof_cut_anywhere_is_refused_or_smaller),
		cmocka_unit_test(pprof_names_what_else_was_sent),
		cmocka_unit_test(pprof_holds_its_limits),
		cmocka_unit_test(pprof_keeps_both_ends_of_a_deep_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
