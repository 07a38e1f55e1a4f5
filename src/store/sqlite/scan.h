/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading what a plan names: scan_plan.c makes a list of files of it and says how many threads read, scan.c is what each
 * of them does.
 */
#ifndef STORE_SQLITE_SCAN_H
#define STORE_SQLITE_SCAN_H

#include "store/sqlite/query.h"

/* A file and the pieces that it may hold some of, each for the thread that comes first. */
struct scan_visit {
	struct block_file *file;
	const struct piece *pieces;
	size_t n, next;
};

/* What the threads of a scan share. */
struct scan_list {
	struct scan_visit *visits;
	size_t n, cap;
	bool is_over; /* one of them gave up */
};

/* What a thread has of its own. */
struct scan {
	struct query *query;
	const struct scan_sink *sink;
	void *ctx;
	const struct piece *piece;
	struct block_file *file;
	struct reader *reader; /* of the file; NULL: not yet, or it went bad */
	struct cover cover;
};

/* Pieces of the list that no other thread has taken, until there are none. */
int scan_list_read(struct scan *scan, struct scan_list *list, struct err *err) nodiscard;

#endif
