/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/render.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define TITLE_MAX 768

const char *const render_format_names[] = {
	RENDER_CAPTURE_NAME, "flamegraph", "html", "raw",      "speedscope",
	"chrometrace",	     "pprof",	   "json", "markdown", NULL,
};

static bool ends_with(const char *text, const char *ending)
{
	size_t len = strlen(text), n = strlen(ending);

	return len >= n && strcmp(text + len - n, ending) == 0;
}

static int unknown_format(const char *name, struct err *err)
{
	struct buf names;
	int r;

	buf_init(&names, ERR_TEXT_MAX);
	for (size_t i = 0; render_format_names[i]; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", render_format_names[i]);
	r = err_set(err, ERR_USAGE, "unknown format '%s': choose one of %s", name, names.data);
	buf_done(&names);
	return r;
}

int render_choose(const char *name, const char *path, struct render_choice *ret_choice,
		  struct err *err)
{
	struct render_choice choice = {0};

	if (name)
		choice.is_capture = strcasecmp(name, RENDER_CAPTURE_NAME) == 0;
	else if (path)
		choice.is_capture = ends_with(path, RENDER_CAPTURE_ENDING);
	if (!choice.is_capture) {
		if (name)
			choice.format = format_by_name(name);
		else if (path)
			choice.format = format_by_file_name(path);
		if (!choice.format && !name)
			choice.format = format_by_name("flamegraph");
		if (!choice.format)
			return unknown_format(name ? name : "flamegraph", err);
		if (!choice.format->write && !choice.format->is_streamed)
			return err_set(err, ERR_USAGE, "format %s can be read, not written",
				       choice.format->name);
	}
	*ret_choice = choice;
	return 0;
}

const char *render_ending(const struct render_choice *choice)
{
	return choice->is_capture ? RENDER_CAPTURE_ENDING : choice->format->endings[0];
}

/* Samples one by one, in order; the rest is merged. */
static bool needs_timed(const struct format *format)
{
	return strcmp(format->name, "speedscope") == 0;
}

/* Collapsed stacks are counted in entries, as py-spy's raw is; pictures show time. */
static bool counts_entries(const struct format *format)
{
	return strcmp(format->name, "raw") == 0;
}

/* For eyes; what programs read has whole paths, as with py-spy. */
static bool shows_short_files(const struct format *format)
{
	return strcmp(format->name, "raw") == 0 || strcmp(format->name, "flamegraph") == 0;
}

/* ---- streamed ---- */

static int write_piece(void *ctx, const void *data, size_t len)
{
	struct render *render = ctx;

	return output_write(render->output, data, len, &render->output_err);
}

static int on_sample(void *ctx, const struct capture_fold_sample *folded)
{
	struct render *render = ctx;
	const struct capture_sample *sample = folded->sample;
	struct chrometrace_sample shown = {
		.time_ns = sample->time_ns,
		.wall_ns = sample->wall_ns,
		.period_ns = capture_fold_profile(render->fold)->period,
		.repeats = sample->repeats,
		.thread = sample->thread,
		.pid = folded->who->pid,
		.tid = folded->who->tid,
		.process_name = folded->command,
		.thread_name = folded->who->name,
		.is_shown = folded->is_wanted,
		.node = folded->node,
	};

	return chrometrace_sample(render->trace, &shown);
}

/* ---- the whole ---- */

void render_start(struct render *render, const struct render_choice *choice,
		  const struct view_options *view, struct capture_fold_opts opts,
		  struct names *names, const struct tree *tree, struct output *output)
{
	*render = (struct render){
		.format = choice->format,
		.mode = view_options_mode(view),
		.output = output,
	};
	opts.keep_timed = needs_timed(choice->format);
	opts.columns = choice->format->has_columns;
	if (!shows_short_files(choice->format))
		opts.file_cut = NULL;
	if (choice->format->is_streamed) {
		opts.on_sample = on_sample;
		opts.on_sample_ctx = render;
	}
	render->fold = capture_fold_new(names, tree, &opts);
	if (choice->format->is_streamed)
		render->trace = chrometrace_new(names, &capture_fold_profile(render->fold)->tree,
						write_piece, render);
}

void render_done(struct render *render)
{
	chrometrace_free(render->trace);
	capture_fold_free(render->fold);
	*render = (struct render){0};
}

static void describe(const struct render *render, char *title, char *subtitle)
{
	static const char *const what[] = {
		[VIEW_ACTIVE] = "",
		[VIEW_WALL] = ", real time with waiting",
		[VIEW_CPU] = ", CPU time",
		[VIEW_GIL] = ", holding the GIL",
	};
	const struct capture_facts *facts = capture_fold_facts(render->fold);
	double seconds = (double)facts->last_time_ns / (double)NS_PER_S;

	snprintf(title, TITLE_MAX, "%s", facts->has_header ? facts->header.command : "");
	snprintf(subtitle, TITLE_MAX, "%.1f s at %g Hz%s, %llu samples, %llu dropped", seconds,
		 facts->header.rate_hz, what[render->mode], (unsigned long long)facts->n_kept,
		 (unsigned long long)facts->stats.dropped);
}

static int finish_stream(struct render *render, bool *ret_is_output_error, struct err *err)
{
	int r = chrometrace_end(render->trace, capture_fold_facts(render->fold)->last_time_ns);

	if (r == 0)
		r = output_commit(render->output, &render->output_err);
	*ret_is_output_error = render->output_err.code < 0;
	if (r < 0 && !*ret_is_output_error)
		return err_set(err, r, "a stack is too large for the trace");
	if (r < 0 && err)
		*err = render->output_err;
	return r;
}

int render_finish(struct render *render, bool *ret_is_output_error, struct err *err)
{
	bool counts = counts_entries(render->format);
	char title[TITLE_MAX], subtitle[TITLE_MAX];
	struct format_output what = {
		.profile = capture_fold_profile(render->fold),
		.timed = capture_fold_timed(render->fold),
		.title = title,
		.subtitle = subtitle,
		.count_entries = counts,
	};
	struct buf bytes;
	int r;

	*ret_is_output_error = false;
	if (render->format->is_streamed)
		return finish_stream(render, ret_is_output_error, err);
	what.column = capture_fold_column(render->fold, counts			   ? CAPTURE_SAMPLES
							: render->mode == VIEW_CPU ? CAPTURE_CPU
										   : CAPTURE_WALL);
	describe(render, title, subtitle);
	buf_init(&bytes, FORMAT_MAX_OUTPUT_BYTES);
	r = render->format->write(&what, &bytes, err);
	if (r == 0 && bytes.overflow)
		r = err_set(err, ERR_LIMIT, "the result is larger than %zu MiB",
			    FORMAT_MAX_OUTPUT_BYTES >> 20);
	if (r == 0) {
		r = output_write_all(render->output, bytes.data, bytes.len, err);
		*ret_is_output_error = r < 0;
	}
	buf_done(&bytes);
	return r;
}
