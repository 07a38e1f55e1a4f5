/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profile: a tree of stacks and values on it.  The one noun that crosses every border.
 *
 * A profile has columns, one per sample type (and state, where a source tells them apart).  Column
 * c holds a value per node: what was measured while exactly that stack was on top (its *self*
 * value). Totals are never stored, they follow from the tree: profile_totals().  Values are in the
 * column's unit and may be negative only in differences.  Sums saturate instead of wrapping.
 *
 * Names are borrowed, so that many profiles of one service share them (and merging costs no text);
 * the tree and the values are the profile's own.  One thread owns a profile.
 */
#ifndef PROFILE_PROFILE_H
#define PROFILE_PROFILE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "profile/names.h"
#include "profile/spans.h"
#include "profile/tree.h"

#define PROFILE_MAX_COLUMNS 64

/* What a thread was doing when it was sampled.  Unknown is a legal answer. */
enum thread_state {
	STATE_UNKNOWN,
	STATE_RUNNING_GIL, /* on a CPU (or ready for one), holding the GIL */
	STATE_RUNNING,	   /* on a CPU or ready for one, without the GIL */
	STATE_WAITING_GIL, /* asleep until it gets the GIL */
	STATE_WAITING_LOCK,
	STATE_WAITING_IO,
	STATE_SLEEPING, /* asleep for another or an unknown reason */
	STATE_STOPPED,	/* by a signal or a debugger */
	STATE_COUNT,
};

/* "running", "running-gil", "waiting-gil", …; NULL for a name that is none. */
const char *thread_state_name(enum thread_state state);
int thread_state_parse(const char *text, enum thread_state *ret_state) nodiscard;
/*
 * Counts as idle in every "hide idle": asleep, stopped, waiting for a lock, for I/O, or for the GIL
 * (it uses no CPU, and py-spy hides it, too).  What is unknown is never hidden.
 */
bool thread_state_is_idle(enum thread_state state);

struct sample_type {
	struct str_id type;  /* "cpu" */
	struct str_id unit;  /* "nanoseconds" */
	struct str_id state; /* thread_state_name(), or empty: not told apart */
};

struct profile_column {
	struct sample_type type;
	int64_t *values; /* one per node of the tree; grows with it */
	size_t cap;
};

struct profile {
	struct names *names; /* borrowed */
	struct tree tree;
	struct profile_column columns[PROFILE_MAX_COLUMNS];
	size_t n_columns;
	struct str_id period_type, period_unit;
	int64_t period;	     /* 0: unknown */
	int64_t start_ns;    /* real time; 0: unknown */
	int64_t duration_ns; /* time covered, gaps not counted */
	int64_t n_profiles;  /* merged into this one: who fills one from a source says 1 */
	int64_t n_samples;   /* stacks that were counted, 0: unknown (for confidence) */
	struct spans *spans; /* of requests that samples name; NULL: none does.  Its own. */
};

void profile_init(struct profile *profile, struct names *names);
void profile_done(struct profile *profile);

/* Index of the column of that type, made when missing; ERR_LIMIT past PROFILE_MAX_COLUMNS. */
int profile_column(struct profile *profile, const char *type, const char *unit, const char *state);
/* Index of the first column with that type (unit NULL: any; state NULL: any), or -ENOENT. */
int profile_find_column(const struct profile *profile, const char *type, const char *unit,
			const char *state);

void profile_add(struct profile *profile, size_t column, struct node_id node, int64_t value);
/* The value of a node, 0 where none was added. */
static inline int64_t profile_value(const struct profile *profile, size_t column,
				    struct node_id node)
{
	const struct profile_column *from = &profile->columns[column];

	assert(column < profile->n_columns);
	return node.v < from->cap ? from->values[node.v] : 0;
}

/* Sum over all nodes. */
int64_t profile_sum(const struct profile *profile, size_t column);
/* Value of each node with all below it, in the arena, tree.n long: one backward pass. */
int64_t *profile_totals(const struct profile *profile, size_t column, struct arena *arena);

/*
 * Add `from` to `into`: column by type, node by path.  The earlier start stays, durations and
 * counts add up (of profiles of the same time too: value / duration is the mean of one), of two
 * unlike periods the longer one stays.  Works across names (texts are imported) and is cheap when
 * both share them. Associative and commutative up to the numbering of nodes and columns.  ERR_LIMIT
 * when `into` runs out of columns; it is unchanged then.
 */
int profile_merge(struct profile *into, const struct profile *from) nodiscard;

/*
 * ---- transforms ----
 *
 * Each writes into an initialised, empty profile that shares the names, and keeps every sum (focus
 * and filter: of what is kept).  Linear in the nodes, but for invert and callers, which cost as many steps
 * as the new tree could have nodes; lower into->tree.max_nodes where that must be bounded.
 */

enum profile_group {
	GROUP_LINE,	/* as recorded: a frame is a function and a line */
	GROUP_FUNCTION, /* lines of one function become one frame */
	GROUP_FILE,	/* neighbours in one file are one frame; so with modules */
	GROUP_MODULE,	/* binary, package or, for a program's own files, the file's name */
};

void profile_group(const struct profile *from, enum profile_group group, struct profile *into);
/*
 * Each frame becomes frame_of[its id] (as long as names_frame_count(); of frames in the tree only).
 */
void profile_map_frames(const struct profile *from, const uint32_t *frame_of, struct profile *into);
/*
 * Frames outermost first become innermost first (bottom-up view); self values sit at the new
 * leaves.
 */
void profile_invert(const struct profile *from, struct profile *into);
/* Only what lies at or below a frame whose function is `func`, rooted there (recursion once). */
void profile_focus(const struct profile *from, struct func_id func, struct profile *into);
/*
 * Who called `func`: rooted there, below each frame its caller, up to the outermost.  Values are of the time spent in
 * `func` and below (recursion once: from its outermost call on), and sit at the outermost callers.
 */
void profile_callers(const struct profile *from, struct func_id func, struct profile *into);
/* Remove the marker frames at the root (process, thread, task): stacks of all threads merge. */
void profile_drop_markers(const struct profile *from, struct profile *into);
/* Keep the stacks for which keep() says so; it sees the node and may look at its path. */
typedef bool profile_keep_fn(const struct profile *profile, struct node_id node, void *ctx);
void profile_filter(const struct profile *from, profile_keep_fn *keep, void *ctx,
		    struct profile *into);

/*
 * a and b on one tree: for each pair of columns of one type the result has two, a's at 2i and b's
 * at 2i+1 (missing ones are zero).  scale_b multiplies b (ranges of unlike length), 1 for none and
 * exact. Start, duration, period and counts are a's.  `into` shares the names of one of them.
 * ERR_LIMIT when the pairs do not fit; `into` is unchanged then.
 */
int profile_diff(const struct profile *a, const struct profile *b, double scale_b,
		 struct profile *into) nodiscard;

#endif
