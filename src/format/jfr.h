/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JFR: recordings of the JDK's Flight Recorder (from Java 11 on) and of async-profiler, which is what
 * Pyroscope's Java agent sends.
 *
 * A file is a row of chunks.  A chunk has events, checkpoints with constants, and metadata that say how both
 * are laid out:
 *
 *	header ─▶ metadata: types and their fields, by name
 *	          checkpoints: stack trace ─▶ frames ─▶ method ─▶ class ─▶ symbol
 *	          events: jdk.ExecutionSample{stackTrace, state, contextId …}, …
 *
 * Event types and fields are found by name, never by number or place.  What events become (jfr_kind):
 *
 *	jdk.ExecutionSample			process_cpu, unless the thread sleeps; wall too when event=wall
 *	profiler.WallClockSample		wall; process_cpu too when it runs and event=wall
 *	jdk.ObjectAllocationInNewTLAB …		memory: objects and bytes; live objects: a count
 *	jdk.JavaMonitorEnter, jdk.ThreadPark	mutex, block: contentions and delay, ticks made nanoseconds
 *
 * A function is called "java/lang/Thread.run", as Pyroscope calls it; numbers of generated classes (lambdas,
 * accessors, proxies) become '_'.  A sample without a stack is kept, as "[unknown]"; a stack that the JVM cut
 * off begins with "[deeper]".
 *
 * The reader is iterative where the file decides: constants are resolved along one fixed path, so that cycles
 * among them mean nothing; steps, constants, frames and chunks are counted.  A chunk that is cut off refuses the file.
 */
#ifndef FORMAT_JFR_H
#define FORMAT_JFR_H

#include "format/format.h"
#include "profile/labels.h"

#define JFR_MAX_CHUNKS 4096
#define JFR_MAX_SERIES 1000 /* kinds times distinct sets of labels */

/* What one kind of events measures: a profile of its own. */
struct jfr_kind {
	const char *metric;		 /* "process_cpu" */
	const char *type, *unit;	 /* one per event, or time */
	const char *sum_type, *sum_unit; /* what the events say beside it; NULL: nothing */
	const char *period_type, *period_unit;
};

struct jfr_opts {
	int64_t period_ns; /* of a sample; 0: as the file says, else 10 ms */
	/* 0: as the file says. */
	int64_t start_ns, duration_ns;
	/* LabelsSnapshot of Pyroscope's agent: what contextId of events means; NULL: nothing. */
	const void *snapshot;
	size_t snapshot_len;
};

/*
 * `series` is called once per kind and distinct set of labels, in the order of first samples, and answers with the
 * initialised profile that takes them; all share the names.  Labels are those of the context, "span_name", and
 * "jfr_event" (what was asked of async-profiler: "cpu", "itimer", "wall"); borrowed until the callback returns.  `kind` is constant.
 */
struct jfr_split {
	int (*series)(void *ctx, const struct jfr_kind *kind, const struct labels *labels,
		      struct profile **ret_profile, struct err *err);
	void *ctx;
	bool keeps_spans; /* spanId, traceIdHi and traceIdLo become the profile's spans */
};

/* `data` is the recording, inflated.  ERR_CORRUPT, ERR_LIMIT, ERR_UNSUPPORTED (Java 8), or what series() said. */
int jfr_read_split(const void *data, size_t len, const struct jfr_opts *opts,
		   const struct format_limits *limits, struct names *names,
		   const struct jfr_split *split, struct err *err) nodiscard;

/* Everything into one profile, labels dropped. */
int jfr_read(const void *data, size_t len, const struct format_limits *limits, struct profile *into,
	     struct err *err) nodiscard;

bool jfr_is_jfr(const void *data, size_t len) nodiscard;

#endif
