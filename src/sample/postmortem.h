/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads of a process that has ended, from its core file: the same events as a recording of one look.
 *
 * Nothing moves in a core: each thread is read once, as it was.  One that stood inside the push or pop of a frame
 * has no whole stack and gets no sample.  What threads did when the process ended is not in it: all of them are
 * STATE_STOPPED, and who held the GIL is told.
 */
#ifndef SAMPLE_POSTMORTEM_H
#define SAMPLE_POSTMORTEM_H

#include "format/capture.h"
#include "sample/locals.h"

struct postmortem_config {
	const char *path;
	struct locals_config locals;
	bool with_native; /* native frames; their names are the caller's business (symbol/symbol.h) */
};

/*
 * Stacks are interned into `names` and `tree`; events are called as capture_feed() calls them.  -ENOENT and others of
 * open(), ERR_CORRUPT for what is no core, ERR_NOT_PYTHON, ERR_UNSUPPORTED.
 */
int postmortem_read(const struct postmortem_config *config, struct names *names, struct tree *tree,
		    const struct capture_events *events, void *ctx, struct err *err) nodiscard;

#endif
