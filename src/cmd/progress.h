/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line on stderr that moves while something goes on: on a terminal only, wiped when it is over.
 *
 *	progress_init(&progress, wanted);
 *	if (progress_is_due(&progress))		some times a second
 *		progress_draw(&progress, part, whole, facts, n);
 *	progress_wipe(&progress);
 *
 * It never wraps: facts are left out from the last one on where the terminal is narrow, then the bar.
 */
#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include "tui/term.h"

struct progress {
	bool is_shown;	  /* stderr is a terminal, and a line is wanted */
	bool is_drawn;	  /* there is a line to be wiped */
	int64_t begun_ns; /* monotonic */
	int64_t next_ns;
};

void progress_init(struct progress *progress, bool is_wanted);
/* True some times a second, where the line is shown at all. */
bool progress_is_due(struct progress *progress);
/* A bar of part / whole (whole 0: none), then as many facts as fit; they may hold anything. */
void progress_draw(struct progress *progress, int64_t part, int64_t whole, const char *const *facts,
		   size_t n);
void progress_wipe(struct progress *progress);

#endif
