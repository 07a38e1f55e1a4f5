/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "base/buf.h"
#include "http/multipart.h"

#define TYPE "multipart/form-data; boundary=b"
#define PART(name, text)                                                                           \
	"--b\r\nContent-Disposition: form-data; name=\"" name "\"; filename=\"f\"\r\n\r\n" text    \
	"\r\n"

struct form {
	const char *type, *body;
	int result;	   /* of begin, or of the first next that is not 1 */
	const char *parts; /* "name=text,name=text," */
};

static const struct form forms[] = {
	{TYPE, PART("profile", "abc") "--b--\r\n", 0, "profile=abc,"},
	{TYPE, PART("a", "1") PART("b", "2") "--b--", 0, "a=1,b=2,"},
	{TYPE, "preamble\r\n" PART("a", "1") "--b--epilogue", 0, "a=1,"},
	{TYPE "; charset=utf-8", PART("a", "1") "--b--", 0, "a=1,"},
	{"multipart/form-data; boundary=\"b\"", PART("a", "1") "--b--", 0, "a=1,"},
	{TYPE, PART("a", "") "--b--", 0, "a=,"},
	{TYPE, "--b\r\n\r\nnameless\r\n--b--", 0, "=nameless,"},
	{TYPE, "--b\r\nContent-Disposition: form-data; filename=\"x\"\r\n\r\n1\r\n--b--", 0, "=1,"},
	{TYPE, "--b\r\nX: y; name=\"unended\r\n\r\n1\r\n--b--", 0, "=1,"},
	{TYPE, PART("a", "line\r\nbreak \r\n--c") "--b--", 0, "a=line\r\nbreak \r\n--c,"},
	{TYPE, "--b--", 0, ""},
	{TYPE, "", ERR_CORRUPT, ""},
	{TYPE, "no boundary", ERR_CORRUPT, ""},
	{TYPE, "--b", ERR_CORRUPT, ""},
	{TYPE, "--bx", ERR_CORRUPT, ""},
	{TYPE, "--b\r\nhead without end", ERR_CORRUPT, ""},
	{TYPE, "--b\r\n\r\nno end", ERR_CORRUPT, ""},
	{TYPE, PART("a", "1"), ERR_CORRUPT, ""},
	{"multipart/form-data", PART("a", "1") "--b--", ERR_USAGE, ""},
	{"multipart/form-data; boundary=", PART("a", "1") "--b--", ERR_USAGE, ""},
	{"multipart/form-data; "
	 "boundary=01234567890123456789012345678901234567890123456789012345678901234567890",
	 "", ERR_USAGE, ""},
};

static int read_form(const char *type, const char *body, size_t len, struct buf *out)
{
	struct multipart_part part;
	struct multipart form;
	struct err err;
	int r = multipart_begin(&form, type, body, len, &err);

	while (r == 0 && (r = multipart_next(&form, &part, &err)) == 1) {
		buf_printf(out, "%s=%.*s,", part.name, (int)part.len, (const char *)part.data);
		r = 0;
		if (form.n_parts > MULTIPART_MAX_PARTS)
			return ERR_LIMIT;
	}
	return r;
}

static void forms_are_read_part_by_part(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(forms); i++) {
		struct buf parts;
		int r;

		buf_init(&parts, 4096);
		buf_puts(&parts, "");
		r = read_form(forms[i].type, forms[i].body, strlen(forms[i].body), &parts);
		if (r != forms[i].result || (r == 0 && strcmp(parts.data, forms[i].parts) != 0))
			fail_msg("form %zu: %d, %s", i, r, parts.data);
		buf_done(&parts);
	}
}

/* Every beginning of a form, in memory of exactly its size: nothing is read behind it. */
static void cut_forms_are_refused_and_not_overread(void **state)
{
	static const char whole[] = PART("a", "1") PART("b", "2") "--b--";

	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		char *exact = malloc(len + 1);
		struct buf parts;
		int r;

		memcpy(exact, whole, len);
		buf_init(&parts, 4096);
		r = read_form(TYPE, exact, len, &parts);
		/* "--b--" may lose its last characters and still be a boundary's line end: not here. */
		assert_int_equal(r, ERR_CORRUPT);
		buf_done(&parts);
		free(exact);
	}
}

static void parts_are_counted(void **state)
{
	struct buf body, parts;

	(void)state;
	buf_init(&body, 65536);
	buf_init(&parts, 65536);
	for (int i = 0; i < MULTIPART_MAX_PARTS + 1; i++)
		buf_puts(&body, PART("a", "1"));
	buf_puts(&body, "--b--");
	assert_int_equal(read_form(TYPE, body.data, body.len, &parts), ERR_LIMIT);
	buf_done(&body);
	buf_done(&parts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_are_read_part_by_part),
		cmocka_unit_test(cut_forms_are_refused_and_not_overread),
		cmocka_unit_test(parts_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
