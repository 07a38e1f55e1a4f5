/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chrome's trace events as JSON, for ui.perfetto.dev, chrome://tracing and whatever reads py-spy's
 * chrometrace: what each thread did, over time.
 *
 *	trace = chrometrace_new(names, tree, sink, ctx);
 *	chrometrace_sample(trace, &sample);	in the order of the stream, also those that are not shown
 *	chrometrace_end(trace, time_ns);
 *
 * Written while samples come: memory grows with threads and with what happens in about a second, not with
 * the length of the recording.
 *
 *   1. Times never fall (microseconds since the start), whatever the samples say.
 *   2. In each thread B (begin) and E (end) match like brackets, and both carry the name.
 *   3. A stack lasts from the tick that showed it to the thread's next one.  Frames that both have are one
 *      slice; a frame whose line changed is another, as py-spy has it.
 *   4. A sample that stands for several ticks (capture_sample.repeats) comes after the last of them and tells
 *      of the first; threads that end say nothing, and are silent.  So what happened is held back until
 *      nobody can tell of an earlier time: silence is CHROMETRACE_SILENT_NS, or CHROMETRACE_SILENT_TICKS
 *      where ticks are rare, and a thread that was silent for so long ended a tick after its last sample.
 */
#ifndef FORMAT_CHROMETRACE_H
#define FORMAT_CHROMETRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "profile/names.h"
#include "profile/tree.h"

#define CHROMETRACE_SILENT_NS (600 * NS_PER_MS) /* sleepers are heard of every 300 ms */
#define CHROMETRACE_SILENT_TICKS 8
#define CHROMETRACE_MAX_HELD (1u << 20) /* changes held back; the oldest go first */

struct chrometrace;

/* Takes pieces of the file in order; returns 0 or a negative error, which every call then returns. */
typedef int chrometrace_sink_fn(void *ctx, const void *data, size_t len);

/* Both are borrowed; the tree's frames are those to show. */
struct chrometrace *chrometrace_new(const struct names *names, const struct tree *tree,
				    chrometrace_sink_fn *sink, void *ctx) nodiscard;
void chrometrace_free(struct chrometrace *trace); /* writes nothing */

struct chrometrace_sample {
	int64_t time_ns;   /* of the last tick it stands for */
	int64_t wall_ns;   /* since the thread's sample before it */
	int64_t period_ns; /* of the recording's ticks */
	uint32_t repeats;  /* ticks beside the last */
	uint32_t thread;   /* dense numbers, of all processes */
	int32_t pid, tid;
	/* Texts that live as long as the trace; another pointer is another name. */
	const char *process_name, *thread_name;
	bool is_shown; /* false: the thread shows nothing from now on (it waits, say) */
	struct node_id node;
};

int chrometrace_sample(struct chrometrace *trace,
		       const struct chrometrace_sample *sample) nodiscard;
/* Ends what is open, and the file. */
int chrometrace_end(struct chrometrace *trace, int64_t time_ns) nodiscard;

#endif
