/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the events of a capture to a file of any format: what record and convert share.
 *
 *	render_choose(...)	which format
 *	render_start(...)	a fold, to be fed with capture events
 *	render_finish(...)	the file
 *	render_done(...)
 *
 * Most formats are written at the end, from the folded profile; a streamed one (chrometrace) goes to the
 * output while the events come.
 */
#ifndef CMD_RENDER_H
#define CMD_RENDER_H

#include "cmd/output.h"
#include "cmd/view_options.h"
#include "format/chrometrace.h"
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

struct render {
	const struct format *format;
	enum view_mode mode;
	struct capture_fold *fold; /* feed it with capture_fold_events() */
	struct chrometrace *trace; /* streamed formats only */
	struct output *output;
	struct err output_err; /* why a streamed piece could not be written; code 0: it could */
};

/*
 * `opts` holds what is to be filtered beyond `view`.  `names`, `tree` (of the events) and `output` are
 * borrowed until render_done().
 */
void render_start(struct render *render, const struct render_choice *choice,
		  const struct view_options *view, struct capture_fold_opts opts,
		  struct names *names, const struct tree *tree, struct output *output);
void render_done(struct render *render); /* all-zero is fine */

/*
 * Write what was folded and commit the output.  Sets *ret_is_output_error when it was the output that
 * failed (and not the format).
 */
int render_finish(struct render *render, bool *ret_is_output_error, struct err *err) nodiscard;

#endif
