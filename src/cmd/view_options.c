/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/view_options.h"

#include "cmd/short_file.h"

const char *const view_mode_names[] = {"active", "wall", "cpu", "gil", NULL};

int view_options_check(const struct view_options *options, struct err *err)
{
	if (options->gil && options->mode != VIEW_ACTIVE && options->mode != VIEW_GIL)
		return err_set(err, ERR_USAGE, "--gil contradicts --mode %s",
			       view_mode_names[options->mode]);
	if (options->function && options->nolineno)
		return err_set(err, ERR_USAGE, "give either --function or --nolineno, not both");
	return 0;
}

enum view_mode view_options_mode(const struct view_options *options)
{
	return options->gil ? VIEW_GIL : (enum view_mode)options->mode;
}

bool view_options_with_idle(const struct view_options *options)
{
	return options->idle || options->mode == VIEW_WALL;
}

static size_t cut_of(const char *file)
{
	return short_file_cut(file, short_file_look);
}

void view_options_fold(const struct view_options *options, struct capture_fold_opts *opts)
{
	opts->filter.hide_idle = !view_options_with_idle(options);
	opts->filter.keep_charged = options->mode == VIEW_CPU;
	opts->filter.gil_only = view_options_mode(options) == VIEW_GIL;
	opts->thread_markers = options->threads;
	opts->by_function = options->function || options->nolineno;
	opts->first_lines = options->function;
	opts->file_cut = options->full_filenames ? NULL : cut_of;
}
