/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"

/*
 * Rows by rowid with an index beside: a table without rowid would keep blocks of 2 kB in pages of its
 * index, which then hold three of them and waste the rest.
 *
 * How large pages are decides what is left empty in them.  Rows that are small against a page fill it; rows that
 * are large leave a part of one page empty, since SQLite fills the pages behind the first.  What wastes is a
 * row of a fourth of a page to four: 10 to 40 % (mean over sizes, by SQLite's rules; measured 33 % for windows
 * of a minute of 6 kB in pages of 16 kB).  Profiles are of 0.3 to 2 kB: 6 to 11 % in 8 kB.  Windows of a
 * minute of 0.3 to 8 kB: 20 to 4 % in 512 bytes, whoever has large ones has most.  Longer ones are of 2 to 64 kB: 1 and
 * 4 kB, since a reader fetches page by page.  A commit writes whole pages of the index, too.
 */
#define FINE_PAGE_BYTES 8192
#define MINUTE_PAGE_BYTES 512
#define TEN_MINUTES_PAGE_BYTES 1024
#define LONG_PAGE_BYTES 4096
#define SPANS_PAGE_BYTES 16384

static const int page_bytes[LEVEL_FILES] = {
	[LEVEL_FINE] = FINE_PAGE_BYTES,	      [LEVEL_1M] = MINUTE_PAGE_BYTES,
	[LEVEL_10M] = TEN_MINUTES_PAGE_BYTES, [LEVEL_1H] = LONG_PAGE_BYTES,
	[LEVEL_1D] = LONG_PAGE_BYTES,	      [LEVEL_SPANS] = SPANS_PAGE_BYTES,
};

static const char block_tables[] =
	"CREATE TABLE block(owner INTEGER NOT NULL, t_ns INTEGER NOT NULL, part INTEGER NOT NULL,"
	" dict INTEGER NOT NULL, len_ns INTEGER NOT NULL, head BLOB NOT NULL, sum INTEGER NOT NULL,"
	" data BLOB NOT NULL);"
	"CREATE UNIQUE INDEX block_key ON block(owner, t_ns, part);"
	"CREATE TABLE seen(id BLOB PRIMARY KEY) WITHOUT ROWID;"
	"CREATE TABLE dirty(level INTEGER, owner INTEGER, t_ns INTEGER,"
	" PRIMARY KEY(level, owner, t_ns)) WITHOUT ROWID;";

/* Format 2 has other blocks in the same tables; those of format 1 stay as they are. */
static const char *const steps[] = {"", NULL};

static const char *const statement_texts[FILE_STATEMENTS] = {
	[FILE_SEEN] = "INSERT OR IGNORE INTO seen VALUES(?)",
	[FILE_INSERT] = "INSERT INTO block(owner, t_ns, part, dict, len_ns, head, sum, data, rowid)"
			" VALUES(?,?,?,?,?,?,?,?,?)",
	[FILE_REPLACE] = "INSERT OR REPLACE INTO block(owner, t_ns, part, dict, len_ns, head, sum,"
			 " data) VALUES(?,?,?,?,?,?,?,?)",
	[FILE_DELETE] = "DELETE FROM block WHERE owner=? AND t_ns=?",
	[FILE_MARK] = "INSERT OR IGNORE INTO dirty VALUES(?,?,?)",
	[FILE_UNMARK] = "DELETE FROM dirty WHERE level=? AND owner=? AND t_ns=?",
	[FILE_SCAN] = FILE_SCAN_QUERY,
};

/* A transaction of very many rows goes to the log once, not page by page; what syncs: see store_bulk.h. */
static const char bulk_settings[] = "PRAGMA synchronous=OFF; PRAGMA cache_size=-4096;";

struct sql_schema block_file_schema(int level)
{
	return (struct sql_schema){
		.version = BLOCK_FILE_VERSION,
		.page_bytes = page_bytes[level],
		.create = block_tables,
		.steps = steps,
	};
}

void files_init(struct files *files, const char *vfs_name)
{
	*files = (struct files){.vfs_name = vfs_name};
	block_room_init(&files->room);
}

static void handle_free(struct open_file *handle)
{
	if (!handle)
		return;
	for (int i = 0; i < FILE_STATEMENTS; i++)
		sqlite3_finalize(handle->statements[i]);
	/* Closing does it too, but not while a reader has the file open. */
	if (handle->db)
		sql_checkpoint(handle->db, true);
	sql_close(handle->db);
	if (handle->file->handle == handle)
		handle->file->handle = NULL;
	free(handle);
}

/* Make the directories of a path below the data directory, each on disk in its parent. */
static int make_dirs(const char *path, struct err *err)
{
	cleanup_free char *dir = xstrdup(path);

	for (char *slash = dir + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		if (mkdir(dir, 0700) == 0) {
			char *parent = strrchr(dir, '/');
			cleanup_fd int fd = -1;

			*parent = 0;
			fd = open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			*parent = '/';
			if (fd < 0 || fsync(fd) < 0)
				return err_sys(err, -errno, "cannot make %s", dir);
		} else if (errno != EEXIST && errno != EISDIR) {
			return err_sys(err, -errno, "cannot make %s", dir);
		}
		*slash = '/';
	}
	return 0;
}

static int on_commit(void *ctx, sqlite3 *db, const char *name, int pages)
{
	struct open_file *handle = ctx;

	(void)db;
	(void)name;
	handle->wal_bytes = (int64_t)pages * page_bytes[handle->file->level];
	return SQLITE_OK;
}

static int handle_open(struct files *files, struct block_file *file, struct open_file **ret_handle,
		       struct err *err)
{
	const struct sql_schema schema = block_file_schema(file->level);
	struct open_file *handle = xcalloc(1, sizeof(*handle));
	int r = 0;

	handle->file = file;
	handle->room = &files->room;
	if (file->state == FILE_NEW)
		r = make_dirs(file->path, err);
	else if (access(file->path, F_OK) < 0)
		r = err_set(err, ERR_CORRUPT, "block file %s is missing", file->path);
	if (r == 0)
		r = sql_open_writer(file->path, files->vfs_name, &schema, &handle->db, err);
	for (int i = 0; i < FILE_STATEMENTS && r == 0; i++)
		r = sql_prepare(handle->db, statement_texts[i], &handle->statements[i], err);
	if (r == 0 && files->is_bulk)
		r = sql_exec(handle->db, bulk_settings, err);
	if (r == 0)
		r = sql_int(handle->db, "SELECT coalesce(max(rowid), 0) FROM block",
			    &handle->next_part, err);
	if (r < 0) {
		handle_free(handle);
		return r;
	}
	sqlite3_wal_hook(handle->db, on_commit, handle);
	*ret_handle = file->handle = handle;
	return 0;
}

/* A free place, by closing the handle that was not used for longest. */
static struct open_file **free_place(struct files *files)
{
	struct open_file **oldest = NULL;

	for (int i = 0; i < FILES_MAX_OPEN; i++) {
		struct open_file **place = &files->open[i];

		if (!*place)
			return place;
		if (!(*place)->in_transaction && (!oldest || (*place)->used < (*oldest)->used))
			oldest = place;
	}
	if (oldest) {
		handle_free(*oldest);
		*oldest = NULL;
	}
	return oldest;
}

int files_open(struct files *files, struct block_file *file, struct open_file **ret_handle,
	       struct err *err)
{
	struct open_file **place;
	int r;

	if (!file->handle) {
		place = free_place(files);
		if (!place)
			return err_set(err, -EMFILE, "more than %d block files change at once",
				       FILES_MAX_OPEN);
		r = handle_open(files, file, place, err);
		if (r < 0) {
			*place = NULL;
			return r;
		}
	}
	file->handle->used = ++files->uses;
	*ret_handle = file->handle;
	return 0;
}

int file_begin(struct open_file *handle, struct err *err)
{
	int r = 0;

	if (!handle->in_transaction)
		r = sql_exec(handle->db, "BEGIN IMMEDIATE", err);
	handle->in_transaction = handle->in_transaction || r == 0;
	return r;
}

int file_commit(struct open_file *handle, struct err *err)
{
	int r = sql_exec(handle->db, "COMMIT", err);

	if (r < 0)
		file_rollback(handle);
	handle->in_transaction = false;
	return r;
}

void file_rollback(struct open_file *handle)
{
	for (int i = 0; i < FILE_STATEMENTS; i++)
		sqlite3_reset(handle->statements[i]);
	sql_rollback(handle->db);
	handle->in_transaction = false;
}

void files_checkpoint(struct files *files, int64_t from_bytes, bool all)
{
	for (int i = 0; i < FILES_MAX_OPEN; i++) {
		struct open_file *handle = files->open[i];

		if (!handle || handle->in_transaction || handle->wal_bytes < from_bytes)
			continue;
		sql_checkpoint(handle->db, all);
		handle->wal_bytes = 0;
	}
}

void files_close(struct files *files, struct block_file *file)
{
	for (int i = 0; i < FILES_MAX_OPEN; i++) {
		if (!files->open[i] || files->open[i]->file != file)
			continue;
		handle_free(files->open[i]);
		files->open[i] = NULL;
	}
}

void files_close_all(struct files *files)
{
	for (int i = 0; i < FILES_MAX_OPEN; i++) {
		handle_free(files->open[i]);
		files->open[i] = NULL;
	}
	block_room_done(&files->room);
}

int file_mark(struct open_file *handle, int level, uint32_t owner, int64_t t_ns, struct err *err)
{
	sql_bind(handle->statements[FILE_MARK], level, owner, t_ns);
	return sql_run(handle->statements[FILE_MARK], err);
}

int file_unmark(struct open_file *handle, int level, uint32_t owner, int64_t t_ns, struct err *err)
{
	sql_bind(handle->statements[FILE_UNMARK], level, owner, t_ns);
	return sql_run(handle->statements[FILE_UNMARK], err);
}

static int insert_row(struct open_file *handle, sqlite3_stmt *stmt, const struct block_key *key,
		      const struct buf *head, const struct buf *data, uint64_t *ret_sum,
		      struct err *err)
{
	uint64_t sum = block_sum(key, head->data, head->len);
	int r;

	sql_bind(stmt, key->owner, key->t_ns, key->part, key->dict, key->len_ns, 0, (int64_t)sum);
	sqlite3_bind_blob(stmt, 6, head->data, (int)head->len, SQLITE_STATIC);
	sqlite3_bind_blob(stmt, 8, data->data ? data->data : "", (int)data->len, SQLITE_STATIC);
	r = sql_run(stmt, err);
	sqlite3_clear_bindings(stmt);
	if (r < 0)
		return r;
	__atomic_fetch_add(&handle->file->n_blocks, 1, __ATOMIC_RELAXED);
	if (ret_sum)
		*ret_sum = sum;
	return 0;
}

int file_insert(struct open_file *handle, const struct block *block, struct cover *cover,
		uint64_t *ret_sum, struct err *err)
{
	sqlite3_stmt *stmt = handle->statements[FILE_INSERT];
	cleanup(buf_done) struct buf head = {0}, data = {0};
	int r;

	buf_init(&head, BLOCK_MAX_BYTES);
	buf_init(&data, BLOCK_MAX_BYTES);
	r = block_write(block, cover, handle->room, &head, &data, err);
	if (r < 0)
		return r;
	if (handle->file->level == LEVEL_FINE)
		sqlite3_bind_int64(stmt, 9, block->key.part);
	return insert_row(handle, stmt, &block->key, &head, &data, ret_sum, err);
}

int file_replace(struct open_file *handle, const struct block_key *key, const struct buf *head,
		 const struct buf *data, struct err *err)
{
	return insert_row(handle, handle->statements[FILE_REPLACE], key, head, data, NULL, err);
}

int file_row_read(sqlite3_stmt *stmt, int64_t owner, struct file_row *ret_row)
{
	*ret_row = (struct file_row){
		.key = {owner, sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1),
			sqlite3_column_int64(stmt, 2), sqlite3_column_int64(stmt, 3)},
		.head = sqlite3_column_blob(stmt, 4),
		.head_len = (size_t)sqlite3_column_bytes(stmt, 4),
		.sum = (uint64_t)sqlite3_column_int64(stmt, 5),
		.stmt = stmt,
	};
	return block_sum(&ret_row->key, ret_row->head, ret_row->head_len) == ret_row->sum
		       ? 0
		       : ERR_CORRUPT;
}

void file_row_data(struct file_row *row)
{
	row->data = sqlite3_column_blob(row->stmt, 6);
	row->data_len = (size_t)sqlite3_column_bytes(row->stmt, 6);
}

/* ---- readers ---- */

void readers_init(struct readers *readers, const char *vfs_name)
{
	*readers = (struct readers){.vfs_name = vfs_name};
	pthread_mutex_init(&readers->lock, NULL);
}

static void reader_free(struct reader *reader)
{
	if (!reader)
		return;
	sqlite3_finalize(reader->scan);
	sqlite3_finalize(reader->heads);
	sqlite3_finalize(reader->find);
	sql_close(reader->db);
	free(reader);
}

void readers_done(struct readers *readers)
{
	for (int i = 0; i < READERS_MAX_IDLE; i++)
		reader_free(readers->idle[i]);
	pthread_mutex_destroy(&readers->lock);
}

static struct reader *take_idle(struct readers *readers, const struct block_file *file)
{
	struct reader *found = NULL;

	pthread_mutex_lock(&readers->lock);
	for (int i = 0; i < READERS_MAX_IDLE && !found; i++) {
		if (readers->idle[i] && readers->idle[i]->file == file) {
			found = readers->idle[i];
			readers->idle[i] = NULL;
		}
	}
	pthread_mutex_unlock(&readers->lock);
	return found;
}

static bool has_log(const struct block_file *file)
{
	cleanup_free char *path = NULL;
	struct stat info;

	if (asprintf(&path, "%s-wal", file->path) < 0)
		abort();
	return stat(path, &info) == 0 && info.st_size > 0;
}

/* One moment for all that is read: SQLite forgets what it has in memory when the file changes between two. */
static int begin_reading(struct reader *reader, struct reader **ret_reader, struct err *err)
{
	int r = sql_exec(reader->db, "BEGIN", err);

	if (r < 0)
		reader_free(reader);
	else
		*ret_reader = reader;
	return r;
}

int readers_take(struct readers *readers, const struct block_file *file, struct reader **ret_reader,
		 struct err *err)
{
	struct reader *reader = take_idle(readers, file);
	int r;

	if (reader)
		return begin_reading(reader, ret_reader, err);
	reader = xcalloc(1, sizeof(*reader));
	reader->file = file;
	r = sql_open_reader(file->path, readers->vfs_name, &reader->db, err);
	if (r == -ENOSPC && !has_log(file)) {
		reader->is_frozen = true;
		r = sql_open_frozen(file->path, readers->vfs_name, &reader->db, err);
	}
	if (r == 0)
		r = sql_prepare(reader->db, FILE_SCAN_QUERY, &reader->scan, err);
	if (r == 0)
		r = sql_prepare(reader->db, FILE_HEADS_QUERY, &reader->heads, err);
	if (r == 0)
		r = sql_prepare(reader->db, FILE_FIND_QUERY, &reader->find, err);
	if (r < 0) {
		reader_free(reader);
		return r;
	}
	return begin_reading(reader, ret_reader, err);
}

/* Into the pool; the one that was not used for longest may have to go. */
static struct reader *pool_reader(struct readers *readers, struct reader *reader)
{
	struct reader **place = &readers->idle[0];
	struct reader *drop;

	pthread_mutex_lock(&readers->lock);
	for (int i = 0; i < READERS_MAX_IDLE && *place; i++)
		if (!readers->idle[i] || readers->idle[i]->used < (*place)->used)
			place = &readers->idle[i];
	drop = *place;
	reader->used = ++readers->uses;
	*place = reader;
	pthread_mutex_unlock(&readers->lock);
	return drop;
}

int readers_give(struct readers *readers, struct reader *reader, bool is_good)
{
	bool was_written = reader->is_frozen && has_log(reader->file);

	sqlite3_reset(reader->scan);
	sqlite3_reset(reader->heads);
	sqlite3_reset(reader->find);
	sql_rollback(reader->db); /* there is nothing to commit */
	reader_free(is_good && !reader->is_frozen ? pool_reader(readers, reader) : reader);
	return was_written ? -ENOSPC : 0;
}

void readers_forget(struct readers *readers, const struct block_file *file)
{
	struct reader *reader;

	while ((reader = take_idle(readers, file)))
		reader_free(reader);
}
