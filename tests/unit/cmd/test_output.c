/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/output.h"

static char folder[64];

static int enter_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/test_output_XXXXXX");
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static void put(const char *name, const char *text)
{
	FILE *file = fopen(name, "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void assert_holds(const char *name, const char *text)
{
	char got[64] = "";
	FILE *file = fopen(name, "re");

	assert_non_null(file);
	(void)!fread(got, 1, sizeof(got) - 1, file);
	fclose(file);
	assert_string_equal(got, text);
}

static int entries(void)
{
	FILE *list = popen("ls -A | wc -l", "re");
	int n = -1;

	assert_int_equal(fscanf(list, "%d", &n), 1);
	pclose(list);
	return n;
}

static void output_appears_whole_or_not_at_all(void **state)
{
	struct output output;
	struct err err;

	(void)state;
	put("old", "precious");
	assert_int_equal(output_open(&output, "old", &err), 0);
	assert_int_equal(output_write(&output, "new", 3, &err), 0);
	assert_holds("old", "precious");
	output_done(&output);
	assert_holds("old", "precious");
	assert_int_equal(entries(), 1);

	assert_int_equal(output_open(&output, "old", &err), 0);
	assert_int_equal(output_write_all(&output, "new", 3, &err), 0);
	output_done(&output);
	assert_holds("old", "new");
	assert_int_equal(entries(), 1);
}

static void output_keeps_the_mode_of_what_it_replaces(void **state)
{
	struct output output;
	struct err err;
	struct stat st;

	(void)state;
	put("file", "x");
	chmod("file", 0604);
	assert_int_equal(output_open(&output, "file", &err), 0);
	assert_int_equal(output_write_all(&output, "y", 1, &err), 0);
	output_done(&output);
	assert_int_equal(stat("file", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0604);
}

static void output_follows_a_link_and_leaves_it_a_link(void **state)
{
	struct output output;
	struct err err;
	struct stat st;

	(void)state;
	put("goal", "x");
	assert_int_equal(symlink("goal", "link"), 0);
	assert_int_equal(output_open(&output, "link", &err), 0);
	assert_int_equal(output_write_all(&output, "y", 1, &err), 0);
	output_done(&output);
	assert_holds("goal", "y");
	assert_int_equal(lstat("link", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void output_keeps_a_part_when_told_to(void **state)
{
	struct output output;
	struct err err;
	char name[256];

	(void)state;
	assert_int_equal(output_open(&output, "half", &err), 0);
	assert_int_equal(output_write(&output, "so far", 6, &err), 0);
	snprintf(name, sizeof(name), "%s", output_keep_part(&output));
	output_done(&output);
	assert_int_not_equal(access("half", F_OK), 0);
	assert_holds(name, "so far");
}

/* So that a kill -9 before the result leaves nothing. */
static void output_has_no_part_before_the_first_byte(void **state)
{
	struct output output;
	struct err err;

	(void)state;
	assert_int_equal(output_open(&output, "late", &err), 0);
	assert_int_equal(entries(), 0);
	assert_int_equal(output_write(&output, "x", 1, &err), 0);
	assert_int_equal(entries(), 1);
	assert_int_equal(output_commit(&output, &err), 0);
	output_done(&output);
	assert_holds("late", "x");
	assert_int_equal(output_open(&output, "empty", &err), 0);
	assert_int_equal(output_commit(&output, &err), 0);
	output_done(&output);
	assert_holds("empty", "");
	assert_int_equal(entries(), 2);
}

static void output_refuses_what_cannot_be_written(void **state)
{
	static const struct {
		const char *path;
		int code;
	} cases[] = {
		{"", -ENOENT},	  {"missing/file", -ENOENT}, {"folder", -EISDIR},
		{"pipe", -ENXIO}, {"file/file", -ENOTDIR},   {"nowhere", -ENOENT},
	};

	(void)state;
	put("file", "x");
	assert_int_equal(mkdir("folder", 0755), 0);
	assert_int_equal(mkfifo("pipe", 0600), 0);
	assert_int_equal(symlink("nothing", "nowhere"), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct output output;
		struct err err;

		assert_int_equal(output_open(&output, cases[i].path, &err), cases[i].code);
		assert_true(strlen(err.text) > 0);
		output_done(&output);
	}
	assert_int_equal(entries(), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(output_appears_whole_or_not_at_all, enter_folder,
						leave_folder),
		cmocka_unit_test_setup_teardown(output_keeps_the_mode_of_what_it_replaces,
						enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(output_follows_a_link_and_leaves_it_a_link,
						enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(output_has_no_part_before_the_first_byte,
						enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(output_keeps_a_part_when_told_to, enter_folder,
						leave_folder),
		cmocka_unit_test_setup_teardown(output_refuses_what_cannot_be_written, enter_folder,
						leave_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
