/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/vec.h"
#include "cmd/command.h"
#include "cmd/dump_view.h"
#include "cmd/kernel_rights.h"
#include "cmd/recording.h"
#include "cmd/summary.h"
#include "proc/process.h"
#include "sample/naming.h"
#include "sample/postmortem.h"
#include "symbol/symbol.h"

#define DUMP_MAX_BYTES ((size_t)256 << 20)
/* How long values may be, by how often -l was given. */
static const uint32_t chars_of[] = {0, 128, 1024, 4000};

#define DUMP_RATE_HZ 100 /* not used for one look, but the header has a rate */

struct options {
	int64_t pid;
	const char *core, *debug_dirs;
	int64_t locals; /* how often -l was given */
	int colour;	/* enum term_when */
	bool json, nonblocking, subprocesses, native, kernel, addresses, full_files;
};

#define AT(field) offsetof(struct options, field)
static const struct opt dump_opts[] = {
	{'p', "pid", OPT_PID, AT(pid), "PID", "the process to look into"},
	{'c', "core", OPT_STR, AT(core), "FILE", "the core file of a process that has ended"},
	{'l', "locals", OPT_COUNT, AT(locals), NULL,
	 "with the values of local variables; twice: longer values"},
	{'j', "json", OPT_FLAG, AT(json), NULL, "as JSON"},
	{'s', "subprocesses", OPT_FLAG, AT(subprocesses), NULL, "the processes below it, too"},
	{'n', "native", OPT_FLAG, AT(native), NULL,
	 "with native frames, in their true order between Python's"},
	{0, "kernel", OPT_FLAG, AT(kernel), NULL,
	 "with the kernel's frames, too, where they are allowed (see pyrometer doctor)"},
	{0, "debug-dir", OPT_STR, AT(debug_dirs), "DIRS",
	 "where separate debug files of native code are, divided by colons (/usr/lib/debug)"},
	{0, "addresses", OPT_FLAG, AT(addresses), NULL,
	 "no names for native frames: the address of each in its file"},
	{0, "full-filenames", OPT_FLAG, AT(full_files), NULL,
	 "whole paths instead of shortened ones"},
	{0, "nonblocking", OPT_FLAG, AT(nonblocking), NULL,
	 "never pause the target; a stack that cannot be proven is missing"},
	COLOUR_OPTION(AT(colour)),
	{0, NULL, OPT_FLAG, 0, NULL, NULL},
};
#undef AT

static const struct opt_command dump_options = {
	.name = "dump",
	.summary = "print the stack of every thread of a process, now",
	.usage = "dump -p PID | -c FILE [options]",
	.about = "Innermost frame first.  Every thread says what it does: active+gil runs Python, "
		 "active\n"
		 "runs without the GIL, the others wait: for the GIL, a lock, I/O, or sleep.",
	.opts = dump_opts,
};

struct job {
	struct options options;
	struct names *names;
	struct tree tree;
	struct sinks sinks;
	struct dump_view view;
	struct recording recording;
};

static int print(struct job *job)
{
	struct buf text;
	int code;

	if (!dump_view_is_whole(&job->view))
		summary_print_faults(&job->recording.facts.stats);
	summary_print_missing(&job->recording.facts.stats);
	buf_init(&text, DUMP_MAX_BYTES);
	if (job->options.json)
		dump_view_json(&job->view, &text);
	else
		dump_view_text(&job->view, &text);
	code = command_print(&text);
	buf_done(&text);
	return code;
}

static uint32_t chars_wanted(const struct job *job)
{
	return chars_of[min_of(job->options.locals, (int64_t)array_len(chars_of) - 1)];
}

static void begin_view(struct job *job)
{
	job->names = names_new();
	tree_init(&job->tree);
	dump_view_init(&job->view, job->names, &job->tree);
	job->view.with_full_files = job->options.full_files;
	job->view.term = term_look(STDOUT_FILENO, (enum term_when)job->options.colour);
	job->view.with_locals = job->options.locals > 0;
}

static int dump_process(struct job *job, struct err *err)
{
	struct recording *recording = &job->recording;
	struct process_id id;
	int r = process_identify((pid_t)job->options.pid, &id, err);

	if (r < 0)
		return r;
	sinks_add(&job->sinks, dump_view_events(), &job->view);
	recording->config = (struct session_config){
		.pid = (pid_t)job->options.pid,
		.rate_hz = DUMP_RATE_HZ,
		.is_once = true,
		.is_nonblocking = job->options.nonblocking,
		.with_idle = true,
		.with_columns = true,
		.with_native = job->options.native,
		.with_kernel = job->options.kernel,
		.with_tree = job->options.subprocesses,
		.locals = {.max_chars = chars_wanted(job)},
	};
	recording->sinks = &job->sinks;
	recording->is_nameless = job->options.addresses;
	recording->debug_dirs = job->options.debug_dirs;
	r = recording_start(recording, NULL, job->names, &job->tree, err);
	if (r == 0)
		r = recording_run(recording, err);
	if (r == 0 && recording->facts.code < 0)
		return err_set(err, recording->facts.code, "%s", recording->facts.text);
	return r;
}

/* Names are asked of files of this machine whose build ids are those of the core. */
static int dump_core_named(struct job *job, const struct postmortem_config *config, struct err *err)
{
	struct symbolizer_config symbols = {
		.names = job->names, .tree = &job->tree, .debug_dirs = job->options.debug_dirs};
	const struct capture_end end = {.text = ""};
	struct symbolizer *symbolizer;
	struct naming *naming;
	int r = symbolizer_new(&symbols, &symbolizer, err);

	if (r < 0)
		return r;
	naming = naming_new(symbolizer, dump_view_events(), &job->view);
	naming_be_patient(naming);
	r = postmortem_read(config, job->names, &job->tree, naming_events(), naming, err);
	if (r == 0)
		r = naming_events()->end(naming, &end); /* waits for names */
	naming_free(naming);
	symbolizer_free(symbolizer);
	return r;
}

static int dump_core(struct job *job, struct err *err)
{
	struct postmortem_config config = {
		.path = job->options.core,
		.locals = {.max_chars = chars_wanted(job)},
		.with_native = job->options.native,
	};

	if (config.with_native && !job->options.addresses)
		return dump_core_named(job, &config, err);
	return postmortem_read(&config, job->names, &job->tree, dump_view_events(), &job->view,
			       err);
}

static int dump(struct job *job, struct err *err)
{
	if (job->options.kernel && job->options.core)
		return err_set(err, ERR_USAGE, "--kernel: a core file has no kernel frames");
	if (job->options.kernel) {
		job->options.native = true; /* what called the kernel */
		kernel_rights_warn();
	}
	begin_view(job);
	return job->options.core ? dump_core(job, err) : dump_process(job, err);
}

static void job_done(struct job *job)
{
	recording_done(&job->recording);
	dump_view_done(&job->view);
	if (job->names)
		tree_done(&job->tree);
	names_free(job->names);
}

static int dump_run(int argc, char **argv)
{
	struct job *job = xcalloc(1, sizeof(*job));
	int first = command_parse(&command_dump, argc, argv, &job->options);
	int code = first == 0 ? EXIT_CODE_OK : EXIT_CODE_USAGE;
	struct err err = {0};

	if (first > 0 && (first < argc || !job->options.pid == !job->options.core))
		log_error("give either the process as --pid PID or a core file as --core FILE "
			  "(see pyrometer dump --help)");
	else if (first > 0)
		code = dump(job, &err) < 0 ? command_fail(&err) : print(job);
	job_done(job);
	free(job);
	return code;
}

const struct command command_dump = {&dump_options, dump_run};
