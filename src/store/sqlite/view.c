/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "store/sqlite/sql.h"
#include "store/sqlite/store_backup_private.h"
#include "store/sqlite/turn.h"

#define FREEZE_TRIES 3

/* ---- one file ---- */

static bool has_log(const char *path)
{
	cleanup_free char *log = NULL;
	struct stat info;

	if (asprintf(&log, "%s-wal", path) < 0)
		abort();
	return stat(log, &info) == 0 && info.st_size > 0;
}

/* SQLite reads beside a file in shared memory, which a full or read-only disk refuses: then without. */
static int open_database(const struct view *view, const char *path, sqlite3 **ret_db,
			 struct err *err)
{
	const char *vfs_name = page_sum_name(view->page_sums);
	int r;

	if (access(path, F_OK) < 0)
		return err_sys(err, -errno, "%s cannot be opened", path);
	r = sql_open_reader(path, vfs_name, ret_db, err);
	if ((r == -ENOSPC || r == -EROFS || r == -EACCES) && !has_log(path))
		r = sql_open_frozen(path, vfs_name, ret_db, err);
	return r;
}

static void note_failure(struct view_file *file, int code, const struct err *why)
{
	sql_close(file->db);
	file->db = NULL;
	file->code = code;
	snprintf(file->text, sizeof(file->text), "%s", why->text);
}

/* From here on it shows what it holds now. */
static int pin_database(sqlite3 *db, struct err *err)
{
	int64_t version = 0;
	int r = sql_exec(db, "BEGIN", err);

	if (r == 0)
		r = sql_int(db, "SELECT count(*) FROM sqlite_schema", &version, err);
	return r;
}

static void file_done(struct view_file *file)
{
	sql_close(file->db);
	free(file->name);
	free(file->path);
}

/* ---- which files there are ---- */

static struct view_file *find_file(const struct view *view, uint32_t id)
{
	for (size_t i = 0; i < view->n_files; i++)
		if (view->files[i].id == id)
			return &view->files[i];
	return NULL;
}

/* T/LEVEL/NAME, as the catalogue's writer makes them: nothing that leads elsewhere. */
static bool is_name_of_ours(const char *name)
{
	int slashes = 0;

	for (const char *at = name; *at; at++)
		slashes += *at == '/';
	return slashes == 2 && *name != '/' && !strstr(name, "..");
}

static int add_file(struct view *view, sqlite3_stmt *row, struct err *err)
{
	int64_t level = sqlite3_column_int64(row, 2);
	const char *name = (const char *)sqlite3_column_text(row, 4);
	struct view_file *file;

	if (level < 0 || level >= LEVEL_FILES || !name || !is_name_of_ours(name))
		return err_set(err, ERR_CORRUPT, "the catalogue contradicts itself (file %lld)",
			       (long long)sqlite3_column_int64(row, 0));
	view->files =
		vec_grow(view->files, &view->files_cap, view->n_files + 1, sizeof(*view->files));
	file = &view->files[view->n_files++];
	*file = (struct view_file){
		.id = (uint32_t)sqlite3_column_int64(row, 0),
		.tenant = (uint32_t)sqlite3_column_int64(row, 1),
		.level = (int)level,
		.period = level_period((int)level, sqlite3_column_int64(row, 3)),
		.name = xstrdup(name),
	};
	if (asprintf(&file->path, "%s/blocks/%s", view->dir, name) < 0)
		abort();
	return 0;
}

/* Files of the catalogue that the view does not know yet, opened; and the state of all. */
static int list_files(struct view *view, struct err *err)
{
	sqlite3_stmt *row;
	int r = sql_prepare(view->catalogue,
			    "SELECT id, tenant, level, from_ns, path, state, has_work FROM file"
			    " WHERE state<>3 ORDER BY id",
			    &row, err);

	while (r >= 0 && (r = sql_step(row, err)) > 0) {
		uint32_t id = (uint32_t)sqlite3_column_int64(row, 0);
		struct view_file *file = find_file(view, id);
		struct err why = {0};
		int code;

		if (!file) {
			r = add_file(view, row, err);
			if (r < 0)
				break;
			file = &view->files[view->n_files - 1];
			code = open_database(view, file->path, &file->db, &why);
			if (code < 0)
				note_failure(file, code, &why);
		}
		file->state = (enum file_state)sqlite3_column_int(row, 5);
		file->has_work = sqlite3_column_int(row, 6);
	}
	sqlite3_finalize(row);
	return r;
}

/* ---- the moment ---- */

/* Files that retention took between the first look and the moment. */
static void drop_deleted(struct view *view)
{
	size_t n = 0;

	for (size_t i = 0; i < view->n_files; i++) {
		if (view->files[i].state == FILE_DELETED)
			file_done(&view->files[i]);
		else
			view->files[n++] = view->files[i];
	}
	view->n_files = n;
}

static int pin_all(struct view *view, struct err *err)
{
	int r = pin_database(view->catalogue, err);

	for (size_t i = 0; i < view->n_files; i++)
		view->files[i].state = FILE_DELETED; /* until the catalogue names it */
	if (r == 0)
		r = list_files(view, err);
	drop_deleted(view);
	for (size_t i = 0; i < view->n_files && r == 0; i++) {
		struct view_file *file = &view->files[i];
		struct err why = {0};
		int code = file->db ? pin_database(file->db, &why) : 0;

		if (code < 0)
			note_failure(file, code, &why);
	}
	view->moment_ns = clock_real_ns();
	return r;
}

static void unpin_all(struct view *view)
{
	sql_rollback(view->catalogue);
	for (size_t i = 0; i < view->n_files; i++)
		if (view->files[i].db)
			sql_rollback(view->files[i].db);
}

/* All within half of the writer's patience, or again. */
static int freeze(struct view *view, int fd, struct err *err)
{
	for (int tries = 0; tries < FREEZE_TRIES; tries++) {
		int r = fd >= 0 ? turn_freeze(fd, err) : 0;
		int64_t began = clock_monotonic_ns();

		if (r < 0)
			return r;
		r = pin_all(view, err);
		view->pause_ns = clock_monotonic_ns() - began;
		if (fd >= 0)
			turn_end(fd);
		if (r < 0 || fd < 0 || view->pause_ns < TURN_PATIENCE_NS / 2)
			return r;
		unpin_all(view);
	}
	return err_set(err, -EAGAIN, "the store did not stand still: the disk is too slow now");
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* -1 on a disk that nobody can write: it stands still by itself. */
/* A backup has no lock: nobody is to write there. */
static int no_store(const char *dir, struct err *err)
{
	cleanup_free char *manifest = copy_path(dir, MANIFEST_NAME);

	if (access(manifest, F_OK) == 0)
		return err_set(err, -ENOENT,
			       "%s is a backup: pyrometer restore makes a store of it", dir);
	return err_set(err, -ENOENT, "there is no store in %s", dir);
}

static int open_lock(const char *dir, int *ret_fd, struct err *err)
{
	cleanup_free char *path = NULL;

	if (asprintf(&path, "%s/lock", dir) < 0)
		abort();
	*ret_fd = open(path, O_RDWR | O_CLOEXEC);
	if (*ret_fd < 0 && errno == ENOENT)
		return no_store(dir, err);
	if (*ret_fd < 0 && errno != EROFS)
		return err_sys(err, -errno, "cannot open %s", path);
	return 0;
}

/* Ours, and not newer than we know. */
static int check_catalogue(struct view *view, struct err *err)
{
	int64_t application = 0, version = 0;
	int r = sql_int(view->catalogue, "PRAGMA application_id", &application, err);

	if (r == 0)
		r = sql_int(view->catalogue, "PRAGMA user_version", &version, err);
	if (r < 0)
		return r;
	if (application != SQL_APPLICATION_ID)
		return err_set(err, ERR_CORRUPT, "it is a database of another program");
	if (version > CATALOGUE_VERSION)
		return err_set(err, ERR_UNSUPPORTED,
			       "it was written by a newer version (format %lld, known is %d)",
			       (long long)version, CATALOGUE_VERSION);
	return 0;
}

static int open_catalogue(struct view *view, struct err *err)
{
	cleanup_free char *path = NULL;
	int r;

	if (asprintf(&path, "%s/catalogue.db", view->dir) < 0)
		abort();
	r = open_database(view, path, &view->catalogue, err);
	if (r == 0)
		r = check_catalogue(view, err);
	return r < 0 ? err_prefix(err, r, "cannot read the catalogue") : 0;
}

int view_open(struct view *view, const char *dir, struct err *err)
{
	cleanup_fd int lock = -1;
	int r;

	*view = (struct view){.dir = xstrdup(dir), .page_sums = page_sum_new(NULL)};
	raise_descriptor_limit();
	r = open_lock(dir, &lock, err);
	if (r == 0)
		r = open_catalogue(view, err);
	if (r == 0)
		r = list_files(view, err); /* opening takes time: outside of the moment */
	if (r == 0)
		r = freeze(view, lock, err);
	if (r < 0)
		view_close(view);
	return r;
}

void view_close(struct view *view)
{
	for (size_t i = 0; i < view->n_files; i++)
		file_done(&view->files[i]);
	free(view->files);
	sql_close(view->catalogue);
	page_sum_free(view->page_sums);
	free(view->dir);
	*view = (struct view){0};
}
