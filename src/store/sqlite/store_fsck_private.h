/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of fsck:
 *
 *	store_fsck.c	the order of things, the catalogue
 *	fsck_blocks.c	each block file by itself
 *	fsck_sums.c	windows against what they are made of
 *	fsck_repair.c	what is done about the findings
 *	salvage.c	whole blocks out of a file with damaged pages
 */
#ifndef STORE_SQLITE_STORE_FSCK_PRIVATE_H
#define STORE_SQLITE_STORE_FSCK_PRIVATE_H

#include "store/sqlite/accum.h"
#include "store/sqlite/dirty.h"
#include "store/sqlite/files.h"
#include "store/sqlite/store_fsck.h"
#include "store/sqlite/view.h"

enum finding_kind {
	FINDING_FILE,	/* pages are damaged, or it is missing */
	FINDING_BLOCK,	/* a row: `rowid`, `owner`, `t_ns` */
	FINDING_WINDOW, /* wrong or missing: `owner`, `level`, `t_ns` */
};

struct finding {
	enum finding_kind kind;
	size_t file; /* index in the view; of a window: not used */
	int level;
	int64_t rowid;
	uint32_t owner, tenant;
	int64_t t_ns;
};

struct fsck {
	const struct fsck_request *request;
	struct fsck_report report;
	struct view view;
	struct catalogue catalogue; /* read from the view's */
	uint32_t *dict_nodes;	    /* by id; 0: there is none, or it is damaged */
	struct dirty dirty;	    /* windows that are known not to be right */
	bool *is_bad;		    /* by file: cannot be used to compare */
	sqlite3_stmt **scans;	    /* by file: FILE_SCAN_QUERY, made when it is needed */
	struct accum sums;
	struct block_room room;
	struct finding *findings;
	size_t n_findings, findings_cap;
};

/* One problem more, with a line about it. */
void fsck_problem(struct fsck *fsck, const struct finding *finding, const char *fmt, ...)
	printf_like(3, 4);
void fsck_say(const struct fsck *fsck, const char *fmt, ...) printf_like(2, 3);
/* "series 12 (service_name="api", …) at 2026-11-22T10:00:00Z" into `text`. */
#define FSCK_NAME_BYTES 256
void fsck_name(const struct fsck *fsck, uint32_t owner, int64_t t_ns, char text[FSCK_NAME_BYTES]);

void fsck_block_files(struct fsck *fsck);
/* Row of a statement whose first columns are those of FILE_SCAN_QUERY: NULL when it is whole. */
const char *fsck_row(struct fsck *fsck, const struct view_file *file, sqlite3_stmt *row,
		     int64_t owner, struct block *ret_block, bool *ret_is_tombstone);

void fsck_sums(struct fsck *fsck);

/* With the lock of the store held and the view closed (all but the list of files). */
int fsck_repair(struct fsck *fsck, struct err *err) nodiscard;

/* Can what is lost at the level be made again?  Its finer blocks are there. */
bool fsck_can_make(const struct fsck *fsck, uint32_t tenant, int level, uint32_t owner,
		   int64_t t_ns);

struct salvaged {
	uint64_t blocks, lost; /* lost: known by their keys, tombstones now or marked */
	bool is_all_known;     /* no block was lost that is not counted */
	bool has_all_ids;      /* no identity of a profile was lost */
};

/* Make `into`, a new file, of what is whole in the view's file; lost keys are reported. */
typedef int salvage_lost_fn(void *ctx, sqlite3 *into, uint32_t owner, int64_t t_ns, int64_t part,
			    struct err *err);
int salvage_file(struct fsck *fsck, const struct view_file *file, const char *into,
		 salvage_lost_fn *on_lost, void *ctx, struct salvaged *ret_salvaged,
		 struct err *err) nodiscard;
/* A tombstone in the place of a block; `rowid` < 0: a new row. */
int fsck_put_tombstone(sqlite3 *db, const struct block_key *key, int64_t rowid, bool is_fine,
		       struct err *err) nodiscard;

#endif
