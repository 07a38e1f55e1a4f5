/* SPDX-License-Identifier: Apache-2.0 */
#include "tui/list.h"

#include "base/compiler.h"
#include "tui/tui.h"
#include "unit.h"

static uint64_t key_of(const void *rows, size_t i)
{
	return ((const uint64_t *)rows)[i];
}

static void the_choice_follows_its_row(void **state)
{
	const uint64_t before[] = {10, 20, 30, 40}, after[] = {40, 30, 20, 10}, less[] = {40, 10};
	struct list list = {0};

	(void)state;
	list_update(&list, before, 4, key_of);
	assert_int_equal(list.key, 10);
	/* until the user moves it is the first, whoever that is */
	list_update(&list, after, 4, key_of);
	assert_int_equal(list.key, 40);
	assert_true(list_move(&list, TUI_KEY_DOWN, after, key_of));
	assert_int_equal(list.key, 30);
	list_update(&list, before, 4, key_of);
	assert_int_equal(list.at, 2);
	/* its row has gone: stay near */
	list_update(&list, less, 2, key_of);
	assert_int_equal(list.at, 1);
	assert_int_equal(list.key, 10);
	list_update(&list, NULL, 0, key_of);
	assert_int_equal(list.n, 0);
	assert_true(list_move(&list, TUI_KEY_DOWN, NULL, key_of));
}

static void keys_move_within_the_list(void **state)
{
	static const struct {
		uint32_t key;
		size_t at;
	} cases[] = {{TUI_KEY_UP, 0},	     {TUI_KEY_DOWN, 1}, {TUI_KEY_PAGE_DOWN, 4},
		     {TUI_KEY_PAGE_DOWN, 7}, {TUI_KEY_END, 9},	{TUI_KEY_DOWN, 9},
		     {TUI_KEY_PAGE_UP, 6},   {TUI_KEY_HOME, 0}, {TUI_KEY_PAGE_UP, 0}};
	const uint64_t rows[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
	struct list list = {0};

	(void)state;
	list_update(&list, rows, 10, key_of);
	list_show(&list, 4);
	for (size_t i = 0; i < array_len(cases); i++) {
		assert_true(list_move(&list, cases[i].key, rows, key_of));
		assert_int_equal(list.at, cases[i].at);
		list_show(&list, 4);
		assert_true(list.at >= list.top && list.at < list.top + 4);
	}
	assert_false(list_move(&list, 'x', rows, key_of));
}

static void a_window_is_never_empty_where_there_are_rows(void **state)
{
	const uint64_t rows[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
	struct list list = {0};

	(void)state;
	list_update(&list, rows, 10, key_of);
	list_choose(&list, 9, rows, key_of);
	list_show(&list, 3);
	assert_int_equal(list.top, 7);
	list_show(&list, 8);
	assert_int_equal(list.top, 2);
	list_show(&list, 0);
	assert_int_equal(list.top, 9);
	list_show(&list, 100);
	assert_int_equal(list.top, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_choice_follows_its_row),
		cmocka_unit_test(keys_move_within_the_list),
		cmocka_unit_test(a_window_is_never_empty_where_there_are_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
