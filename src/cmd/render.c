/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/render.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define TITLE_MAX 768

const char *const render_format_names[] = {
	RENDER_CAPTURE_NAME, "flamegraph", "html", "raw", "speedscope", "pprof", NULL,
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
		if (!choice.format->write)
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

bool render_needs_timed(const struct render_choice *choice)
{
	return !choice->is_capture && strcmp(choice->format->name, "speedscope") == 0;
}

bool render_has_columns(const struct render_choice *choice)
{
	return !choice->is_capture && choice->format->has_columns;
}

/* Collapsed stacks are counted in entries, as py-spy's raw is; pictures show time. */
static bool counts_entries(const struct format *format)
{
	return strcmp(format->name, "raw") == 0;
}

static void describe(const struct capture_facts *facts, char *title, char *subtitle)
{
	double seconds = (double)facts->last_time_ns / (double)NS_PER_S;

	snprintf(title, TITLE_MAX, "%s", facts->has_header ? facts->header.command : "");
	snprintf(subtitle, TITLE_MAX, "%.1f s at %g Hz, %llu samples, %llu dropped", seconds,
		 facts->header.rate_hz, (unsigned long long)facts->n_kept,
		 (unsigned long long)facts->stats.dropped);
}

int render_write(const struct render_choice *choice, struct capture_fold *fold,
		 struct output *output, bool *ret_is_output_error, struct err *err)
{
	bool counts = counts_entries(choice->format);
	char title[TITLE_MAX], subtitle[TITLE_MAX];
	struct format_output what = {
		.profile = capture_fold_profile(fold),
		.column = capture_fold_column(fold, counts ? CAPTURE_SAMPLES : CAPTURE_WALL),
		.timed = capture_fold_timed(fold),
		.title = title,
		.subtitle = subtitle,
		.count_entries = counts,
	};
	struct buf bytes;
	int r;

	*ret_is_output_error = false;
	describe(capture_fold_facts(fold), title, subtitle);
	buf_init(&bytes, FORMAT_MAX_OUTPUT_BYTES);
	r = choice->format->write(&what, &bytes, err);
	if (r == 0 && bytes.overflow)
		r = err_set(err, ERR_LIMIT, "the result is larger than %zu MiB",
			    FORMAT_MAX_OUTPUT_BYTES >> 20);
	if (r == 0) {
		r = output_write_all(output, bytes.data, bytes.len, err);
		*ret_is_output_error = r < 0;
	}
	buf_done(&bytes);
	return r;
}
