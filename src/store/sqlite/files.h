/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block files: the writer's open handles, and the readers' pool (invariant 4).
 *
 * A block file is a SQLite database:
 *
 *	block(owner, t_ns, part, dict, len_ns, head, sum, data)		see block.h; `part` is the
 *					rowid at the finest level, else the dictionary
 *	seen(id)			identities of the profiles in it (finest level)
 *	dirty(level, owner, t_ns)	windows that do not follow from their finer blocks
 *
 * Marks of level L + 1 for what was written here at level L, and of level L for families whose
 * members' blocks were written here.
 */
#ifndef STORE_SQLITE_FILES_H
#define STORE_SQLITE_FILES_H

#include <pthread.h>

#include "store/sqlite/block.h"
#include "store/sqlite/catalogue.h"
#include "store/sqlite/sql.h"

#define BLOCK_FILE_VERSION 2 /* 1: blocks without streams.h */

/* What a file of the level is made with. */
struct sql_schema block_file_schema(int level) nodiscard;

/* ---- the writer's side: one thread ---- */

enum file_statement {
	FILE_SEEN,    /* INSERT OR IGNORE an id */
	FILE_INSERT,  /* a block */
	FILE_REPLACE, /* or make it that one */
	FILE_DELETE,  /* blocks of one owner and time */
	FILE_MARK,    /* a window dirty */
	FILE_UNMARK,
	FILE_SCAN, /* blocks of an owner, t in [a, b) */
	FILE_STATEMENTS,
};

struct open_file {
	struct block_file *file;
	struct block_room *room; /* of the files */
	sqlite3 *db;
	sqlite3_stmt *statements[FILE_STATEMENTS];
	bool in_transaction;
	int64_t next_part; /* of blocks of the finest level: one more than any in the file */
	int64_t wal_bytes; /* since the last checkpoint, about */
	uint64_t used;	   /* order of use */
};

#define FILES_MAX_OPEN 16

struct files {
	const char *vfs_name;
	bool is_bulk; /* nothing is synced, see store_bulk.h */
	struct open_file *open[FILES_MAX_OPEN];
	uint64_t uses;
	struct block_room room; /* to pack in */
};

void files_init(struct files *files, const char *vfs_name); /* released by files_close_all() */
/* The file's handle, opened (and the file created) when needed; of those idle the oldest is closed. */
int files_open(struct files *files, struct block_file *file, struct open_file **ret_handle,
	       struct err *err) nodiscard;
int file_begin(struct open_file *handle, struct err *err) nodiscard; /* when not in one */
int file_commit(struct open_file *handle, struct err *err) nodiscard;
void file_rollback(struct open_file *handle);
/* Move what is in the log to the file; `all` also empties the log. */
void files_checkpoint(struct files *files, int64_t from_bytes, bool all);
void files_close(struct files *files, struct block_file *file); /* one */
void files_close_all(struct files *files);

int file_mark(struct open_file *handle, int level, uint32_t owner, int64_t t_ns,
	      struct err *err) nodiscard;
int file_unmark(struct open_file *handle, int level, uint32_t owner, int64_t t_ns,
		struct err *err) nodiscard;
/* *ret_sum (may be NULL): the row's. */
int file_insert(struct open_file *handle, const struct block *block, struct cover *cover,
		uint64_t *ret_sum, struct err *err) nodiscard;
/* A row of another kind than blocks, in place of what has its key. */
int file_replace(struct open_file *handle, const struct block_key *key, const struct buf *head,
		 const struct buf *data, struct err *err) nodiscard;

/* ---- rows, for writer and readers alike ---- */

#define FILE_FIND_QUERY "SELECT head, sum FROM block WHERE owner=?1 AND t_ns=?2 AND part=?3"
#define FILE_ROWS_OF " FROM block WHERE owner=?1 AND t_ns>=?2 AND t_ns<?3 ORDER BY t_ns, part"
#define FILE_SCAN_QUERY "SELECT t_ns, part, dict, len_ns, head, sum, data" FILE_ROWS_OF
/* Rows without data: SQLite fetches every column that is asked for, looked at or not, from all its pages. */
#define FILE_HEADS_QUERY "SELECT t_ns, part, dict, len_ns, head, sum" FILE_ROWS_OF

/* The row that a scan stands on. */
struct file_row {
	struct block_key key;
	const void *head, *data; /* data: only after file_row_data() */
	size_t head_len, data_len;
	uint64_t sum;
	sqlite3_stmt *stmt;
};

/* ERR_CORRUPT when the sum does not agree; key.t_ns and key.len_ns are set in any case. */
int file_row_read(sqlite3_stmt *stmt, int64_t owner, struct file_row *ret_row) nodiscard;
void file_row_data(struct file_row *row); /* not of FILE_HEADS_QUERY */

/* ---- readers: any thread ---- */

#define READERS_MAX_IDLE 32

struct reader {
	const struct block_file *file;
	sqlite3 *db;
	sqlite3_stmt *scan, *heads, *find;
	uint64_t used;
	bool is_frozen; /* see readers_take() */
};

struct readers {
	const char *vfs_name;
	pthread_mutex_t lock;
	struct reader *idle[READERS_MAX_IDLE];
	uint64_t uses;
};

void readers_init(struct readers *readers, const char *vfs_name);
void readers_done(struct readers *readers);
/*
 * What a reader shows is of one moment, until it is given back.  SQLite needs a shared-memory file beside a database to read it, which a full disk may refuse.  A file
 * without a log is read without one then; readers_give() says -ENOSPC if it was written meanwhile.
 */
int readers_take(struct readers *readers, const struct block_file *file, struct reader **ret_reader,
		 struct err *err) nodiscard;
/* `is_good`: it may be used again.  0, or why what it read does not count. */
int readers_give(struct readers *readers, struct reader *reader, bool is_good) nodiscard;
/* The file is gone. */
void readers_forget(struct readers *readers, const struct block_file *file);

#endif
