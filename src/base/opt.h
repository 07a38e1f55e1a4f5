/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines from one table per command.
 *
 * The table gives parsing, checks with clear errors, --help, the environment variable and what
 * shells complete.  A value goes straight into the caller's struct at `offset`, as the type of its
 * kind:
 *
 *	OPT_FLAG bool · OPT_STR const char * · OPT_INT int64_t · OPT_DOUBLE double
 *	OPT_COUNT int64_t (each use adds one: -l, -ll)
 *	OPT_DURATION int64_t ns ("10", "1.5s", "200ms", "2m", "1h", "7d"; bare numbers are seconds)
 *	OPT_BYTES int64_t ("64MiB", "10kB", "512") · OPT_CHOICE int (index into `choices`)
 *	OPT_PID int64_t ("4711", "0x1267") · OPT_LIST struct opt_list (each use appends)
 *
 * Strings point into argv or the environment, which live as long as the process.  Order of
 * precedence: command line, environment, the value that the struct already has.  Long options may be
 * shortened while they stay unique, `--name=value` and `--name value` are the same, `--` ends the
 * options.
 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum opt_kind {
	OPT_FLAG,
	OPT_COUNT,
	OPT_STR,
	OPT_INT,
	OPT_DOUBLE,
	OPT_DURATION,
	OPT_BYTES,
	OPT_CHOICE,
	OPT_PID,
	OPT_LIST,
};

#define OPT_LIST_MAX 64

struct opt_list {
	const char *items[OPT_LIST_MAX];
	size_t n;
};

struct opt {
	char letter;	  /* 0: none */
	const char *name; /* without the dashes; NULL ends the table */
	enum opt_kind kind;
	size_t offset;
	const char *arg;    /* name of the value in --help ("PID"), NULL for flags */
	const char *help;   /* one sentence, lower case, no full stop */
	double least, most; /* limits of numbers (in the unit stored); both 0: none */
	/* OPT_CHOICE: all there are; OPT_STR: what shells offer; NULL-terminated. */
	const char *const *choices;
	const char *env;  /* variable that gives a default, or NULL */
	const char *zero; /* a word that stands for 0, such as "unlimited" (OPT_DURATION) */
	bool is_hidden;	  /* taken, but neither in --help nor completed */
	/* The default as one would type it: shown in --help, stored by opt_set_standards(); or NULL. */
	const char *standard;
	const char *heading; /* of the rows from here on, in --help; or NULL */
};

struct opt_command {
	const char *name;    /* "record" */
	const char *summary; /* one line of the overview */
	const char *usage;   /* "record [-p PID | -- COMMAND...] [-o FILE]" */
	const char *about;   /* paragraphs below the options: examples */
	const struct opt *opts;
	/* For shells, what stands behind the options: "COMMAND", "FILE" or one of the choices. */
	const char *operand; /* NULL: nothing */
	const char *const *operand_choices;
};

/*
 * Parse argv[1..argc).  Returns the index of the first argument that is not an option (argc when
 * there is none), 0 when --help was asked for, or ERR_USAGE.  Options may stand behind operands;
 * operands are moved to the end of argv in their order, "--" ends the options.
 */
int opt_parse(const struct opt_command *command, int argc, char **argv, void *into,
	      struct err *err) nodiscard;

/*
 * Set one option by its whole name, as a configuration file does; flags are "true" or "false".  `text` is borrowed as
 * argv is.  ERR_USAGE for a name that there is not, and for a value that the row refuses.
 */
int opt_set(const struct opt *opts, const char *name, const char *text, void *into,
	    struct err *err) nodiscard;
/* Empty in `into` each list of which `given` has something: it replaces what was there. */
void opt_replace_lists(const struct opt *opts, const void *given, void *into);

/* Store the default of every row that has one; a default that its row refuses is our own mistake. */
void opt_set_standards(const struct opt *opts, void *into);

/* The whole --help text of one command, for a terminal of `columns`, to stdout's FILE by the
 * caller. */
struct buf;
void opt_help(const struct opt_command *command, size_t columns, struct buf *out);

/* The parsers behind the kinds, for query strings and configuration as well. */
int opt_parse_duration(const char *text, int64_t *ret_ns, struct err *err) nodiscard;
int opt_parse_bytes(const char *text, int64_t *ret_bytes, struct err *err) nodiscard;
int opt_parse_int(const char *text, int64_t least, int64_t most, int64_t *ret_value,
		  struct err *err) nodiscard;
/* A process id, 1..INT32_MAX, decimal or with 0x in front. */
int opt_parse_pid(const char *text, int64_t *ret_pid, struct err *err) nodiscard;
int opt_parse_double(const char *text, double least, double most, double *ret_value,
		     struct err *err) nodiscard;

#endif
