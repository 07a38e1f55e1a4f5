/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture as a moving picture: of one that is being made, and of one that is played back.
 *
 * Samples are gathered in short windows, each a list of (thread, stack, state) with its times.  The picture is
 * the sum of a range of windows, one profile with a column per type and state and the threads' markers at its
 * root, and a row per thread with a strip of what it did in each of the last windows.  Moving costs what the
 * windows on the way hold, not what the profile holds, so that a picture is made twice a second beside any
 * target; it stands still until it is moved, while samples go on coming.
 *
 *	timeline = timeline_new(names, tree, &opts);
 *	session_start(..., timeline_events(), timeline, ...);
 *	timeline_cut(timeline); timeline_show(timeline, 0, TIMELINE_END);	twice a second
 *
 * Invariants:
 *   1. Windows adjoin, in the order in which their samples came; the last one is open and never shown.
 *   2. The sum holds windows [from, shown), and with keep_ns what was dropped before them.
 *   3. With keep_ns windows are dropped from the front once they are shown and older (`from` stays 0);
 *	without, all are kept.  Past TIMELINE_MAX_ENTRIES or _WINDOWS neighbours on the same side of the
 *	picture's borders become one: times and stacks stay, the steps of the past get longer.
 *   4. When the tree gets large, threads that ended out of sight become one, and a generation begins.
 * One thread owns a timeline.  Memory: 48 bytes an entry, and the profile (TIMELINE_MAX_NODES).
 */
#ifndef FORMAT_TIMELINE_H
#define FORMAT_TIMELINE_H

#include "format/capture_profile.h"

#define TIMELINE_MAX_ENTRIES (2u << 20)
#define TIMELINE_MAX_WINDOWS (64u << 10)
#define TIMELINE_MAX_NODES (1u << 20)
#define TIMELINE_END INT64_MAX
/* The marker of those that ended when there were too many to keep apart. */
#define TIMELINE_ENDED_NAME "[threads that ended]"

struct timeline_opts {
	int64_t keep_ns;      /* 0: every window, to move back to */
	int64_t window_ns;    /* cut by the times of the samples; 0: by timeline_cut() only */
	bool process_markers; /* a marker frame per process at the root, above those of threads */
	bool gil_only;	      /* only samples that held the GIL */
	int32_t pid;	      /* only this process; 0: all */
};

struct timeline;

/* `names` and `tree` are those of the capture's events, borrowed.  The profile shares the names. */
struct timeline *timeline_new(struct names *names, const struct tree *tree,
			      const struct timeline_opts *opts) nodiscard;
void timeline_free(struct timeline *timeline);

/* For session_start() or capture_reader_new(), with the timeline as ctx. */
const struct capture_events *timeline_events(void);

/* Close the open window, if anything came since it was opened. */
void timeline_cut(struct timeline *timeline);
/*
 * Show every closed window that begins at `from_ns` or later and ends by `until_ns`, since the start.  With
 * keep_ns `from_ns` is 0, and until_ns never less than before.
 */
void timeline_show(struct timeline *timeline, int64_t from_ns, int64_t until_ns);

/* ---- the picture; all of it borrowed until the next move ---- */

/* Columns "wall" and "cpu" in nanoseconds, one per state that was met.  duration_ns: that it covers. */
const struct profile *timeline_profile(const struct timeline *timeline);
/* While it stays the same nodes were only added, and values only grew. */
uint64_t timeline_generation(const struct timeline *timeline);
/* What is shown, and where the last closed window ends. */
void timeline_range(const struct timeline *timeline, int64_t *ret_from_ns, int64_t *ret_until_ns);
int64_t timeline_end_ns(const struct timeline *timeline);

#define TIMELINE_CELL_NONE 0xff /* the thread had not begun, or had ended */

struct timeline_row {
	uint32_t thread; /* capture_thread.id */
	int32_t pid, tid;
	const char *name, *command; /* the thread's, and its process's */
	uint8_t state;		    /* of its last sample */
	bool has_ended;		    /* it has had no sample for a while */
	struct node_id node;	    /* its last stack, in the profile's tree */
	struct frame_id marker;
	int64_t wall_ns, busy_ns, cpu_ns; /* in the last TIMELINE_LATEST_NS */
	/* What it did most of each window, enum thread_state or TIMELINE_CELL_NONE, newest last. */
	const uint8_t *cells;
	size_t n_cells; /* at most as many as were asked for */
};

#define TIMELINE_LATEST_NS 1000000000ll
#define TIMELINE_ENDED_NS 2000000000ll

/*
 * Rows of the threads that were there in the last `n_cells` windows of the picture, by process and thread
 * id; *ret_rows lives in the arena.  A thread whose id is 0 has none: it stands for all that nobody saw.
 */
size_t timeline_rows(const struct timeline *timeline, size_t n_cells, struct arena *arena,
		     struct timeline_row **ret_rows);

/* ---- what the stream said ---- */

/* Header, last statistics, end, numbers of processes and threads, and n_samples; nothing else. */
const struct capture_facts *timeline_facts(const struct timeline *timeline);
uint64_t timeline_samples(const struct timeline *timeline); /* that came so far and were wanted */
/* The process that was defined first, and its Python ("CPython 3.13.1"); 0 and "" before it came. */
int32_t timeline_pid(const struct timeline *timeline);
const char *timeline_command(const struct timeline *timeline);
const char *timeline_runtime(const struct timeline *timeline);

#endif
