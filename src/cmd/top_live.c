/* SPDX-License-Identifier: Apache-2.0 */
/* `top` of a process or a program: a recording whose samples become the timeline. */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/kernel_rights.h"
#include "cmd/summary.h"
#include "cmd/top_private.h"

int top_live_start(struct top *top, struct err *err)
{
	const struct top_options *options = &top->options;
	struct timeline_opts opts = {
		.keep_ns = TOP_STRIP_CELLS * options->delay_ns,
		.process_markers = options->subprocesses,
		.gil_only = options->gil,
	};
	struct recording *recording = &top->recording;

	top->timeline = timeline_new(top->names, &top->tree, &opts);
	top_sources_init(&top->sources, top->names, false);
	sinks_add(&top->sinks, timeline_events(), top->timeline);
	sinks_add(&top->sinks, top_sources_events(), &top->sources);
	recording->config = (struct session_config){
		.pid = (pid_t)options->pid,
		.rate_hz = options->rate_hz,
		.duration_ns = options->duration_ns,
		.is_nonblocking = options->nonblocking,
		.with_tree = options->subprocesses,
		.with_native = options->native || options->kernel,
		.with_kernel = options->kernel,
		.with_idle = true,
		.with_sources = true,
	};
	if (options->kernel)
		kernel_rights_warn();
	recording->streams = LAUNCH_CAPTURE_TERMINAL;
	recording->sinks = &top->sinks;
	top->begun_ns = clock_monotonic_ns();
	return recording_start(recording, top->command, top->names, &top->tree, err);
}

void top_live_refresh(struct top *top)
{
	timeline_cut(top->timeline);
	timeline_show(top->timeline, 0, TIMELINE_END);
}

/* ---- the end ---- */

static void say_how_program_ended(struct top *top, const char *when)
{
	const struct launch *launch = &top->recording.launch;

	if (WIFSIGNALED(launch->status))
		snprintf(top->ended, sizeof(top->ended), "killed by signal %d at %s",
			 WTERMSIG(launch->status), when);
	else
		snprintf(top->ended, sizeof(top->ended), "ended with exit code %d at %s",
			 launch_exit_code(launch), when);
}

void top_live_ended(struct top *top)
{
	const struct recording_facts *facts = &top->recording.facts;
	bool is_gone = facts->code == ERR_GONE || facts->code == -ESRCH;
	time_t now = time(NULL);
	struct tm local;
	char when[16];

	localtime_r(&now, &local);
	strftime(when, sizeof(when), "%H:%M:%S", &local);
	if (facts->code == 0)
		snprintf(top->ended, sizeof(top->ended), "sampling ended at %s", when);
	else if (is_gone && top->command && launch_ends_soon(&top->recording.launch))
		say_how_program_ended(top, when);
	else
		snprintf(top->ended, sizeof(top->ended), "%.400s (%s)", facts->text, when);
}

/* The end of the target as an exit code: of a program we started, its own. */
static int exit_code_after(struct top *top)
{
	struct recording *recording = &top->recording;
	const struct recording_facts *facts = &recording->facts;
	bool is_gone = facts->code == ERR_GONE || facts->code == -ESRCH;

	if (top->command && facts->is_interrupted && facts->code == 0)
		return recording_await_program(recording) ? launch_exit_code(&recording->launch)
							  : EXIT_CODE_OK;
	if (top->command && is_gone && launch_ends_soon(&recording->launch))
		return launch_exit_code(&recording->launch);
	if (facts->code == 0)
		return EXIT_CODE_OK;
	log_error("%s", facts->text);
	/* Whose end was watched has not failed. */
	return is_gone && facts->n_samples ? EXIT_CODE_OK : (int)exit_code_of(facts->code);
}

int top_live_finish(struct top *top)
{
	struct recording *recording = &top->recording;
	struct err err = {0};
	int code;

	if (!recording_has_ended(recording)) {
		recording_stop(recording);
		if (recording_run(recording, &err) < 0)
			return command_fail(&err);
	}
	recording_conclude(recording);
	code = exit_code_after(top);
	launch_print_captured(&recording->launch);
	if (recording->facts.n_samples > 0)
		summary_print(&recording->facts, top->options.rate_hz);
	return code;
}
