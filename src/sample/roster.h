/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is known in a recording: one number for each process and thread, whichever stream speaks of it.
 *
 * A process is its pid and start, a thread its process, thread id and Python's ident.  Numbers count from
 * 1 and are never given out again.  Everything comes from streams that may lie: they can mix up their
 * own processes, and cost no more than the limits of a capture.
 */
#ifndef SAMPLE_ROSTER_H
#define SAMPLE_ROSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"
#include "format/capture.h"

struct known_process {
	bool is_read; /* not only named as an ancestor */
	int32_t pid;
	int64_t start_ticks;
};

struct known_thread {
	uint32_t process;
	int32_t tid;
	uint64_t ident;
	uint32_t stream; /* number of the one that defined it last */
	uint32_t older;	 /* thread with the same process and tid; 0: none */
};

struct roster {
	struct known_process *processes; /* id - 1 */
	size_t n_processes, processes_cap;
	uint32_t n_read;
	struct known_thread *threads; /* id - 1 */
	size_t n_threads, threads_cap;
	struct map64 process_index; /* pid and start -> id */
	struct map64 thread_index;  /* process id and tid -> id of the newest */
};

void roster_done(struct roster *roster); /* all-zero is an empty one */

/*
 * The number of a process into *ret_id; 1 when it tells something new, 0 when it only names an ancestor
 * that is known already, ERR_LIMIT when there are too many.
 */
int roster_process(struct roster *roster, const struct capture_process *process,
		   uint32_t *ret_id) nodiscard;

/*
 * The number of a thread of process `process` that stream number `stream` defines for the first time.  It
 * is a known one only if another stream defined that.
 */
int roster_thread(struct roster *roster, uint32_t process, const struct capture_thread *thread,
		  uint32_t stream, uint32_t *ret_id) nodiscard;

#endif
