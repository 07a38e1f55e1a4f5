/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion scripts for shells, from the option tables of the commands (base/opt.h) alone: an option that
 * is parsed is completed, with the values that its table offers.
 *
 * Every script completes commands, options, and values: process ids of Pythons, files, folders, the
 * names of formats, programs.  The scripts are text for `source` or the shell's folder of completions.
 */
#ifndef CMD_SHELL_H
#define CMD_SHELL_H

#include "base/buf.h"
#include "cmd/command.h"

#define SHELL_PROGRAM "pyrometer"

/* Which words may stand for a value. */
enum shell_word {
	SHELL_WORD_FREE, /* a number, a name: nothing to offer */
	SHELL_WORD_CHOICE,
	SHELL_WORD_FILE,
	SHELL_WORD_DIR,
	SHELL_WORD_PID,
	SHELL_WORD_COMMAND,
};

/* Of the value of an option; of what stands behind the options. */
enum shell_word shell_word_of_value(const struct opt *opt);
enum shell_word shell_word_of_operand(const struct opt_command *command);
/* Does the option take a value at all? */
bool shell_takes_value(const struct opt *opt);

/*
 * A shell line that prints the ids of the processes that run Python, one a line: by their executable,
 * since gunicorn and its like rename themselves.
 */
#define SHELL_LIST_PIDS                                                                            \
	"find /proc/[0-9]*/exe -maxdepth 0 -lname '*python*' 2>/dev/null | cut -d/ -f3"

/* `list` is NULL-terminated; all append to `out`. */
void shell_bash(const struct command *const *list, struct buf *out);
void shell_zsh(const struct command *const *list, struct buf *out);
void shell_fish(const struct command *const *list, struct buf *out);

/* Append `text` with each of `special` and the backslash escaped by a backslash. */
void shell_put_escaped(struct buf *out, const char *text, const char *special);

#endif
