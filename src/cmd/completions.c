/* SPDX-License-Identifier: Apache-2.0 */
/* pyrometer completions: the script that teaches a shell our options. */
#include <string.h>

#include "base/log.h"
#include "cmd/shell.h"

#define SCRIPT_MAX_BYTES (1u << 20)

static const struct opt completions_opts[] = {{0}};
static const char *const shell_names[] = {"bash", "zsh", "fish", NULL};

static const struct opt_command completions_options = {
	.name = "completions",
	.summary = "print the completion script for a shell: bash, zsh or fish",
	.usage = "completions SHELL",
	.about = "examples:\n"
		 "  source <(pyrometer completions bash)\n"
		 "  pyrometer completions zsh > \"${fpath[1]}/_pyrometer\"\n"
		 "  pyrometer completions fish > ~/.config/fish/completions/pyrometer.fish",
	.opts = completions_opts,
	.operand = "SHELL",
	.operand_choices = shell_names,
};

static int print_script(const char *shell)
{
	static void (*const writers[])(const struct command *const *, struct buf *) = {
		shell_bash,
		shell_zsh,
		shell_fish,
	};
	struct buf text;
	int code;

	for (size_t i = 0; shell_names[i]; i++) {
		if (strcmp(shell_names[i], shell) != 0)
			continue;
		buf_init(&text, SCRIPT_MAX_BYTES);
		writers[i](commands, &text);
		code = command_print(&text);
		buf_done(&text);
		return code;
	}
	log_error("'%s' is no shell that has completions here: choose bash, zsh or fish", shell);
	return EXIT_CODE_USAGE;
}

static int completions_run(int argc, char **argv)
{
	char unused; /* no option has a place */
	int first = command_parse(&command_completions, argc, argv, &unused);

	if (first <= 0)
		return first == 0 ? EXIT_CODE_OK : EXIT_CODE_USAGE;
	if (first + 1 == argc)
		return print_script(argv[first]);
	log_error("for which shell? (pyrometer completions bash, zsh or fish)");
	return EXIT_CODE_USAGE;
}

const struct command command_completions = {&completions_options, completions_run};
