/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/short_file.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DIGITS "0123456789"

/* Behind "python3.11/", "python3.13t/" or "python311.zip/"; NULL when it is none of them. */
static const char *skip_python(const char *at)
{
	if (strncmp(at, "python", 6) != 0)
		return NULL;
	at += 6;
	if (!strspn(at, DIGITS))
		return NULL;
	at += strspn(at, DIGITS);
	if (strncmp(at, ".zip/", 5) == 0)
		return at + 5;
	if (*at != '.' || !strspn(at + 1, DIGITS))
		return NULL;
	at += 1 + strspn(at + 1, DIGITS);
	at += *at == 't';
	return *at == '/' ? at + 1 : NULL;
}

/* Behind one folder name that is a root of modules, which `at` begins. */
static const char *skip_root(const char *at)
{
	static const char *const names[] = {"site-packages/", "dist-packages/"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strncmp(at, names[i], strlen(names[i])) == 0)
			return at + strlen(names[i]);
	return skip_python(at);
}

/* The innermost root wins: lib/python3.11/site-packages/. */
static size_t known_root(const char *path)
{
	size_t cut = 0;

	for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/')) {
		const char *behind = skip_root(at + 1);

		if (behind && *behind)
			cut = (size_t)(behind - path);
	}
	return cut;
}

/* Length of the folder that path[0..len) lies in, without the slash; 0 at the top. */
static size_t parent_of(const char *path, size_t len)
{
	while (len > 0 && path[len - 1] != '/')
		len--;
	return len > 0 ? len - 1 : 0;
}

size_t short_file_cut(const char *path, short_file_look_fn *look)
{
	size_t cut, dir;

	if (path[0] != '/') /* relative, "<frozen …>", "<stdin>" */
		return 0;
	cut = known_root(path);
	if (cut)
		return cut;
	dir = parent_of(path, strlen(path));
	for (int level = 0; level < SHORT_FILE_MAX_LEVELS; level++) {
		enum short_file_dir kind = look(path, dir);

		if (kind == SHORT_FILE_UNSEEN)
			return 0;
		if (kind == SHORT_FILE_PLAIN || dir == 0)
			break;
		dir = parent_of(path, dir);
	}
	return dir + 1;
}

enum short_file_dir short_file_look(const char *path, size_t len)
{
	char name[PATH_MAX];

	if (len + sizeof("/__init__.py") > sizeof(name))
		return SHORT_FILE_UNSEEN;
	snprintf(name, sizeof(name), "%.*s/", (int)len, path);
	if (access(name, F_OK) < 0)
		return SHORT_FILE_UNSEEN;
	snprintf(name, sizeof(name), "%.*s/__init__.py", (int)len, path);
	return access(name, F_OK) == 0 ? SHORT_FILE_PACKAGE : SHORT_FILE_PLAIN;
}
