/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes as /proc shows them: who they are, whether they still are, their threads and children.
 *
 * A pid alone names nobody: it is reused.  A process is its pid and the time it started, so what
 * was learned about one is never told of another (process_is_alive() checks both).  Everything here
 * is read from /proc with limits, may be from a hostile process (a comm holds any bytes), and goes
 * stale at once; nothing is cached.  Any thread may call these.
 *
 * Thread ids: "tid" is what our own namespace calls a thread and what every function here takes;
 * "ns_tid" is what the thread calls itself in the innermost pid namespace, and what a runtime in a
 * container stores in its memory.
 */
#ifndef PROC_PROCESS_H
#define PROC_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define PROCESS_MAX_THREADS 32768 /* of one process; more are left out */
#define PROCESS_MAX_CHILDREN 32768
#define PROCESS_COMM_MAX 64 /* "kworker/u8:3+events_unbound" is the longest kind */

struct process_id {
	pid_t pid;
	uint64_t start_ticks; /* since boot, field 22 of /proc/PID/stat */
};

/* Fails with -ESRCH when there is no such process (a zombie still is one). */
int process_identify(pid_t pid, struct process_id *ret_id, struct err *err) nodiscard;

/* Still there, the same one, and not a zombie? */
bool process_is_alive(struct process_id id) nodiscard;

/* One look at /proc/PID/stat and status. */
struct process {
	struct process_id id;
	pid_t parent;
	pid_t ns_pid; /* what it calls itself */
	pid_t tracer; /* who traces its main thread; 0: nobody */
	uid_t uid;    /* real */
	gid_t gid;
	uint32_t threads;
	char state;		     /* R S D T t Z X I */
	bool is_kernel;		     /* a kernel thread: no memory of its own */
	char comm[PROCESS_COMM_MAX]; /* printable UTF-8 */
};

int process_load(pid_t pid, struct process *ret_process, struct err *err) nodiscard;

/* Path of the executable as the target sees it, printable, without " (deleted)".  Returns its
 * bytes. */
int process_exe(pid_t pid, char *dst, size_t cap, struct err *err) nodiscard;

/*
 * What to call the process: base name of its executable and, for an interpreter, the script or
 * module
 * ("python3 app.py", "python3 -m gunicorn").  All other arguments are left out: they hold secrets.
 * Printable UTF-8.  Falls back to "[comm]" when there is no command line.
 */
void process_command(pid_t pid, char *dst, size_t cap);

/*
 * CPU time that all its threads used, those that ended too, in nanoseconds.  What runs right now is
 * counted up to the last scheduler tick.  -ESRCH when it ended.
 */
int process_cpu(pid_t pid, int64_t *ret_ns) nodiscard;

struct process_thread {
	pid_t tid;
	pid_t ns_tid; /* 0: not known (see process_threads_ns) */
};

/* A growing list, reused from one call to the next. */
struct process_threads {
	struct process_thread *items; /* rising by tid */
	size_t n, cap;
};

void process_threads_done(struct process_threads *threads); /* all-zero is an empty list: no init */

/* How many threads it has: cheaper than to list them.  -ESRCH when the process ended. */
int process_thread_count(pid_t pid) nodiscard;

/*
 * List the threads of a process.  ns_tid of threads that were in the list before is kept; of new
 * ones it is read when `with_ns` (one more file per thread, 15 us).  -ESRCH when the process ended.
 */
int process_threads_read(struct process_threads *threads, pid_t pid, bool with_ns,
			 struct err *err) nodiscard;
/* tid of the thread that calls itself `ns_tid`, or 0. */
pid_t process_threads_find_ns(const struct process_threads *threads, pid_t ns_tid) nodiscard;
bool process_threads_has(const struct process_threads *threads, pid_t tid) nodiscard;

/* Do we and `pid` see the same pid namespace?  Then ns_tid equals tid and need not be read. */
bool process_shares_pid_namespace(pid_t pid) nodiscard;

/*
 * Direct children of `pid`, into pids[cap]; returns how many there are (at most cap are stored).
 * Children of all its threads count.
 */
int process_children(pid_t pid, pid_t *pids, size_t cap, struct err *err) nodiscard;

/* Who traces this thread: a pid of our namespace, 0 for nobody (or the thread is gone). */
pid_t process_tracer(pid_t tid) nodiscard;

#endif
