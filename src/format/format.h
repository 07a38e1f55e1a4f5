/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every file format in one table: bytes <-> profile, no files, no sockets.
 *
 * Readers take hostile bytes and limits; writers append to a buf with a ceiling.  What a format cannot
 * hold is lost openly: docs/FORMATS.md has the table.  Values stay exact: reading what we wrote gives
 * the same sums.
 */
#ifndef FORMAT_FORMAT_H
#define FORMAT_FORMAT_H

#include "base/buf.h"
#include "base/err.h"
#include "profile/profile.h"

#define FORMAT_MAX_OUTPUT_BYTES ((size_t)1 << 30)

struct format_limits {
	size_t max_inflated_bytes; /* 64 MiB for the server, more for own files */
	uint32_t max_samples;	   /* 200,000 */
	uint32_t max_depth;	   /* 1,024: deeper stacks keep both ends around one marker frame */
	uint32_t max_columns;
	bool keep_columns; /* of source lines; without, a line is one frame whatever its columns */
};

extern const struct format_limits format_limits_server; /* uploads */
extern const struct format_limits format_limits_local;	/* a person's own file */

/* One sample in time order, for formats that keep them apart (speedscope, Chrome trace). */
struct timed_sample {
	int64_t time_ns;
	uint32_t thread; /* index into timed.threads */
	struct node_id node;
	int64_t wall_ns;
	int64_t cpu_ns;
};

struct timed_thread {
	int32_t pid, tid;
	const char *name;
};

struct timed {
	const struct timed_sample *samples;
	size_t n_samples;
	const struct timed_thread *threads;
	size_t n_threads;
};

struct format_output {
	const struct profile *profile;
	size_t column;		   /* which value a one-valued format writes */
	const struct timed *timed; /* NULL where only the profile is known */
	const char *title;	   /* "python app.py (pid 4711)" */
	const char *subtitle;	   /* rate, duration, errors; may be NULL */
	bool count_entries; /* formats that count: write entries (one per tick) instead of time */
};

struct format {
	const char *name;	    /* "speedscope", as after -f */
	const char *alias;	    /* another name that people try; may be NULL */
	const char *const *endings; /* ".speedscope.json", ".json"; NULL-terminated */
	const char *about;	    /* for --help */
	bool has_columns;	    /* can hold the column of a frame beside its line */
	bool is_streamed; /* written sample by sample, not from a profile: see format/chrometrace.h */
	/* NULL: cannot be written (read). */
	int (*write)(const struct format_output *output, struct buf *out, struct err *err);
	int (*read)(const void *data, size_t len, const struct format_limits *limits,
		    struct profile *into, struct err *err);
};

/* NULL-terminated by name == NULL: flamegraph, html, raw, speedscope, chrometrace, pprof, json, markdown, perf, jfr. */
extern const struct format formats[];

const struct format *format_by_name(const char *name); /* or alias, whatever its case; NULL: none */
const struct format *format_by_file_name(const char *path); /* by the longest ending that fits */
/* What hostile bytes seem to be (gzip is taken for a pprof); NULL: nothing known. */
const struct format *format_sniff(const void *data, size_t len);

#endif
