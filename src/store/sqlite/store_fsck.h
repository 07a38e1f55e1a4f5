/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a store whole?  Every page and block is read, and everything is compared with what must follow from
 * something else:
 *
 *	catalogue	pages, references between its tables, each dictionary from string to stack
 *	block files	pages, each block's sums and content; its series, dictionary, stacks and columns
 *			are in the catalogue; its time lies in the file's; identities have their form
 *	roll-ups	each window that is not marked is there and equals what its finer blocks add up to
 *
 * Reads as of one moment (view.h), so a server may run meanwhile.  One line per problem.
 *
 * Repairing wants the server stopped, and sets aside what is damaged and nothing else:
 *   1. What can be made again from finer blocks is marked, for the server to make it.
 *   2. A damaged block that cannot becomes a tombstone (a block without a head): queries say that its time
 *      is missing.  Its bytes go to DIR/aside/.
 *   3. Of a file with damaged pages all blocks that are whole go to a new file; the old one goes to
 *      DIR/aside/.  Blocks that are lost become tombstones; where it is not known which they are, queries
 *      say that something of the file's day or month may be missing.
 *   4. Identities are saved as far as they can be read, and it is said when some are lost: a profile
 *      that is sent again could count twice then.
 *   5. A damaged catalogue is not repaired: names would be guessed.  Restore it from a backup.
 *
 * Costs reading all files once for pages, once for blocks, and finer blocks once more per level.
 */
#ifndef STORE_SQLITE_STORE_FSCK_H
#define STORE_SQLITE_STORE_FSCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct fsck_report {
	uint64_t files, blocks, windows; /* looked at; windows: compared with their finer blocks */
	uint64_t tombstones; /* blocks that were set aside before: no problem any more */
	uint64_t problems;
	uint64_t repaired; /* of them */
	bool is_running;   /* a server has the store open */
};

typedef void fsck_say_fn(void *ctx, const char *text);

struct fsck_request {
	const char *dir;
	bool repair;
	fsck_say_fn *say; /* a line per problem, and per step of a repair */
	void *ctx;
};

/*
 * 0 when it could be looked at, with the problems counted.  -ENOENT when there is no store,
 * ERR_CORRUPT when its catalogue cannot even be opened, ERR_UNSUPPORTED for another format, -EBUSY when
 * it shall be repaired while a server runs.
 */
int sqlite_store_fsck(const struct fsck_request *request, struct fsck_report *ret_report,
		      struct err *err) nodiscard;

#endif
