/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/labels.h"

#include "unit.h"

struct fixture {
	struct arena arena;
	struct labels labels;
	struct buf text;
	struct err err;
};

static void fixture_init(struct fixture *f)
{
	*f = (struct fixture){0};
	arena_init(&f->arena);
	buf_init(&f->text, 1 << 20);
}

static void fixture_done(struct fixture *f)
{
	arena_done(&f->arena);
	buf_done(&f->text);
}

static const char *formatted(struct fixture *f)
{
	buf_reset(&f->text);
	labels_format(&f->labels, &f->text);
	assert_false(f->text.overflow);
	return f->text.data;
}

static void set(struct fixture *f, const char *name, const char *value)
{
	assert_int_equal(labels_set(&f->labels, &f->arena, name, value, &f->err), 0);
}

static void label_text_is_canonical_whatever_the_order_of_setting(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	set(&f, "zone", "eu");
	set(&f, "env", "prod");
	set(&f, "app", "a");
	set(&f, "env", "staging");
	assert_string_equal(formatted(&f), "{app=\"a\",env=\"staging\",zone=\"eu\"}");
	assert_string_equal(labels_get(&f.labels, "env"), "staging");
	assert_null(labels_get(&f.labels, "en"));
	fixture_done(&f);
}

static void an_empty_value_removes_a_label(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	set(&f, "a", "1");
	set(&f, "b", "2");
	set(&f, "c", "3");
	set(&f, "b", NULL);
	set(&f, "a", "");
	set(&f, "none", NULL);
	assert_string_equal(formatted(&f), "{c=\"3\"}");
	fixture_done(&f);
}

static void odd_names_and_values_survive_the_text_form(void **state)
{
	static const struct label odd[] = {
		{"with space", "x"},	      {"1starts", "with digit"},
		{"a.b-c_d", "bare"},	      {"quote\"d", "say \"hi\""},
		{"tab\t", "line\nbreak"},     {"back\\slash", "c:\\dir"},
		{"\xc3\xa4", "\xe2\x82\xac"}, {"{", "},"},
	};
	struct labels again;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < array_len(odd); i++)
		set(&f, odd[i].name, odd[i].value);
	assert_int_equal(labels_parse(formatted(&f), &f.arena, &again, &f.err), 0);
	assert_int_equal(again.n, array_len(odd));
	for (size_t i = 0; i < array_len(odd); i++)
		assert_string_equal(labels_get(&again, odd[i].name), odd[i].value);
	fixture_done(&f);
}

static void bad_bytes_become_replacement_characters(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	set(&f, "a", "x\xffy");
	assert_string_equal(labels_get(&f.labels, "a"), "x\xef\xbf\xbdy");
	fixture_done(&f);
}

static void limits_are_refused_and_named(void **state)
{
	char name[LABEL_NAME_MAX_BYTES + 2], value[LABEL_VALUE_MAX_BYTES + 2];
	struct fixture f;

	(void)state;
	fixture_init(&f);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = 0;
	assert_int_equal(labels_set(&f.labels, &f.arena, name, "x", &f.err), ERR_LIMIT);
	assert_int_equal(labels_set(&f.labels, &f.arena, "x", value, &f.err), ERR_LIMIT);
	assert_int_equal(labels_set(&f.labels, &f.arena, "", "x", &f.err), ERR_USAGE);
	/* 1,000 bad bytes are 3,000 once they are valid. */
	memset(value, 0xff, 1000);
	value[1000] = 0;
	assert_int_equal(labels_set(&f.labels, &f.arena, "x", value, &f.err), ERR_LIMIT);
	for (int i = 0; i < LABELS_MAX; i++)
		set(&f, arena_printf(&f.arena, "l%d", i), "v");
	assert_int_equal(labels_set(&f.labels, &f.arena, "more", "v", &f.err), ERR_LIMIT);
	assert_non_null(strstr(f.err.text, "30"));
	set(&f, "l3", "changed");
	assert_int_equal(f.labels.n, LABELS_MAX);
	fixture_done(&f);
}

static void texts_parse_as_the_table_says(void **state)
{
	static const struct {
		const char *text;
		const char *canonical; /* NULL: an error */
		const char *error;
	} cases[] = {
		{"{}", "{}", NULL},
		{" { } ", "{}", NULL},
		{"{b=\"2\", a=\"1\",}", "{a=\"1\",b=\"2\"}", NULL},
		{"{a='it\\'s'}", "{a=\"it's\"}", NULL},
		{"{a=`c:\\n`}", "{a=\"c:\\\\n\"}", NULL},
		{"{a=\"\"}", "{}", NULL},
		{"", NULL, "character 1: expected '{', found the end"},
		{"a=\"1\"", NULL, "character 1: expected '{', found 'a'"},
		{"{a}", NULL, "character 3: expected '=', found '}'"},
		{"{a=}", NULL, "character 4: expected a quoted text, found '}'"},
		{"{a=\"1}", NULL, "expected a closing quote, found the end"},
		{"{a=\"1\\x\"}", NULL, "expected one of"},
		{"{a=\"\\", NULL, "found the end"},
		{"{a=\"1\" b=\"2\"}", NULL, "expected ',' or '}', found 'b'"},
		{"{,}", NULL, "expected a label name, found ','"},
		{"{a=\"1\"", NULL, "expected ',' or '}', found the end"},
		{"{a=\"1\",", NULL, "expected a label name, found the end"},
		{"{a=\"1\"} x", NULL, "expected the end, found 'x'"},
		{"{a=\"1\",a=\"2\"}", NULL, "label a is there twice"},
		{"{\"\"=\"2\"}", NULL, "needs a name"},
	};
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < array_len(cases); i++) {
		int r = labels_parse(cases[i].text, &f.arena, &f.labels, &f.err);

		assert_int_equal(r, cases[i].canonical ? 0 : ERR_USAGE);
		if (cases[i].canonical)
			assert_string_equal(formatted(&f), cases[i].canonical);
		else
			assert_non_null(strstr(f.err.text, cases[i].error));
	}
	fixture_done(&f);
}

static void names_of_ingest_parse_as_the_table_says(void **state)
{
	static const struct {
		const char *text, *app, *canonical;
	} cases[] = {
		{"demo", "demo", "{}"},
		{"demo.cpu{}", "demo.cpu", "{}"},
		{" my app {env=prod, zone = eu west }", "my app",
		 "{env=\"prod\",zone=\"eu west\"}"},
		{"a{k=v=w,k=x}", "a", "{k=\"x\"}"},
		{"a{k=,l=1,}", "a", "{l=\"1\"}"},
		{"a{\xc3\xa4=\"q\"}", "a", "{\"\xc3\xa4\"=\"\\\"q\\\"\"}"},
		{"", NULL, NULL},
		{"{a=b}", NULL, NULL},
		{"a#1{k=#2,l=3}", "a#1", "{k=\"#2\",l=\"3\"}"},
		{"a{b}", "a", "{}"},
		{"a{b", "a", "{}"},
		{"a{b=c", "a", "{b=\"c\"}"},
		{"a{b=c}d", "a", "{b=\"c\"}"},
		{"a{=b}", NULL, NULL},
		{"a{b,c=d}", NULL, NULL},
		{"a{b{c=d}", NULL, NULL},
		{"a}", NULL, NULL},
	};
	struct fixture f;
	char *app;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < array_len(cases); i++) {
		int r = labels_parse_app_name(cases[i].text, &f.arena, &app, &f.labels, &f.err);

		assert_int_equal(r, cases[i].app ? 0 : ERR_USAGE);
		if (r < 0)
			continue;
		assert_string_equal(app, cases[i].app);
		assert_string_equal(formatted(&f), cases[i].canonical);
	}
	fixture_done(&f);
}

/*
 * Random sets over an alphabet of trouble come back from their text, and equal sets have equal
 * texts.
 */
static void random_label_sets_round_trip(void **state)
{
	static const char alphabet[] = "ab\"\\{},=\n `'.-_9\xc3\xa4";
	struct fixture f;
	uint64_t random = 42;

	(void)state;
	fixture_init(&f);
	for (int round = 0; round < 2000; round++) {
		struct labels made = {0}, again;
		char *text;

		for (int i = 0; i < 6; i++) {
			char word[2][6] = {{0}, {0}};

			for (int j = 0; j < 10; j++) {
				random = random * 6364136223846793005u + 1442695040888963407u;
				word[j & 1][j / 2] =
					alphabet[(random >> 33) % (sizeof(alphabet) - 1)];
			}
			assert_int_equal(labels_set(&made, &f.arena, word[0], word[1], &f.err), 0);
		}
		f.labels = made;
		text = arena_printf(&f.arena, "%s", formatted(&f));
		assert_int_equal(labels_parse(text, &f.arena, &again, &f.err), 0);
		f.labels = again;
		assert_string_equal(formatted(&f), text);
		assert_int_equal(again.n, made.n);
		for (size_t i = 0; i < made.n; i++)
			assert_string_equal(labels_get(&again, made.items[i].name),
					    made.items[i].value);
	}
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(label_text_is_canonical_whatever_the_order_of_setting),
		cmocka_unit_test(an_empty_value_removes_a_label),
		cmocka_unit_test(odd_names_and_values_survive_the_text_form),
		cmocka_unit_test(bad_bytes_become_replacement_characters),
		cmocka_unit_test(limits_are_refused_and_named),
		cmocka_unit_test(texts_parse_as_the_table_says),
		cmocka_unit_test(names_of_ingest_parse_as_the_table_says),
		cmocka_unit_test(random_label_sets_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
