/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/vec.h"
#include "cmd/command.h"
#include "cmd/kernel_rights.h"
#include "cmd/record_push.h"
#include "cmd/recording.h"
#include "cmd/render.h"
#include "cmd/summary.h"
#include "proc/process.h"
#include "sample/pace.h"

#define RATE_DEFAULT_HZ 100
#define RATE_LEAST_HZ 0.1
#define DEFAULT_PATH_MAX 256
#define DURATION_MOST_NS 3.2e16 /* a year */

struct options {
	int64_t pid;
	const char *output, *format, *debug_dirs;
	int64_t duration_ns;
	double rate_hz;
	bool nonblocking, subprocesses, columns, no_gc, native, kernel, capture, hideprogress;
	struct opt_list locals_on;
	struct view_options view;
	struct record_push_options push;
};

#define AT(field) offsetof(struct options, field)
static const struct opt record_opts[] = {
	{'p', "pid", OPT_PID, AT(pid), "PID", "sample this running process"},
	{'o', "output", OPT_STR, AT(output), "FILE",
	 "write the result here ('-' for stdout; by default PID-TIME.svg, PROGRAM-TIME.svg or the "
	 "like); "
	 "a file that is there stays until the result is whole"},
	{'f', "format", OPT_STR, AT(format), "FORMAT",
	 "flamegraph, html, raw, speedscope, chrometrace, pprof, json, markdown or pyro (the "
	 "capture, for "
	 "pyrometer convert); "
	 "by default what the file's ending says",
	 .choices = render_format_names},
	{'d', "duration", OPT_DURATION, AT(duration_ns), "TIME",
	 "stop after this long in real time (10, 1.5s, 2m); by default when interrupted", 1e6,
	 DURATION_MOST_NS, .zero = "unlimited"},
	{'r', "rate", OPT_DOUBLE, AT(rate_hz), "HZ", "samples a second (100)", RATE_LEAST_HZ,
	 PACE_MAX_HZ},
	{'s', "subprocesses", OPT_FLAG, AT(subprocesses), NULL,
	 "sample all processes below it, too, now and later, and keep them apart"},
	VIEW_OPTIONS(AT(view)),
	{0, "nonblocking", OPT_FLAG, AT(nonblocking), NULL,
	 "never pause the target: what cannot be proven is dropped, and the rest is biased"},
	{'n', "native", OPT_FLAG, AT(native), NULL,
	 "with native frames, in their true order between Python's"},
	{0, "kernel", OPT_FLAG, AT(kernel), NULL,
	 "with the kernel's frames, too, where they are allowed (see pyrometer doctor)"},
	{0, "debug-dir", OPT_STR, AT(debug_dirs), "DIRS",
	 "where separate debug files of native code are, divided by colons (/usr/lib/debug)"},
	{0, "capture", OPT_FLAG, AT(capture), NULL, "", .is_hidden = true},
	{0, "hideprogress", OPT_FLAG, AT(hideprogress), NULL, "", .is_hidden = true},
	RECORD_PUSH_OPTIONS(AT(push)),
	{0, "no-gc", OPT_FLAG, AT(no_gc), NULL, "leave out the marker [GC] of running collections"},
	{0, "locals-on", OPT_LIST, AT(locals_on), "FUNCTION",
	 "show the values of this function's local variables as a frame below it; may be repeated"},
	{0, "columns", OPT_FLAG, AT(columns), NULL,
	 "keep the column of every frame, for formats that can show it (3.11+)"},
	{0, NULL, OPT_FLAG, 0, NULL, NULL},
};
#undef AT

static const struct opt_command record_options = {
	.name = "record",
	.summary = "sample a running or a new process into a file, or push it to a server",
	.usage = "record [-p PID | -- COMMAND...] [-o FILE] [options]",
	.about = "examples:\n"
		 "  pyrometer record -p 4711 -d 10 -o out.svg\n"
		 "  pyrometer record -o out.pyro -- python3 app.py\n"
		 "  pyrometer record -p 4711 --push http://127.0.0.1:4040 --service shop\n\n"
		 "Threads that wait are left out unless --idle is given (a .pyro capture has them\n"
		 "always).  The exit code of a COMMAND that ends by itself is passed on, 128 and\n"
		 "the signal's number for one that is killed; one that still runs when --duration "
		 "is\n"
		 "over is ended.  Ctrl-C reaches it as without us.",
	.opts = record_opts,
	.operand = "COMMAND",
};

/* Everything one recording needs, from options to output. */
struct job {
	struct options options;
	char **command; /* NULL: options.pid */
	char default_path[DEFAULT_PATH_MAX];
	bool has_file;
	struct render_choice choice;
	struct output output;
	struct names *names;
	struct tree tree;
	struct sinks sinks;
	struct render render;		/* for a format */
	struct capture_writer *capture; /* for .pyro */
	struct record_push *push;
	struct progress progress;
	struct recording recording;
	struct err sink_err; /* why the output or the agent failed */
};

/* ---- before anything starts ---- */

static int check_target(const struct options *options, char **command, struct err *err)
{
	struct process_id id;

	if (options->locals_on.n > LOCALS_MAX_FUNCTIONS)
		return err_set(err, ERR_USAGE, "--locals-on: at most %d functions",
			       LOCALS_MAX_FUNCTIONS);
	if (options->pid && command)
		return err_set(err, ERR_USAGE, "give either --pid or a command, not both");
	if (options->rate_hz > PACE_MAX_PAUSING_HZ && !options->nonblocking)
		return err_set(err, ERR_USAGE,
			       "more than %.0f samples a second need --nonblocking: the target "
			       "would hardly run between its pauses",
			       PACE_MAX_PAUSING_HZ);
	if (!options->pid && !command)
		return err_set(
			err, ERR_USAGE,
			"nothing to sample: give --pid PID or -- COMMAND (see pyrometer record "
			"--help)");
	if (!options->pid)
		return 0;
	return process_identify((pid_t)options->pid, &id, err);
}

/*
 * As py-spy's, "4711-2026-11-22T21:30:52Z.svg", but for the colons: scp and rsync would take what stands
 * before them for a host.
 */
static const char *default_path(struct job *job)
{
	const char *program = job->command ? job->command[0] : NULL, *slash;
	struct tm when;
	time_t now = time(NULL);
	char stamp[32], pid[16];

	localtime_r(&now, &when);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H-%M-%S", &when);
	snprintf(pid, sizeof(pid), "%d", (int)job->options.pid);
	slash = program ? strrchr(program, '/') : NULL;
	snprintf(job->default_path, sizeof(job->default_path), "%.200s-%s%s",
		 slash	   ? slash + 1
		 : program ? program
			   : pid,
		 stamp, render_ending(&job->choice));
	return job->default_path;
}

/* Returns an exit code: the output is checked before anything is sampled. */
static int open_output(struct job *job, struct err *err)
{
	const char *path = job->options.output;
	int r = render_choose(job->options.format, path, &job->choice, err);

	if (r == 0 && job->options.push.with_source && !job->options.push.url &&
	    !job->choice.is_capture)
		r = err_set(err, ERR_USAGE, "--source goes with --push URL or a .pyro capture");
	if (r < 0)
		return EXIT_CODE_USAGE;
	job->has_file = path || !job->options.push.url;
	if (!job->has_file)
		return EXIT_CODE_OK;
	if (!path)
		path = default_path(job);
	return output_open(&job->output, path, err) < 0 ? EXIT_CODE_OUTPUT : EXIT_CODE_OK;
}

/* ---- what listens to the stream ---- */

static int write_block(void *ctx, const void *block, size_t len)
{
	struct job *job = ctx;

	return output_write(&job->output, block, len, &job->sink_err);
}

static void add_render(struct job *job)
{
	struct capture_fold_opts opts = {
		.process_markers = job->options.subprocesses,
		.ancestor_markers = job->options.subprocesses,
	};

	view_options_fold(&job->options.view, &opts);
	render_start(&job->render, &job->choice, &job->options.view, opts, job->names, &job->tree,
		     &job->output);
	sinks_add(&job->sinks, capture_fold_events(), job->render.fold);
}

static void add_capture(struct job *job)
{
	job->capture = capture_writer_new(job->names, &job->tree, true, write_block, job);
	sinks_add(&job->sinks, sinks_writer_events(), job->capture);
}

static struct locals_config locals_wanted(const struct options *options)
{
	struct locals_config config = {.n_functions = options->locals_on.n};

	for (size_t i = 0; i < options->locals_on.n; i++)
		config.functions[i] = options->locals_on.items[i];
	return config;
}

static int start(struct job *job, struct err *err)
{
	struct recording *recording = &job->recording;
	int r;

	job->names = names_new();
	tree_init(&job->tree);
	if (job->has_file && job->choice.is_capture)
		add_capture(job);
	else if (job->has_file)
		add_render(job);
	recording->config = (struct session_config){
		.pid = (pid_t)job->options.pid,
		.rate_hz = job->options.rate_hz,
		.duration_ns = job->options.duration_ns,
		.is_nonblocking = job->options.nonblocking,
		.with_tree = job->options.subprocesses,
		.without_collector = job->options.no_gc,
		.with_columns = job->options.columns,
		.with_native = job->options.native,
		.with_kernel = job->options.kernel,
		.locals = locals_wanted(&job->options),
		.with_idle = view_options_with_idle(&job->options.view),
		.with_sources = job->options.push.with_source,
	};
	recording->streams = job->options.capture ? LAUNCH_CAPTURE : LAUNCH_SHARE;
	recording->debug_dirs = job->options.debug_dirs;
	recording->sinks = &job->sinks;
	recording->on_beat = summary_beat;
	recording->beat_ctx = &job->progress;
	r = recording_start(recording, job->command, job->names, &job->tree, err);
	if (r < 0 || !job->options.push.url)
		return r;
	/* After the fork, since it has a thread; it gets the events that come from now on: all. */
	return record_push_start(&job->options.push, &job->sinks, job->names, &job->tree,
				 &job->push, err);
}

/* ---- afterwards ---- */

/* An empty picture would be a riddle. */
static void say_if_empty(const struct job *job)
{
	const struct capture_fold *fold = job->render.fold;
	const struct capture_facts *facts = fold ? capture_fold_facts(fold) : NULL;

	if (!facts || facts->n_samples == 0 || facts->n_kept > 0)
		return;
	log_warn("the result is empty: in all %" PRIu64 " samples the threads waited%s; "
		 "to see them, give --idle",
		 facts->n_samples,
		 view_options_mode(&job->options.view) == VIEW_GIL
			 ? ", were stopped or ran without the GIL"
			 : " or were stopped");
}

static int finish_output(struct job *job, struct err *err)
{
	bool is_output_error = true;
	int r;

	if (!job->has_file)
		return EXIT_CODE_OK;
	if (job->choice.is_capture)
		r = output_commit(&job->output, err);
	else
		r = render_finish(&job->render, &is_output_error, err);
	if (r == -EPIPE && job->output.is_stdout)
		return EXIT_CODE_OK; /* the reader of the pipe had enough */
	if (r < 0)
		return is_output_error ? EXIT_CODE_OUTPUT : (int)exit_code_of(r);
	if (!job->output.is_stdout)
		log_info("wrote %s", job->output.path);
	say_if_empty(job);
	return EXIT_CODE_OK;
}

/* A stream that broke off because the output failed leaves a capture that is readable up to there. */
static int fail_in_run(struct job *job, int code, const struct err *err)
{
	if (job->render.output_err.code < 0)
		job->sink_err = job->render.output_err;
	if (job->sink_err.code == 0)
		return command_fail(err);
	if (code == -EPIPE)
		return EXIT_CODE_OK;
	if (job->output.real)
		log_error("%s; what was written so far is in %s", job->sink_err.text,
			  output_keep_part(&job->output));
	else /* into a pipe or a device: nobody can look there */
		log_error("%s", job->sink_err.text);
	return EXIT_CODE_OUTPUT;
}

/* The end of the target as an exit code: of a program we started, its own. */
static int target_exit_code(struct job *job)
{
	const struct recording_facts *facts = &job->recording.facts;
	struct launch *launch = &job->recording.launch;
	bool is_gone = facts->code == ERR_GONE || facts->code == -ESRCH;

	if (facts->code == 0)
		return EXIT_CODE_OK;
	if (job->command && is_gone && launch_ends_soon(launch)) {
		if (facts->n_samples == 0)
			log_warn("the program ended before it could be sampled");
		return launch_exit_code(launch);
	}
	log_error("%s%s", facts->text, facts->n_samples ? "; the result so far is kept" : "");
	return (int)exit_code_of(facts->code);
}

static int conclude(struct job *job)
{
	const struct recording_facts *facts = &job->recording.facts;
	int code = target_exit_code(job), output_code;
	struct err err;

	if (facts->n_samples == 0 && code == EXIT_CODE_OK && facts->stats.dropped > 0) {
		log_error("none of %" PRIu64 " samples could be read; nothing was written",
			  facts->stats.dropped);
		summary_print_faults(&facts->stats);
		return EXIT_CODE_FAILED;
	}
	if (facts->n_samples == 0 && !job->command)
		return code;
	if (facts->n_samples == 0 && facts->code < 0 && code >= EXIT_CODE_PERMISSION &&
	    job->recording.launch.pid > 0)
		return code; /* the program we started is no Python */
	output_code = finish_output(job, &err);
	if (output_code != EXIT_CODE_OK) {
		log_error("%s", err.text);
		return output_code;
	}
	return code;
}

/* What a reader of the result must know, and could not guess. */
static void say_what_was_odd(const struct recording_facts *facts, bool asked_for)
{
	const struct capture_stats *stats = &facts->stats;
	uint64_t tried = stats->samples + stats->dropped;
	uint64_t unpaused = facts->is_nonblocking ? stats->ticks : stats->traced;

	if (unpaused == 0 || tried == 0)
		return;
	if (!asked_for)
		log_warn("another debugger or profiler traced the target, so that in %" PRIu64
			 " of %" PRIu64 " ticks it could not be paused",
			 unpaused, stats->ticks);
	log_warn(
		"without pausing, %.1f %% of the samples could not be proven and were dropped; the "
		"rest is biased towards code that changes slowly",
		100.0 * (double)stats->dropped / (double)tried);
}

static int run(struct job *job)
{
	struct err err = {0};
	int r = recording_run(&job->recording, &err), code;
	bool is_all_pushed;

	progress_wipe(&job->progress);
	is_all_pushed = record_push_finish(job->push);
	if (r < 0)
		return fail_in_run(job, r, &err);
	code = conclude(job);
	if (job->recording.facts.n_samples > 0) {
		say_what_was_odd(&job->recording.facts, job->options.nonblocking);
		summary_print(&job->recording.facts, job->options.rate_hz);
		if (job->has_file && job->output.real)
			summary_print_next(job->output.path);
	}
	return code == EXIT_CODE_OK && !is_all_pushed ? EXIT_CODE_FAILED : code;
}

/*
 * Ctrl-C went to the program, too.  It may take its time to clean up, with the result already written,
 * and its exit code is what counts, as without us.
 */
static int let_program_end(struct job *job, int code)
{
	struct recording *recording = &job->recording;

	if (!recording->facts.is_interrupted || !job->command || code != EXIT_CODE_OK)
		return code;
	if (recording_await_program(recording))
		return launch_exit_code(&recording->launch);
	return code;
}

static void job_done(struct job *job)
{
	recording_done(&job->recording);
	record_push_free(job->push);
	render_done(&job->render);
	capture_writer_free(job->capture);
	output_done(&job->output);
	if (job->names)
		tree_done(&job->tree);
	names_free(job->names);
}

static int record(struct job *job)
{
	struct err err = {0};
	int code;

	if (check_target(&job->options, job->command, &err) < 0 ||
	    view_options_check(&job->options.view, &err) < 0 ||
	    record_push_check(&job->options.push, &err) < 0)
		return command_fail(&err);
	code = open_output(job, &err);
	if (code != EXIT_CODE_OK) {
		log_error("%s", err.text);
		return code;
	}
	if (job->options.kernel) {
		job->options.native = true; /* what called the kernel */
		kernel_rights_warn();
	}
	progress_init(&job->progress, !job->options.hideprogress);
	code = start(job, &err) < 0 ? command_fail(&err) : let_program_end(job, run(job));
	if (code != EXIT_CODE_OK)
		launch_print_captured(&job->recording.launch);
	return code;
}

static int record_run(int argc, char **argv)
{
	struct job *job = xcalloc(1, sizeof(*job));
	int first, code;

	job->options.rate_hz = RATE_DEFAULT_HZ;
	first = command_parse(&command_record, argc, argv, &job->options);
	if (first <= 0) {
		free(job);
		return first == 0 ? EXIT_CODE_OK : EXIT_CODE_USAGE;
	}
	job->command = first < argc ? argv + first : NULL;
	code = record(job);
	job_done(job);
	free(job);
	return code;
}

const struct command command_record = {&record_options, record_run};
