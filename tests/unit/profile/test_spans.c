/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "profile/spans.h"

static void ids_are_read_and_written_as_hexadecimal(void **state)
{
	char text[TRACE_TEXT_BYTES];
	struct span_id span = {0};
	struct trace_id trace;

	(void)state;
	assert_int_equal(span_id_parse("00000bac2a5ab0c7", 16, &span), 0);
	assert_true(span.v == 0x00000bac2a5ab0c7);
	span_id_format(span, text);
	assert_string_equal(text, "00000bac2a5ab0c7");
	assert_int_equal(trace_id_parse("0AF7651916CD43DD8448EB211C80319C", 32, &trace), 0);
	trace_id_format(&trace, text);
	assert_string_equal(text, "0af7651916cd43dd8448eb211c80319c");
}

static void what_is_no_id_is_refused_and_changes_nothing(void **state)
{
	static const char *const texts[] = {
		"",
		"0",
		"0000000000000000",
		"00000bac2a5ab0c",
		"00000bac2a5ab0c7a",
		"00000bac2a5ab0cg",
		"0x0000ac2a5ab0c7",
		" 0000bac2a5ab0c7",
		"-0000bac2a5ab0c7",
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"};
	struct span_id span = {7};

	(void)state;
	for (size_t i = 0; i < array_len(texts); i++)
		assert_true(span_id_parse(texts[i], strlen(texts[i]), &span) < 0);
	assert_true(span.v == 7);
}

static void none_is_written_as_nothing(void **state)
{
	char text[TRACE_TEXT_BYTES] = "x";
	struct trace_id none = {{0}};

	(void)state;
	trace_id_format(&none, text);
	assert_string_equal(text, "");
	span_id_format((struct span_id){0}, text);
	assert_string_equal(text, "");
}

static void a_span_of_two_traces_is_two(void **state)
{
	struct spans *spans = spans_new();
	struct span a = {{1}, {{1}}}, b = {{1}, {{2}}};

	(void)state;
	assert_int_equal(spans_index(spans, &a), 0);
	assert_int_equal(spans_index(spans, &b), 1);
	assert_int_equal(spans_index(spans, &a), 0);
	spans_free(spans);
}

static void spans_past_the_bound_are_counted(void **state)
{
	struct spans *spans = spans_new();
	struct node_id node = {1};

	(void)state;
	for (uint64_t i = 1; i <= SPANS_MAX + 3; i++) {
		struct span span = {.id = {i}};

		spans_add(spans, spans_index(spans, &span), node, 0, 5);
	}
	assert_int_equal(spans->n, SPANS_MAX);
	assert_int_equal(spans->n_values, SPANS_MAX);
	assert_int_equal(spans->n_left_out, 3);
	spans_free(spans);
	spans_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_read_and_written_as_hexadecimal),
		cmocka_unit_test(what_is_no_id_is_refused_and_changes_nothing),
		cmocka_unit_test(none_is_written_as_nothing),
		cmocka_unit_test(a_span_of_two_traces_is_two),
		cmocka_unit_test(spans_past_the_bound_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
