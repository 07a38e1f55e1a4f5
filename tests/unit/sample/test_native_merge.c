/* SPDX-License-Identifier: Apache-2.0 */
/* Native and Python frames merged: written as text, the leaf first for native frames, as unwinding gives them. */
#include "unit.h"

#include <string.h>

#include "sample/native_merge.h"

/*
 * Native frames: a letter is code, '!' an activation, '%' a handler on it, '~' code made at run time.
 * Python: frames are digits, '(' begins a call of the evaluation function.
 */
struct merge_case {
	const char *native;
	const char *python;
	bool is_whole, is_waiting;
	enum merge_outcome outcome;
	const char *merged;
};

#define MAX 32
#define CUT_ID 2000

static struct merge_frame native_frame(char c)
{
	switch (c) {
	case '!':
		return (struct merge_frame){.kind = MERGE_EVAL};
	case '%':
		return (struct merge_frame){.id = {(uint32_t)c}, .kind = MERGE_HANDLER};
	case '~':
		return (struct merge_frame){.id = {(uint32_t)c}, .kind = MERGE_MADE};
	default:
		return (struct merge_frame){.id = {(uint32_t)c}, .kind = MERGE_CODE};
	}
}

static void check(const struct merge_case *one)
{
	struct merge_frame frames[MAX];
	struct frame_id ids[MAX];
	uint32_t evals[MAX];
	struct python_stack python = {.frames = ids, .evals = evals};
	struct merge_input input = {
		.frames = frames,
		.n = strlen(one->native),
		.is_whole = one->is_whole,
		.is_waiting = one->is_waiting,
		.python = &python,
		.cut = {CUT_ID},
	};
	struct merged merged = {0};
	char text[2 * MAX] = "";

	for (size_t i = 0; i < input.n; i++)
		frames[i] = native_frame(one->native[i]);
	for (const char *at = one->python; *at; at++) {
		if (*at == '(')
			evals[python.n_evals++] = (uint32_t)python.n;
		else
			ids[python.n++] = (struct frame_id){(uint32_t)*at};
	}
	assert_int_equal(native_merge(&input, &merged), one->outcome);
	for (size_t i = 0; i < merged.n; i++)
		text[i] = merged.frames[i].v == CUT_ID ? '?' : (char)merged.frames[i].v;
	assert_string_equal(text, one->merged);
	merged_done(&merged);
}

static void each_activation_is_replaced_by_its_run_of_frames(void **state)
{
	static const struct merge_case cases[] = {
		{"dcb!a", "(123", true, false, MERGE_WHOLE, "a123bcd"},
		{"!b!a", "(12(3", true, false, MERGE_WHOLE, "a12b3"},
		{"!!!a", "(1(2(3", true, false, MERGE_WHOLE, "a123"},
		{"cb!!a", "(1(2", true, true, MERGE_WHOLE, "a12bc"},
		/* the middle call has left its frame and runs a destructor */
		{"c!d!b!a", "(1((3", true, false, MERGE_WHOLE, "a1bd3c"},
		{"cba", "", true, false, MERGE_WHOLE, "abc"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++)
		check(&cases[i]);
}

static void an_activation_at_the_leaf_may_have_no_frame(void **state)
{
	static const struct merge_case cases[] = {
		{"!b!a", "(1", true, false, MERGE_WHOLE, "a1b"},
		{"d!b!a", "(1", true, false, MERGE_WHOLE, "a1bd"},
		{"!a", "", true, false, MERGE_WHOLE, "a"},
		/* too far from the leaf for that */
		{"hgfed!b!a", "(1", true, false, MERGE_MISMATCH, ""},
		{"!!b!a", "(1", true, false, MERGE_MISMATCH, ""},
		{"!a", "(1(2", true, false, MERGE_MISMATCH, ""},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++)
		check(&cases[i]);
}

static void a_stack_without_base_is_matched_from_the_leaf(void **state)
{
	static const struct merge_case cases[] = {
		{"fedc!b", "(1(2(3", false, false, MERGE_INNER, "12?b3cdef"},
		{"c!b", "(1(2(3", false, true, MERGE_INNER, "12?b3c"},
		{"!c!b", "(1(2(34", false, true, MERGE_INNER, "1?b2c34"},
		{"dcb", "(1(2", false, true, MERGE_INNER, "12?bcd"},
		{"dcb", "", false, true, MERGE_INNER, "?bcd"},
		/* it may stand before or behind its frame */
		{"c!b", "(1(2(3", false, false, MERGE_MISMATCH, ""},
		{"c!b!", "(1", false, true, MERGE_MISMATCH, ""},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++)
		check(&cases[i]);
}

static void what_only_carries_an_evaluation_is_left_out(void **state)
{
	static const struct merge_case cases[] = {
		{"c%!b!a", "(1(2", true, false, MERGE_WHOLE, "a1b2c"},
		{"%!a", "(1", true, false, MERGE_WHOLE, "a1"},
		{"b%%!%", "(1", true, false, MERGE_WHOLE, "%1%b"},
		{"c!~!~b", "(1(2", true, false, MERGE_WHOLE, "b12c"},
		/* code made at run time that is not a trampoline stays */
		{"c~!a", "(1", true, false, MERGE_WHOLE, "a1~c"},
		{"~a", "", true, false, MERGE_WHOLE, "a~"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++)
		check(&cases[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_activation_is_replaced_by_its_run_of_frames),
		cmocka_unit_test(an_activation_at_the_leaf_may_have_no_frame),
		cmocka_unit_test(a_stack_without_base_is_matched_from_the_leaf),
		cmocka_unit_test(what_only_carries_an_evaluation_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
