/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks that come again in one file are remembered by their bytes: nothing may differ from reading each. */
#include "unit.h"

#include <string.h>

#include "codec/proto.h"
#include "format/pprof.h"

#define N_LOCATIONS 6
#define N_SAMPLES 400
#define SERIES_MAX 4

enum list_form { LIST_PACKED, LIST_SINGLE, LIST_IN_TWO };

/* 1 samples 2 count 3 f 4 thread_name 5 Main 6 region 7 eu 8 us */
static const char *const strings[] = {"",     "samples", "count", "f", "thread_name",
				      "Main", "region",	 "eu",	  "us"};

static void put_tables(struct buf *out)
{
	size_t begin = proto_begin(out, 1), line;

	proto_put_uint(out, 1, 1);
	proto_put_uint(out, 2, 2);
	proto_end(out, begin);
	for (uint64_t i = 1; i <= N_LOCATIONS; i++) {
		begin = proto_begin(out, 4);
		proto_put_uint(out, 1, i);
		line = proto_begin(out, 4);
		proto_put_uint(out, 1, 1);
		proto_put_uint(out, 2, i);
		proto_end(out, line);
		proto_end(out, begin);
	}
	begin = proto_begin(out, 5);
	proto_put_uint(out, 1, 1);
	proto_put_uint(out, 2, 3);
	proto_end(out, begin);
	for (size_t i = 0; i < array_len(strings); i++)
		proto_put_str(out, 6, strings[i]);
}

static void put_path(struct buf *out, const uint8_t *ids, size_t n, enum list_form form)
{
	if (form == LIST_PACKED)
		proto_put_bytes(out, 1, ids, n);
	for (size_t i = 0; form == LIST_SINGLE && i < n; i++)
		proto_put_uint(out, 1, ids[i]);
	if (form == LIST_IN_TWO) {
		proto_put_bytes(out, 1, ids, n / 2);
		proto_put_bytes(out, 1, ids + n / 2, n - n / 2);
	}
}

/* Few different stacks, without a label, in a thread, or in one of two series. */
static void put_samples(struct buf *out, enum list_form form)
{
	uint32_t random = 5;

	for (int i = 0; i < N_SAMPLES; i++) {
		size_t begin = proto_begin(out, 2), label;
		uint8_t ids[4];

		random = random * 1664525 + 1013904223;
		for (size_t at = 0; at < array_len(ids); at++)
			ids[at] = (uint8_t)(1 + (random >> (8 + 2 * at)) % (at < 2 ? 2 : 3));
		put_path(out, ids, random >> 30 ? 4 : 2, form);
		proto_put_uint(out, 2, (uint64_t)i + 1);
		if (random >> 20 & 3) {
			label = proto_begin(out, 3);
			proto_put_uint(out, 1, (random >> 20 & 3) == 1 ? 4 : 6);
			proto_put_uint(out, 2,
				       (random >> 20 & 3) == 1 ? 5
				       : random >> 22 & 1      ? 7
							       : 8);
			proto_end(out, label);
		}
		proto_end(out, begin);
	}
}

struct splits {
	struct names *names;
	struct profile profiles[SERIES_MAX];
	size_t n;
};

static int on_series(void *ctx, const struct labels *labels, struct profile **ret_profile,
		     struct err *err)
{
	struct splits *splits = ctx;

	(void)labels;
	(void)err;
	assert_in_range(splits->n, 0, SERIES_MAX - 1);
	*ret_profile = &splits->profiles[splits->n++];
	profile_init(*ret_profile, splits->names);
	return 0;
}

static void read_form(struct splits *splits, enum list_form form)
{
	struct pprof_split split = {.series = on_series, .ctx = splits};
	struct buf body;

	buf_init(&body, 1u << 20);
	put_tables(&body);
	put_samples(&body, form);
	*splits = (struct splits){.names = names_new()};
	assert_int_equal(pprof_read_split(body.data, body.len, &format_limits_server, splits->names,
					  &split, NULL),
			 0);
	buf_done(&body);
}

static void splits_done(struct splits *splits)
{
	for (size_t i = 0; i < splits->n; i++)
		profile_done(&splits->profiles[i]);
	names_free(splits->names);
}

/* Frames may be numbered in another order. */
static void assert_equal_frames(const struct profile *a, const struct profile *b, uint32_t node)
{
	const struct frame *x = names_frame_get(a->names, (struct frame_id){a->tree.frame[node]});
	const struct frame *y = names_frame_get(b->names, (struct frame_id){b->tree.frame[node]});

	assert_int_equal(x->line, y->line);
	assert_int_equal(x->kind, y->kind);
	assert_string_equal(names_text(a->names, x->name, NULL),
			    names_text(b->names, y->name, NULL));
}

static void assert_equal_profiles(const struct profile *a, const struct profile *b)
{
	assert_int_equal(a->tree.n, b->tree.n);
	assert_int_equal(a->n_samples, b->n_samples);
	for (uint32_t node = 1; node < a->tree.n; node++) {
		assert_int_equal(a->tree.parent[node], b->tree.parent[node]);
		assert_equal_frames(a, b, node);
		assert_int_equal(profile_value(a, 0, (struct node_id){node}),
				 profile_value(b, 0, (struct node_id){node}));
	}
}

static void stacks_that_come_again_are_what_reading_each_gives(void **state)
{
	const enum list_form forms[] = {LIST_PACKED, LIST_IN_TWO};
	struct splits plain, other;

	(void)state;
	read_form(&plain, LIST_SINGLE);
	assert_int_equal(plain.n, 3);
	for (size_t i = 0; i < array_len(forms); i++) {
		read_form(&other, forms[i]);
		assert_int_equal(other.n, plain.n);
		for (size_t at = 0; at < plain.n; at++)
			assert_equal_profiles(&plain.profiles[at], &other.profiles[at]);
		splits_done(&other);
	}
	splits_done(&plain);
}

static void a_packed_list_is_checked_as_others_are(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {{"\x01\x63", 2}, {"\x01\x80", 2}, {"\x00", 1}};

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		struct splits splits = {.names = names_new()};
		struct pprof_split split = {.series = on_series, .ctx = &splits};
		struct err err = {0};
		struct buf body;
		size_t begin;

		buf_init(&body, 1u << 20);
		put_tables(&body);
		begin = proto_begin(&body, 2);
		proto_put_bytes(&body, 1, bad[i].bytes, bad[i].len);
		proto_put_uint(&body, 2, 1);
		proto_end(&body, begin);
		assert_int_equal(pprof_read_split(body.data, body.len, &format_limits_server,
						  splits.names, &split, &err),
				 ERR_CORRUPT);
		assert_non_null(strstr(err.text, "sample"));
		buf_done(&body);
		splits_done(&splits);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stacks_that_come_again_are_what_reading_each_gives),
		cmocka_unit_test(a_packed_list_is_checked_as_others_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
