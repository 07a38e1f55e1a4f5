/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store in a directory, on SQLite: one server, no other service needed.
 *
 *	DIR/lock		held by the process that has the store open; holds its pid; turns (turn.h)
 *	DIR/catalogue.db	tenants, series, dictionaries of stacks, sources, the list of block
 *files DIR/blocks/T/LEVEL/	block files of tenant number T: one per day for the levels 10s and
 *1m, one per month for 10m, 1h and 1d
 *
 * The invariants that every file of this folder keeps (and refers to by number):
 *   1. Levels are files of their own.  Retention is deleting whole files.
 *   2. The catalogue is on disk before any block names its ids, and ids are never used twice.  The
 *      identity of a profile is committed in the transaction of its block.
 *   3. A dictionary belongs to a service and a month (or a part of one, when it is full) and goes
 *      when no block file names it any more.  What does not fit is one marker frame, and counted.
 *   4. One thread, the writer, owns every write and every checkpoint of every file (SQLite 3.40.1
 *can lose pages when two connections checkpoint at once); all others open files read-only, with
 *      automatic checkpoints off and no memory mapping.
 *   5. The finest level holds profiles as they came, [start, end), never cut at the borders of
 *      windows: cutting a 10 s profile that is not aligned would store each stack twice.  Coarser
 *      levels hold whole windows, made by the writer once a window is over.
 *   6. A window that is not what its finer blocks add up to is marked dirty, in the transaction
 *that made it so, and no query uses it.  So no query waits for a roll-up, and back-fill is exact.
 *   7. Acknowledged means: committed with synchronous=FULL.
 *   8. Every page has a checksum (page_sum.h) and every block another (block.h): what is damaged is left
 *      out of answers, which say so.  Look into the files with `sqlite3 -readonly` only.
 *
 * Costs: a put is 1-2 ms of fsync shared by all puts that wait at the same moment, and about 0.2 ms
 *of CPU for 300 stacks; memory is the dictionaries in use (24-100 bytes a stack, bounded), 256 KiB
 *per open file (32 for readers, 16 for the writer) and the queue (64 MiB at most).
 */
#ifndef STORE_SQLITE_SQLITE_STORE_H
#define STORE_SQLITE_SQLITE_STORE_H

#include "store/store.h"

/* How files are reached: the name of a registered SQLite VFS.  Tests register one that fails. */
struct store_io {
	const char *vfs_name;
};

/*
 * Open or create.  Strings of `config` are copied, clock and io are borrowed until close.  Fails
 * with -EBUSY when another process has the directory (the text names its pid), ERR_UNSUPPORTED when
 * it was written by a newer version, ERR_CORRUPT when the catalogue is damaged or is something
 * else's file.
 */
int sqlite_store_open(const struct store_config *config, struct store **ret_store,
		      struct err *err) nodiscard;

/*
 * Wait until every roll-up that can be done now is done, and expired files are deleted.  For tests
 * and benches; the writer rolls up by itself within seconds and deletes within minutes (after a leap of
 * the clock by more than a day: within an hour, clock_guard.h).
 */
void sqlite_store_settle(struct store *store);

/* Counters that only this store has. */
struct sqlite_store_counters {
	uint64_t rolled_windows, damaged_blocks, quarantined_files, deleted_files;
	uint64_t over_limit_stacks; /* stacks that went into the marker of a full dictionary */
	uint64_t dirty_windows;	    /* waiting to be rolled up */
};
void sqlite_store_counters(struct store *store, struct sqlite_store_counters *ret_counters);

#endif
