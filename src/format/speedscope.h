/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speedscope's own JSON (https://www.speedscope.app/file-format-schema.json), its "sampled" profiles.
 *
 * Where the samples are known in their order (format_output.timed) there is one profile per thread with
 * one entry per sample, as py-spy writes it; else one profile with one entry per stack.  Markers stay
 * frames.  The member "valueType" beside "unit" is ours ("cpu", "wall"); speedscope ignores it.
 *
 * The reader takes sampled and evented profiles, adds all of a file up or keeps them apart by their names, and keeps
 * names, files and lines.  Times are read into nanoseconds.
 */
#ifndef FORMAT_SPEEDSCOPE_H
#define FORMAT_SPEEDSCOPE_H

#include "format/format.h"
#include "profile/labels.h"

#define SPEEDSCOPE_NAME_LABEL "profile_name"

int speedscope_write(const struct format_output *output, struct buf *out,
		     struct err *err) nodiscard;
/* Everything into one profile. */
int speedscope_read(const void *data, size_t len, const struct format_limits *limits,
		    struct profile *into, struct err *err) nodiscard;

/* What times are where the file does not say ("valueType"): of its only profile, and of one among several. */
struct speedscope_opts {
	const char *single_type, *several_type;
};

/*
 * `series` is called for each profile of the file, with its name as the label profile_name (no label without one) and
 * the unit of its values ("nanoseconds", "bytes", "count"), and answers with the initialised profile that takes them,
 * the same one for the same answers if it likes.  All share the names.
 */
struct speedscope_split {
	int (*series)(void *ctx, const struct labels *labels, const char *unit,
		      struct profile **ret_profile, struct err *err);
	void *ctx;
};
int speedscope_read_split(const void *data, size_t len, const struct speedscope_opts *opts,
			  const struct format_limits *limits, struct names *names,
			  const struct speedscope_split *split, struct err *err) nodiscard;

#endif
