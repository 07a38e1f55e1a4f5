/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the timeline share: windows and threads (timeline.h has the invariants). */
#ifndef FORMAT_TIMELINE_PRIVATE_H
#define FORMAT_TIMELINE_PRIVATE_H

#include "base/map.h"
#include "format/timeline.h"

/* What one thread spent in one stack and state. */
struct entry {
	uint32_t thread; /* capture id */
	uint32_t node;	 /* of the picture's tree */
	uint8_t state;
	bool is_last; /* of its thread in this window */
	int64_t wall_ns, cpu_ns;
	int64_t n_samples;
};

struct window {
	int64_t from_ns, until_ns;
	struct entry *entries;
	size_t n, cap;
};

struct timeline_thread {
	const char *name; /* NULL: not defined */
	uint32_t process;
	int32_t tid;
	struct frame_id marker;
	/* The entry of the open window that was added to last, + 1; 0: none. */
	uint32_t last_entry;
};

struct timeline_process {
	int32_t pid;
	const char *command; /* NULL: not defined */
};

enum timeline_type { TIMELINE_WALL, TIMELINE_CPU, TIMELINE_TYPES };

struct timeline {
	struct timeline_opts opts;
	struct names *names;
	struct capture_fold *fold; /* knows processes and threads; gets no samples */
	struct timeline_thread *threads;
	struct timeline_process *processes;
	size_t threads_cap, n_threads, processes_cap;
	uint32_t first_process; /* 0: none yet */
	const char *runtime;

	struct map64 nodes;	  /* (thread, capture's node) -> the picture's */
	struct map64 open_places; /* (thread, node, state) -> place in the open window */
	struct window *windows;	  /* the last is open; at least one */
	size_t n_windows, windows_cap, n_entries;
	size_t from, shown; /* invariant 2 */
	int64_t last_ns;    /* of anything that came */
	uint64_t n_samples;

	struct profile profile;
	int16_t columns[TIMELINE_TYPES][STATE_COUNT]; /* index + 1 */
	uint64_t generation;
	uint32_t crowded_nodes; /* of the tree: then threads that ended become one */
};

/* Of times that come from a capture: saturates. */
static inline int64_t timeline_sum(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* Merge neighbours while there are more windows or entries than may be (timeline_compact.c). */
void timeline_compact(struct timeline *timeline);
/* Invariant 4; between moves only. */
void timeline_forget_ended(struct timeline *timeline);

#endif
