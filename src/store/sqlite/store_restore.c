/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/sqlite/store_backup_private.h"

#define CATALOGUE_NAME "catalogue.db"
/* Stands in a directory while it is being restored. */
#define RESTORING_NAME "restoring"

struct restore {
	const struct backup_request *request;
	struct backup_report report;
	struct manifest manifest;
};

static void say(const struct restore *restore, const char *name, const char *why)
{
	char text[ERR_TEXT_MAX];

	if (!restore->request->say)
		return;
	snprintf(text, sizeof(text), "%s: %s", name, why);
	restore->request->say(restore->request->ctx, text);
}

/* ---- the directory ---- */

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir)))
		found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	if (dir)
		closedir(dir);
	return dir && !found;
}

/* What an interrupted restore left is not a store yet, and ours to replace. */
static int clear_leftovers(const char *dir, struct err *err)
{
	static const char *const names[] = {"blocks", BACKUP_BESIDE, CATALOGUE_NAME ".part"};
	int r = 0;

	for (size_t i = 0; i < array_len(names) && r == 0; i++) {
		cleanup_free char *path = copy_path(dir, names[i]);

		r = copy_remove_tree(path, err);
	}
	return r;
}

static int begin(const char *dir, struct err *err)
{
	cleanup_free char *mark = copy_path(dir, RESTORING_NAME);
	cleanup_free char *catalogue = copy_path(dir, CATALOGUE_NAME);
	cleanup_fd int fd = -1;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(err, -errno, "cannot make %s", dir);
	if (access(mark, F_OK) == 0 && access(catalogue, F_OK) < 0)
		return clear_leftovers(dir, err);
	if (!is_empty(dir))
		return err_set(
			err, -ENOTEMPTY,
			"%s is not empty: restore into a new directory, and give that to the "
			"server",
			dir);
	fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fsync(fd) < 0)
		return err_sys(err, -errno, "cannot make %s", mark);
	return copy_sync_dir(dir, err);
}

/* ---- its files ---- */

static int restore_file(struct restore *restore, const struct manifest_file *file, const char *to,
			bool *ret_is_same, struct err *err)
{
	cleanup_free char *from = copy_path(restore->request->from, file->name);
	struct copied copied;
	int r = copy_make_dirs(restore->request->to, to, err);

	if (r == 0)
		r = copy_file(from, to, &copied, err);
	if (r < 0)
		return r;
	restore->report.files++;
	restore->report.bytes += copied.bytes;
	*ret_is_same = copied.hash == file->hash && copied.bytes == file->bytes;
	return 0;
}

static int restore_blocks(struct restore *restore, struct err *err)
{
	for (size_t i = 0; i < restore->manifest.n; i++) {
		const struct manifest_file *file = &restore->manifest.files[i];
		cleanup_free char *to = copy_path(restore->request->to, file->name);
		bool is_same = true;
		int r;

		if (strcmp(file->name, CATALOGUE_NAME) == 0)
			continue;
		r = restore_file(restore, file, to, &is_same, err);
		if (r == -ENOENT) { /* of the backup; of the disk it would be ENOSPC */
			say(restore, file->name, "it is missing from the backup");
			restore->report.damaged++;
			continue;
		}
		if (r < 0)
			return r;
		if (!is_same)
			say(restore, file->name, "it is not what was backed up");
		else if (file->is_damaged)
			say(restore, file->name, "it was damaged when it was backed up");
		restore->report.damaged += !is_same || file->is_damaged;
	}
	return 0;
}

/* With all blocks on disk, and under its name when it is right. */
static int restore_catalogue(struct restore *restore, struct err *err)
{
	const struct manifest_file *file = manifest_find(&restore->manifest, CATALOGUE_NAME);
	const char *dir = restore->request->to;
	cleanup_free char *part = copy_path(dir, CATALOGUE_NAME ".part");
	cleanup_free char *path = copy_path(dir, CATALOGUE_NAME);
	bool is_same = false;
	int r;

	if (!file)
		return err_set(err, ERR_CORRUPT, "the backup has no catalogue");
	r = restore_file(restore, file, part, &is_same, err);
	if (r == 0 && !is_same)
		r = err_set(err, ERR_CORRUPT,
			    "the backup's catalogue is damaged: use another backup");
	if (r == 0)
		r = copy_sync_tree(dir, err);
	if (r == 0 && rename(part, path) < 0)
		r = err_sys(err, -errno, "cannot rename %s", part);
	return r;
}

/* A store has a lock file from its first moment on; a view wants it. */
static int finish(const char *dir, struct err *err)
{
	cleanup_free char *mark = copy_path(dir, RESTORING_NAME);
	cleanup_free char *lock = copy_path(dir, "lock");
	cleanup_fd int fd = open(lock, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, -errno, "cannot make %s", lock);
	if (unlink(mark) < 0)
		return err_sys(err, -errno, "cannot remove %s", mark);
	return copy_sync_dir(dir, err);
}

int sqlite_store_restore(const struct backup_request *request, struct backup_report *ret_report,
			 struct err *err)
{
	struct restore restore = {.request = request};
	int r = manifest_read(&restore.manifest, request->from, err);

	restore.report.moment_ns = restore.manifest.moment_ns;
	if (r == 0)
		r = begin(request->to, err);
	if (r == 0)
		r = restore_blocks(&restore, err);
	if (r == 0)
		r = restore_catalogue(&restore, err);
	if (r == 0)
		r = finish(request->to, err);
	manifest_done(&restore.manifest);
	if (r == 0)
		*ret_report = restore.report;
	return r;
}
