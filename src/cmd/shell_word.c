/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd/shell.h"

bool shell_takes_value(const struct opt *opt)
{
	return opt->kind != OPT_FLAG && opt->kind != OPT_COUNT;
}

/* The tables name what a value is in --help: FILE, PATH and DIR are meant as said. */
static enum shell_word word_of(const char *arg, const char *const *choices)
{
	if (choices)
		return SHELL_WORD_CHOICE;
	if (!arg)
		return SHELL_WORD_FREE;
	if (strcmp(arg, "FILE") == 0 || strcmp(arg, "PATH") == 0)
		return SHELL_WORD_FILE;
	if (strcmp(arg, "DIR") == 0)
		return SHELL_WORD_DIR;
	return strcmp(arg, "COMMAND") == 0 ? SHELL_WORD_COMMAND : SHELL_WORD_FREE;
}

enum shell_word shell_word_of_value(const struct opt *opt)
{
	return opt->kind == OPT_PID ? SHELL_WORD_PID : word_of(opt->arg, opt->choices);
}

enum shell_word shell_word_of_operand(const struct opt_command *command)
{
	return word_of(command->operand, command->operand_choices);
}

void shell_put_escaped(struct buf *out, const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\\' || strchr(special, *text))
			buf_putc(out, '\\');
		buf_putc(out, *text);
	}
}
