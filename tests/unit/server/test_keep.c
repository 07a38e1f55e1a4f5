/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/keep.h"

struct fixture {
	char dir[64];
	struct keep *keep;
	struct arena arena;
	struct err err;
};

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/test_keep.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->keep = keep_new(f->dir);
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
	(void)stat, (void)kind, (void)walk;
	return remove(path);
}

static int end(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	keep_free(f->keep);
	arena_done(&f->arena);
	free(f);
	return 0;
}

static void check(struct fixture *f, const char *tenant, const char *name, const char *text)
{
	struct keep_place place = {tenant, "drawer"};
	struct buf out;

	buf_init(&out, 1000);
	assert_int_equal(keep_read(f->keep, &place, name, &out, &f->err), 0);
	assert_string_equal(out.data, text);
	buf_done(&out);
}

static void put(struct fixture *f, const char *tenant, const char *name, const char *text)
{
	struct keep_place place = {tenant, "drawer"};

	assert_int_equal(keep_write(f->keep, &place, name, text, strlen(text), &f->err), 0);
}

static void what_is_kept_is_read_again_and_replaced(void **state)
{
	struct fixture *f = *state;

	put(f, "one", "a", "first");
	put(f, "one", "a", "second");
	keep_free(f->keep);
	f->keep = keep_new(f->dir);
	check(f, "one", "a", "second");
}

static void tenants_have_folders_of_their_own_whatever_their_names(void **state)
{
	static const char *const tenants[] = {"one", "o.ne", "..",  "../one",
					      "%2E", ".",    "One", "drawer"};
	struct fixture *f = *state;

	for (size_t i = 0; i < array_len(tenants); i++)
		put(f, tenants[i], "a", tenants[i]);
	for (size_t i = 0; i < array_len(tenants); i++)
		check(f, tenants[i], "a", tenants[i]);
	assert_int_equal(access("/tmp/drawer", F_OK), -1);
}

static void names_cannot_leave_their_drawer(void **state)
{
	static const char *const bad[] = {"",	     ".",   "..",   "a/b",	  "../a",
					  ".hidden", "a b", "new~", "gr\xc3\xb6n"};
	struct fixture *f = *state;
	struct keep_place place = {"one", "drawer"};
	char longest[KEEP_NAME_MAX + 2];

	memset(longest, 'a', sizeof(longest));
	longest[KEEP_NAME_MAX + 1] = '\0';
	assert_false(keep_name_is_good(longest));
	longest[KEEP_NAME_MAX] = '\0';
	assert_true(keep_name_is_good(longest));
	for (size_t i = 0; i < array_len(bad); i++)
		assert_int_equal(keep_write(f->keep, &place, bad[i], "x", 1, &f->err), ERR_USAGE);
}

static void a_list_is_sorted_and_knows_sizes(void **state)
{
	struct fixture *f = *state;
	struct keep_place place = {"one", "drawer"};
	struct keep_entry *entries;
	size_t n;

	assert_int_equal(keep_list(f->keep, &place, &f->arena, &entries, &n, &f->err), 0);
	assert_int_equal(n, 0);
	put(f, "one", "b", "bb");
	put(f, "one", "a", "");
	put(f, "one", "c", "ccc");
	assert_int_equal(keep_remove(f->keep, &place, "c", &f->err), 0);
	assert_int_equal(keep_remove(f->keep, &place, "c", &f->err), 0);
	assert_int_equal(keep_list(f->keep, &place, &f->arena, &entries, &n, &f->err), 0);
	assert_int_equal(n, 2);
	assert_string_equal(entries[0].name, "a");
	assert_string_equal(entries[1].name, "b");
	assert_int_equal(entries[1].bytes, 2 + KEEP_SUM_BYTES);
}

static void what_is_not_there_is_told_from_what_is_too_large(void **state)
{
	struct fixture *f = *state;
	struct keep_place place = {"one", "drawer"};
	struct buf out;

	buf_init(&out, 3);
	assert_int_equal(keep_read(f->keep, &place, "a", &out, &f->err), -ENOENT);
	put(f, "one", "b", "");
	assert_int_equal(keep_read(f->keep, &place, "a", &out, &f->err), -ENOENT);
	put(f, "one", "a", "four");
	assert_int_equal(keep_read(f->keep, &place, "a", &out, &f->err), ERR_LIMIT);
	buf_done(&out);
}

static void without_a_directory_nothing_is_kept(void **state)
{
	struct keep *keep = keep_new(NULL);
	struct keep_place place = {"one", "drawer"};
	struct err err;

	(void)state;
	assert_int_equal(keep_write(keep, &place, "a", "x", 1, &err), ERR_UNSUPPORTED);
	keep_free(keep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_kept_is_read_again_and_replaced, begin,
						end),
		cmocka_unit_test_setup_teardown(
			tenants_have_folders_of_their_own_whatever_their_names, begin, end),
		cmocka_unit_test_setup_teardown(names_cannot_leave_their_drawer, begin, end),
		cmocka_unit_test_setup_teardown(a_list_is_sorted_and_knows_sizes, begin, end),
		cmocka_unit_test_setup_teardown(what_is_not_there_is_told_from_what_is_too_large,
						begin, end),
		cmocka_unit_test_setup_teardown(without_a_directory_nothing_is_kept, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
