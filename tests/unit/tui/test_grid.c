/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tui/grid.h"
#include "unit.h"

#define MAX_BYTES 65536

/* What a text looks like in a row of that width. */
static void row_of(char out[512], int columns, enum grid_cut cut, const char *text, size_t len)
{
	struct grid grid = {0};
	struct buf buf;

	buf_init(&buf, MAX_BYTES);
	grid_resize(&grid, 1, columns);
	grid_put(&grid, (struct grid_place){0, 0, columns, cut}, STYLE_PLAIN, text, len);
	grid_text(&grid, &buf);
	buf.data[buf.len - 1] = '\0';
	strncpy(out, buf.data, 511);
	out[511] = '\0';
	buf_done(&buf);
	grid_done(&grid);
}

static void grid_puts_what_can_be_shown_and_cuts_the_rest(void **state)
{
	static const struct {
		int columns;
		enum grid_cut cut;
		const char *text, *wanted;
	} cases[] = {
		{5, GRID_CUT_END, "abc", "abc"},
		{5, GRID_CUT_END, "abcde", "abcde"},
		{5, GRID_CUT_END, "abcdef", "abcd…"},
		{5, GRID_CUT_START, "/srv/app.py", "…p.py"},
		{5, GRID_CUT_MIDDLE, "abcdefgh", "ab…gh"},
		{1, GRID_CUT_MIDDLE, "abcdefgh", "…"},
		/* wide characters take two columns, and are never halved */
		{4, GRID_CUT_END, "日本", "日本"},
		{5, GRID_CUT_END, "日本語", "日本…"},
		{4, GRID_CUT_END, "日本語", "日…"},
		{4, GRID_CUT_START, "日本語", "…語"},
		/* marks stay with their character, at most two of them */
		{3, GRID_CUT_END, "e\xcc\x81x", "e\xcc\x81x"},
		{3, GRID_CUT_END, "e\xcc\x81\xcc\x82\xcc\x83\xcc\x84", "e\xcc\x81\xcc\x82"},
		{3, GRID_CUT_END, "\xcc\x81x", "x"},
		/* nothing that moves a cursor or hides */
		{8, GRID_CUT_END, "a\x1b[2Jb\x7f\xc2\x9b", "a�[2Jb��"},
		{8, GRID_CUT_END, "a\nb\rc\td", "a�b�c�d"},
		{8, GRID_CUT_END, "a\xff\xc3(\xe2\x80\xaey", "a��(�y"},
		{8, GRID_CUT_END, "a\xe2\x80\x8bz", "a�z"},
		/* letters that run leftwards are fenced in */
		{8, GRID_CUT_END, "שלום", "\xe2\x81\xa8שלום\xe2\x81\xa9"},
		{4, GRID_CUT_END, "xשלום", "\xe2\x81\xa8xשל…\xe2\x81\xa9"},
	};
	char out[512];

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		row_of(out, cases[i].columns, cases[i].cut, cases[i].text, strlen(cases[i].text));
		assert_string_equal(out, cases[i].wanted);
	}
	row_of(out, 8, GRID_CUT_END, "a\0b", 3);
	assert_string_equal(out, "a�b");
}

static void grid_never_draws_outside_of_itself(void **state)
{
	static const struct grid_place places[] = {
		{-1, 0, 5, GRID_CUT_END}, {0, -1, 5, GRID_CUT_END}, {2, 0, 5, GRID_CUT_END},
		{0, 10, 5, GRID_CUT_END}, {0, 0, -3, GRID_CUT_END}, {0, 0, 0, GRID_CUT_START},
	};
	struct grid grid = {0};

	(void)state;
	grid_resize(&grid, 2, 10);
	for (size_t i = 0; i < array_len(places); i++) {
		assert_int_equal(grid_puts(&grid, places[i], STYLE_PLAIN, "text"), 0);
		grid_fill(&grid, places[i], STYLE_PLAIN, 'x');
		grid_mark(&grid, places[i], STYLE_REVERSE);
		grid_puts_right(&grid, places[i], STYLE_PLAIN, "text");
	}
	assert_int_equal(
		grid_puts(&grid, (struct grid_place){1, 8, 50, GRID_CUT_END}, STYLE_PLAIN, "text"),
		2);
	for (size_t i = 0; i < 18; i++)
		assert_int_equal(grid.cells[i].code, ' ');
	assert_int_equal(grid.cells[18].code, 't');
	grid_done(&grid);
}

static void grid_drawn_over_half_of_a_wide_character_keeps_no_other_half(void **state)
{
	struct grid grid = {0};

	(void)state;
	grid_resize(&grid, 1, 6);
	grid_puts(&grid, (struct grid_place){0, 0, 6, GRID_CUT_END}, STYLE_PLAIN, "日本語");
	grid_puts(&grid, (struct grid_place){0, 1, 2, GRID_CUT_END}, STYLE_PLAIN, "xy");
	assert_int_equal(grid.cells[0].code, ' ');
	assert_int_equal(grid.cells[1].code, 'x');
	assert_int_equal(grid.cells[2].code, 'y');
	assert_int_equal(grid.cells[3].code, ' ');
	assert_int_equal(grid.cells[4].code, 0x8a9e);
	assert_int_equal(grid.cells[5].code, 0);
	grid_done(&grid);
}

static void grid_right_aligned_text_ends_where_the_room_ends(void **state)
{
	struct grid grid = {0};

	(void)state;
	grid_resize(&grid, 1, 8);
	grid_puts_right(&grid, (struct grid_place){0, 1, 6, GRID_CUT_END}, STYLE_BAR, "12%");
	assert_int_equal(grid.cells[3].code, ' ');
	assert_int_equal(grid.cells[4].code, '1');
	assert_int_equal(grid.cells[6].code, '%');
	assert_int_equal(grid.cells[6].style, STYLE_BAR);
	grid_done(&grid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grid_puts_what_can_be_shown_and_cuts_the_rest),
		cmocka_unit_test(grid_never_draws_outside_of_itself),
		cmocka_unit_test(grid_drawn_over_half_of_a_wide_character_keeps_no_other_half),
		cmocka_unit_test(grid_right_aligned_text_ends_where_the_room_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
