/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/data_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_MODE 0700

int data_dir_default(char out[DATA_DIR_BYTES], struct err *err)
{
	const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

	if (geteuid() == 0)
		snprintf(out, DATA_DIR_BYTES, "/var/lib/pyrometer");
	else if (xdg && *xdg == '/')
		snprintf(out, DATA_DIR_BYTES, "%s/pyrometer", xdg);
	else if (home && *home == '/')
		snprintf(out, DATA_DIR_BYTES, "%s/.local/share/pyrometer", home);
	else
		return err_set(err, ERR_USAGE, "HOME is not set: name a directory with --data DIR");
	return 0;
}

/* mkdir -p, the last part for the owner only. */
int data_dir_make(const char *path, struct err *err)
{
	char part[DATA_DIR_BYTES];
	struct stat info;

	if (!*path)
		return err_set(err, ERR_USAGE, "the name of the data directory is empty");
	if ((size_t)snprintf(part, sizeof(part), "%s", path) >= sizeof(part))
		return err_set(err, ERR_USAGE, "the path of the data directory is too long");
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return err_sys(err, -errno, "cannot make the directory %s", part);
		*slash = '/';
	}
	if (mkdir(path, DIR_MODE) < 0 && errno != EEXIST)
		return err_sys(err, -errno, "cannot make the data directory %s", path);
	if (stat(path, &info) < 0 || !S_ISDIR(info.st_mode))
		return err_set(err, -ENOTDIR, "%s is not a directory; name another with --data DIR",
			       path);
	if (access(path, R_OK | W_OK | X_OK) < 0)
		return err_sys(err, -errno, "cannot write to the data directory %s", path);
	return 0;
}
