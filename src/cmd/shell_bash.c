/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shell.h"

/*
 * bash splits "--format=raw" into three words at '=' (COMP_WORDBREAKS); both spellings come out as the
 * pair (prev, cur).  mapfile keeps names with blanks whole.
 */
static const char head[] =
	"# bash completion of " SHELL_PROGRAM "\n"
	"_" SHELL_PROGRAM "_offer()\n"
	"{\n"
	"\tcase $1 in\n"
	"\twords) mapfile -t COMPREPLY < <(compgen -W \"$2\" -- \"$3\") ;;\n"
	"\tfiles) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "
	"\"$3\") ;;\n"
	"\tdirs) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- \"$3\") "
	";;\n"
	"\tprograms) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -c -f -- "
	"\"$3\") ;;\n"
	"\tpids) mapfile -t COMPREPLY < <(compgen -W \"$(" SHELL_LIST_PIDS ")\" -- \"$3\") ;;\n"
	"\tesac\n"
	"}\n\n"
	"_" SHELL_PROGRAM "()\n"
	"{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word\n"
	"\tCOMPREPLY=()\n"
	"\tif [[ $cur == = ]]; then\n"
	"\t\tcur=\n"
	"\telif [[ $prev == = ]]; then\n"
	"\t\tprev=${COMP_WORDS[COMP_CWORD-2]}\n"
	"\tfi\n";

static const char tail[] = "}\n\n"
			   "complete -F _" SHELL_PROGRAM " " SHELL_PROGRAM "\n";

static void put_choices(const char *const *choices, struct buf *out)
{
	for (size_t i = 0; choices[i]; i++)
		buf_printf(out, "%s%s", i ? " " : "", choices[i]);
}

static void put_offer(enum shell_word word, const char *const *choices, struct buf *out)
{
	static const char *const kinds[] = {
		[SHELL_WORD_FREE] = "nothing", [SHELL_WORD_CHOICE] = "words",
		[SHELL_WORD_FILE] = "files",   [SHELL_WORD_DIR] = "dirs",
		[SHELL_WORD_PID] = "pids",     [SHELL_WORD_COMMAND] = "programs",
	};

	buf_printf(out, "_" SHELL_PROGRAM "_offer %s '", kinds[word]);
	if (word == SHELL_WORD_CHOICE)
		put_choices(choices, out);
	buf_puts(out, "' \"$cur\"");
}

static void put_value(const struct opt *opt, struct buf *out)
{
	buf_puts(out, "\t\t");
	if (opt->letter)
		buf_printf(out, "-%c | ", opt->letter);
	buf_printf(out, "--%s) ", opt->name);
	put_offer(shell_word_of_value(opt), opt->choices, out);
	buf_puts(out, "; return ;;\n");
}

static void put_options(const struct opt_command *command, struct buf *out)
{
	for (const struct opt *opt = command->opts; opt->name; opt++)
		if (!opt->is_hidden)
			buf_printf(out, "--%s ", opt->name);
	buf_puts(out, "--help");
}

static void put_command(const struct opt_command *command, struct buf *out)
{
	buf_printf(out, "\t%s)\n\t\tcase $prev in\n", command->name);
	for (const struct opt *opt = command->opts; opt->name; opt++)
		if (shell_takes_value(opt) && !opt->is_hidden)
			put_value(opt, out);
	buf_puts(out, "\t\tesac\n\t\tif [[ $cur == -* ]]; then\n"
		      "\t\t\t_" SHELL_PROGRAM "_offer words '");
	put_options(command, out);
	buf_puts(out, "' \"$cur\"\n\t\telse\n\t\t\t");
	put_offer(shell_word_of_operand(command), command->operand_choices, out);
	buf_puts(out, "\n\t\tfi\n\t\t;;\n");
}

void shell_bash(const struct command *const *list, struct buf *out)
{
	buf_puts(out, head);
	buf_puts(out, "\tif ((COMP_CWORD == 1)); then\n\t\t_" SHELL_PROGRAM "_offer words '");
	for (size_t i = 0; list[i]; i++)
		buf_printf(out, "%s ", list[i]->options->name);
	buf_puts(out, "--help --version' \"$cur\"\n\t\treturn\n\tfi\n");
	/* Behind "--" stands another program's command line. */
	buf_puts(out, "\tfor word in \"${COMP_WORDS[@]:2:COMP_CWORD-2}\"; do\n"
		      "\t\tif [[ $word == -- ]]; then\n"
		      "\t\t\t_" SHELL_PROGRAM "_offer programs '' \"$cur\"\n"
		      "\t\t\treturn\n\t\tfi\n\tdone\n"
		      "\tcase ${COMP_WORDS[1]} in\n");
	for (size_t i = 0; list[i]; i++)
		put_command(list[i]->options, out);
	buf_puts(out, "\tesac\n");
	buf_puts(out, tail);
}
