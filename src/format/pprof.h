/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof: profile.proto, gzipped or not.
 *
 * How our model maps onto it, both ways:
 *
 *	columns of one type, by state	one sample type; label "state" per sample
 *	process marker			labels "pid" (number) and "process"
 *	thread marker			labels "thread_id" (number) and "thread_name"
 *	other marker			a function without a file, named in brackets
 *	frame				location with a line; function: name, system_name = qualified
 *					name, file, first line; mapping for native and kernel code
 *	start, duration, period		time_nanos, duration_nanos, period and its type
 *
 * The reader never trusts an index: negative ones and those past the end are errors that name the
 * field.  Unknown labels make series (below).  Legacy text formats are refused by name.
 */
#ifndef FORMAT_PPROF_H
#define FORMAT_PPROF_H

#include "codec/budget.h"
#include "format/format.h"
#include "profile/labels.h"

int pprof_write(const struct format_output *output, struct buf *out, struct err *err) nodiscard;

struct pprof_write_opts {
	/* Only the columns of this type ("cpu"), and the stacks that have a value there; NULL: all. */
	const char *only_type;
	const char *default_type; /* what viewers show first; NULL: the first */
	bool compress;		  /* gzip */
	int level;		  /* of gzip; 0: GZIP_DEFAULT_LEVEL */
};

int pprof_write_profile(const struct profile *profile, const struct pprof_write_opts *opts,
			struct buf *out, struct err *err) nodiscard;

/* Everything into one profile; labels that we do not know are dropped. */
int pprof_read(const void *data, size_t len, const struct format_limits *limits,
	       struct profile *into, struct err *err) nodiscard;

/*
 * Everything, split by the text labels that are neither thread, process nor state.  `series` is called
 * once per distinct set of them, in the order of first samples, and answers with the initialised
 * profile that takes its samples; without any sample it is called once with the empty set.  All
 * profiles share `names`.  `labels` is borrowed until the callback returns.
 *
 * Number labels make no series, nor do those that name one request: span_id (or profile_id, as older clients call
 * it; 16 hexadecimal digits) and trace_id (32).  With `keeps_spans` the profiles know them (profile/spans.h); a
 * sample whose ids are none is counted there and is one without.
 */
struct pprof_split {
	int (*series)(void *ctx, const struct labels *labels, struct profile **ret_profile,
		      struct err *err);
	void *ctx;
	struct codec_loan *loan; /* for what is inflated; may be NULL */
	bool keeps_spans;
};
#define PPROF_MAX_SERIES 1000 /* distinct sets of unknown labels in one upload */

int pprof_read_split(const void *data, size_t len, const struct format_limits *limits,
		     struct names *names, const struct pprof_split *split,
		     struct err *err) nodiscard;

#endif
