/* SPDX-License-Identifier: Apache-2.0 */
/* pyrometer top: what a program does, while it does it. */
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"
#include "cmd/command.h"
#include "cmd/top_private.h"
#include "proc/process.h"
#include "sample/pace.h"

#define RATE_DEFAULT_HZ 100
#define RATE_LEAST_HZ 0.1
#define DELAY_DEFAULT_NS (500 * NS_PER_MS)
#define DURATION_MOST_NS 3.2e16 /* a year */
#define TABLE_NS NS_PER_S	/* that one table is of, unless --duration says otherwise */
#define TABLE_ROWS 30
#define FAREWELL_ROWS 10
#define TEXT_MAX_BYTES ((size_t)64 << 20)

#define AT(field) offsetof(struct top_options, field)
static const struct opt top_opts[] = {
	{'p', "pid", OPT_PID, AT(pid), "PID",
	 "look at this running process; of a capture, only it"},
	{'s', "subprocesses", OPT_FLAG, AT(subprocesses), NULL,
	 "with all processes below it, kept apart"},
	{'r', "rate", OPT_DOUBLE, AT(rate_hz), "HZ", "samples a second (100)", RATE_LEAST_HZ,
	 PACE_MAX_HZ},
	{'d', "duration", OPT_DURATION, AT(duration_ns), "TIME",
	 "leave after this long; by default when told to", 1e6, DURATION_MOST_NS,
	 .zero = "unlimited"},
	{0, "delay", OPT_DURATION, AT(delay_ns), "TIME", "between two pictures (0.5)",
	 TOP_DELAY_LEAST_NS, TOP_DELAY_MOST_NS},
	{'i', "idle", OPT_FLAG, AT(idle), NULL, "count the time of threads that wait"},
	{'g', "gil", OPT_FLAG, AT(gil), NULL, "only samples that held the GIL"},
	{'F', "function", OPT_FLAG, AT(function), NULL,
	 "in tables and JSON, show a function's first line instead of its hottest"},
	{'n', "native", OPT_FLAG, AT(native), NULL,
	 "with native frames, in their true order between Python's"},
	{0, "kernel", OPT_FLAG, AT(kernel), NULL,
	 "with the kernel's frames, too, where they are allowed (see pyrometer doctor)"},
	{0, "nonblocking", OPT_FLAG, AT(nonblocking), NULL,
	 "never pause the target: what cannot be proven is dropped, and the rest is biased"},
	{'j', "json", OPT_FLAG, AT(json), NULL, "no page: a line of JSON for every picture"},
	COLOUR_OPTION(AT(colour)),
	{0, NULL, OPT_FLAG, 0, NULL, NULL},
};
#undef AT

static const struct opt_command top_options = {
	.name = "top",
	.summary = "watch in the terminal where a process spends its time, or look at a capture",
	.usage = "top [-p PID | FILE.pyro | -- COMMAND...] [options]",
	.about = "examples:\n"
		 "  pyrometer top -p 4711\n"
		 "  pyrometer top -- python3 app.py\n"
		 "  pyrometer top out.pyro\n"
		 "  pyrometer top -p 4711 -d 10 | less\n\n"
		 "On the page, ? shows the keys and q leaves.  Where there is no terminal, one "
		 "table "
		 "of a\n"
		 "second (or of --duration) is printed.  What a COMMAND prints to the terminal is "
		 "kept "
		 "and\n"
		 "shown at the end; leaving the page ends it.  Its exit code is passed on.",
	.opts = top_opts,
	.operand = "COMMAND",
};

/* ---- without a page ---- */

static int print(struct buf *text)
{
	int code = text->overflow ? EXIT_CODE_FAILED : command_print(text);

	buf_reset(text);
	return code;
}

/* To a pipe nobody says so before the next write, which command_print() forgives. */
static bool reader_is_gone(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO};

	return poll(&out, 1, 0) > 0 && out.revents & (POLLERR | POLLHUP);
}

/* One line per refresh, until the end; a reader of the pipe that had enough ends it. */
static int stream_json(struct top *top, struct buf *text, struct err *err)
{
	struct recording *recording = &top->recording;
	struct top_json *json = top_json_new();
	int64_t next_ns = clock_monotonic_ns() + top->options.delay_ns;
	int r = 0, code = EXIT_CODE_OK;

	while (r == 0 && code == EXIT_CODE_OK && !recording_has_ended(recording) &&
	       !reader_is_gone()) {
		int64_t left_ms = (next_ns - clock_monotonic_ns()) / NS_PER_MS + 1;

		r = recording_wait(recording, (int)max_of(left_ms, (int64_t)0), err);
		if (r == 0 && recording_has_ended(recording))
			top_live_ended(top);
		if (!recording_has_ended(recording) && clock_monotonic_ns() < next_ns)
			continue;
		next_ns += top->options.delay_ns;
		top_live_refresh(top);
		top_json_put(json, top, text);
		code = print(text);
	}
	top_json_free(json);
	return r < 0 ? r : code;
}

static int print_table(const struct top *top, size_t rows, struct buf *text)
{
	struct term term = term_look(STDOUT_FILENO, (enum term_when)top->options.colour);

	top_table_put(top, rows, &term, text);
	return print(text);
}

static int wait_for_table(struct top *top, struct err *err)
{
	struct recording *recording = &top->recording;
	int r = recording_run(recording, err);

	if (r == 0)
		top_live_refresh(top);
	return r;
}

/* ---- of a capture ---- */

static int look_at_capture(struct top *top, bool has_page, struct buf *text)
{
	struct top_json *json = NULL;
	struct err err = {0};
	int damaged = top_capture_read(top, &err), code = EXIT_CODE_OK;

	if (damaged < 0) {
		log_error("%s", err.text);
		return EXIT_CODE_FAILED;
	}
	if (has_page && top_screen_run(top, &err) < 0)
		return command_fail(&err);
	if (top->options.json) {
		json = top_json_new();
		top_json_put(json, top, text);
		code = print(text);
		top_json_free(json);
	} else if (!has_page) {
		code = print_table(top, TABLE_ROWS, text);
	}
	return code == EXIT_CODE_OK && damaged ? EXIT_CODE_FAILED : code;
}

/* ---- of what runs ---- */

/* How to get the rest. */
static void say_what_next(const struct top *top)
{
	if (top->command)
		log_info("to keep it all: pyrometer record -o out.pyro -- %s ...", top->command[0]);
	else
		log_info("to keep it all: pyrometer record -p %d -d 30 -o out.html",
			 (int)top->options.pid);
}

static int look_at_live(struct top *top, bool has_page, struct buf *text)
{
	struct err err = {0};
	int r, code = EXIT_CODE_OK;

	if (!has_page && !top->options.json && !top->options.duration_ns)
		top->options.duration_ns = TABLE_NS;
	r = top_live_start(top, &err);
	if (r == 0 && has_page)
		r = top_screen_run(top, &err);
	else if (r == 0 && top->options.json)
		r = stream_json(top, text, &err);
	else if (r == 0)
		r = wait_for_table(top, &err);
	if (r < 0)
		return command_fail(&err);
	if (!top->options.json && top->recording.facts.n_samples > 0)
		code = print_table(top, has_page ? FAREWELL_ROWS : TABLE_ROWS, text);
	r = top_live_finish(top);
	if (has_page && top->recording.facts.n_samples > 0)
		say_what_next(top);
	return code != EXIT_CODE_OK ? code : r;
}

/* ---- the command ---- */

static int check(const struct top *top, struct err *err)
{
	const struct top_options *options = &top->options;
	struct process_id id;

	if (top->path)
		return 0;
	if (options->pid && top->command)
		return err_set(err, ERR_USAGE, "give either --pid or a command, not both");
	if (!options->pid && !top->command)
		return err_set(err, ERR_USAGE,
			       "nothing to look at: give --pid PID, a capture or -- COMMAND (see "
			       "pyrometer top --help)");
	if (options->rate_hz > PACE_MAX_PAUSING_HZ && !options->nonblocking)
		return err_set(err, ERR_USAGE,
			       "more than %.0f samples a second need --nonblocking: the target "
			       "would hardly run between its pauses",
			       PACE_MAX_PAUSING_HZ);
	return options->pid ? process_identify((pid_t)options->pid, &id, err) : 0;
}

static bool is_capture_name(const char *text)
{
	size_t len = strlen(text);

	return len > 5 && strcmp(text + len - 5, ".pyro") == 0;
}

static int run(struct top *top)
{
	bool has_page = !top->options.json && isatty(STDIN_FILENO) &&
			term_look(STDOUT_FILENO, TERM_AUTO).is_terminal;
	struct err err = {0};
	struct buf text;
	int code;

	if (check(top, &err) < 0)
		return command_fail(&err);
	buf_init(&text, TEXT_MAX_BYTES);
	top->names = names_new();
	tree_init(&top->tree);
	code = top->path ? look_at_capture(top, has_page, &text)
			 : look_at_live(top, has_page, &text);
	buf_done(&text);
	return code;
}

static void top_done(struct top *top)
{
	recording_done(&top->recording);
	capture_file_done(&top->file);
	timeline_free(top->timeline);
	top_sources_done(&top->sources);
	if (top->names)
		tree_done(&top->tree);
	names_free(top->names);
}

static int top_run(int argc, char **argv)
{
	struct top *top = xcalloc(1, sizeof(*top));
	int first, code;

	top->options.rate_hz = RATE_DEFAULT_HZ;
	top->options.delay_ns = DELAY_DEFAULT_NS;
	first = command_parse(&command_top, argc, argv, &top->options);
	code = first == 0 ? EXIT_CODE_OK : EXIT_CODE_USAGE;
	if (first > 0) {
		if (first + 1 == argc && is_capture_name(argv[first]))
			top->path = argv[first];
		else if (first < argc)
			top->command = argv + first;
		code = run(top);
		top_done(top);
	}
	free(top);
	return code;
}

const struct command command_top = {&top_options, top_run};
