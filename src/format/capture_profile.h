/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a capture to profiles: the fold that record, convert and the agent share.
 *
 * A fold takes the events of a capture reader and adds the samples that pass its filter to a
 * profile with three columns (each once per thread state with `split_states`):
 *
 *	wall / nanoseconds	real time
 *	cpu / nanoseconds	CPU time that the scheduler charged
 *	samples / count		entries: one per sample
 *
 *	fold = capture_fold_new(names, tree, &opts);
 *	reader = capture_reader_new(names, tree, capture_fold_events(), fold);
 *	capture_feed(reader, ...);
 *	output.profile = capture_fold_profile(fold);
 *	output.timed = capture_fold_timed(fold);
 *
 * Sums are exact: what the filter lets through adds up to the nanosecond.  A sample costs one
 * look-up of (thread, node).  One thread owns a fold.
 */
#ifndef FORMAT_CAPTURE_PROFILE_H
#define FORMAT_CAPTURE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "format/capture.h"
#include "format/format.h"

struct capture_filter {
	const char *thread; /* a thread's name or its decimal id; NULL: every thread */
	int32_t pid;	    /* 0: every process */
	int64_t from_ns;    /* since the start; samples of [from, until) */
	int64_t until_ns;   /* 0: to the end */
	bool hide_idle;	    /* leave out samples that are idle, see thread_state_is_idle() */
	bool keep_charged;  /* … but not those that carry CPU time, so that its sum is whole */
	bool gil_only;	    /* only samples that held the GIL */
};

/* A sample as it is folded, for what is written while samples come. */
struct capture_fold_sample {
	const struct capture_sample *sample; /* its node is of the reader's tree */
	const struct timed_thread *who;	     /* the thread, with its name for now */
	const char *command; /* of its process; both texts live as long as the names */
	bool is_wanted;	     /* it passed the filter: */
	struct node_id node; /* where it stands in the profile's tree */
};

/* All-zero: everything, merged over threads, by line. */
struct capture_fold_opts {
	struct capture_filter filter; /* `thread` is borrowed for the life of the fold */
	bool process_markers;	      /* a marker frame per process at the root */
	bool ancestor_markers;	      /* with process_markers: below those of its ancestors */
	bool thread_markers;	      /* a marker frame per thread at the root */
	bool by_function;	      /* frames lose their lines */
	bool first_lines;	      /* with by_function: frames have the function's first line */
	bool columns;		      /* frames keep their columns; without, a line is one frame */
	bool split_states;	      /* a column per state */
	bool keep_timed;	      /* keep every sample in time order: 40 bytes each */
	/* How many leading bytes of a file's name to leave out; NULL: none. */
	size_t (*file_cut)(const char *file);
	/* Called for every sample of the time range, in order; what it returns < 0 ends the reading. */
	int (*on_sample)(void *ctx, const struct capture_fold_sample *sample);
	void *on_sample_ctx;
};

struct capture_fold;

/* `names` and `tree` are the reader's, borrowed.  The profile shares the names. */
struct capture_fold *capture_fold_new(struct names *names, const struct tree *tree,
				      const struct capture_fold_opts *opts) nodiscard;
void capture_fold_free(struct capture_fold *fold);

/* For capture_reader_new(), with the fold as ctx. */
const struct capture_events *capture_fold_events(void);

/* What was folded so far; borrowed, changes with the next event. */
const struct profile *capture_fold_profile(const struct capture_fold *fold);
/* NULL without keep_timed. */
const struct timed *capture_fold_timed(struct capture_fold *fold);
/* Index of a column of the profile; with split_states the first of that type. */
enum capture_column { CAPTURE_WALL, CAPTURE_CPU, CAPTURE_SAMPLES };
size_t capture_fold_column(const struct capture_fold *fold, enum capture_column column);

/* What the capture said about itself; texts live as long as the fold. */
struct capture_facts {
	bool has_header, has_end;
	struct capture_header header;
	struct capture_stats stats; /* the last */
	struct capture_end end;
	uint32_t n_processes, n_threads;
	uint64_t n_samples;   /* in the capture */
	uint64_t n_kept;      /* that passed the filter */
	int64_t last_time_ns; /* of any sample, statistics or end */
};
const struct capture_facts *capture_fold_facts(const struct capture_fold *fold);

/*
 * Where a sample's stack stands in a tree: markers and frames as `opts` asks for.  The agent has a
 * tree per window; `memo` (all-zero at the start, map64_done() at the end) belongs to that tree.
 */
struct node_id capture_fold_node(struct capture_fold *fold, uint32_t thread, struct node_id node,
				 struct tree *into, struct map64 *memo);

#endif
