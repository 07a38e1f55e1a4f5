/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "codec/yaml.h"

struct seen {
	struct buf text;
	const char *stop_at;
};

static int on_event(void *ctx, const struct json_event *event, struct err *err)
{
	static const char *const kinds[] = {"null", "bool", "number", "string", "{", "}", "[", "]"};
	struct seen *seen = ctx;

	if (seen->stop_at && strcmp(event->path, seen->stop_at) == 0)
		return err_set(err, ERR_USAGE, "not this word");
	buf_printf(&seen->text, "%s=%s", event->path, kinds[event->kind]);
	if (event->kind == JSON_BOOL)
		buf_printf(&seen->text, ":%d", event->truth);
	if (event->text)
		buf_printf(&seen->text, ":%.*s", (int)event->len, event->text);
	buf_putc(&seen->text, ' ');
	return 0;
}

static int read_text(const char *text, const char *stop_at, struct seen *seen, struct err *err)
{
	static const struct json_limits limits = {.max_bytes = 4096, .max_depth = 6};

	*seen = (struct seen){.stop_at = stop_at};
	buf_init(&seen->text, 65536);
	return yaml_read(text, strlen(text), &limits, on_event, seen, err);
}

static void documents_give_the_events_of_json(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"a: 1\nb: [x, 'y']\n", "={ a=number:1 b=[ b[]=string:x b[]=string:y b=] =} "},
		{"{\"a\": {\"b\": true}, \"c\": null}", "={ a={ a.b=bool:1 a=} c=null =} "},
		{"list:\n  - k: '1'\n    l: 15s\n  - k: ~\n",
		 "={ list=[ list[]={ list[].k=string:1 list[].l=string:15s list[]=} list[]={ "
		 "list[].k=null list[]=} list=] =} "},
		{"a.b: 10.0.0.5:6060\n", "={ ?=string:10.0.0.5:6060 =} "},
		{"- -1.5e3\n- .\n- false\n", "=[ []=number:-1.5e3 []=string:. []=bool:0 =] "},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct seen seen;

		assert_int_equal(read_text(cases[i].text, NULL, &seen, NULL), 0);
		assert_string_equal(seen.text.data ? seen.text.data : "", cases[i].want);
		buf_done(&seen.text);
	}
}

static void what_is_refused_names_its_line(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *want;
	} cases[] = {
		{"a: [1\nb: 2\n", ERR_CORRUPT, "line 2"},
		{"a: b: c\n", ERR_CORRUPT, "line 1"},
		{"a: \"x\n", ERR_CORRUPT, "line"},
		{"x: &a [1]\ny: *a\n", ERR_UNSUPPORTED, "line 1: anchors and tags"},
		{"y: *a\n", ERR_UNSUPPORTED, "line 1: aliases"},
		{"y: !!int 3\n", ERR_UNSUPPORTED, "line 1: anchors and tags"},
		{"a: 1\n---\nb: 2\n", ERR_UNSUPPORTED, "line 2: several documents"},
		{"? [1]\n: 2\n", ERR_UNSUPPORTED, "line 1: a key has to be a word"},
		{"[[[[[[[[1]]]]]]]]", ERR_LIMIT, "deeper than 6"},
		{"a: 1\nstop: 2\n", ERR_USAGE, "line 2: not this word"},
		{"a: \xff\xfe\n", ERR_CORRUPT, "line"},
		{"a: \x01\n", ERR_CORRUPT, "line"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct seen seen;
		struct err err = {0};

		assert_int_equal(read_text(cases[i].text, "stop", &seen, &err), cases[i].code);
		if (!strstr(err.text, cases[i].want))
			fail_msg("%s: %s", cases[i].want, err.text);
		buf_done(&seen.text);
	}
}

/* Every cut of a document is read or refused, and nothing is read behind its end. */
static void cuts_are_survived(void **state)
{
	static const char text[] =
		"a: {b: [1, 'two', \"th\\u0072ee\"], ? c : d}\ne:\n - |\n   f\n - >\n   g\n";
	static const struct json_limits limits = {.max_bytes = 4096, .max_depth = 6};

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct seen seen = {0};
		char *copy = malloc(cut + 1);
		int r;

		buf_init(&seen.text, 65536);
		memcpy(copy, text, cut);
		r = yaml_read(copy, cut, &limits, on_event, &seen, NULL);
		assert_true(r == 0 || r == ERR_CORRUPT || r == ERR_UNSUPPORTED);
		free(copy);
		buf_done(&seen.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_give_the_events_of_json),
		cmocka_unit_test(what_is_refused_names_its_line),
		cmocka_unit_test(cuts_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
