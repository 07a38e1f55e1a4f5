/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chrome's trace events as JSON, for ui.perfetto.dev, chrome://tracing and whatever reads py-spy's
 * chrometrace: what each thread did, over time.
 *
 *	trace = chrometrace_new(names, tree, sink, ctx);
 *	chrometrace_sample(trace, &sample);	in time order, also those that are not shown
 *	chrometrace_end(trace, time_ns);
 *
 * Written while samples come: memory grows with threads, not with time.
 *
 *   1. Times never fall (microseconds since the start), whatever the samples say.
 *   2. In each thread B (begin) and E (end) match like brackets, and both carry the name.
 *   3. A stack lasts from the sample that showed it to the thread's next one.  Frames that both have are
 *      one slice; a frame whose line changed is another, as py-spy has it.
 *   4. A thread that is not sampled any more ends CHROMETRACE_MISSED ticks of its process later, or
 *      after CHROMETRACE_SILENT_NS when its process ended with it: nobody says when a thread ends.
 */
#ifndef FORMAT_CHROMETRACE_H
#define FORMAT_CHROMETRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "profile/names.h"
#include "profile/tree.h"

#define CHROMETRACE_MISSED 8 /* more are dropped in a row of one running thread very rarely */
#define CHROMETRACE_SILENT_NS NS_PER_S

struct chrometrace;

/* Takes pieces of the file in order; returns 0 or a negative error, which every call then returns. */
typedef int chrometrace_sink_fn(void *ctx, const void *data, size_t len);

/* Both are borrowed; the tree's frames are those to show. */
struct chrometrace *chrometrace_new(const struct names *names, const struct tree *tree,
				    chrometrace_sink_fn *sink, void *ctx) nodiscard;
void chrometrace_free(struct chrometrace *trace); /* writes nothing */

struct chrometrace_sample {
	int64_t time_ns;
	uint32_t thread;  /* dense numbers, of all processes */
	uint32_t process; /* likewise */
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
