/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/command.h"

#if !defined(PYROMETER_VERSION) || !defined(PYROMETER_PROGRAM)
#error "the build defines PYROMETER_VERSION and PYROMETER_PROGRAM, the name of what is built"
#endif

/*
 * A descriptor 0-2 that is closed at start would be given to the first file that we open, and a
 * warning on stderr would then be written into the user's result.
 */
static void fill_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null",
			  O_RDWR); /* without O_CLOEXEC: commands we start need them too */
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static void print_overview(FILE *out)
{
	fputs(PYROMETER_PROGRAM ": shows where running Python programs spend their time\n\n"
				"usage: " PYROMETER_PROGRAM " COMMAND [options]\n\ncommands:\n",
	      out);
	for (size_t i = 0; commands[i]; i++)
		fprintf(out, "  %-13s%s\n", commands[i]->options->name,
			commands[i]->options->summary);
	fputs("\n" PYROMETER_PROGRAM
	      " COMMAND --help says more.  The beginning of a command will do (d: "
	      "dump).\n"
	      "exit codes: 0 done, 1 failed, 2 usage, 3 no permission, 4 target gone, 5 target "
	      "not\n"
	      "supported, 6 result cannot be written\n"
	      "environment: PYROMETER_DEBUG=1 says more on stderr about what happens\n",
	      out);
}

/*
 * By name or by its beginning.  Where several begin so the first of the table is meant, so that "d" stays py-spy's
 * dump whatever comes after it.
 */
static const struct command *find_command(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (strcmp(commands[i]->options->name, name) == 0)
			return commands[i];
	for (size_t i = 0; commands[i]; i++)
		if (strncmp(commands[i]->options->name, name, strlen(name)) == 0)
			return commands[i];
	log_error("unknown command '%s' (see " PYROMETER_PROGRAM " --help)", name);
	return NULL;
}

int main(int argc, char **argv)
{
	const struct command *command;
	const char *debug;

	fill_standard_fds();
	debug = getenv("PYROMETER_DEBUG");
	if (debug && strcmp(debug, "1") == 0)
		log_set_level(LOG_DEBUG_LEVEL);
	/* A closed pipe and a file too large are errors of write(), not the end of us. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (argc < 2 || !argv[1][0]) {
		print_overview(stderr);
		return EXIT_CODE_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_overview(stdout);
		return EXIT_CODE_OK;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts(PYROMETER_PROGRAM " " PYROMETER_VERSION);
		return EXIT_CODE_OK;
	}
	command = find_command(argv[1]);
	return command ? command->run(argc - 1, argv + 1) : EXIT_CODE_USAGE;
}
