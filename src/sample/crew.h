/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crew: every thread of the target, what is known of it, and its books.
 *
 * A member is a kernel thread.  Python's thread states are bound to members by thread id; a member
 * without one is native (or Python has not told its id yet).  What a sleeping member did last still
 * holds as long as the kernel did not run it: the number of its time slices proves that, with one
 * cheap read, and seldom when it sleeps for long.  That is why idle threads cost next to nothing.
 *
 * Belongs to the reader's one thread.
 */
#ifndef SAMPLE_CREW_H
#define SAMPLE_CREW_H

#include <stdbool.h>
#include <stdint.h>

#include "proc/process.h"
#include "proc/thread.h"
#include "profile/profile.h"
#include "python/python.h"
#include "sample/account.h"
#include "sample/target.h"

/*
 * Asleep for T: looked at again after T/8, so at most 1/8 is misjudged, and never after more than 100 ms.  Without
 * Python only CPU time is at stake, and where it sleeps.
 */
#define CREW_PROBE_SHARE 8
#define CREW_PROBE_MAX_NS (100 * 1000000ll)
#define CREW_PROBE_NATIVE_TIMES 2 /* T, not a share of it */
#define CREW_PROBE_NATIVE_NS (4000 * 1000000ll)
/* Listing opens each thread's account: 150 of them every second cost 4 % of a recording at 100 Hz. */
#define CREW_LIST_GAP_NS (1000 * 1000000ll)
#define CREW_LIST_GAP_THREAD_NS (20 * 1000000ll) /* for each */

/*
 * Ticks at which a member slept on, not in the stream yet: they make one sample (capture_sample.repeats), so
 * that sleeping threads cost next to nothing there, too.
 */
struct rest {
	uint32_t n_ticks;
	int64_t until_ns; /* the last of them */
	struct node_id node;
	uint8_t state, flags;
};

/* Where a paused thread stood. */
struct member_stop {
	bool is_known;
	uint64_t pc;
	int64_t call; /* the system call it had just finished, -1: none */
};

/* How this tick knows a member's stack. */
enum member_news {
	MEMBER_UNKNOWN, /* not looked at yet in this tick */
	MEMBER_SAME,	/* has not run since its last true stack */
	MEMBER_PROVEN,	/* read unpaused, equal twice */
	MEMBER_PAUSED,	/* read while it stood still */
	MEMBER_HELD,	/* the same, but for its codes, which the next reading proves or not */
	MEMBER_LOST,	/* could not be read truly: its time goes to its next sample */
};

struct node_path {
	struct node_id *nodes; /* outermost first */
	size_t n, cap;
};

/* A sample that is not proven yet. */
struct held {
	int64_t now_ns;
	struct node_id node;
	uint8_t state, flags;
};

struct member {
	struct thread files;
	pid_t tid, ns_tid;
	uint32_t id;	 /* capture_thread.id */
	bool is_defined; /* in the stream */
	uint64_t ident;	 /* Python's, 0: none */
	uint32_t python; /* index in the last look, PYTHON_NO_THREAD: none */
	raddr_t tstate;	 /* that thread's */
	struct str_id name;
	struct account account;
	struct thread_cpu cpu;	   /* last reading */
	struct thread_view view;   /* what it did when it was looked at last */
	int64_t asleep_since_ns;   /* 0: it runs, or is not known to sleep */
	int64_t probe_at_ns;	   /* asleep: not before this */
	int64_t restless_until_ns; /* woke up while it was read: paused whenever it runs until then */
	struct rest rest;
	struct held held[PYTHON_MAX_HELD];
	uint8_t n_held;
	struct node_path path; /* of `node`, where it has_stack */
	struct node_id node;   /* last true stack */
	struct node_id
		kernel_node;	 /* `node` with the kernel's frames below it; root: none wanted */
	struct member_stop stop; /* of this tick's pause */
	struct node_id ran_node; /* last one that it was seen running with; root: never */
	int64_t paid_ns;	 /* when CPU time was last given to it; 0: never */
	bool has_node;
	bool has_stack;	 /* node is of the last python_stack(), not the native marker's */
	bool was_there;	 /* when it was listed first: it has its name, if it is of C */
	uint8_t n_asked; /* how often for its name */
	bool is_listed;	 /* while the list of threads is compared */
	bool was_stepped;
	bool is_recovered; /* SAMPLE_RECOVERED */
	uint8_t n_unfinished; /* native stacks in a row that may be more next time; 0: the last was all there is */
	uint8_t fault;		  /* enum python_fault that its last sample was dropped for */
	uint8_t n_faults;	  /* such samples in a row */
	int64_t avoided_until_ns; /* not read before this: it cost much and gave nothing */
	bool has_gil;
	bool runs_python; /* python_thread.runs_python: to be paused */
	uint8_t state;	  /* enum thread_state */
	uint8_t news;	  /* enum member_news, of this tick */
};

/* What is shown of it. */
static inline struct node_id member_node(const struct member *member)
{
	return member->kernel_node.v ? member->kernel_node : member->node;
}

/* A thread that ended, until its last CPU time has been given to it. */
struct departed {
	uint32_t id;
	bool is_defined;
	struct node_id node;
	uint8_t state;
	struct rest rest;
	struct account account;
};

struct crew {
	struct process_id process;
	pid_t pid;
	bool has_own_pids;
	bool has_unbound; /* Python has threads whose thread id is not known (yet) */
	bool is_contested; /* a thread runs in several interpreters: in which one, changes any time */
	struct member *members; /* rising by tid */
	size_t n, cap;
	uint32_t next_id;
	struct process_threads list;
	int64_t listed_ns;
	uint32_t *of_python; /* index of a look -> index of a member, UINT32_MAX */
	size_t of_python_cap;
	struct departed *departed; /* since crew_forget_departed() */
	size_t n_departed, departed_cap;
	bool has_list; /* the first has been read */
};

/* Members are numbered from `first_id` on. */
void crew_init(struct crew *crew, const struct target *target, uint32_t first_id);
void crew_done(struct crew *crew);

/*
 * List the threads again: new ones join (with accounts that begin now for the first list, and at 0 CPU
 * later, since all they used was used while we watched), ended ones move to `departed`.  All bindings
 * are undone.  `wall_from_ns` is where new members' wall time begins.  -ESRCH when the process ended.
 */
int crew_list(struct crew *crew, int64_t wall_from_ns, struct err *err) nodiscard;
/*
 * The same where the number of threads has changed, or the last list is CREW_LIST_GAP_NS old, and longer by the number
 * of threads: a thread of C that takes the place of another is noticed within that.  Those of Python show in its own list.
 */
int crew_refresh(struct crew *crew, int64_t now_ns, int64_t wall_from_ns,
		 struct err *err) nodiscard;

/*
 * Bind members to the threads of a look: after crew_list(), or when the look's list changed.  A kernel thread has a
 * Python thread in every interpreter that it ever ran in, and a fork leaves some of threads that are no more: bound
 * is the one that holds the GIL, else one that is not left over, else one with frames, else the newest.
 */
void crew_bind(struct crew *crew, const struct python_look *look);
/* Does some thread of the look have an id that no member has?  Then list again. */
bool crew_misses(const struct crew *crew, const struct python_look *look);

/* The member of a look's thread, or NULL. */
struct member *crew_of_python(struct crew *crew, uint32_t index);

/*
 * CPU time that living members were charged beyond their accounts.  Those that sleep are asked only when
 * `is_exact`; else it may be too little, by what they used since they were asked last.
 */
int64_t crew_owed(struct crew *crew, bool is_exact);

void crew_forget_departed(struct crew *crew);

#endif
