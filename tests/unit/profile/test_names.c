/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "unit.h"

static void names_return_the_same_id_for_the_same_text(void **state)
{
	struct names *names = names_new();
	struct str_id a = names_cstr(names, "foo");
	char text[32];
	size_t len;

	(void)state;
	assert_int_equal(names_cstr(names, "").v, 0);
	assert_int_equal(names_str_count(names), 2);
	for (int i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "name %d", i);
		(void)names_cstr(names, text);
	}
	assert_int_equal(names_str(names, "foobar", 3).v, a.v);
	assert_string_equal(names_text(names, a, &len), "foo");
	assert_int_equal(len, 3);
	assert_string_equal(names_text(names, names_cstr(names, "name 77"), NULL), "name 77");
	assert_int_equal(names_str_count(names), 10002);
	names_free(names);
}

static void bad_bytes_become_valid_text_with_one_id(void **state)
{
	struct names *names = names_new();
	struct str_id bad = names_str(names, "a\xff\0b", 4);

	(void)state;
	assert_string_equal(names_text(names, bad, NULL), "a\xef\xbf\xbd\xef\xbf\xbd"
							  "b");
	assert_int_equal(names_str(names, "a\xff\0b", 4).v, bad.v);
	assert_int_equal(names_cstr(names, "a\xef\xbf\xbd\xef\xbf\xbd"
					   "b")
				 .v,
			 bad.v);
	names_free(names);
}

/* Of every length around the limit, of one, two, three and bad bytes a character. */
static void long_names_keep_head_and_tail_at_character_borders(void **state)
{
	static const char *const units[] = {"x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x94\xa5",
					    "\xff"};
	struct names *names = names_new();
	char *text = calloc(1, 5 * NAME_MAX_BYTES);

	(void)state;
	for (size_t u = 0; u < array_len(units); u++) {
		for (size_t want = NAME_MAX_BYTES - 8; want < 3 * NAME_MAX_BYTES; want += 1021) {
			size_t len = 4, kept;
			const char *out;

			memcpy(text, "head", 4);
			while (len < want) {
				memcpy(text + len, units[u], strlen(units[u]));
				len += strlen(units[u]);
			}
			memcpy(text + len, "tail", 4);
			len += 4;
			out = names_text(names, names_str(names, text, len), &kept);
			assert_true(kept <= NAME_MAX_BYTES);
			assert_true(utf8_is_valid(out, kept));
			assert_memory_equal(out, "head", 4);
			assert_memory_equal(out + kept - 4, "tail", 4);
			if (len <= NAME_MAX_BYTES && units[u][0] != '\xff')
				assert_int_equal(kept, len);
			else
				assert_true(kept > NAME_MAX_BYTES - 16);
		}
	}
	free(text);
	names_free(names);
}

static struct frame frame_named(struct names *names, const char *name, uint32_t line)
{
	return (struct frame){.name = names_cstr(names, name),
			      .file = names_cstr(names, "/a.py"),
			      .line = line,
			      .first_line = 5,
			      .kind = FRAME_PYTHON};
}

static void frames_of_one_function_share_it_and_have_one_plain_frame(void **state)
{
	struct names *names = names_new();
	struct frame at7 = frame_named(names, "f", 7), at8 = frame_named(names, "f", 8);
	struct frame other = frame_named(names, "g", 7), native = at7;
	struct frame_id f7 = names_frame(names, &at7), f8 = names_frame(names, &at8), plain;
	struct func_id func = names_func_of(names, f7);

	(void)state;
	native.address = 0x1234;
	assert_int_not_equal(f7.v, f8.v);
	assert_int_equal(names_frame(names, &at7).v, f7.v);
	assert_int_equal(names_func_of(names, f8).v, func.v);
	assert_int_equal(names_func_of(names, names_frame(names, &native)).v, func.v);
	assert_int_not_equal(names_func_of(names, names_frame(names, &other)).v, func.v);
	assert_int_equal(names_func_get(names, func)->line, 7);
	plain = names_func_frame(names, func);
	assert_int_equal(names_func_frame(names, func).v, plain.v);
	assert_int_equal(names_frame_get(names, plain)->line, 0);
	assert_int_equal(names_frame_get(names, plain)->first_line, 5);
	assert_int_equal(names_func_of(names, plain).v, func.v);
	assert_int_equal(names_func_of(names, (struct frame_id){0}).v, 0);
	assert_int_equal(names_func_frame(names, (struct func_id){0}).v, 0);
	assert_int_equal(names_func_count(names), 3);
	names_free(names);
}

static void names_tell_columns_apart_and_lines_of_them_are_one(void **state)
{
	struct names *names = names_new();
	struct frame at7 = frame_named(names, "f", 7), first = at7, second = at7, none = at7;
	struct frame_id line = names_frame(names, &at7), f1, f2;

	(void)state;
	first.column = 5;
	second.column = 9;
	none.line = 0;
	none.column = 3;
	f1 = names_frame(names, &first);
	f2 = names_frame(names, &second);
	assert_int_not_equal(f1.v, f2.v);
	assert_int_equal(names_frame_get(names, f1)->column, 5);
	assert_int_equal(names_line_frame(names, f1).v, line.v);
	assert_int_equal(names_line_frame(names, f2).v, line.v);
	assert_int_equal(names_line_frame(names, line).v, line.v);
	assert_int_equal(names_func_of(names, f1).v, names_func_of(names, line).v);
	assert_int_equal(names_frame_get(names, names_frame(names, &none))->column, 0);
	assert_int_equal(names_func_count(names), 2);
	names_free(names);
}

static void markers_have_no_line_and_unknown_kinds_are_other(void **state)
{
	struct names *names = names_new();
	struct frame marker = frame_named(names, "thread 1", 7), odd = marker;
	struct frame_id id;

	(void)state;
	marker.kind = FRAME_MARKER;
	odd.kind = 99;
	id = names_frame(names, &marker);
	assert_int_equal(names_frame_get(names, id)->line, 0);
	assert_int_equal(names_frame_get(names, id)->first_line, 0);
	id = names_frame(names, &odd);
	assert_int_equal(names_frame_get(names, id)->kind, FRAME_OTHER);
	names_free(names);
}

static void past_the_ceilings_everything_new_is_one_marker_and_counted(void **state)
{
	struct names *names = names_new();
	struct frame_id first, over;
	struct func_id func;
	struct frame frame;
	char text[16];

	(void)state;
	frame = frame_named(names, "known", 1);
	first = names_frame(names, &frame);
	func = names_func_of(names, first);
	names_set_limits(names, 10, 5);
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "f%d", i);
		frame = frame_named(names, text, 1);
		over = names_frame(names, &frame);
	}
	assert_string_equal(names_text(names, frame.name, NULL), "[names over limit]");
	assert_string_equal(names_text(names, names_frame_get(names, over)->name, NULL),
			    "[names over limit]");
	assert_int_equal(names_frame_get(names, over)->kind, FRAME_MARKER);
	assert_true(names_str_count(names) <= 11);
	assert_true(names_frame_count(names) <= 6);
	assert_true(names_over_limit(names) >= 90);
	/* What was there stays itself, and its function has a frame. */
	frame = frame_named(names, "known", 1);
	assert_int_equal(names_frame(names, &frame).v, first.v);
	assert_string_equal(names_text(names,
				       names_frame_get(names, names_func_frame(names, func))->name,
				       NULL),
			    "known");
	names_free(names);
}

static void import_gives_equal_frames_and_remembers_them(void **state)
{
	struct names *from = names_new(), *into = names_new();
	struct names_map map = {0};
	struct frame frame = frame_named(from, "f", 3);
	struct frame_id id, there;
	const struct frame *copy;

	(void)state;
	(void)names_cstr(into, "shifts the ids");
	frame.qualname = names_cstr(from, "C.f");
	frame.module = names_cstr(from, "m");
	frame.build_id = names_cstr(from, "ab12");
	frame.address = 0xffffffffffffu;
	id = names_frame(from, &frame);
	there = names_import(into, &map, from, id);
	copy = names_frame_get(into, there);
	assert_string_equal(names_text(into, copy->name, NULL), "f");
	assert_string_equal(names_text(into, copy->qualname, NULL), "C.f");
	assert_string_equal(names_text(into, copy->file, NULL), "/a.py");
	assert_string_equal(names_text(into, copy->module, NULL), "m");
	assert_string_equal(names_text(into, copy->build_id, NULL), "ab12");
	assert_true(copy->address == frame.address && copy->line == 3 && copy->first_line == 5);
	assert_int_equal(names_import(into, &map, from, id).v, there.v);
	assert_int_equal(names_import(into, &map, from, (struct frame_id){0}).v, 0);
	assert_int_equal(names_import(from, &map, from, id).v, id.v);
	names_map_done(&map);
	names_free(from);
	names_free(into);
}

static void importing_many_is_importing_each_that_is_used(void **state)
{
	struct names *from = names_new(), *each = names_new(), *many = names_new();
	struct names_map each_map = {0}, many_map = {0};
	uint8_t is_used[201] = {0};
	char name[16];

	(void)state;
	for (uint32_t i = 1; i < array_len(is_used); i++) {
		snprintf(name, sizeof(name), "f%u", i / 3);
		struct frame frame = frame_named(from, name, i);
		assert_int_equal(names_frame(from, &frame).v, i);
		is_used[i] = i % 4 != 0;
	}
	/* One is there already, and a part of the map is known. */
	(void)names_import(many, &many_map, from, (struct frame_id){77});
	names_import_used(many, &many_map, from, is_used);
	for (uint32_t i = 1; i < array_len(is_used); i++) {
		if (!is_used[i])
			continue;
		const struct frame *a = names_frame_get(
			each, names_import(each, &each_map, from, (struct frame_id){i}));
		uint32_t n = names_frame_count(many);
		const struct frame *b = names_frame_get(
			many, names_import(many, &many_map, from, (struct frame_id){i}));

		assert_int_equal(names_frame_count(many), n);
		assert_string_equal(names_text(each, a->name, NULL),
				    names_text(many, b->name, NULL));
		assert_string_equal(names_text(each, a->file, NULL),
				    names_text(many, b->file, NULL));
		assert_true(a->line == b->line && a->first_line == b->first_line);
	}
	assert_int_equal(names_frame_count(many), names_frame_count(each));
	assert_int_equal(names_str_count(many), names_str_count(each));
	names_map_done(&each_map);
	names_map_done(&many_map);
	names_free(from);
	names_free(each);
	names_free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_tell_columns_apart_and_lines_of_them_are_one),
		cmocka_unit_test(names_return_the_same_id_for_the_same_text),
		cmocka_unit_test(bad_bytes_become_valid_text_with_one_id),
		cmocka_unit_test(long_names_keep_head_and_tail_at_character_borders),
		cmocka_unit_test(frames_of_one_function_share_it_and_have_one_plain_frame),
		cmocka_unit_test(markers_have_no_line_and_unknown_kinds_are_other),
		cmocka_unit_test(past_the_ceilings_everything_new_is_one_marker_and_counted),
		cmocka_unit_test(import_gives_equal_frames_and_remembers_them),
		cmocka_unit_test(importing_many_is_importing_each_that_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
