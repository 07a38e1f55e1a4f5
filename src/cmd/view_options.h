/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What record and convert show of the samples: one set of options for both, since either makes the same
 * picture of the same capture.
 *
 *	mode	which samples			their weight
 *	active	of threads that do not wait	real time
 *	wall	all				real time
 *	cpu	that were charged CPU time	CPU time, by the scheduler's account
 *	gil	that held the GIL		real time
 *
 * Formats that count (raw) count samples in every mode.
 */
#ifndef CMD_VIEW_OPTIONS_H
#define CMD_VIEW_OPTIONS_H

#include "base/opt.h"
#include "format/capture_profile.h"

enum view_mode { VIEW_ACTIVE, VIEW_WALL, VIEW_CPU, VIEW_GIL };
extern const char *const view_mode_names[]; /* in this order; NULL ends it */

struct view_options {
	int mode; /* enum view_mode */
	bool idle, gil;
	bool threads, function, nolineno, full_filenames;
};

/* The rows of an option table that fill a struct view_options at `at` bytes into the caller's. */
#define VIEW_OPTIONS(at)                                                                           \
	{0,                                                                                        \
	 "mode",                                                                                   \
	 OPT_CHOICE,                                                                               \
	 (at) + offsetof(struct view_options, mode),                                               \
	 "MODE",                                                                                   \
	 "active (threads that do not wait; the default), wall (all), cpu (weighed by CPU time) "  \
	 "or gil (held the GIL)",                                                                  \
	 .choices = view_mode_names},                                                              \
		{'g',	   "gil",                                                                  \
		 OPT_FLAG, (at) + offsetof(struct view_options, gil),                              \
		 NULL,	   "only samples that held the GIL, as --mode gil"},                       \
		{'i',	   "idle",                                                                 \
		 OPT_FLAG, (at) + offsetof(struct view_options, idle),                             \
		 NULL,	   "with samples of threads that wait, as --mode wall"},                   \
		{'t',	   "threads",                                                              \
		 OPT_FLAG, (at) + offsetof(struct view_options, threads),                          \
		 NULL,	   "keep threads apart, with their names"},                                \
		{'F',	   "function",                                                             \
		 OPT_FLAG, (at) + offsetof(struct view_options, function),                         \
		 NULL,	   "count by function, with its first line instead of the current one"},   \
		{0,	   "nolineno",                                                             \
		 OPT_FLAG, (at) + offsetof(struct view_options, nolineno),                         \
		 NULL,	   "leave out line numbers"},                                              \
	{                                                                                          \
		0, "full-filenames", OPT_FLAG,                                                     \
			(at) + offsetof(struct view_options, full_filenames), NULL,                \
			"whole paths in flamegraph and raw, not only from the package on"          \
	}

/* ERR_USAGE for what contradicts itself. */
int view_options_check(const struct view_options *options, struct err *err) nodiscard;

enum view_mode view_options_mode(const struct view_options *options);
bool view_options_with_idle(const struct view_options *options);

/* Adds to the fold's options what these ask for. */
void view_options_fold(const struct view_options *options, struct capture_fold_opts *opts);

#endif
