/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "cmd/short_file.h"

/* A disk with one application in it. */
static enum short_file_dir look(const char *path, size_t len)
{
	static const struct {
		const char *path;
		enum short_file_dir kind;
	} dirs[] = {
		{"", SHORT_FILE_PLAIN},
		{"/srv", SHORT_FILE_PLAIN},
		{"/srv/app", SHORT_FILE_PLAIN},
		{"/srv/app/shop", SHORT_FILE_PACKAGE},
		{"/srv/app/shop/a", SHORT_FILE_PACKAGE},
		{"/top", SHORT_FILE_PACKAGE},
	};

	for (size_t i = 0; i < array_len(dirs); i++)
		if (strlen(dirs[i].path) == len && strncmp(dirs[i].path, path, len) == 0)
			return dirs[i].kind;
	return SHORT_FILE_UNSEEN;
}

static const struct {
	const char *path, *shown;
} cases[] = {
	{"/usr/lib/python3.11/threading.py", "threading.py"},
	{"/usr/lib/python3.11/concurrent/futures/thread.py", "concurrent/futures/thread.py"},
	{"/opt/lib/python3.13t/queue.py", "queue.py"},
	{"/usr/lib/python311.zip/queue.py", "queue.py"},
	{"/v/lib/python3.8/site-packages/django/db/utils.py", "django/db/utils.py"},
	{"/usr/lib/python3/dist-packages/six.py", "six.py"},
	{"/v/site-packages/old/site-packages/new/x.py", "new/x.py"},
	{"/srv/app/app.py", "app.py"},
	{"/srv/app/shop/views.py", "shop/views.py"},
	{"/srv/app/shop/a/b.py", "shop/a/b.py"},
	{"/top/x.py", "top/x.py"},
	{"/x.py", "x.py"},
	/* What is not known stays whole. */
	{"/elsewhere/app.py", "/elsewhere/app.py"},
	{"/srv/app/gone/b.py", "/srv/app/gone/b.py"},
	{"/home/python3/app.py", "/home/python3/app.py"},
	{"/home/pythonic/lib/app.py", "/home/pythonic/lib/app.py"},
	{"/home/python3.x/app.py", "/home/python3.x/app.py"},
	{"/home/python3.11", "/home/python3.11"},
	{"/v/site-packages/", "/v/site-packages/"},
	{"app.py", "app.py"},
	{"./shop/app.py", "./shop/app.py"},
	{"<frozen importlib._bootstrap>", "<frozen importlib._bootstrap>"},
	{"", ""},
};

static void a_file_is_shown_from_its_package_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(cases); i++)
		assert_string_equal(cases[i].path + short_file_cut(cases[i].path, look),
				    cases[i].shown);
}

static enum short_file_dir always(const char *path, size_t len)
{
	(void)path;
	(void)len;
	return SHORT_FILE_PACKAGE;
}

static void looks_at_the_disk_are_bounded(void **state)
{
	char path[4096] = "";

	(void)state;
	for (size_t i = 0; i + 3 < sizeof(path); i += 2)
		memcpy(path + i, "/a", 3);
	assert_int_equal(short_file_cut(path, always),
			 strlen(path) - 2 * SHORT_FILE_MAX_LEVELS - 1);
}

static void a_look_tells_packages_from_folders_and_nothing(void **state)
{
	char dir[] = "/tmp/short-file-XXXXXX", init[64];
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(init, sizeof(init), "%s/__init__.py", dir);
	assert_int_equal(short_file_look(dir, strlen(dir)), SHORT_FILE_PLAIN);
	file = fopen(init, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(short_file_look(init, strlen(dir)), SHORT_FILE_PACKAGE);
	unlink(init);
	rmdir(dir);
	assert_int_equal(short_file_look(dir, strlen(dir)), SHORT_FILE_UNSEEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_shown_from_its_package_on),
		cmocka_unit_test(looks_at_the_disk_are_bounded),
		cmocka_unit_test(a_look_tells_packages_from_folders_and_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
