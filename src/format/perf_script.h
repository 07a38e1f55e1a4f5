/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `perf script` prints: a header per sample, a line per frame from the innermost out, an empty line.
 *
 *	node  4711/4712 [002] 94564.109216:     250000 cpu-clock:u:
 *		    7f12a0001a40 JS:*render /srv/app.js:14:9+0x60 (/tmp/perf-4711.map)
 *		    55d0c0a1b2c3 uv__run_timers+0x43 (/usr/bin/node)
 *		ffffffff81a00126 entry_SYSCALL_64_after_hwframe+0x6e ([kernel.kallsyms])
 *
 * Columns: one per event, of the sum of its periods (clocks: cpu / nanoseconds; others: the event's name / count), and
 * samples / count.  Markers at the root say process and thread.  Frames of the kernel and its modules are such, names
 * of Node's and Python's perf maps give files and lines, source lines (-F +srcline) are taken.  Lines of tracepoints
 * and comments are passed over; a text without one sample is refused.  Time is linear, memory bounded by the limits.
 */
#ifndef FORMAT_PERF_SCRIPT_H
#define FORMAT_PERF_SCRIPT_H

#include "format/format.h"

#define PERF_SCRIPT_MAX_EVENTS                                                                     \
	16 /* with a column of their own; the rest is counted in samples only */

int perf_script_read(const void *data, size_t len, const struct format_limits *limits,
		     struct profile *into, struct err *err) nodiscard;

struct perf_script_opts {
	/*
	 * The name of code without one, at an address as it was in that process (0: unknown), or NULL; used up before
	 * the next call.
	 */
	const char *(*find)(void *ctx, int64_t pid, uint64_t address);
	void *ctx;
};
int perf_script_read_with(const void *data, size_t len, const struct format_limits *limits,
			  const struct perf_script_opts *opts, struct profile *into,
			  struct err *err) nodiscard;

/* Is that a header line of perf script? For telling formats apart. */
bool perf_script_is_header(const char *line, size_t len);

#endif
