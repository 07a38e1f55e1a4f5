/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof: profile.proto, gzipped or not.
 *
 * How our model maps onto it, both ways:
 *
 *	columns of one type, by state	one sample type; label "state" per sample
 *	process and thread markers	labels "pid" (number), "process", "thread_id" (number),
 * "thread_name" frame				location with a line, function (name, system_name =
 * qualified name, file, first line), mapping for native and kernel code other marker frames
 * functions without a file
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

/*
 * Which columns of a profile go into a pprof.  One written without `only_type` has all sample types
 * of the profile.
 */
struct pprof_write_opts {
	const char *only_type; /* "cpu": columns of other types, and stacks without a value, are
				  left out */
	bool compress;	       /* gzip */
	int level;	       /* of gzip; 0: the default */
};
int pprof_write_profile(const struct profile *profile, const struct pprof_write_opts *opts,
			struct buf *out, struct err *err) nodiscard;

/* Everything into one profile; labels that we do not know are dropped. */
int pprof_read(const void *data, size_t len, const struct format_limits *limits,
	       struct profile *into, struct err *err) nodiscard;

/*
 * Everything, split by the labels that are neither thread, process nor state: `series` is called
 * once per distinct set (the empty set included, in the order of first samples; once with the empty
 * set when there are no samples at all) and answers with the initialised profile that takes its
 * samples.  All of them must share one `struct names`. `labels` is borrowed until it returns.
 */
struct pprof_split {
	int (*series)(void *ctx, const struct labels *labels, struct profile **ret_profile,
		      struct err *err);
	void *ctx;
	struct codec_loan *loan; /* for what is inflated; may be NULL */
};
#define PPROF_MAX_SERIES 1000 /* distinct sets of unknown labels in one upload */

int pprof_read_split(const void *data, size_t len, const struct format_limits *limits,
		     struct names *names, const struct pprof_split *split,
		     struct err *err) nodiscard;

#endif
