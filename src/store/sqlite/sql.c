/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/sql.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "store/sqlite/page_sum.h"

/* A reader meets locks only while another connection recovers a log after a crash. */
#define BUSY_TIMEOUT_MS 5000
#define SQL_MAX_URI_BYTES 16384

static int code_of(sqlite3 *db)
{
	int os = sqlite3_system_errno(db);

	switch (sqlite3_errcode(db) & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_CORRUPT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_IOERR:
		if (sqlite3_extended_errcode(db) == SQLITE_IOERR_DATA)
			return ERR_CORRUPT; /* page_sum.h */
		/* A failed fsync says nothing about what is on disk, whatever errno it left. */
		if (sqlite3_extended_errcode(db) == SQLITE_IOERR_FSYNC)
			return -EIO;
		return os == ENOSPC || os == EDQUOT ? -ENOSPC : -EIO;
	case SQLITE_CANTOPEN:
		return os == ENOSPC || os == EDQUOT ? -ENOSPC : os ? -os : -ENOENT;
	default:
		return -EIO;
	}
}

int sql_error(sqlite3 *db, const char *what, struct err *err)
{
	/* SQLite's words for it are "disk I/O error". */
	bool is_sum_wrong = sqlite3_extended_errcode(db) == SQLITE_IOERR_DATA;

	return err_set(err, code_of(db), "%s: %s", what,
		       is_sum_wrong ? "a page is damaged (its checksum is wrong)"
				    : sqlite3_errmsg(db));
}

int sql_exec(sqlite3 *db, const char *text, struct err *err)
{
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		return sql_error(db, "the store cannot be changed", err);
	return 0;
}

void sql_checkpoint(sqlite3 *db, bool all)
{
	sqlite3_busy_timeout(db, 0);
	sqlite3_wal_checkpoint_v2(
		db, NULL, all ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
}

void sql_rollback(sqlite3 *db)
{
	/* A failing rollback leaves the transaction open; the next BEGIN says so. */
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
}

int sql_prepare(sqlite3 *db, const char *text, sqlite3_stmt **ret_stmt, struct err *err)
{
	if (sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, ret_stmt, NULL) !=
	    SQLITE_OK)
		return sql_error(db, "a store file does not answer", err);
	return 0;
}

int sql_step(sqlite3_stmt *stmt, struct err *err)
{
	int r = sqlite3_step(stmt);

	if (r == SQLITE_ROW)
		return 1;
	if (r == SQLITE_DONE)
		return 0;
	return sql_error(sqlite3_db_handle(stmt), "a store file cannot be used", err);
}

int sql_run(sqlite3_stmt *stmt, struct err *err)
{
	int r = sql_step(stmt, err);

	sqlite3_reset(stmt);
	return r;
}

void sql_bind_ints(sqlite3_stmt *stmt, int n, const int64_t *values)
{
	for (int i = 0; i < n; i++)
		sqlite3_bind_int64(stmt, i + 1, values[i]);
}

int sql_int(sqlite3 *db, const char *text, int64_t *ret_value, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = sql_prepare(db, text, &stmt, err);

	if (r < 0)
		return r;
	r = sql_step(stmt, err);
	if (r > 0)
		*ret_value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return r < 0 ? r : r == 0 ? err_set(err, ERR_CORRUPT, "no answer to %s", text) : 0;
}

static int open_with(const char *path, const char *vfs_name, int flags, sqlite3 **ret_db,
		     struct err *err)
{
	sqlite3 *db = NULL;
	int r;

	if (sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
			    vfs_name) != SQLITE_OK) {
		r = db ? code_of(db) : -ENOMEM;
		err_set(err, r, "cannot open %s: %s", path, db ? sqlite3_errmsg(db) : "no memory");
		sqlite3_close(db);
		return r;
	}
	sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	*ret_db = db;
	return 0;
}

bool sql_has_table(sqlite3 *db, const char *name)
{
	return sqlite3_table_column_metadata(db, NULL, name, NULL, NULL, NULL, NULL, NULL, NULL) ==
	       SQLITE_OK;
}

/* Ours, and of a version that we know?  Reads only; *ret_version is 0 for an empty file. */
static int check_schema(sqlite3 *db, const struct sql_schema *schema, int64_t *ret_version,
			struct err *err)
{
	int64_t application = 0, version = 0, tables = 0;
	int r = sql_int(db, "PRAGMA application_id", &application, err);

	if (r == 0)
		r = sql_int(db, "PRAGMA user_version", &version, err);
	if (r == 0)
		r = sql_int(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
	if (r < 0)
		return r;
	*ret_version = version;
	if (application == 0 && version == 0 && tables == 0)
		return 0;
	if (application != SQL_APPLICATION_ID || version < 1)
		return err_set(err, ERR_CORRUPT, "it is a database of another program");
	if (version > schema->version)
		return err_set(err, ERR_UNSUPPORTED,
			       "it was written by a newer version (format %lld, known is %d): use "
			       "that version, or another data directory",
			       (long long)version, schema->version);
	return 0;
}

/* A whole schema appears or none. */
static int create_schema(sqlite3 *db, const struct sql_schema *schema, struct err *err)
{
	char version[96], layout[96];
	int reserved = PAGE_SUM_BYTES, r;

	snprintf(layout, sizeof(layout), "PRAGMA page_size=%d", schema->page_bytes);
	r = sql_exec(db, layout, err);
	/* Room for the sum of each page; before the first one is written. */
	if (r == 0 && sqlite3_file_control(db, NULL, SQLITE_FCNTL_RESERVE_BYTES, &reserved))
		r = sql_error(db, "the store cannot be made", err);
	if (r == 0)
		r = sql_exec(db, "PRAGMA journal_mode=WAL", err);
	snprintf(version, sizeof(version), "PRAGMA application_id=%d; PRAGMA user_version=%d;",
		 SQL_APPLICATION_ID, schema->version);
	if (r == 0)
		r = sql_exec(db, "BEGIN IMMEDIATE", err);
	if (r == 0)
		r = sql_exec(db, schema->create, err);
	if (r == 0)
		r = sql_exec(db, version, err);
	if (r == 0)
		r = sql_exec(db, "COMMIT", err);
	return r;
}

/* All steps that the file lacks, or none. */
static int migrate(sqlite3 *db, const struct sql_schema *schema, int64_t version, struct err *err)
{
	char text[64];
	int r = sql_exec(db, "BEGIN IMMEDIATE", err);

	for (; version < schema->version && r == 0; version++)
		r = sql_exec(db, schema->steps[version - 1], err);
	snprintf(text, sizeof(text), "PRAGMA user_version=%d", schema->version);
	if (r == 0)
		r = sql_exec(db, text, err);
	if (r == 0)
		r = sql_exec(db, "COMMIT", err);
	if (r < 0) {
		sql_rollback(db);
		return err_prefix(err, r, "cannot bring it to format %d", schema->version);
	}
	return 0;
}

int sql_open_writer(const char *path, const char *vfs_name, const struct sql_schema *schema,
		    sqlite3 **ret_db, struct err *err)
{
	sqlite3 *db;
	int64_t version = 0;
	int r = open_with(path, vfs_name, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db, err);

	if (r < 0)
		return r;
	/* What is refused is left as it is, its log too. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	r = sql_exec(db,
		     "PRAGMA mmap_size=0; PRAGMA cache_size=-256; PRAGMA wal_autocheckpoint=0;"
		     "PRAGMA synchronous=FULL; PRAGMA journal_size_limit=4194304;",
		     err);
	if (r == 0)
		r = check_schema(db, schema, &version, err);
	if (r == 0 && version == 0)
		r = create_schema(db, schema, err);
	else if (r == 0 && version < schema->version)
		r = migrate(db, schema, version, err);
	if (r < 0) {
		sqlite3_close(db);
		return err_prefix(err, r, "%s", path);
	}
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	*ret_db = db;
	return 0;
}

static int open_reader(const char *path, const char *vfs_name, int flags, sqlite3 **ret_db,
		       struct err *err)
{
	sqlite3 *db;
	int r = open_with(path, vfs_name, SQLITE_OPEN_READONLY | flags, &db, err);

	if (r < 0)
		return r;
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	r = sql_exec(db, "PRAGMA mmap_size=0; PRAGMA cache_size=-256; PRAGMA wal_autocheckpoint=0;",
		     err);
	if (r < 0) {
		sqlite3_close(db);
		return err_prefix(err, r, "%s", path);
	}
	*ret_db = db;
	return 0;
}

int sql_open_reader(const char *path, const char *vfs_name, sqlite3 **ret_db, struct err *err)
{
	return open_reader(path, vfs_name, 0, ret_db, err);
}

int sql_open_frozen(const char *path, const char *vfs_name, sqlite3 **ret_db, struct err *err)
{
	cleanup(buf_done) struct buf uri = {0};

	buf_init(&uri, SQL_MAX_URI_BYTES);
	buf_puts(&uri, "file:");
	for (const char *at = path; *at; at++)
		buf_printf(&uri, strchr("%?#", *at) ? "%%%02x" : "%c", (unsigned char)*at);
	buf_puts(&uri, "?immutable=1");
	if (uri.overflow)
		return err_set(err, -ENAMETOOLONG, "the path of a block file is too long");
	return open_reader(uri.data, vfs_name, SQLITE_OPEN_URI, ret_db, err);
}

int sql_open_blank(const char *path, const char *vfs_name, sqlite3 **ret_db, struct err *err)
{
	sqlite3 *db;
	int r;

	if (access(path, F_OK) == 0)
		return err_set(err, -EEXIST, "%s exists already", path);
	r = open_with(path, vfs_name, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db, err);
	if (r < 0)
		return r;
	r = sql_exec(db,
		     "PRAGMA mmap_size=0; PRAGMA cache_size=-256; PRAGMA journal_mode=OFF;"
		     "PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;",
		     err);
	if (r < 0) {
		sqlite3_close(db);
		return err_prefix(err, r, "%s", path);
	}
	*ret_db = db;
	return 0;
}

void sql_close(sqlite3 *db)
{
	sqlite3_close(db);
}
