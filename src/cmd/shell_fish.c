/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shell.h"

static const char head[] = "# fish completion of " SHELL_PROGRAM "\n"
			   "function __" SHELL_PROGRAM "_pids\n"
			   "\tsh -c \"" SHELL_LIST_PIDS "\"\n"
			   "end\n\n"
			   "complete -c " SHELL_PROGRAM " -f\n"
			   "complete -c " SHELL_PROGRAM " -n __fish_use_subcommand -l help -d "
			   "'what there is'\n"
			   "complete -c " SHELL_PROGRAM " -n __fish_use_subcommand -l version -d "
			   "'which version this is'\n";

static void put_quoted(const char *text, struct buf *out)
{
	buf_putc(out, '\'');
	shell_put_escaped(out, text, "'");
	buf_putc(out, '\'');
}

static void put_choices(const char *const *choices, struct buf *out)
{
	buf_puts(out, " -a '");
	for (size_t i = 0; choices[i]; i++)
		buf_printf(out, "%s%s", i ? " " : "", choices[i]);
	buf_putc(out, '\'');
}

/* -x: a value and no files; -r -F: a value that may be a file. */
static void put_value(enum shell_word word, const char *const *choices, bool is_option,
		      struct buf *out)
{
	bool is_path = word == SHELL_WORD_FILE;

	buf_puts(out, is_option ? (is_path ? " -r -F" : " -x") : (is_path ? " -F" : ""));
	if (word == SHELL_WORD_CHOICE)
		put_choices(choices, out);
	else if (word == SHELL_WORD_PID)
		buf_puts(out, " -a '(__" SHELL_PROGRAM "_pids)'");
	else if (word == SHELL_WORD_DIR)
		buf_puts(out, " -a '(__fish_complete_directories)'");
	else if (word == SHELL_WORD_COMMAND)
		buf_puts(out, " -a '(__fish_complete_subcommand)'");
}

static void begin_line(const struct opt_command *command, struct buf *out)
{
	buf_printf(out, "complete -c " SHELL_PROGRAM " -n '__fish_seen_subcommand_from %s'",
		   command->name);
}

static void put_option(const struct opt_command *command, const struct opt *opt, struct buf *out)
{
	begin_line(command, out);
	if (opt->letter)
		buf_printf(out, " -s %c", opt->letter);
	buf_printf(out, " -l %s", opt->name);
	if (shell_takes_value(opt))
		put_value(shell_word_of_value(opt), opt->choices, true, out);
	buf_puts(out, " -d ");
	put_quoted(opt->help, out);
	buf_putc(out, '\n');
}

static void put_command(const struct opt_command *command, struct buf *out)
{
	buf_printf(out, "\ncomplete -c " SHELL_PROGRAM " -n __fish_use_subcommand -a %s -d ",
		   command->name);
	put_quoted(command->summary, out);
	buf_putc(out, '\n');
	for (const struct opt *opt = command->opts; opt->name; opt++)
		if (!opt->is_hidden)
			put_option(command, opt, out);
	begin_line(command, out);
	buf_puts(out, " -l help -d 'what the options mean'\n");
	if (!command->operand)
		return;
	begin_line(command, out);
	put_value(shell_word_of_operand(command), command->operand_choices, false, out);
	buf_putc(out, '\n');
}

void shell_fish(const struct command *const *list, struct buf *out)
{
	buf_puts(out, head);
	for (size_t i = 0; list[i]; i++)
		put_command(list[i]->options, out);
}
