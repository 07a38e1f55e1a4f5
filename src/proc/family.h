/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The family: a process and all that it and its descendants start, and who of them should be read.
 *
 *	fork ──▶ NEW ──settled──▶ judged: known to hold nothing ──▶ OTHER ──exec, new file mapped──▶ NEW
 *	                            │                                 ▲
 *	                            └──▶ READ by a reader ──says: unfit┘   ──ended──▶ forgotten
 *
 *   1. A process that is found is left alone for FAMILY_SETTLE_NS: what a shell starts is mostly over by
 *      then, and one between fork and exec shares its parent's memory.
 *   2. Only a reader can tell whether a process holds what we read, which costs milliseconds.  Its "no" is
 *      remembered for the set of program files that the process has mapped, so that ten thousand shells
 *      cost one reader.  A "no" about a process younger than FAMILY_GROWN_NS may be a "not yet": it
 *      counts only after FAMILY_YOUNG_TRIES, and is asked again of one that has grown.
 *   3. A process that holds nothing is watched: for an exec, and ever more seldom for files that it maps
 *      (an embedded interpreter).
 *   4. A pid is believed only together with its start time, from the first look on.
 *
 * Children are learnt from events (proc/events.h: a fork names its parent, so that daemons which leave
 * their parent are found as well), or from family_walk(), which lists the children of known processes
 * only.  Walking sees a daemon when it has seen its parent alive.
 *
 * Belongs to one thread, opens nothing but /proc, by way of struct family_view.
 */
#ifndef PROC_FAMILY_H
#define PROC_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/process.h"

#define FAMILY_MAX 16384 /* processes at the same time; more are counted and left out */
#define FAMILY_SETTLE_NS (10 * 1000000ll)
#define FAMILY_GROWN_NS (1000 * 1000000ll)
#define FAMILY_YOUNG_TRIES 3
#define FAMILY_WALK_NS (50 * 1000000ll) /* how often to walk where there are no events … */
#define FAMILY_BUSY_WALK_NS                                                                        \
	(10 * 1000000ll) /* … and while there were news within the last second */

/* What the family sees of processes; tests bring their own. */
struct family_view {
	int (*identify)(void *ctx, pid_t pid, struct process_id *ret_id);
	bool (*is_alive)(void *ctx, struct process_id id);
	/* Direct children into pids[cap]; how many were stored, or negative. */
	int (*children)(void *ctx, pid_t pid, pid_t *pids, size_t cap);
	/* A number that is the same while the process runs the same program file. */
	uint64_t (*program)(void *ctx, pid_t pid);
	/* One that is the same for processes that have mapped the same program files; 0: unknown. */
	uint64_t (*signature)(void *ctx, pid_t pid);
};

const struct family_view *family_live_view(void);

/* What a reader said when it left a process. */
enum family_verdict {
	FAMILY_DONE,	/* it has ended, or need not be read any more */
	FAMILY_UNFIT,	/* holds nothing that we read */
	FAMILY_CHANGED, /* became another program, or is starting still: look again */
};

struct family;

/* `view` is borrowed.  `is_new`: the root has just been made, and is about to exec. */
struct family *family_new(struct process_id root, bool is_new, const struct family_view *view,
			  void *view_ctx, int64_t now_ns) nodiscard;
void family_free(struct family *family);

/* News, as events tell them; of strangers they are ignored. */
void family_forked(struct family *family, pid_t parent, pid_t child, int64_t now_ns);
void family_execed(struct family *family, pid_t pid, int64_t now_ns);
void family_ended(struct family *family, pid_t pid);

/*
 * List the children of all: first of all, after lost events, and regularly where there are none.  Returns
 * when to walk again in that case.
 */
int64_t family_walk(struct family *family, int64_t now_ns);

/* A process that shall get a reader now; false: none.  It is the caller's until family_left(). */
bool family_next(struct family *family, int64_t now_ns, struct process_id *ret_process);
/* No reader can be had at present: it comes again after a second, and counts as left out. */
void family_put_off(struct family *family, struct process_id process, int64_t now_ns);
void family_left(struct family *family, struct process_id process, enum family_verdict verdict,
		 int64_t now_ns);

/* When family_next() has something to do, if there are no news before. */
int64_t family_due_ns(const struct family *family);

/*
 * The root has ended, and nobody is read or may still turn out to be one to read.  With `is_once`: all
 * that are there have been judged.
 */
bool family_is_over(const struct family *family, bool is_once, int64_t now_ns);

struct family_facts {
	uint32_t found;	   /* processes so far, the root among them */
	uint32_t left_out; /* beyond FAMILY_MAX, or put off at least once */
};
void family_facts(const struct family *family, struct family_facts *ret_facts);

#endif
