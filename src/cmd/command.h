/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subcommands of the one binary: wiring only.
 *
 * A command owns its option table and a run function; commands.c holds the table of all, main.c
 * takes the beginning of a name for the first that begins so ("r", "d").  Commands are the only
 * place that prints results and decides exit codes; everything below them returns errors.
 */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include "base/err.h"
#include "base/opt.h"

enum exit_code {
	EXIT_CODE_OK = 0,
	EXIT_CODE_FAILED = 1,	   /* something went wrong while running; a damaged capture */
	EXIT_CODE_USAGE = 2,	   /* the command line makes no sense */
	EXIT_CODE_PERMISSION = 3,  /* a right is missing; the message says which */
	EXIT_CODE_GONE = 4,	   /* no such process, or it ended before it should */
	EXIT_CODE_UNSUPPORTED = 5, /* not a Python process, or one that we cannot read */
	EXIT_CODE_OUTPUT = 6,	   /* the result cannot be written */
};

struct command {
	const struct opt_command *options;
	/* argv[0] is the command's name; returns the exit code of the program. */
	int (*run)(int argc, char **argv);
};

extern const struct command command_record;
extern const struct command command_dump;
extern const struct command command_top;
extern const struct command command_convert;
extern const struct command command_serve;
extern const struct command command_import;
extern const struct command command_fsck;
extern const struct command command_backup;
extern const struct command command_restore;
extern const struct command command_token;
extern const struct command command_doctor;
extern const struct command command_selftest;
extern const struct command command_completions;

extern const struct command *const commands[]; /* all of them; NULL ends it */

/* The exit code that belongs to a negative error code (errno or ERR_*). */
enum exit_code exit_code_of(int code);

/* Print the reason on stderr and return the exit code that belongs to it. */
int command_fail(const struct err *err);

/*
 * Parse a command's options.  Returns the index of the first operand, 0 when --help was asked for
 * and printed, or ERR_USAGE with the reason already said on stderr.
 */
int command_parse(const struct command *command, int argc, char **argv, void *into) nodiscard;

/* The text to stdout, whole; a reader of a pipe that had enough is no failure.  Returns an exit code. */
struct buf;
int command_print(const struct buf *text);

/* The choices of --color, in the order of enum term_when (tui/term.h); NULL ends them. */
extern const char *const colour_names[];
/* The row of an option table that fills an int (an enum term_when) at `at` bytes into the caller's. */
#define COLOUR_OPTION(at)                                                                          \
	{                                                                                          \
		0, "color", OPT_CHOICE, (at), "WHEN",                                              \
			"auto (on a terminal, unless NO_COLOR is set), always or never",           \
			.choices = colour_names                                                    \
	}

/* Columns of the terminal behind fd, 80 when it is none. */
size_t terminal_columns(int fd);

#endif
