/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/vec.h"
#include "cmd/capture_file.h"
#include "cmd/command.h"
#include "cmd/convert_import.h"
#include "cmd/progress.h"
#include "cmd/render.h"
#include "cmd/sinks.h"
#include "sample/naming.h"

#define TIME_MOST_NS 3.2e17 /* ten years */

struct options {
	const char *output, *format, *thread, *debug_dirs, *perf_map;
	int64_t pid, from_ns, until_ns;
	bool no_idle, subprocesses;
	struct view_options view;
};

#define AT(field) offsetof(struct options, field)
static const struct opt convert_opts[] = {
	{'f', "format", OPT_STR, AT(format), "FORMAT",
	 "flamegraph, html, raw, speedscope, chrometrace, pprof, json or markdown; by default what "
	 "the file's "
	 "ending says",
	 .choices = render_format_names + 1},
	{'o', "output", OPT_STR, AT(output), "FILE", "write the result here ('-' for stdout)"},
	{0, "thread", OPT_STR, AT(thread), "NAME|TID", "only this thread"},
	{'p', "pid", OPT_PID, AT(pid), "PID", "only this process"},
	{0, "from", OPT_DURATION, AT(from_ns), "TIME", "only samples from here on, since the start",
	 0, TIME_MOST_NS},
	{0, "until", OPT_DURATION, AT(until_ns), "TIME",
	 "only samples before this, since the start", 1, TIME_MOST_NS},
	VIEW_OPTIONS(AT(view)),
	{0, "no-idle", OPT_FLAG, AT(no_idle), NULL,
	 "without threads that wait, even when the recording was made with --idle"},
	{'s', "subprocesses", OPT_FLAG, AT(subprocesses), NULL, "keep processes apart"},
	{0, "debug-dir", OPT_STR, AT(debug_dirs), "DIRS",
	 "where separate debug files of native code are, divided by colons (/usr/lib/debug)"},
	{0, "perf-map", OPT_STR, AT(perf_map), "FILE",
	 "names of JIT code (perf-PID.map) that the text of perf script has not"},
	{0, NULL, OPT_FLAG, 0, NULL, NULL},
};
#undef AT

static const struct opt_command convert_options = {
	.name = "convert",
	.summary = "turn a capture into any format, whole or in part",
	.usage = "convert IN.pyro [-o FILE] [-f FORMAT] [options]",
	.about = "examples:\n"
		 "  pyrometer convert in.pyro -o out.svg\n"
		 "  pyrometer convert in.pyro --thread MainThread --from 5 --until 7.5 -f raw -o "
		 "-\n"
		 "  pyrometer convert in.pyro --mode cpu -o cpu.svg\n\n"
		 "Of a damaged capture everything up to its last whole block is used; the exit "
		 "code is\n"
		 "1 then.  Threads that wait are shown when the recording was made with --idle.\n\n"
		 "Native frames without a name are looked up again, by the build ids of the files "
		 "here.\n"
		 "IN may also be a profile of another kind: collapsed stacks, pprof, speedscope, "
		 "or the\n"
		 "text of `perf script`; such have no samples to choose from.",
	.opts = convert_opts,
	.operand = "FILE",
};

struct job {
	struct options options;
	const char *input;
	struct capture_file file;
	struct progress progress;
	struct render_choice choice;
	struct output output;
	struct names *names;
	struct tree tree;
	struct render render;
	struct capture_reader *reader;
	struct symbolizer *symbolizer; /* native frames that have no names yet */
	struct naming *naming;
};

/* ---- what comes before the fold: was the recording made with --idle? ---- */

struct first_look {
	bool has_header;
	uint32_t flags;
};

static int first_header(void *ctx, const struct capture_header *header)
{
	struct first_look *look = ctx;

	look->has_header = true;
	look->flags = header->flags;
	return 0;
}

static int look_first(struct capture_file *file, struct first_look *look, struct err *err)
{
	static const struct capture_events events = {.header = first_header};
	struct names *names = names_new();
	struct tree tree;
	struct capture_reader *reader;
	int r;

	tree_init(&tree);
	reader = capture_reader_new(names, &tree, &events, look);
	r = capture_file_feed(file, reader, &look->has_header, err);
	capture_reader_free(reader);
	tree_done(&tree);
	names_free(names);
	if (look->has_header)
		return 0;
	return r < 0 ? r : err_set(err, ERR_CORRUPT, "it holds no whole block of a capture");
}

/* ---- the conversion ---- */

/* Addresses whose files were out of reach when they were recorded; without names they stay addresses. */
static void start_naming(struct job *job)
{
	struct symbolizer_config config = {
		.names = job->names, .tree = &job->tree, .debug_dirs = job->options.debug_dirs};
	struct err err;

	if (symbolizer_new(&config, &job->symbolizer, &err) < 0) {
		log_warn("native frames stay as they are: %s", err.text);
		return;
	}
	job->naming = naming_new(job->symbolizer, capture_fold_events(), job->render.fold);
	naming_be_patient(job->naming);
}

static struct capture_fold_opts fold_opts(const struct job *job, const struct first_look *look)
{
	const struct options *options = &job->options;
	struct capture_fold_opts opts = {
		.filter =
			{
				.thread = options->thread,
				.pid = (int32_t)options->pid,
				.from_ns = options->from_ns,
				.until_ns = options->until_ns,
			},
		.process_markers = options->subprocesses,
		.ancestor_markers = options->subprocesses,
	};

	view_options_fold(&options->view, &opts);
	if (look->flags & CAPTURE_IDLE_INCLUDED && !options->no_idle &&
	    options->view.mode != VIEW_CPU)
		opts.filter.hide_idle = false;
	return opts;
}

static void say_progress(void *ctx, int64_t done_bytes, int64_t bytes)
{
	struct progress *progress = ctx;
	char percent[32], size[48];
	const char *facts[] = {percent, size};

	if (!progress_is_due(progress))
		return;
	snprintf(percent, sizeof(percent), "%.0f %%",
		 100.0 * (double)done_bytes / (double)max_of(bytes, (int64_t)1));
	snprintf(size, sizeof(size), "%.1f of %.1f MB read", (double)done_bytes / 1e6,
		 (double)bytes / 1e6);
	progress_draw(progress, done_bytes, bytes, facts, array_len(facts));
}

/*
 * Returns 0 for a whole capture, 1 for one that is damaged or cut off (the good part was used, and that
 * was said), negative when nothing could be read.
 */
static int read_capture(struct job *job, struct err *err)
{
	int r;

	progress_init(&job->progress, true);
	job->file.on_progress = say_progress;
	job->file.progress_ctx = &job->progress;
	r = capture_file_feed(&job->file, job->reader, NULL, err);
	progress_wipe(&job->progress);
	if (job->render.output_err.code < 0) {
		*err = job->render.output_err;
		return err->code;
	}
	return capture_file_verdict(&job->file, job->reader, r);
}

static int refuse_nothing(const struct job *job, struct err *err)
{
	const struct capture_facts *facts = capture_fold_facts(job->render.fold);

	if (facts->n_kept > 0)
		return 0;
	if (facts->n_samples == 0)
		return err_set(err, -ENODATA, "%s holds no samples", job->input);
	return err_set(err, -ENODATA,
		       "none of the %llu samples of %s passes the filters (threads that wait need "
		       "--idle)",
		       (unsigned long long)facts->n_samples, job->input);
}

/* What is no capture may be another profile; `err` says why it is none. */
static int import(struct job *job, struct err *err)
{
	const struct options *options = &job->options;
	struct convert_import what = {
		.path = job->input,
		.choice = &job->choice,
		.output = &job->output,
		.perf_map = options->perf_map,
		.keep_markers = options->subprocesses || options->view.threads,
		.by_function = options->view.function || options->view.nolineno,
	};
	bool has_filter = options->thread || options->pid || options->from_ns ||
			  options->until_ns || options->no_idle || options->view.mode;
	int r = convert_import(&what, has_filter, err);

	if (r == -EPIPE)
		return EXIT_CODE_OK;
	if (r < 0)
		log_error("%s", err->text);
	return r == 0 ? EXIT_CODE_OK : what.is_output_error ? EXIT_CODE_OUTPUT : EXIT_CODE_FAILED;
}

static int convert(struct job *job)
{
	struct first_look look = {0};
	bool is_output_error = false;
	struct err err = {0};
	int r, damaged;

	if (capture_file_open(&job->file, job->input, &err) < 0)
		return log_error("%s", err.text), EXIT_CODE_FAILED;
	if (output_open(&job->output, job->options.output, &err) < 0)
		return log_error("%s", err.text), EXIT_CODE_OUTPUT;
	if (look_first(&job->file, &look, &err) < 0)
		return import(job, &err);
	job->names = names_new();
	tree_init(&job->tree);
	render_start(&job->render, &job->choice, &job->options.view, fold_opts(job, &look),
		     job->names, &job->tree, &job->output);
	if (look.flags & CAPTURE_NATIVE)
		start_naming(job);
	job->reader = capture_reader_new(job->names, &job->tree,
					 job->naming ? naming_events() : capture_fold_events(),
					 job->naming ? (void *)job->naming : job->render.fold);
	damaged = read_capture(job, &err);
	r = damaged < 0 ? damaged : refuse_nothing(job, &err);
	if (r == 0)
		r = render_finish(&job->render, &is_output_error, &err);
	is_output_error |= job->render.output_err.code < 0;
	if (r == -EPIPE && is_output_error)
		return EXIT_CODE_OK;
	if (r < 0)
		return log_error("%s", err.text),
		       is_output_error ? EXIT_CODE_OUTPUT : EXIT_CODE_FAILED;
	return damaged ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

static void job_done(struct job *job)
{
	capture_reader_free(job->reader);
	naming_free(job->naming);
	symbolizer_free(job->symbolizer);
	render_done(&job->render);
	output_done(&job->output);
	capture_file_done(&job->file);
	if (job->names)
		tree_done(&job->tree);
	names_free(job->names);
}

static int check(struct job *job, int argc, char **argv, int first, struct err *err)
{
	const struct options *options = &job->options;
	int r;

	if (first + 1 != argc)
		return err_set(err, ERR_USAGE,
			       first < argc ? "give one capture, not several"
					    : "which capture? (pyrometer convert IN.pyro)");
	job->input = argv[first];
	if (!options->output)
		return err_set(err, ERR_USAGE, "give --output FILE, or '-o -' for stdout");
	if (options->until_ns && options->until_ns <= options->from_ns)
		return err_set(err, ERR_USAGE, "--until must be later than --from");
	r = view_options_check(&options->view, err);
	if (r < 0)
		return r;
	r = render_choose(options->format, options->output, &job->choice, err);
	if (r == 0 && job->choice.is_capture)
		return err_set(err, ERR_USAGE, "%s is a capture already: choose another format",
			       job->input);
	return r;
}

static int convert_run(int argc, char **argv)
{
	struct job *job = xcalloc(1, sizeof(*job));
	int first = command_parse(&command_convert, argc, argv, &job->options);
	int code = first == 0 ? EXIT_CODE_OK : EXIT_CODE_USAGE;
	struct err err;

	if (first > 0) {
		code = check(job, argc, argv, first, &err) < 0 ? command_fail(&err) : convert(job);
		job_done(job);
	}
	free(job);
	return code;
}

const struct command command_convert = {&convert_options, convert_run};
