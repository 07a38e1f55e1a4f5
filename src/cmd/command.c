/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/command.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"

#define HELP_MAX_BYTES (64u << 10)
#define COLUMNS_DEFAULT 80
#define COLUMNS_LEAST 40 /* narrower terminals get lines that wrap */
#define COLUMNS_MOST 120 /* longer lines are hard to read */

const char *const colour_names[] = {"auto", "always", "never", NULL};

enum exit_code exit_code_of(int code)
{
	switch (code) {
	case ERR_USAGE:
		return EXIT_CODE_USAGE;
	case -EPERM:
	case -EACCES:
		return EXIT_CODE_PERMISSION;
	case -ESRCH:
	case ERR_GONE:
		return EXIT_CODE_GONE;
	case ERR_NOT_PYTHON:
	case ERR_UNSUPPORTED:
		return EXIT_CODE_UNSUPPORTED;
	default:
		return code < 0 ? EXIT_CODE_FAILED : EXIT_CODE_OK;
	}
}

int command_fail(const struct err *err)
{
	log_error("%s", err->text);
	return (int)exit_code_of(err->code);
}

size_t terminal_columns(int fd)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return COLUMNS_DEFAULT;
	return max_of(COLUMNS_LEAST, min_of(size.ws_col, COLUMNS_MOST));
}

int command_print(const struct buf *text)
{
	const char *at = text->data;
	size_t left = text->len;

	while (left > 0) {
		ssize_t n = write(STDOUT_FILENO, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EPIPE)
			return EXIT_CODE_OK;
		if (n < 0) {
			log_error("cannot write to stdout: %s", err_name(-errno));
			return EXIT_CODE_OUTPUT;
		}
		at += n;
		left -= (size_t)n;
	}
	return EXIT_CODE_OK;
}

static void print_help(const struct command *command)
{
	struct buf text;

	buf_init(&text, HELP_MAX_BYTES);
	opt_help(command->options, terminal_columns(STDOUT_FILENO), &text);
	(void)command_print(&text);
	buf_done(&text);
}

int command_parse(const struct command *command, int argc, char **argv, void *into)
{
	struct err err;
	int first = opt_parse(command->options, argc, argv, into, &err);

	if (first == 0)
		print_help(command);
	if (first < 0)
		log_error("%s (see pyrometer %s --help)", err.text, command->options->name);
	return first;
}
