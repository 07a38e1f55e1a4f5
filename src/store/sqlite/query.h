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
/* What a column of a block is, or NULL when the query does not ask for it. */
struct column *query_kind(const struct query *query, uint32_t column);
/* Does the selector's __profile_type__ (if it has any) match? */
bool query_type_matches(const struct store_query *ask, const char *profile_type);

/*
 * The steps of a question: step i is [from + i * step, from + (i + 1) * step), and the last may be short.  A
 * flame graph is one step.
 */
struct steps {
	int64_t from_ns, step_ns;
	size_t n;
	struct store_range range; /* what of them is read */
	int max_level;
	bool needs_totals; /* and no stacks: windows that do not lie in one step are read by their tracks */
};

static inline int64_t step_at(const struct steps *steps, int64_t at_ns)
{
	return (at_ns - steps->from_ns) / steps->step_ns;
}

/* How the blocks of a piece speak for its time. */
enum piece_part {
	PIECE_WHOLE, /* windows that lie in one step each */
	PIECE_TRACK, /* windows by the profiles in them: their tracks (track.h) */
	PIECE_CUT,   /* divided at its ends: the finest level, or finer ones expired */
};

/* A stretch of one owner to be read at one level. */
struct piece {
	uint32_t owner;
	int level;
	enum piece_part part;
	int64_t from_ns, until_ns;
	int64_t longest_ns; /* no block of it is longer */
	const struct tenant *tenant;
	uint32_t line; /* of a timeline that it is part of */
	int64_t dict;  /* only its blocks; 0: all */
};

struct plan {
	struct piece *pieces;
	size_t n, cap;
	uint32_t line; /* of the pieces that are added now */
	int64_t dict;
};

void plan_done(struct plan *plan);
void plan_join(struct plan *plan, struct plan *other); /* its pieces as well; frees the other's */
/* Append what some series (members of one family lie together) need for the steps. */
void plan_series(struct plan *plan, struct sqlite_store *store, struct series *const *members,
		 size_t n_members, const struct steps *steps);
/* Of one family (its members, or itself where is_rolled allows).  The store's lock is held. */
void plan_family(struct plan *plan, const struct sqlite_store *store, const struct steps *steps,
		 struct series *const *members, size_t n_members, struct store_range range);

/* A block on its way to the answer. */
struct scanned {
	struct block block; /* head; nodes and values after query_read_data() */
	struct file_row *row;
	struct store_range range; /* what of time it may speak for: the piece, cut to the block */
	const struct piece *piece;
	const struct cover *cover; /* its stretches covered within `range` */
};

/* Below 0: the query is given up; 1: it has what it wants; ERR_CORRUPT: the block is damaged. */
typedef int scan_fn(struct query *query, struct scanned *scanned, void *ctx);

/*
 * Who takes the blocks.  With `fork` a long plan may be read by several threads, each of which visits with a context
 * and a query of its own; the blocks of an owner may come to any of them.  A visit that says 1 has no `fork`.
 * With `wants_heads` no data can be read, and none is fetched.
 */
struct scan_sink {
	scan_fn *visit;
	void *ctx;
	void *(*fork)(const void *ctx); /* as empty as ctx was at first; NULL: not this time */
	void (*join)(void *ctx, void *forked); /* adds what it has, and frees it */
	bool wants_heads;
};

/* Each block of a plan, which is sorted, a file after the other; of one owner in a file by time. */
int query_scan_plan(struct query *query, struct plan *plan, const struct scan_sink *sink,
		    struct err *err) nodiscard;
/* Each block that series need for the steps, once. */
int query_scan(struct query *query, struct series *const *members, size_t n_members,
	       const struct steps *steps, const struct scan_sink *sink, struct err *err) nodiscard;
int query_read_data(struct query *query, struct scanned *scanned) nodiscard;
/* -ETIME, -ECANCELED; looks only now and then. */
int query_check_deadline(struct query *query, struct err *err) nodiscard;
/* Of an owner of blocks; NULL: a family's, or it was dropped meanwhile.  The store's lock is not held. */
const struct series *query_series_of(const struct query *query, uint32_t owner);
/* A block is damaged: its time is missing from the answer. */
void query_note_missing(struct query *query, struct store_range range);

#endif
