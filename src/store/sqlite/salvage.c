/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole blocks out of a file with damaged pages.
 *
 * The table is read along its rowids; where a page cannot be read, the next rowid behind it is looked for
 * by halving.  A block counts when its own sums agree.  The index knows the keys of blocks that are lost.
 * All is read from a copy: a short one is filled up to the length that it should have, and a first page
 * (the schema) that is damaged is replaced by that of a new file, whose tables lie at the same places.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "base/vec.h"
#include "profile/hash.h"
#include "store/sqlite/store_backup_private.h"
#include "store/sqlite/store_fsck_private.h"

struct salvage {
	struct fsck *fsck;
	const struct view_file *file;
	sqlite3 *from, *into;
	struct map64 kept; /* hash of a key -> 1 */
	struct salvaged result;
	salvage_lost_fn *on_lost;
	void *ctx;
};

/* ---- the copy ---- */

static void put_be32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* The first page of an empty file of the level, made to say that the file has so many pages. */
static int template_page(const struct salvage *salvage, const char *path, uint32_t n_pages,
			 uint8_t *page, struct err *err)
{
	const struct sql_schema schema = block_file_schema(salvage->file->level);
	cleanup_free char *name = NULL;
	cleanup_fd int fd = -1;
	sqlite3 *db = NULL;
	int r;

	if (asprintf(&name, "%s.template", path) < 0)
		abort();
	(void)unlink(name);
	r = sql_open_writer(name, page_sum_name(salvage->fsck->view.page_sums), &schema, &db, err);
	sql_close(db); /* moves its log into it */
	fd = r == 0 ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	if (r == 0 && pread(fd, page, (size_t)schema.page_bytes, 0) != schema.page_bytes)
		r = err_sys(err, -EIO, "cannot make %s", name);
	(void)unlink(name);
	if (r < 0)
		return r;
	put_be32(page + 28, n_pages); /* pages of the file */
	put_be32(page + 32, 0);	      /* none of them on the list of free ones */
	put_be32(page + 36, 0);
	page_sum_set(page, (size_t)schema.page_bytes, 0);
	return 0;
}

static bool has_schema(const struct salvage *salvage, const char *path)
{
	sqlite3 *db = NULL;
	bool yes = sql_open_reader(path, page_sum_name(salvage->fsck->view.page_sums), &db, NULL) ==
			   0 &&
		   sql_has_table(db, "block");

	sql_close(db);
	return yes;
}

static int replace_first_page(const struct salvage *salvage, const char *path, struct err *err)
{
	size_t page_bytes = (size_t)block_file_schema(salvage->file->level).page_bytes;
	cleanup_free uint8_t *page = xcalloc(1, page_bytes);
	cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat info;
	int r;

	if (fd < 0 || fstat(fd, &info) < 0)
		return err_sys(err, -errno, "cannot read %s", path);
	r = template_page(salvage, path, (uint32_t)((size_t)info.st_size / page_bytes), page, err);
	if (r == 0 && pwrite(fd, page, page_bytes, 0) != (ssize_t)page_bytes)
		r = err_sys(err, -EIO, "cannot write %s", path);
	return r;
}

/* As long as its first page says, in whole pages, so that SQLite opens it at all. */
static int fill_up(const struct salvage *salvage, const char *path, struct err *err)
{
	int64_t page_bytes = block_file_schema(salvage->file->level).page_bytes;
	cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t head[32] = {0};
	int64_t bytes, most;
	struct stat info;

	if (fd < 0 || fstat(fd, &info) < 0)
		return err_sys(err, -errno, "cannot read %s", path);
	if (pread(fd, head, sizeof(head), 0) < 0)
		head[0] = 0;
	bytes = ((int64_t)head[28] << 24 | head[29] << 16 | head[30] << 8 | head[31]) * page_bytes;
	most = (info.st_size + page_bytes) * 1024; /* a damaged length must not fill the disk */
	if (memcmp(head, "SQLite format 3", 16) != 0 || bytes < info.st_size || bytes > most)
		bytes = (info.st_size + page_bytes - 1) / page_bytes * page_bytes;
	if (bytes > info.st_size && ftruncate(fd, bytes) < 0)
		return err_sys(err, -errno, "cannot write %s", path);
	return 0;
}

static int make_copy(const struct salvage *salvage, const char *copy, struct err *err)
{
	cleanup_free char *log = NULL, *log_copy = NULL;
	struct copied copied;
	int r;

	if (asprintf(&log, "%s-wal", salvage->file->path) < 0 ||
	    asprintf(&log_copy, "%s-wal", copy) < 0)
		abort();
	(void)unlink(copy);
	(void)unlink(log_copy);
	r = copy_file(salvage->file->path, copy, &copied, err);
	if (r == 0 && access(log, F_OK) == 0)
		r = copy_file(log, log_copy, &copied, err);
	if (r == 0)
		r = fill_up(salvage, copy, err);
	if (r == 0 && !has_schema(salvage, copy))
		r = replace_first_page(salvage, copy, err);
	return r;
}

static void remove_copy(const char *copy)
{
	static const char *const endings[] = {"", "-wal", "-shm"};

	for (size_t i = 0; i < array_len(endings); i++) {
		cleanup_free char *path = NULL;

		if (asprintf(&path, "%s%s", copy, endings[i]) < 0)
			abort();
		(void)unlink(path);
	}
}

/* ---- blocks ---- */

static uint64_t key_of(int64_t owner, int64_t t_ns, int64_t part)
{
	const int64_t key[] = {owner, t_ns, part};

	return hash_stable(key, sizeof(key));
}

static int keep_row(struct salvage *salvage, sqlite3_stmt *row, sqlite3_stmt *insert,
		    struct err *err)
{
	int64_t owner = sqlite3_column_int64(row, 7);
	bool is_tombstone, is_new;
	struct block block;
	int r;

	if (fsck_row(salvage->fsck, salvage->file, row, owner, &block, &is_tombstone))
		return 0; /* its key is in the index */
	for (int column = 0; column < 9; column++)
		sqlite3_bind_value(insert, column + 1, sqlite3_column_value(row, column));
	r = sql_run(insert, err);
	if (r < 0)
		return r;
	*map64_put(&salvage->kept, key_of(owner, block.key.t_ns, block.key.part), &is_new) = 1;
	salvage->result.blocks++;
	return 0;
}

/* Can the tree be walked to a row at or behind `rowid`?  Which one. */
static bool probe(sqlite3 *db, int64_t rowid, int64_t *ret_found, bool *ret_is_end)
{
	sqlite3_stmt *stmt = NULL;
	int r = sql_prepare(db, "SELECT rowid FROM block WHERE rowid>=? ORDER BY rowid LIMIT 1",
			    &stmt, NULL);

	if (r == 0) {
		sql_bind(stmt, rowid);
		r = sql_step(stmt, NULL);
	}
	*ret_is_end = r == 0;
	if (r > 0)
		*ret_found = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return r >= 0;
}

/* The first rowid behind `last` that can be reached; false: none. */
static bool next_reachable(sqlite3 *db, int64_t last, int64_t *ret_rowid)
{
	int64_t low = last, step = 1, high = last, found = 0;
	bool is_end = false;

	do {
		if (high > INT64_MAX - step)
			return false;
		low = high;
		high += step;
		step *= 2;
	} while (!probe(db, high, &found, &is_end));
	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;

		if (probe(db, middle, &found, &is_end))
			high = middle;
		else
			low = middle;
	}
	if (!probe(db, high, &found, &is_end) || is_end)
		return false;
	*ret_rowid = found;
	return true;
}

static int keep_blocks(struct salvage *salvage, struct err *err)
{
	sqlite3_stmt *row = NULL, *insert = NULL;
	int64_t next = INT64_MIN;
	bool more = true;
	int r = sql_prepare(salvage->into,
			    "INSERT OR IGNORE INTO block(t_ns, part, dict, len_ns, head, sum, data,"
			    " owner, rowid) VALUES(?,?,?,?,?,?,?,?,?)",
			    &insert, err);

	if (r == 0)
		r = sql_prepare(salvage->from,
				"SELECT t_ns, part, dict, len_ns, head, sum, data, owner, rowid"
				" FROM block WHERE rowid>=? ORDER BY rowid",
				&row, NULL);
	if (r < 0)
		more = false, salvage->result.is_all_known = false;
	r = insert ? 0 : r;
	while (more && r == 0) {
		int64_t last = next;
		bool any = false;
		int got;

		sql_bind(row, next);
		while ((got = sql_step(row, NULL)) > 0 && r == 0) {
			last = sqlite3_column_int64(row, 8);
			any = true;
			r = keep_row(salvage, row, insert, err);
		}
		sqlite3_reset(row);
		more = got < 0 && last < INT64_MAX &&
		       next_reachable(salvage->from, any ? last : max_of(last, (int64_t)0), &next);
	}
	sqlite3_finalize(row);
	sqlite3_finalize(insert);
	return r;
}

/* ---- what is lost ---- */

static int find_lost(struct salvage *salvage, struct err *err)
{
	sqlite3_stmt *row = NULL;
	int got = sql_prepare(salvage->from,
			      "SELECT owner, t_ns, part FROM block INDEXED BY block_key"
			      " ORDER BY owner, t_ns, part",
			      &row, NULL);
	int r = 0;

	while (got >= 0 && r == 0 && (got = sql_step(row, NULL)) > 0) {
		int64_t owner = sqlite3_column_int64(row, 0), t = sqlite3_column_int64(row, 1);
		int64_t part = sqlite3_column_int64(row, 2);

		if (map64_get(&salvage->kept, key_of(owner, t, part)))
			continue;
		salvage->result.lost++;
		r = salvage->on_lost(salvage->ctx, salvage->into, (uint32_t)owner, t, part, err);
	}
	if (got < 0)
		salvage->result.is_all_known = false;
	sqlite3_finalize(row);
	return r;
}

/* Rows of a small table, up to the first page that cannot be read; false: some are lost. */
static bool keep_table(struct salvage *salvage, const char *select, const char *insert,
		       struct err *err, int *ret_code)
{
	sqlite3_stmt *row = NULL, *into = NULL;
	int got = sql_prepare(salvage->from, select, &row, NULL);
	int r = sql_prepare(salvage->into, insert, &into, err);

	while (got >= 0 && r == 0 && (got = sql_step(row, NULL)) > 0) {
		for (int column = 0; column < sqlite3_column_count(row); column++)
			sqlite3_bind_value(into, column + 1, sqlite3_column_value(row, column));
		r = sql_run(into, err);
	}
	sqlite3_finalize(row);
	sqlite3_finalize(into);
	*ret_code = r;
	return got >= 0;
}

/* Nobody knows any more which windows were not right: none above these blocks is trusted. */
static int mark_all(struct salvage *salvage, struct err *err)
{
	int level = salvage->file->level, next = level + 1;
	char text[512];
	int r = 0;

	if (next < LEVEL_COUNT) {
		int64_t window = levels[next].window_ns;

		snprintf(text, sizeof(text),
			 "INSERT OR IGNORE INTO dirty SELECT %d, owner, t_ns - t_ns %% %lld FROM "
			 "block"
			 " WHERE owner %% 2 = 0 UNION SELECT %d, owner,"
			 " t_ns + len_ns - 1 - (t_ns + len_ns - 1) %% %lld FROM block"
			 " WHERE owner %% 2 = 0",
			 next, (long long)window, next, (long long)window);
		r = sql_exec(salvage->into, text, err);
	}
	snprintf(text, sizeof(text),
		 "INSERT OR IGNORE INTO dirty SELECT %d, owner, t_ns FROM block WHERE owner %% 2 = "
		 "1",
		 level);
	return r == 0 ? sql_exec(salvage->into, text, err) : r;
}

static int keep_tables(struct salvage *salvage, struct err *err)
{
	int r;

	salvage->result.has_all_ids = keep_table(salvage, "SELECT id FROM seen ORDER BY id",
						 "INSERT OR IGNORE INTO seen VALUES(?)", err, &r);
	if (r == 0 &&
	    !keep_table(salvage, "SELECT level, owner, t_ns FROM dirty ORDER BY 1, 2, 3",
			"INSERT OR IGNORE INTO dirty VALUES(?,?,?)", err, &r) &&
	    r == 0)
		r = mark_all(salvage, err);
	return r;
}

static int fill(struct salvage *salvage, const char *copy, const char *into, struct err *err)
{
	const struct sql_schema schema = block_file_schema(salvage->file->level);
	const char *vfs_name = page_sum_name(salvage->fsck->view.page_sums);
	int r = sql_open_writer(into, vfs_name, &schema, &salvage->into, err);

	/* Nothing can be read of it: all is lost, and nobody knows what it was. */
	if (r == 0 && sql_open_reader(copy, vfs_name, &salvage->from, NULL) < 0) {
		salvage->result.is_all_known = false;
		return 0;
	}
	if (r == 0)
		r = sql_exec(salvage->into, "BEGIN IMMEDIATE", err);
	if (r == 0)
		r = keep_blocks(salvage, err);
	if (r == 0)
		r = find_lost(salvage, err);
	if (r == 0)
		r = keep_tables(salvage, err);
	if (r == 0)
		r = sql_exec(salvage->into, "COMMIT", err);
	return r;
}

int salvage_file(struct fsck *fsck, const struct view_file *file, const char *into,
		 salvage_lost_fn *on_lost, void *ctx, struct salvaged *ret_salvaged,
		 struct err *err)
{
	struct salvage salvage = {.fsck = fsck,
				  .file = file,
				  .on_lost = on_lost,
				  .ctx = ctx,
				  .result.is_all_known = true};
	cleanup_free char *copy = NULL;
	int r;

	if (asprintf(&copy, "%s.copy", into) < 0)
		abort();
	remove_copy(into);
	r = make_copy(&salvage, copy, err);
	if (r == 0)
		r = fill(&salvage, copy, into, err);
	sql_close(salvage.from);
	sql_close(salvage.into);
	map64_done(&salvage.kept);
	remove_copy(copy);
	if (r < 0)
		remove_copy(into);
	else
		*ret_salvaged = salvage.result;
	return r;
}
