/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a folded capture to a file of any format: what record and convert share.
 */
#ifndef CMD_RENDER_H
#define CMD_RENDER_H

#include "cmd/output.h"
#include "format/capture_profile.h"
#include "format/format.h"

#define RENDER_CAPTURE_NAME "pyro" /* -f pyro, and the ending ".pyro": the capture itself */
#define RENDER_CAPTURE_ENDING ".pyro"

/* What -f takes: the capture first, then every format that can be written.  NULL ends it. */
extern const char *const render_format_names[];

/* What -f and -o say together. */
struct render_choice {
	bool is_capture;
	const struct format *format; /* NULL: the capture */
};

/*
 * `name` (may be NULL) decides; else the ending of `path` (may be NULL); else flame graph.  ERR_USAGE for
 * a name that is none (the text lists those that are) or a format that cannot be written.
 */
int render_choose(const char *name, const char *path, struct render_choice *ret_choice,
		  struct err *err) nodiscard;
/* ".svg": what a file of this format should be called. */
const char *render_ending(const struct render_choice *choice);

/* Does the format keep samples apart in time?  Then the fold needs keep_timed. */
bool render_needs_timed(const struct render_choice *choice);

/* Does the format show columns?  Then the fold keeps those that there are. */
bool render_has_columns(const struct render_choice *choice);

/*
 * Write the profile in the chosen format and commit the output.  Sets *ret_is_output_error when it was
 * the output that failed (and not the format).
 */
int render_write(const struct render_choice *choice, struct capture_fold *fold,
		 struct output *output, bool *ret_is_output_error, struct err *err) nodiscard;

#endif
