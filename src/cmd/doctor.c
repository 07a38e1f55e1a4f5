/* SPDX-License-Identifier: Apache-2.0 */
/* pyrometer doctor: what is allowed here, and what to do when it is not. */
#include "cmd/doctor.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/vec.h"
#include "cmd/command.h"
#include "proc/surroundings.h"

#define REPORT_MAX_BYTES (1u << 20)

struct options {
	int64_t pid;
	bool json;
	int colour; /* enum term_when */
};

#define AT(field) offsetof(struct options, field)
static const struct opt doctor_opts[] = {
	{'p', "pid", OPT_PID, AT(pid), "PID",
	 "look at this process, too, and try both modes on it"},
	{'j', "json", OPT_FLAG, AT(json), NULL, "as JSON"},
	COLOUR_OPTION(AT(colour)),
	{0, NULL, OPT_FLAG, 0, NULL, NULL},
};
#undef AT

static const struct opt_command doctor_options = {
	.name = "doctor",
	.summary = "say what is allowed here, and what helps where it is not",
	.usage = "doctor [-p PID] [--json]",
	.about =
		"Each line is ok, a note (good to know) or a problem, with the command or setting\n"
		"that removes it.  Exit code 0: no problem; 1: at least one.  With --pid each mode "
		"is\n"
		"tried by one look at the process's stacks, as pyrometer dump does it.",
	.opts = doctor_opts,
};

static int print(const struct doctor *doctor, const struct options *options)
{
	struct term term = term_look(STDOUT_FILENO, (enum term_when)options->colour);
	struct buf text;
	int code;

	buf_init(&text, REPORT_MAX_BYTES);
	if (options->json)
		doctor_print_json(doctor, &text);
	else
		doctor_print_text(doctor, &term, &text);
	code = command_print(&text);
	buf_done(&text);
	if (code != EXIT_CODE_OK)
		return code;
	return doctor_has_problem(doctor) ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

/* What top could draw on. */
static void check_terminal(struct doctor *doctor)
{
	static const char *const colours[] = {"no colours", "16 colours", "256 colours"};
	struct term term = term_look(STDOUT_FILENO, TERM_AUTO);
	const char *name = getenv("TERM");

	if (!isatty(STDOUT_FILENO))
		doctor_add(doctor, "terminal", DOCTOR_OK,
			   "no terminal here: top prints one table, and nothing is coloured");
	else if (!term.is_terminal)
		doctor_add(doctor, "terminal", DOCTOR_NOTE,
			   "TERM is %s: top cannot draw its page and prints one table",
			   name && *name ? name : "not set");
	else
		doctor_add(doctor, "terminal", DOCTOR_OK,
			   "a terminal of %d columns and %d rows, %s, %s", term.columns, term.rows,
			   colours[term.colours], term.has_unicode ? "UTF-8" : "ASCII only");
}

static int doctor_run(int argc, char **argv)
{
	struct options options = {0};
	int first = command_parse(&command_doctor, argc, argv, &options), code;
	struct surroundings here;
	struct doctor *doctor;

	if (first <= 0)
		return first == 0 ? EXIT_CODE_OK : EXIT_CODE_USAGE;
	if (first < argc) {
		log_error("'%s' is not expected: give the process as --pid PID", argv[first]);
		return EXIT_CODE_USAGE;
	}
	doctor = xcalloc(1, sizeof(*doctor));
	surroundings_read(&here);
	doctor_machine(doctor, &here);
	check_terminal(doctor);
	if (options.pid)
		doctor_target(doctor, (pid_t)options.pid);
	code = print(doctor, &options);
	free(doctor);
	return code;
}

const struct command command_doctor = {&doctor_options, doctor_run};
