/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of a pprof's samples that name the request which they were taken in. */
#include "unit.h"

#include <string.h>

#include "codec/proto.h"
#include "format/pprof.h"

#define SPAN "00000bac2a5ab0c7"
#define OTHER_SPAN "00000bac2a5ab0c8"
#define TRACE "0af7651916cd43dd8448eb211c80319c"

enum { CPU = 1, NANOSECONDS, MAIN, WORK, SPAN_ID, TRACE_ID, PROFILE_ID, REGION, FIRST_VALUE };

static const char *const strings[] = {"",	 "cpu",	     "nanoseconds", "main",  "work",
				      "span_id", "trace_id", "profile_id",  "region"};

struct mark {
	uint64_t key;
	const char *text;
};

struct sample {
	uint64_t location, value;
	struct mark labels[3]; /* key 0: the end */
};

static void put_sample(struct buf *out, const struct sample *sample, uint64_t *next_string)
{
	size_t begin = proto_begin(out, 2), label;

	proto_put_uint(out, 1, sample->location);
	proto_put_uint(out, 2, sample->value);
	for (size_t i = 0; i < array_len(sample->labels) && sample->labels[i].key; i++) {
		label = proto_begin(out, 3);
		proto_put_uint(out, 1, sample->labels[i].key);
		if (sample->labels[i].text)
			proto_put_uint(out, 2, (*next_string)++);
		else
			proto_put_uint(out, 3, 4711);
		proto_end(out, label);
	}
	proto_end(out, begin);
}

static void put_function(struct buf *out, uint64_t id, uint64_t name)
{
	size_t begin = proto_begin(out, 5), line;

	proto_put_uint(out, 1, id);
	proto_put_uint(out, 2, name);
	proto_end(out, begin);
	begin = proto_begin(out, 4);
	proto_put_uint(out, 1, id);
	line = proto_begin(out, 4);
	proto_put_uint(out, 1, id);
	proto_end(out, line);
	proto_end(out, begin);
}

static void put_profile(struct buf *out, const struct sample *samples, size_t n)
{
	uint64_t next_string = FIRST_VALUE;
	size_t type = proto_begin(out, 1);

	proto_put_uint(out, 1, CPU);
	proto_put_uint(out, 2, NANOSECONDS);
	proto_end(out, type);
	for (size_t i = 0; i < n; i++)
		put_sample(out, &samples[i], &next_string);
	put_function(out, 1, MAIN);
	put_function(out, 2, WORK);
	for (size_t i = 0; i < array_len(strings); i++)
		proto_put_str(out, 6, strings[i]);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < 3 && samples[i].labels[k].key; k++)
			if (samples[i].labels[k].text)
				proto_put_str(out, 6, samples[i].labels[k].text);
}

struct read {
	struct names *names;
	struct profile profiles[2];
	size_t n;
};

static int on_series(void *ctx, const struct labels *labels, struct profile **ret_profile,
		     struct err *err)
{
	struct read *read = ctx;

	(void)labels;
	(void)err;
	assert_true(read->n < array_len(read->profiles));
	profile_init(&read->profiles[read->n], read->names);
	*ret_profile = &read->profiles[read->n++];
	return 0;
}

static void read_samples(struct read *read, const struct sample *samples, size_t n, bool keeps)
{
	struct pprof_split split = {.series = on_series, .ctx = read, .keeps_spans = keeps};
	struct buf bytes;

	*read = (struct read){.names = names_new()};
	buf_init(&bytes, 1u << 20);
	put_profile(&bytes, samples, n);
	assert_int_equal(pprof_read_split(bytes.data, bytes.len, &format_limits_server, read->names,
					  &split, NULL),
			 0);
	buf_done(&bytes);
}

static void read_done(struct read *read)
{
	for (size_t i = 0; i < read->n; i++)
		profile_done(&read->profiles[i]);
	names_free(read->names);
}

static void samples_of_spans_are_one_series_and_known(void **state)
{
	static const struct sample samples[] = {
		{1, 10, {{SPAN_ID, SPAN}, {TRACE_ID, TRACE}}},
		{2, 20, {{0}}},
		{1, 30, {{PROFILE_ID, OTHER_SPAN}}},
		{2, 40, {{TRACE_ID, TRACE}, {SPAN_ID, SPAN}}},
	};
	struct spans *spans;
	struct read read;

	(void)state;
	read_samples(&read, samples, array_len(samples), true);
	assert_int_equal(read.n, 1);
	assert_int_equal(profile_sum(&read.profiles[0], 0), 100);
	spans = read.profiles[0].spans;
	assert_non_null(spans);
	assert_int_equal(spans->n, 2);
	assert_true(spans->items[0].id.v == 0xbac2a5ab0c7 &&
		    spans->items[0].trace.bytes[0] == 0x0a);
	assert_true(spans->items[1].id.v == 0xbac2a5ab0c8);
	assert_true(trace_id_is_none(&spans->items[1].trace));
	assert_int_equal(spans->n_values, 3);
	assert_int_equal(spans->values[0].value, 10);
	assert_int_equal(spans->values[1].value, 30);
	assert_int_equal(spans->values[2].value, 40);
	assert_int_equal(spans->values[0].node, spans->values[1].node);
	assert_int_not_equal(spans->values[0].node, spans->values[2].node);
	assert_int_equal(spans->n_malformed, 0);
	read_done(&read);
}

static void the_span_wins_over_its_former_name(void **state)
{
	static const struct sample samples[] = {
		{1, 1, {{PROFILE_ID, OTHER_SPAN}, {SPAN_ID, SPAN}}},
		{1, 1, {{SPAN_ID, SPAN}, {PROFILE_ID, OTHER_SPAN}}},
	};
	struct read read;

	(void)state;
	read_samples(&read, samples, array_len(samples), true);
	assert_int_equal(read.profiles[0].spans->n, 1);
	assert_true(read.profiles[0].spans->items[0].id.v == 0xbac2a5ab0c7);
	read_done(&read);
}

static void ids_that_are_none_are_counted_and_the_samples_stay(void **state)
{
	static const struct sample samples[] = {
		{1, 1, {{SPAN_ID, "not an id"}}},
		{1, 1, {{SPAN_ID, "0000000000000000"}}},
		{1, 1, {{SPAN_ID, NULL}}},
		{1, 1, {{TRACE_ID, SPAN}, {SPAN_ID, SPAN}}},
	};
	struct read read;

	(void)state;
	read_samples(&read, samples, array_len(samples), true);
	assert_int_equal(read.n, 1);
	assert_int_equal(profile_sum(&read.profiles[0], 0), 4);
	assert_int_equal(read.profiles[0].spans->n_malformed, 4);
	assert_int_equal(read.profiles[0].spans->n, 1);
	assert_int_equal(read.profiles[0].spans->n_values, 1);
	read_done(&read);
}

static void spans_belong_to_the_series_of_their_samples(void **state)
{
	static const struct sample samples[] = {
		{1, 1, {{REGION, "eu"}, {SPAN_ID, SPAN}}},
		{1, 2, {{REGION, "us"}, {SPAN_ID, SPAN}}},
	};
	struct read read;

	(void)state;
	read_samples(&read, samples, array_len(samples), true);
	assert_int_equal(read.n, 2);
	assert_int_equal(read.profiles[0].spans->values[0].value, 1);
	assert_int_equal(read.profiles[1].spans->values[0].value, 2);
	read_done(&read);
}

static void who_does_not_ask_for_spans_gets_none(void **state)
{
	static const struct sample samples[] = {{1, 1, {{SPAN_ID, SPAN}}}, {1, 1, {{0}}}};
	struct read read;

	(void)state;
	read_samples(&read, samples, array_len(samples), false);
	assert_int_equal(read.n, 1);
	assert_null(read.profiles[0].spans);
	read_done(&read);
	read_samples(&read, &samples[1], 1, true);
	assert_null(read.profiles[0].spans);
	read_done(&read);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_of_spans_are_one_series_and_known),
		cmocka_unit_test(the_span_wins_over_its_former_name),
		cmocka_unit_test(ids_that_are_none_are_counted_and_the_samples_stay),
		cmocka_unit_test(spans_belong_to_the_series_of_their_samples),
		cmocka_unit_test(who_does_not_ask_for_spans_gets_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
