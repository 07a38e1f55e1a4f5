/* SPDX-License-Identifier: Apache-2.0 */
/* Is what clients keep whole?  DIR/kept/TENANT/DRAWER/NAME, read as the server would (keep.h). */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "server/keep.h"

#define KEPT "kept"
#define FILE_MAX_BYTES ((size_t)1 << 30)
#define LEVEL_OF_FILES 3

static void say(const struct keep_check *check, const char *path, const char *why)
{
	char text[PATH_MAX + ERR_TEXT_MAX];

	snprintf(text, sizeof(text), "%s: %s", path + strlen(check->dir) + 1, why);
	if (check->say)
		check->say(check->ctx, text);
}

/* DIR/aside/TENANT-DRAWER-NAME */
static int set_aside(const struct keep_check *check, const char *path, struct err *err)
{
	cleanup_free char *to = NULL, *aside = NULL;

	if (asprintf(&aside, "%s/aside", check->dir) < 0 ||
	    asprintf(&to, "%s/%s", aside, path + strlen(check->dir) + sizeof("/" KEPT)) < 0)
		abort();
	for (char *c = to + strlen(aside) + 1; *c; c++)
		*c = *c == '/' ? '-' : *c;
	if (mkdir(aside, 0700) < 0 && errno != EEXIST)
		return err_sys(err, -errno, "cannot make %s", aside);
	return rename(path, to) < 0 ? err_sys(err, -errno, "cannot set %s aside", path) : 0;
}

static int check_file(struct keep_check *check, const char *path, struct err *err)
{
	cleanup(buf_done) struct buf content = {0};
	struct err why = {0};
	int r;

	buf_init(&content, FILE_MAX_BYTES);
	r = keep_read_file(path, &content, &why);
	if (r == -ENOENT)
		return 0; /* removed just now */
	check->files++;
	if (r == 0)
		return 0;
	check->damaged++;
	say(check, path, why.text);
	if (!check->repair)
		return 0;
	r = set_aside(check, path, err);
	check->repaired += r == 0;
	return r;
}

/* Folders of tenants and drawers down to the files. */
static int walk(struct keep_check *check, const char *path, int level, struct err *err)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : err_sys(err, -errno, "cannot list %s", path);
	while (r == 0 && (entry = readdir(dir))) {
		cleanup_free char *inner = NULL;

		if (*entry->d_name == '.')
			continue;
		if (asprintf(&inner, "%s/%s", path, entry->d_name) < 0)
			abort();
		if (level < LEVEL_OF_FILES)
			r = walk(check, inner, level + 1, err);
		else if (keep_name_is_good(entry->d_name))
			r = check_file(check, inner, err);
	}
	closedir(dir);
	return r;
}

int keep_check(struct keep_check *check, struct err *err)
{
	cleanup_free char *kept = NULL;

	if (asprintf(&kept, "%s/" KEPT, check->dir) < 0)
		abort();
	check->files = check->damaged = check->repaired = 0;
	return walk(check, kept, 1, err);
}
