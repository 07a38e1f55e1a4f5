/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the crew to the capture stream: samples with their weights, thread definitions, and the CPU time
 * that ended threads left behind.
 *
 * Every member gets a sample per tick, so that formats that count entries see one per tick; what a member
 * slept through is one sample that stands for several.  A LOST member gets none; its time goes to its next.
 */
#ifndef SAMPLE_STREAM_H
#define SAMPLE_STREAM_H

#include "format/capture.h"
#include "sample/crew.h"
#include "sample/locals.h"

/* Name of the thread that stands for all that came and went between two ticks. */
#define STREAM_UNSEEN_NAME "[threads that ended between samples]"

struct stream {
	struct capture_writer *writer; /* borrowed, as all pointers */
	struct names *names;
	struct crew *crew;
	struct python *python;
	const struct locals *locals; /* NULL: none */
	struct capture_stats *stats;
	struct ledger ledger;
	int64_t begun_ns;    /* t = 0 */
	int64_t spacing_ns;  /* mean time between ticks; 0: samples carry all that is owed */
	uint32_t process_id; /* capture_process.id */
	uint32_t unseen_id;  /* capture_thread.id of STREAM_UNSEEN_NAME; 0: not needed so far */
	struct node_id unseen_node;
};

enum {
	STREAM_LATE = 1,    /* the tick came late */
	STREAM_STOPPED = 2, /* the target was stopped by its user */
};

/* Begin the books: after the first crew_list(). */
void stream_begin(struct stream *stream);

/*
 * Define members that have no name yet; with is_fresh ask Python for all names again, and define those
 * again that changed.
 */
int stream_threads(struct stream *stream, bool is_fresh) nodiscard;

/* One sample per member that has a true stack at `now_ns`.  New members are defined first. */
int stream_samples(struct stream *stream, int64_t now_ns, unsigned flags) nodiscard;

/* `n_ticks` more that all slept through who did at the last one; the last was due at `until_ns`. */
void stream_slept(struct stream *stream, uint32_t n_ticks, int64_t until_ns);

/* Write what members sleep through so far: some times a second, and at the end. */
int stream_rests(struct stream *stream) nodiscard;

/*
 * CPU time of members that were charged for it but not met running for `wait_ns`: to the stack that they
 * ran with last, or to the one they have.
 */
int stream_settle(struct stream *stream, int64_t now_ns, int64_t wait_ns) nodiscard;

/*
 * The CPU time of threads that ended since the last call: to the stacks they were last seen with, by
 * how long nobody had looked at them; to the unseen when no thread that we knew has ended.
 */
int stream_departed(struct stream *stream, int64_t now_ns) nodiscard;

/*
 * The process has ended: everything that its total holds beyond what was given goes to the members that
 * were there last.  `total_ns` < 0: not known any more, and then nothing is given.
 */
int stream_last(struct stream *stream, int64_t now_ns, int64_t total_ns) nodiscard;

#endif
