/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shell.h"

static const char head[] = "#compdef " SHELL_PROGRAM "\n"
			   "# zsh completion of " SHELL_PROGRAM "\n"
			   "_" SHELL_PROGRAM "_pids()\n"
			   "{\n"
			   "\tlocal -a pids\n"
			   "\tpids=(${(f)\"$(" SHELL_LIST_PIDS ")\"})\n"
			   "\tcompadd -a pids\n"
			   "}\n\n"
			   "_" SHELL_PROGRAM "()\n"
			   "{\n"
			   "\tlocal curcontext=\"$curcontext\" state line\n"
			   "\tlocal -a commands\n"
			   "\tcommands=(\n";

/* Sourced it registers itself; as a file of fpath it is the body of the function. */
static const char tail[] = "\tesac\n"
			   "}\n\n"
			   "if [[ ${funcstack[1]} == _" SHELL_PROGRAM " ]]; then\n"
			   "\t_" SHELL_PROGRAM " \"$@\"\n"
			   "else\n"
			   "\tcompdef _" SHELL_PROGRAM " " SHELL_PROGRAM "\n"
			   "fi\n";

/* Inside single quotes, where _arguments and _describe read ':', '[' and ']' as their own. */
static void put_text(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (*text == '\'')
			buf_puts(out, "'\\''");
		else
			shell_put_escaped(out, (const char[]){*text, '\0'}, ":[]");
	}
}

static void put_action(enum shell_word word, const char *const *choices, struct buf *out)
{
	static const char *const actions[] = {
		[SHELL_WORD_FREE] = " ",
		[SHELL_WORD_CHOICE] = "",
		[SHELL_WORD_FILE] = "_files",
		[SHELL_WORD_DIR] = "_files -/",
		[SHELL_WORD_PID] = "_" SHELL_PROGRAM "_pids",
		[SHELL_WORD_COMMAND] = "_command_names -e",
	};

	buf_puts(out, actions[word]);
	if (word != SHELL_WORD_CHOICE)
		return;
	for (size_t i = 0; choices[i]; i++)
		buf_printf(out, "%s%s", i ? " " : "(", choices[i]);
	buf_putc(out, ')');
}

/* '(-p --pid)'{-p+,--pid=}'[help]:PID:action': '+' and '=' say how a value may stand. */
static void put_option(const struct opt *opt, struct buf *out)
{
	bool has_value = shell_takes_value(opt);
	bool is_repeated = opt->kind == OPT_LIST || opt->kind == OPT_COUNT;

	buf_puts(out, "\t\t\t");
	if (is_repeated)
		buf_puts(out, "'*'");
	else if (opt->letter)
		buf_printf(out, "'(-%c --%s)'", opt->letter, opt->name);
	if (opt->letter)
		buf_printf(out, "{-%c%s,--%s%s}", opt->letter, has_value ? "+" : "", opt->name,
			   has_value ? "=" : "");
	else
		buf_printf(out, "--%s%s", opt->name, has_value ? "=" : "");
	buf_puts(out, "'[");
	put_text(opt->help, out);
	buf_putc(out, ']');
	if (has_value) {
		buf_putc(out, ':');
		put_text(opt->arg, out);
		buf_putc(out, ':');
		put_action(shell_word_of_value(opt), opt->choices, out);
	}
	buf_puts(out, "' \\\n");
}

static void put_operand(const struct opt_command *command, struct buf *out)
{
	enum shell_word word = shell_word_of_operand(command);

	buf_printf(out, "\t\t\t'1:%s:", command->operand);
	put_action(word, command->operand_choices, out);
	buf_puts(out, "'");
	if (word == SHELL_WORD_COMMAND) /* its own options, as its own completion knows them */
		buf_puts(out, " \\\n\t\t\t'*::arguments:_normal'");
	buf_putc(out, '\n');
}

static void put_command(const struct opt_command *command, struct buf *out)
{
	buf_printf(out, "\t%s)\n\t\t_arguments -s -S \\\n", command->name);
	for (const struct opt *opt = command->opts; opt->name; opt++)
		if (!opt->is_hidden)
			put_option(opt, out);
	buf_printf(out, "\t\t\t'--help[what the options mean]'%s\n", command->operand ? " \\" : "");
	if (command->operand)
		put_operand(command, out);
	buf_puts(out, "\t\t;;\n");
}

void shell_zsh(const struct command *const *list, struct buf *out)
{
	buf_puts(out, head);
	for (size_t i = 0; list[i]; i++) {
		buf_printf(out, "\t\t'%s:", list[i]->options->name);
		put_text(list[i]->options->summary, out);
		buf_puts(out, "'\n");
	}
	buf_puts(out,
		 "\t)\n"
		 "\t_arguments -C '--help[what there is]' '--version[which version this is]' \\\n"
		 "\t\t'1:command:->command' '*::argument:->argument' && return\n"
		 "\tif [[ $state == command ]]; then\n"
		 "\t\t_describe command commands\n"
		 "\t\treturn\n"
		 "\tfi\n"
		 "\tcase $words[1] in\n");
	for (size_t i = 0; list[i]; i++)
		put_command(list[i]->options, out);
	buf_puts(out, tail);
}
