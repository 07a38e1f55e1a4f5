/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/labels.h"

#include "unit.h"

#define SET "{__name__=\"cpu\",__profile_type__=\"cpu:n:u:p:u\",env=\"prod\",host=\"db-12\"}"

static void selectors_match_as_the_table_says(void **state)
{
	static const struct {
		const char *selector;
		bool is_match;
	} cases[] = {
		{"", true},
		{"{}", true},
		{"cpu", true},
		{" cpu {} ", true},
		{"wall", false},
		{"cpu:n:u:p:u", true},
		{"cpu:n:u:p:u{env=\"prod\"}", true},
		{"cpu:n:u:p:v{}", false},
		{"{env=\"prod\",}", true},
		{"{env='prod', host=`db-12`}", true},
		{"{env=\"pro\"}", false},
		{"{env!=\"prod\"}", false},
		{"{env!=\"staging\"}", true},
		{"{absent=\"\"}", true},
		{"{absent!=\"\"}", false},
		{"{absent!=\"x\"}", true},
		{"{env=\"\"}", false},
		{"{host=~\"db-.*\"}", true},
		{"{host=~\"b-1\"}", false}, /* anchored */
		{"{host=~\".*b-1.*\"}", true},
		{"{host!~\"db-.*\"}", false},
		{"{host!~\"web-.*\"}", true},
		{"{absent=~\".*\"}", true},
		{"{absent=~\".+\"}", false},
		{"{host=~\"db-\\\\d+\"}", true},
		{"{host=~`db-\\d+`}", true},
		{"{host=~\"web|db-12\"}", true}, /* anchors hold around alternatives */
		{"{host=~\"db|web-12\"}", false},
		{"{\"env\"=\"prod\"}", true},
		{"{ env = \"prod\" , host != \"x\" }", true},
		{"{\"cpu\"}", true},
		{"{\"cpu\", env=\"prod\"}", true},
		{"{env=\"prod\", 'wall',}", false},
		{"{\"cpu:n:u:p:u\"}", true},
		{"{env=\"\\160\\x72\\u006f\\U00000064\"}", true},
		{"{env=\"prod\\a\\b\\f\\v\"}", false},
		{"{env!=\"\\u20ac\\U0001f600\"}", true},
		{"{ # what runs\n env=\"prod\" # here\n}", true},
		{"{env=\"#prod\"}", false},
		{"{\"größe in €\"=\"\"}", true},
		{"{env=~\"(?i)PROD\"}", true},
		{"{env=~\"p(?:r|x)od\"}", true},
		{"{env=~\"\\\\pL+\"}", true},
	};
	struct selector selector;
	struct labels labels;
	struct arena arena;
	struct err err;

	(void)state;
	arena_init(&arena);
	assert_int_equal(labels_parse(SET, &arena, &labels, &err), 0);
	for (size_t i = 0; i < array_len(cases); i++) {
		assert_int_equal(selector_parse(cases[i].selector, &arena, &selector, &err), 0);
		if (selector_match(&selector, &labels) != cases[i].is_match)
			fail_msg("%s", cases[i].selector);
		selector_done(&selector);
	}
	arena_done(&arena);
}

static void bad_selectors_say_what_is_wrong_and_where(void **state)
{
	static const struct {
		const char *selector;
		int code;
		const char *text;
	} cases[] = {
		{"{", ERR_USAGE, "character 2: expected a label name, found the end"},
		{"}", ERR_USAGE, "character 1: expected the end, found '}'"},
		{"cpu wall", ERR_USAGE, "character 5: expected the end, found 'w'"},
		{"{}x", ERR_USAGE, "expected the end, found 'x'"},
		{"{env}", ERR_USAGE, "character 5: expected one of = != =~ !~, found '}'"},
		{"{env!\"x\"}", ERR_USAGE, "expected one of = != =~ !~, found '!'"},
		{"{env=prod}", ERR_USAGE, "character 6: expected a quoted text, found 'p'"},
		{"{env=", ERR_USAGE, "expected a quoted text, found the end"},
		{"{env=\"prod}", ERR_USAGE, "expected a closing quote, found the end"},
		{"{env=\"prod\\q\"}", ERR_USAGE, "octal digits after \\, found 'q'"},
		{"{env=\"\\x0\"}", ERR_USAGE, "after \\, found 'x'"},
		{"{env=\"\\000\"}", ERR_USAGE, "after \\, found '0'"},
		{"{env=\"\\ud800\"}", ERR_USAGE, "after \\, found 'u'"},
		{"{env=\"\\U00110000\"}", ERR_USAGE, "after \\, found 'U'"},
		{"{env=\"\\777\"}", ERR_USAGE, "after \\, found '7'"},
		{"{env=\"\\", ERR_USAGE, "after \\, found the end"},
		{"cpu{\"cpu\"}", ERR_USAGE, "the metric's name stands twice"},
		{"{cpu}", ERR_USAGE, "expected one of = != =~ !~"},
		{"1cpu{}", ERR_USAGE, "expected the end, found '1'"},
		{"{} # what\nx", ERR_USAGE, "expected the end, found 'x'"},
		{"{env=~\"(?=x)\"}", ERR_USAGE, "regular expression of env"},
		{"{env=~\"(a)\\\\1\"}", ERR_USAGE, "regular expression of env"},
		{"{env=\"prod\"", ERR_USAGE, "expected ',' or '}', found the end"},
		{"{env=\"prod\" host=\"x\"}", ERR_USAGE, "expected ',' or '}', found 'h'"},
		{"{,env=\"prod\"}", ERR_USAGE, "expected a label name, found ','"},
		{"{1env=\"prod\"}", ERR_USAGE, "expected a label name, found '1'"},
		{"{\"\"=\"prod\"}", ERR_USAGE, "needs a label name"},
		{"{env=~\"(\"}", ERR_USAGE, "regular expression of env: missing"},
		{"{a=~\"x\",env!~\"[z-a]\"}", ERR_USAGE, "regular expression of env"},
		{"{\xff=\"x\"}", ERR_USAGE, "expected a label name"},
	};
	struct selector selector = {.n = 77};
	struct arena arena;
	struct err err;

	(void)state;
	arena_init(&arena);
	for (size_t i = 0; i < array_len(cases); i++) {
		int r = selector_parse(cases[i].selector, &arena, &selector, &err);

		assert_int_equal(r, cases[i].code);
		if (!strstr(err.text, cases[i].text))
			fail_msg("%s: %s", cases[i].selector, err.text);
	}
	assert_int_equal(selector.n, 77);
	arena_done(&arena);
}

static char *repeated(struct arena *arena, const char *head, char c, size_t n, const char *tail)
{
	char *out = arena_alloc(arena, strlen(head) + n + strlen(tail) + 1);

	memcpy(out, head, strlen(head));
	memset(out + strlen(head), c, n);
	memcpy(out + strlen(head) + n, tail, strlen(tail));
	return out;
}

static void selector_limits_are_refused(void **state)
{
	struct selector selector;
	struct arena arena;
	struct buf text;
	struct err err;

	(void)state;
	arena_init(&arena);
	buf_init(&text, 1 << 16);
	buf_putc(&text, '{');
	for (int i = 0; i <= SELECTOR_MAX_MATCHERS; i++)
		buf_printf(&text, "a%d=~\"x\",", i);
	buf_putc(&text, '}');
	assert_int_equal(selector_parse(text.data, &arena, &selector, &err), ERR_LIMIT);
	assert_int_equal(
		selector_parse(repeated(&arena, "{a=\"", 'x', LABEL_VALUE_MAX_BYTES + 1, "\"}"),
			       &arena, &selector, &err),
		ERR_LIMIT);
	assert_int_equal(
		selector_parse(repeated(&arena, "{", 'n', LABEL_NAME_MAX_BYTES + 1, "=\"x\"}"),
			       &arena, &selector, &err),
		ERR_LIMIT);
	assert_int_equal(selector_parse(repeated(&arena, "{a=~\"", 'x', 5000, "\"}"), &arena,
					&selector, &err),
			 ERR_USAGE);
	buf_done(&text);
	arena_done(&arena);
}

/* Nests and counts that cost others seconds: linear here, or refused by the size of the program. */
static void no_expression_takes_long(void **state)
{
	static const char *const patterns[] = {"(a*)*b", "(a|aa)+$", "(.*a){20}b",
					       "((a{0,100}){0,100}){0,100}", "(x+x+)+y"};
	struct selector selector;
	struct labels labels = {0};
	struct arena arena;
	struct err err;

	(void)state;
	arena_init(&arena);
	assert_int_equal(labels_set(&labels, &arena, "env",
				    repeated(&arena, "", 'a', LABEL_VALUE_MAX_BYTES, ""), &err),
			 0);
	for (size_t i = 0; i < array_len(patterns); i++) {
		int r = selector_parse(arena_printf(&arena, "{env=~`%s`}", patterns[i]), &arena,
				       &selector, &err);

		assert_true(r == 0 || r == ERR_USAGE);
		for (int round = 0; r == 0 && round < 200; round++)
			(void)selector_match(&selector, &labels);
		if (r == 0)
			selector_done(&selector);
	}
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(selectors_match_as_the_table_says),
		cmocka_unit_test(bad_selectors_say_what_is_wrong_and_where),
		cmocka_unit_test(selector_limits_are_refused),
		cmocka_unit_test(no_expression_takes_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
