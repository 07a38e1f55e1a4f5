/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors mean what they mean to Prometheus: what its own parser and matchers said of each (tools/selectors). */
#include "profile/labels.h"
#include "unit.h"

enum verdict { REFUSED, OTHERS, TAKEN };

static const struct selector_case {
	const char *selector;
	enum verdict verdict;
} cases[] = {
#include "selector_cases.inc"
};

/* Where ours is another on purpose. */
static const struct {
	const char *selector;
	enum verdict ours;
	const char *why;
} differences[] = {
	{"{env-x=\"y\"}", OTHERS, "names of OpenTelemetry need no quotes"},
	{"{env.x=\"\"}", TAKEN, "names of OpenTelemetry need no quotes"},
	{"cpu{\"cpu\"}", REFUSED, "a query of PromQL may not say the metric twice, either"},
	{"{\"cpu\",\"cpu\"}", REFUSED, "a query of PromQL may not say the metric twice, either"},
	{"{\"\"=\"x\"}", REFUSED, "no label has this name"},
	{"{quote=\"a\\'b\"}", OTHERS, "any quote may be escaped in any"},
	{"{quote='a\\\"b'}", OTHERS, "any quote may be escaped in any"},
	{"{lines=\"a\nb\"}", TAKEN, "a line's end needs no escape"},
	{"{lines='a\nb'}", TAKEN, "a line's end needs no escape"},
	{"{env=~`(?<n>pro)d`}", REFUSED, "newer than Debian's RE2, which wants (?P<n>)"},
	{"{env!~`(?<n>pro)d`}", REFUSED, "newer than Debian's RE2, which wants (?P<n>)"},
	{"{env=~`\\Cprod`}", OTHERS, "RE2 has it, Go has not"},
	{"{env!~`\\Cprod`}", TAKEN, "RE2 has it, Go has not"},
	{"{env=~`p\\Cod`}", TAKEN, "RE2 has it, Go has not"},
	{"{env!~`p\\Cod`}", OTHERS, "RE2 has it, Go has not"},
};

static void add(struct labels *labels, struct arena *arena, const char *name, const char *value)
{
	assert_int_equal(labels_set(labels, arena, name, value, NULL), 0);
}

/* The set of tools/selectors. */
static void make_set(struct labels *set, struct arena *arena)
{
	*set = (struct labels){0};
	add(set, arena, "__name__", "cpu");
	add(set, arena, "env", "prod");
	add(set, arena, "host", "db-12");
	add(set, arena, "lines", "a\nb");
	add(set, arena, "size", "Gr\303\266\303\237e");
	add(set, arena, "odd name", "x");
	add(set, arena, "quote", "a\"b\\c");
	add(set, arena, "digits", "007");
	add(set, arena, "mixed", "Foo_Bar");
}

static enum verdict ask(const char *text, const struct labels *set, struct arena *arena)
{
	struct selector selector;
	enum verdict verdict;

	if (selector_parse(text, arena, &selector, NULL) < 0)
		return REFUSED;
	verdict = selector_match(&selector, set) ? TAKEN : OTHERS;
	selector_done(&selector);
	return verdict;
}

static enum verdict expected(const struct selector_case *one)
{
	for (size_t i = 0; i < array_len(differences); i++)
		if (strcmp(differences[i].selector, one->selector) == 0)
			return differences[i].ours;
	return one->verdict;
}

static void selectors_mean_what_prometheus_says(void **state)
{
	struct labels set;
	struct arena arena;
	size_t n_wrong = 0;

	(void)state;
	arena_init(&arena);
	make_set(&set, &arena);
	for (size_t i = 0; i < array_len(cases); i++) {
		enum verdict verdict = ask(cases[i].selector, &set, &arena);

		if (verdict == expected(&cases[i]))
			continue;
		print_message("%s: %d, not %d\n", cases[i].selector, verdict, cases[i].verdict);
		n_wrong++;
	}
	assert_int_equal(n_wrong, 0);
	assert_true(array_len(cases) > 400);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(selectors_mean_what_prometheus_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
