/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A track: when each profile of a window began, how long it was and what it came to, so that a timeline need not
 * read the profiles.
 *
 * In the head of a series' window (block.h), behind a 0 where a profile has its name:
 *
 *	varint entries, then for each: zigzag of the change of the gap between beginnings, zigzag of the change of
 *	the length twice and 1 if a profile begins in it, zigzag of the change of each column's total
 *
 * so that profiles of a regular clock cost three bytes and their totals.  Entries are whole, also where they stick out
 * of the window: divided by spread.h they give what the profiles themselves would.  A window lacks its track when
 * profiles are gauges, more than TRACK_MAX_ENTRIES, or it was made by a version without: then the timeline reads below.
 */
#ifndef STORE_SQLITE_TRACK_H
#define STORE_SQLITE_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "profile/profile.h"
#include "store/store.h"

#define TRACK_MAX_ENTRIES 4096

struct track_entry {
	int64_t t_ns, len_ns;
	bool begins;   /* 1 profile, else the further piece of one */
	size_t totals; /* where they are among the track's, */
	size_t n;      /* and how many; columns behind have 0 */
};

/* Being made.  An object of one thread; it keeps its memory from use to use. */
struct track {
	struct track_entry *entries;
	size_t n, cap;
	int64_t *totals;
	size_t n_totals, totals_cap;
	bool is_broken; /* something is not in it: nothing is written */
};

void track_done(struct track *track); /* all-zero is empty */
void track_reset(struct track *track);
/* `entry`: time and begins; totals are copied. */
void track_add(struct track *track, struct track_entry entry, const int64_t *totals, size_t n);
/* To the head of the window at `t_ns`; nothing of a broken or empty one.  Sorts it. */
void track_write(struct track *track, int64_t t_ns, size_t n_columns, struct buf *head);

/* One being read: the entries of a head, by time. */
struct track_reader {
	struct cursor in; /* bad: the head is damaged */
	uint64_t left;
	int64_t t_ns, gap_ns, len_ns;
	bool begins;
	size_t n_columns;
	int64_t totals[PROFILE_MAX_COLUMNS];
};

/* `head`: what is left behind the stretches covered.  False: there is no track. */
bool track_open(struct track_reader *reader, struct cursor head, int64_t t_ns, size_t n_columns);
/* The next entry is in the reader's fields; false at the end, and where it is bad. */
bool track_next(struct track_reader *reader);

#endif
