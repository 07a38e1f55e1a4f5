/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all queries share: which series match, which blocks cover a range, and reading them.
 *
 *	query_begin	series of the tenants that match the selector, and their columns
 *	query_scan	for some of them (all, or a group): every block that a series of steps needs,
 *			each once, from the coarsest levels that are clean and fit
 *	query_end
 *
 * A plan looks at the dirty windows under the store's lock and reads after that: a window that becomes
 * dirty meanwhile is read as it was, one that becomes clean is read from below.  Either is an answer
 * that was right while the query ran (invariant 6).
 */
#ifndef STORE_SQLITE_QUERY_H
#define STORE_SQLITE_QUERY_H

#include "store/sqlite/store_private.h"

struct query {
	struct sqlite_store *store;
	const struct store_query *ask;
	struct tenant *tenants[STORE_MAX_TENANTS]; /* of those asked for, the known ones */
	size_t n_tenants;
	struct series **series; /* those that match, by text */
	size_t n_series, series_cap;
	uint32_t columns[PROFILE_MAX_COLUMNS];	   /* of the selector's type, over all series */
	struct column *kinds[PROFILE_MAX_COLUMNS]; /* what they are */
	size_t n_columns;
	int64_t period;		    /* of the first */
	const struct series *first; /* whose type of value names the answer's */
	struct column *column;	    /* the first of `columns` */
	bool is_gauge;
	struct block_room room;
	struct cover missing;
	uint32_t n_blocks;
	uint64_t looks; /* rows since the last look at clock and cancel */
};

/*
 * `of_one_type`: refuse a selector that matches values of more than one type.  A tenant that is not
 * known is a query without series.
 */
int query_begin(struct query *query, struct sqlite_store *store, const struct store_query *ask,
		bool of_one_type, struct err *err) nodiscard;
void query_end(struct query *query);
bool query_has_tenant(const struct query *query, const struct tenant *tenant);
/* "name:type:unit:period_type:period_unit" of a series and column, in the arena. */
char *query_profile_type(const struct series *series, const struct column *column,
			 struct arena *arena);
/* Does the selector's __profile_type__ (if it has any) match? */
/* What a column of a block is, or NULL when the query does not ask for it. */
struct column *query_kind(const struct query *query, uint32_t column);
bool query_type_matches(const struct store_query *ask, const char *profile_type);

/* A stretch of one owner to be read at one level; windows are whole unless `is_cut`. */
struct piece {
	uint32_t owner;
	int level;
	bool is_cut; /* blocks are divided at the ends: finest level, or finer ones expired */
	int64_t from_ns, until_ns;
};

struct plan {
	struct piece *pieces;
	size_t n, cap;
};

void plan_done(struct plan *plan);
/*
 * The pieces of a family (its members, or itself where is_rolled allows) for [from, until), appended.
 * `max_level`: none coarser.  The store's lock is held.
 */
void plan_family(struct plan *plan, const struct sqlite_store *store, const struct family *family,
		 struct series *const *members, size_t n_members, int max_level,
		 struct store_range range);

/* A block on its way to the answer. */
struct scanned {
	struct block block; /* head; nodes and values after query_read_data() */
	struct file_row *row;
	struct store_range range; /* what of time it may speak for: the piece, cut to the block */
	const struct piece *piece;
	const struct cover *cover; /* its stretches covered within `range` */
};

typedef int scan_fn(struct query *query, struct scanned *scanned, void *ctx);

struct steps {
	int64_t from_ns, step_ns; /* step i: [from + i * step, from + (i + 1) * step) */
	size_t n;
	int64_t until_ns; /* the last may be short */
	int max_level;
};

int query_scan(struct query *query, struct series *const *members, size_t n_members,
	       const struct steps *steps, scan_fn *visit, void *ctx, struct err *err) nodiscard;
int query_read_data(struct query *query, struct scanned *scanned) nodiscard;
/* -ETIME, -ECANCELED; looks only now and then. */
int query_check_deadline(struct query *query, struct err *err) nodiscard;
/* A block is damaged: its time is missing from the answer. */
void query_note_missing(struct query *query, struct store_range range);

#endif
