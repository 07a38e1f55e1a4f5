/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite with our errors and our settings: the only file that opens a database.
 *
 * A connection belongs to one thread at a time.  Writers are opened by the writer thread alone
 * (invariant 4 of sqlite_store.h).
 */
#ifndef STORE_SQLITE_SQL_H
#define STORE_SQLITE_SQL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SQL_APPLICATION_ID 0x5059524f /* "PYRO" */

/*
 * One kind of database.  A change of it is a new version, its `create` changed and a step added, which
 * makes the tables of an older file what `create` would make: a store is opened by every later program.
 * Steps of block files only add tables, since readers meet files that the writer has not opened yet:
 * who reads an added table asks sql_has_table() first.
 */
struct sql_schema {
	int version;	    /* user_version, from 1 */
	int page_bytes;	    /* of a new file */
	const char *create; /* what makes an empty file one of ours */
	const char *const
		*steps; /* steps[v - 1] makes version v + 1 out of v; NULL while there is one */
};

/*
 * Open for writing, creating it with `schema` when it is missing or empty, and brought to the version
 * of `schema` when it is older (in one transaction).  ERR_CORRUPT for a file that is not ours or
 * damaged, ERR_UNSUPPORTED for a newer version; neither is touched.
 */
int sql_open_writer(const char *path, const char *vfs_name, const struct sql_schema *schema,
		    sqlite3 **ret_db, struct err *err) nodiscard;
int sql_open_reader(const char *path, const char *vfs_name, sqlite3 **ret_db,
		    struct err *err) nodiscard;
/* A file that nobody writes and that has no log: read without files beside it (a full disk). */
int sql_open_frozen(const char *path, const char *vfs_name, sqlite3 **ret_db,
		    struct err *err) nodiscard;
/*
 * A new file to copy pages into, without a log or a sync: the caller syncs the file when it is whole.
 * -EEXIST when it is there.
 */
int sql_open_blank(const char *path, const char *vfs_name, sqlite3 **ret_db,
		   struct err *err) nodiscard;
void sql_close(sqlite3 *db); /* NULL is fine; statements must be finalised */

int sql_exec(sqlite3 *db, const char *text, struct err *err) nodiscard;
/*
 * Move what is in the log to the database, `all`: and empty the log.  What a reader still needs stays;
 * it waits for nobody.
 */
void sql_checkpoint(sqlite3 *db, bool all);
/* Back to before BEGIN; fine when there is no transaction any more. */
void sql_rollback(sqlite3 *db);
int sql_prepare(sqlite3 *db, const char *text, sqlite3_stmt **ret_stmt, struct err *err) nodiscard;
/* 1: a row, 0: done. */
int sql_step(sqlite3_stmt *stmt, struct err *err) nodiscard;
/* Step a statement that returns nothing, and reset it. */
int sql_run(sqlite3_stmt *stmt, struct err *err) nodiscard;
/* Bind integers to ?1, ?2 ... */
void sql_bind_ints(sqlite3_stmt *stmt, int n, const int64_t *values);
#define sql_bind(stmt, ...)                                                                        \
	sql_bind_ints(stmt, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),             \
		      (const int64_t[]){__VA_ARGS__})
/* false also when it cannot be told */
bool sql_has_table(sqlite3 *db, const char *name);
/* One integer from a statement without parameters. */
int sql_int(sqlite3 *db, const char *text, int64_t *ret_value, struct err *err) nodiscard;
/* The last error of the connection as ours: -ENOSPC, -EIO, ERR_CORRUPT, -EBUSY, -EROFS. */
int sql_error(sqlite3 *db, const char *what, struct err *err);

#endif
