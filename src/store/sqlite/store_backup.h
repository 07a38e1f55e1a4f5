/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backup and restore of a store's directory, by a process of its own.
 *
 * A backup is a directory with the same files, as they were at one moment (view.h): all that was
 * acknowledged before is in it, nothing that came after, and no log to replay.  The server may run
 * meanwhile; it is held up for milliseconds.
 *
 *	OUT/MANIFEST	when, and of each file size, hash, and what of the store it was made from
 *	OUT/blocks/...	OUT/catalogue.db	OUT/kept/..., OUT/tokens: what lies beside the store
 *
 * 1. It is made as OUT.partial, blocks first, the catalogue, then the manifest; all of it is on disk
 *    before it is renamed to OUT.  What is called OUT is whole.
 * 2. With `since`, an earlier backup, files that have not changed are linked from there.
 * 3. A block file that is damaged is copied as it is and said to be so: fsck on what is restored from it
 *    saves what can be saved.
 * 4. A restore writes into an empty directory, the catalogue last: a server refuses to start on half of
 *    one.  What does not agree with the manifest is said; a catalogue that does not is not restored.
 */
#ifndef STORE_SQLITE_STORE_BACKUP_H
#define STORE_SQLITE_STORE_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct backup_report {
	int64_t moment_ns; /* whose state it holds, real time */
	int64_t pause_ns;  /* that the server's writer was held up */
	uint64_t files, linked, damaged, bytes;
};

/* What a person should know of one file, while it is made; `text` ends without a newline. */
typedef void backup_say_fn(void *ctx, const char *text);

struct backup_request {
	const char *from, *to;
	const char *since; /* of a backup: an earlier one of the same store; NULL: none */
	backup_say_fn *say;
	void *ctx;
};

/*
 * -EEXIST when `to` is there already, -ENOENT when `from` holds no store, -ENOSPC and the like of the
 * disk; nothing is left at `to` then.  Damaged files are counted, not an error.
 */
int sqlite_store_backup(const struct backup_request *request, struct backup_report *ret_report,
			struct err *err) nodiscard;
/* ERR_CORRUPT when `from` is no whole backup, -ENOTEMPTY when there is something in `to`. */
int sqlite_store_restore(const struct backup_request *request, struct backup_report *ret_report,
			 struct err *err) nodiscard;

#endif
