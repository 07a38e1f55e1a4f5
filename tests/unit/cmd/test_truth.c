/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/truth.h"

#include <string.h>

#include "unit.h"

/* main calls a from line 3 and b from any line; a calls b from line 12. */
static const char announced[] =
	"{\"nodes\": [[-1, 0, \"main\", \"x.py\", [1, 2, 3]], [0, 3, \"C.a\", \"x.py\", [11, 12]],"
	" [1, 12, \"b\", \"y.py\", [0, 21]], [0, 0, \"b\", \"y.py\", [22]]],"
	" \"classes\": [\"a\", \"b\"], \"phases\": {\"seconds\": 0.1, \"names\": [\"a\"]}}";

static struct truth read_announced(void)
{
	struct truth truth = {0};

	assert_int_equal(truth_read(&truth, announced, strlen(announced), NULL), 0);
	return truth;
}

static const struct stack {
	const char *what;
	struct truth_frame frames[3];
	size_t n;
	enum truth_verdict verdict;
	size_t class;
} stacks[] = {
	{"the outermost alone", {{"main", "/tmp/x.py", 2}}, 1, TRUTH_POSSIBLE, 2},
	{"a call from its line", {{"main", "x.py", 3}, {"a", "x.py", 11}}, 2, TRUTH_POSSIBLE, 0},
	{"a call from another line",
	 {{"main", "x.py", 2}, {"a", "x.py", 11}},
	 2,
	 TRUTH_WRONG_LINE,
	 0},
	{"a call from any line", {{"main", "x.py", 1}, {"b", "y.py", 22}}, 2, TRUTH_POSSIBLE, 1},
	{"an innermost line of another caller",
	 {{"main", "x.py", 1}, {"b", "y.py", 21}},
	 2,
	 TRUTH_WRONG_LINE,
	 1},
	{"three deep",
	 {{"main", "x.py", 3}, {"C.a", "x.py", 12}, {"b", "y.py", 21}},
	 3,
	 TRUTH_POSSIBLE,
	 0},
	{"an instruction without a line",
	 {{"main", "x.py", 3}, {"a", "x.py", 12}, {"b", "y.py", 0}},
	 3,
	 TRUTH_POSSIBLE,
	 0},
	{"a name in another file",
	 {{"main", "x.py", 3}, {"a", "y.py", 11}},
	 2,
	 TRUTH_IMPOSSIBLE,
	 0},
	{"callers in the wrong order",
	 {{"a", "x.py", 12}, {"main", "x.py", 3}},
	 2,
	 TRUTH_IMPOSSIBLE,
	 0},
	{"a call that is never made",
	 {{"main", "x.py", 1}, {"b", "y.py", 22}, {"a", "x.py", 11}},
	 3,
	 TRUTH_IMPOSSIBLE,
	 1},
	{"no frames", {{0}}, 0, TRUTH_IMPOSSIBLE, 2},
};

static void truth_judges_stacks_and_lines(void **state)
{
	struct truth truth = read_announced();

	(void)state;
	for (size_t i = 0; i < array_len(stacks); i++) {
		size_t class;
		enum truth_verdict verdict =
			truth_judge(&truth, stacks[i].frames, stacks[i].n, &class);

		if (verdict != stacks[i].verdict || class != stacks[i].class)
			fail_msg("%s: verdict %d, class %zu", stacks[i].what, verdict, class);
	}
	truth_done(&truth);
}

static void truth_refuses_what_is_no_announcement(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"nodes\": []}",
		"{\"nodes\": [[0, 0, \"a\", \"b\", []]]}",
		"{\"nodes\": [[-1, -5, \"a\", \"b\", []]]}",
		"{\"nodes\": [[-1, 0, \"a\", \"b\", [\"x\"]]]}",
		"{\"nodes\": [[-1, 0, \"a\"",
	};

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		struct truth truth = {0};

		if (truth_read(&truth, bad[i], strlen(bad[i]), NULL) >= 0)
			fail_msg("taken: %s", bad[i]);
		truth_done(&truth);
	}
}

static void truth_reads_seconds_by_class(void **state)
{
	static const char told[] = "{\"b\": 1.5, \"other\": 9, \"a\": 0.5}";
	struct truth truth = read_announced();
	double seconds[TRUTH_MAX_CLASSES];

	(void)state;
	assert_int_equal(truth_read_seconds(&truth, told, strlen(told), seconds, NULL), 0);
	assert_true(seconds[0] > 0.49 && seconds[0] < 0.51 && seconds[1] > 1.49 &&
		    seconds[1] < 1.51);
	truth_done(&truth);
}

static void truth_distance_is_half_the_sum_of_differences(void **state)
{
	const uint64_t counts[] = {25, 75}, none[] = {0, 0};
	const double seconds[] = {1, 1};
	double distance = truth_distance(counts, seconds, 2);

	(void)state;
	assert_true(distance > 0.2499 && distance < 0.2501);
	assert_true(truth_distance(none, seconds, 2) < 1e-9);
}

/* Of two halves the share of one is off by 3.29 standard errors in 0.1 % of cases. */
static void truth_floor_is_that_of_a_binomial(void **state)
{
	const double seconds[] = {2, 2};
	double floor = truth_floor(10000, seconds, 2);

	(void)state;
	assert_true(floor > 0.0135 && floor < 0.0195);
	assert_true(truth_floor(0, seconds, 2) < 1e-9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(truth_judges_stacks_and_lines),
		cmocka_unit_test(truth_refuses_what_is_no_announcement),
		cmocka_unit_test(truth_reads_seconds_by_class),
		cmocka_unit_test(truth_distance_is_half_the_sum_of_differences),
		cmocka_unit_test(truth_floor_is_that_of_a_binomial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
