/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/store_backup.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "store/sqlite/sql.h"
#include "store/sqlite/store_backup_private.h"
#include "store/sqlite/view.h"

#define CATALOGUE_NAME "catalogue.db"
#define INCOMPLETE_NAME "incomplete"
/* A file that changed again in the same instant of its file system's clock would look unchanged. */
#define SETTLED_NS (2 * NS_PER_S)

struct backup {
	const struct backup_request *request;
	struct backup_report report;
	struct view view;
	struct manifest manifest, since;
	char *partial; /* OUT.partial */
};

static void say(const struct backup *backup, const char *what, const char *why)
{
	char text[ERR_TEXT_MAX + 256];

	if (!backup->request->say)
		return;
	snprintf(text, sizeof(text), "%s: %s", what, why);
	backup->request->say(backup->request->ctx, text);
}

/* ---- what of the store a copy was made from ---- */

static void note_source(struct manifest_file *file, const char *path)
{
	cleanup_free char *log = NULL;
	struct stat info;

	if (asprintf(&log, "%s-wal", path) < 0)
		abort();
	if (stat(log, &info) == 0 && info.st_size > 0)
		return; /* some of it is not in the file */
	if (stat(path, &info) < 0)
		return;
	file->source_inode = info.st_ino;
	file->source_bytes = (uint64_t)info.st_size;
	file->source_changed_ns = info.st_mtim.tv_sec * NS_PER_S + info.st_mtim.tv_nsec;
}

static bool is_unchanged(const struct backup *backup, const struct manifest_file *file,
			 const struct manifest_file *before)
{
	return before && before->source_inode && !before->is_damaged &&
	       before->source_inode == file->source_inode &&
	       before->source_bytes == file->source_bytes &&
	       before->source_changed_ns == file->source_changed_ns &&
	       before->source_changed_ns + SETTLED_NS < backup->since.moment_ns;
}

/* Linked from the earlier backup?  Where links cannot be, it is copied like others. */
static bool link_unchanged(struct backup *backup, struct manifest_file *file, const char *to)
{
	const struct manifest_file *before = manifest_find(&backup->since, file->name);
	cleanup_free char *from = NULL;

	if (!is_unchanged(backup, file, before))
		return false;
	from = copy_path(backup->request->since, file->name);
	if (link(from, to) < 0)
		return false;
	file->hash = before->hash;
	file->bytes = before->bytes;
	backup->report.linked++;
	return true;
}

/* ---- copies ---- */

static bool is_reading(sqlite3 *db)
{
	int code = sqlite3_extended_errcode(db);

	return code == SQLITE_IOERR_READ || code == SQLITE_IOERR_SHORT_READ;
}

/* Page by page out of the view's transaction, each checked against its sum on the way. */
static int copy_pages(const struct backup *backup, sqlite3 *from, const char *to, struct err *err)
{
	sqlite3 *into = NULL;
	sqlite3_backup *copy;
	int r = sql_open_blank(to, page_sum_name(backup->view.page_sums), &into, err);

	if (r < 0)
		return r;
	copy = sqlite3_backup_init(into, "main", from, "main");
	if (copy)
		(void)sqlite3_backup_step(copy, -1);
	/* Both sides' errors end in the connection that is written. */
	if (!copy || sqlite3_backup_finish(copy) != SQLITE_OK)
		r = is_reading(into) ? err_set(err, ERR_CORRUPT, "the disk cannot read it")
				     : sql_error(into, "copying", err);
	sql_close(into);
	return r;
}

/* The damaged file and its log, byte by byte, for fsck to save from. */
static int copy_damaged(struct backup *backup, const char *from, const char *to,
			struct copied *ret_copied, struct err *err)
{
	cleanup_free char *log_from = NULL, *log_to = NULL;
	struct copied log;
	struct manifest_file *file;
	int r;

	if (asprintf(&log_from, "%s-wal", from) < 0 || asprintf(&log_to, "%s-wal", to) < 0)
		abort();
	(void)unlink(to);
	r = copy_file(from, to, ret_copied, err);
	if (r < 0 || access(log_from, F_OK) < 0)
		return r;
	r = copy_file(log_from, log_to, &log, err);
	if (r < 0)
		return r;
	file = manifest_add(&backup->manifest, log_to + strlen(backup->partial) + 1);
	file->hash = log.hash;
	file->bytes = log.bytes;
	file->is_damaged = true;
	return 0;
}

/* Does the error speak of the file that is read, and not of the backup's own disk? */
static bool is_of_source(int code)
{
	return code == ERR_CORRUPT || code == ERR_UNSUPPORTED;
}

/* `db` NULL: it cannot be read, `code` and `why` say so. */
static int copy_one(struct backup *backup, const char *name, const char *from, sqlite3 *db,
		    int code, const char *why)
{
	struct manifest_file file = {.name = (char *)name}, *noted;
	cleanup_free char *to = copy_path(backup->partial, name);
	struct copied copied = {0};
	struct err err = {.code = code};
	int r = copy_make_dirs(backup->partial, to, &err);

	snprintf(err.text, sizeof(err.text), "%s", why);
	if (r < 0)
		return r;
	note_source(&file, from);
	if (!link_unchanged(backup, &file, to)) {
		r = db ? copy_pages(backup, db, to, &err) : code;
		if (r < 0 && is_of_source(r)) {
			say(backup, name, err.text);
			backup->report.damaged++;
			file.is_damaged = true;
			r = copy_damaged(backup, from, to, &copied, &err);
		} else if (r == 0) {
			r = copy_measure(to, &copied, &err);
		}
		file.hash = copied.hash;
		file.bytes = copied.bytes;
	}
	if (r < 0)
		return r;
	noted = manifest_add(&backup->manifest, name);
	file.name = noted->name;
	*noted = file;
	backup->report.files++;
	backup->report.bytes += file.bytes;
	return 0;
}

static int copy_blocks(struct backup *backup, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < backup->view.n_files && r == 0; i++) {
		const struct view_file *file = &backup->view.files[i];
		cleanup_free char *name = copy_path("blocks", file->name);

		if (file->code == -ENOENT && file->state != FILE_NEW)
			say(backup, name, "it is missing");
		if (file->code == -ENOENT) {
			backup->report.damaged += file->state != FILE_NEW;
			continue;
		}
		r = copy_one(backup, name, file->path, file->db, file->code, file->text);
		if (r < 0)
			err_set(err, r, "cannot copy %s: %s", name, err_name(r));
	}
	return r;
}

/* ---- what lies beside the store ---- */

/* Its own are copied as they were at the moment; what is half written has a dot in front. */
static int copy_beside(struct backup *backup, const char *name, struct err *err);

static int copy_beside_file(struct backup *backup, const char *name, struct err *err)
{
	cleanup_free char *from = copy_path(backup->request->from, name);
	cleanup_free char *to = copy_path(backup->partial, name);
	struct manifest_file *file;
	struct copied copied;
	int r = copy_make_dirs(backup->partial, to, err);

	if (r == 0)
		r = copy_file(from, to, &copied, err);
	if (r == -ENOENT)
		return 0; /* removed just now */
	if (r < 0)
		return r;
	file = manifest_add(&backup->manifest, name);
	file->hash = copied.hash;
	file->bytes = copied.bytes;
	backup->report.files++;
	backup->report.bytes += copied.bytes;
	return 0;
}

static int copy_beside_dir(struct backup *backup, const char *name, struct err *err)
{
	cleanup_free char *path = copy_path(backup->request->from, name);
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "cannot list %s", path);
	while (r == 0 && (entry = readdir(dir))) {
		cleanup_free char *inner = copy_path(name, entry->d_name);

		if (*entry->d_name != '.')
			r = copy_beside(backup, inner, err);
	}
	closedir(dir);
	return r;
}

static int copy_beside(struct backup *backup, const char *name, struct err *err)
{
	cleanup_free char *path = copy_path(backup->request->from, name);
	struct stat info;

	if (lstat(path, &info) < 0)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "cannot read %s", path);
	if (S_ISDIR(info.st_mode))
		return copy_beside_dir(backup, name, err);
	return S_ISREG(info.st_mode) ? copy_beside_file(backup, name, err) : 0;
}

static int copy_all_beside(struct backup *backup, struct err *err)
{
	static const char *const names[] = {BACKUP_BESIDE};
	int r = 0;

	for (size_t i = 0; i < array_len(names) && r == 0; i++)
		r = copy_beside(backup, names[i], err);
	return r;
}

/* ---- the whole ---- */

static int copy_catalogue(struct backup *backup, struct err *err)
{
	cleanup_free char *to = copy_path(backup->partial, CATALOGUE_NAME);
	struct manifest_file *file;
	struct copied copied;
	int r = copy_pages(backup, backup->view.catalogue, to, err);

	if (r == 0)
		r = copy_measure(to, &copied, err);
	if (r < 0)
		return err_prefix(err, r, "cannot copy the catalogue");
	file = manifest_add(&backup->manifest, CATALOGUE_NAME);
	file->hash = copied.hash;
	file->bytes = copied.bytes;
	backup->report.files++;
	backup->report.bytes += copied.bytes;
	return 0;
}

/* What an interrupted one left is ours to remove: it holds our mark, or is whole and was not renamed. */
static int begin_partial(struct backup *backup, struct err *err)
{
	cleanup_free char *mark = copy_path(backup->partial, INCOMPLETE_NAME);
	cleanup_free char *manifest = copy_path(backup->partial, MANIFEST_NAME);
	FILE *file;
	int r = 0;

	if (access(backup->request->to, F_OK) == 0)
		return err_set(err, -EEXIST, "%s exists already: name a new directory",
			       backup->request->to);
	if (access(mark, F_OK) == 0 || access(manifest, F_OK) == 0)
		r = copy_remove_tree(backup->partial, err);
	if (r == 0 && mkdir(backup->partial, 0700) < 0)
		return err_sys(err, -errno, "cannot make %s", backup->partial);
	file = r == 0 ? fopen(mark, "we") : NULL;
	if (r == 0 && (!file || fclose(file) != 0))
		return err_sys(err, -errno, "cannot make %s", mark);
	return r;
}

static int sync_parent(const char *path, struct err *err)
{
	cleanup_free char *parent = xstrdup(path);
	char *slash = strrchr(parent, '/');

	if (slash)
		slash[slash == parent] = 0;
	return copy_sync_dir(slash ? parent : ".", err);
}

/* From here on it is one: all of it on disk, then its name. */
static int finish_partial(struct backup *backup, struct err *err)
{
	cleanup_free char *mark = copy_path(backup->partial, INCOMPLETE_NAME);
	int r = manifest_write(&backup->manifest, backup->partial, err);

	if (r == 0 && unlink(mark) < 0)
		return err_sys(err, -errno, "cannot remove %s", mark);
	if (r == 0)
		r = copy_sync_tree(backup->partial, err);
	if (r == 0 && rename(backup->partial, backup->request->to) < 0)
		return err_sys(err, -errno, "cannot rename %s to %s", backup->partial,
			       backup->request->to);
	return r == 0 ? sync_parent(backup->request->to, err) : r;
}

static int make(struct backup *backup, struct err *err)
{
	int r = view_open(&backup->view, backup->request->from, err);

	backup->report.moment_ns = backup->manifest.moment_ns = backup->view.moment_ns;
	backup->report.pause_ns = backup->view.pause_ns;
	if (r == 0)
		r = begin_partial(backup, err);
	if (r < 0)
		return r;
	r = copy_blocks(backup, err);
	if (r == 0)
		r = copy_all_beside(backup, err);
	if (r == 0)
		r = copy_catalogue(backup, err);
	if (r == 0)
		r = finish_partial(backup, err);
	if (r < 0 && copy_remove_tree(backup->partial, NULL) < 0)
		say(backup, backup->partial, "it is left over and can be removed");
	return r;
}

int sqlite_store_backup(const struct backup_request *request, struct backup_report *ret_report,
			struct err *err)
{
	struct backup backup = {.request = request};
	size_t len = strlen(request->to);
	int r = 0;

	while (len > 1 && request->to[len - 1] == '/')
		len--;
	if (asprintf(&backup.partial, "%.*s.partial", (int)len, request->to) < 0)
		abort();
	if (request->since)
		r = manifest_read(&backup.since, request->since, err);
	if (r == 0)
		r = make(&backup, err);
	view_close(&backup.view);
	manifest_done(&backup.manifest);
	manifest_done(&backup.since);
	free(backup.partial);
	if (r == 0)
		*ret_report = backup.report;
	return r;
}
