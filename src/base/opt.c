/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

struct unit {
	const char *name;
	double factor;
};

static int parse_with_units(const char *text, const struct unit *units, const char *what,
			    double *ret_value, struct err *err)
{
	char *end;
	double value = strtod(text, &end);

	/* strtod takes more than people type: "inf", "nan", "0x10", " 1", "+1". */
	if (end == text || !strchr("0123456789.", text[0]) ||
	    memchr(text, 'x', (size_t)(end - text)))
		return err_set(err, ERR_USAGE, "'%s' is not a %s", text, what);
	for (; units->name; units++) {
		if (strcmp(units->name, end) != 0)
			continue;
		*ret_value = value * units->factor;
		if (!isfinite(*ret_value) || *ret_value > 9e18)
			return err_set(err, ERR_USAGE, "'%s' is too large", text);
		return 0;
	}
	return err_set(err, ERR_USAGE, "'%s' is not a %s: unknown unit '%s'", text, what, end);
}

int opt_parse_duration(const char *text, int64_t *ret_ns, struct err *err)
{
	static const struct unit units[] = {
		{"", NS_PER_S},	 {"ns", 1},	     {"us", NS_PER_US},	   {"ms", NS_PER_MS},
		{"s", NS_PER_S}, {"m", 60e9},	     {"min", 60e9},	   {"h", 3600e9},
		{"d", 86400e9},	 {"w", 7 * 86400e9}, {"y", 365 * 86400e9}, {NULL, 0},
	};
	double value;
	int r = parse_with_units(text, units, "duration (such as 10, 1.5s, 200ms, 2m or 7d)",
				 &value, err);

	if (r == 0)
		*ret_ns = (int64_t)llround(value);
	return r;
}

int opt_parse_bytes(const char *text, int64_t *ret_bytes, struct err *err)
{
	static const struct unit units[] = {
		{"", 1},
		{"B", 1},
		{"kB", 1e3},
		{"MB", 1e6},
		{"GB", 1e9},
		{"KiB", 1024},
		{"MiB", 1048576.0},
		{"GiB", 1073741824.0},
		{"TiB", 1099511627776.0},
		{NULL, 0},
	};
	double value;
	int r = parse_with_units(text, units, "size (such as 512, 10kB or 64MiB)", &value, err);

	if (r == 0)
		*ret_bytes = (int64_t)llround(value);
	return r;
}

int opt_parse_int(const char *text, int64_t least, int64_t most, int64_t *ret_value,
		  struct err *err)
{
	const char *digits = text[0] == '-' ? text + 1 : text;
	char *end;
	long long value;

	if (!*digits || strspn(digits, "0123456789") != strlen(digits))
		return err_set(err, ERR_USAGE, "'%s' is not a whole number", text);
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || value < least || value > most)
		return err_set(err, ERR_USAGE, "%s is outside %lld..%lld", text, (long long)least,
			       (long long)most);
	*ret_value = value;
	return 0;
}

int opt_parse_pid(const char *text, int64_t *ret_pid, struct err *err)
{
	const char *digits = text + 2;
	char *end;
	unsigned long long value;

	if (strncmp(text, "0x", 2) != 0 && strncmp(text, "0X", 2) != 0)
		return opt_parse_int(text, 1, INT32_MAX, ret_pid, err);
	if (!*digits || strspn(digits, "0123456789abcdefABCDEF") != strlen(digits))
		return err_set(err, ERR_USAGE, "'%s' is not a process id", text);
	value = strtoull(digits, &end, 16); /* ULLONG_MAX when it is too large */
	if (value < 1 || value > INT32_MAX)
		return err_set(err, ERR_USAGE, "%s is outside 0x1..0x%x", text, INT32_MAX);
	*ret_pid = (int64_t)value;
	return 0;
}

int opt_parse_double(const char *text, double least, double most, double *ret_value,
		     struct err *err)
{
	static const struct unit none[] = {{"", 1}, {NULL, 0}};
	double value;
	int r = parse_with_units(text, none, "number", &value, err);

	if (r < 0)
		return r;
	if (value < least || value > most)
		return err_set(err, ERR_USAGE, "%s is outside %g..%g", text, least, most);
	*ret_value = value;
	return 0;
}

static int parse_choice(const struct opt *opt, const char *text, int *ret_value, struct err *err)
{
	struct buf names;

	for (int i = 0; opt->choices[i]; i++) {
		if (strcmp(opt->choices[i], text) == 0) {
			*ret_value = i;
			return 0;
		}
	}
	buf_init(&names, ERR_TEXT_MAX);
	for (int i = 0; opt->choices[i]; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", opt->choices[i]);
	err_set(err, ERR_USAGE, "'%s' is none of: %s", text, names.data);
	buf_done(&names);
	return ERR_USAGE;
}

static int check_range(const struct opt *opt, double value, const char *text, struct err *err)
{
	if ((opt->least != 0 || opt->most != 0) && (value < opt->least || value > opt->most))
		return err_set(err, ERR_USAGE, "%s is outside the allowed range", text);
	return 0;
}

static int store_value(const struct opt *opt, const char *text, void *into, struct err *err)
{
	void *place = (char *)into + opt->offset;
	bool bounded = opt->least != 0 || opt->most != 0;
	struct opt_list *list;
	int r = 0;

	switch (opt->kind) {
	case OPT_FLAG:
		*(bool *)place = true;
		break;
	case OPT_COUNT:
		++*(int64_t *)place;
		break;
	case OPT_STR:
		*(const char **)place = text;
		break;
	case OPT_INT:
		r = opt_parse_int(text, bounded ? (int64_t)opt->least : INT64_MIN,
				  bounded ? (int64_t)opt->most : INT64_MAX, place, err);
		break;
	case OPT_DOUBLE:
		r = opt_parse_double(text, bounded ? opt->least : 0, bounded ? opt->most : 1e300,
				     place, err);
		break;
	case OPT_DURATION:
		if (opt->zero && strcmp(text, opt->zero) == 0) {
			*(int64_t *)place = 0;
			break;
		}
		r = opt_parse_duration(text, place, err);
		if (r == 0)
			r = check_range(opt, (double)*(int64_t *)place, text, err);
		break;
	case OPT_BYTES:
		r = opt_parse_bytes(text, place, err);
		if (r == 0)
			r = check_range(opt, (double)*(int64_t *)place, text, err);
		break;
	case OPT_CHOICE:
		r = parse_choice(opt, text, place, err);
		break;
	case OPT_PID:
		r = opt_parse_pid(text, place, err);
		break;
	case OPT_LIST:
		list = place;
		if (list->n == OPT_LIST_MAX)
			return err_set(err, ERR_USAGE, "given more than %d times", OPT_LIST_MAX);
		list->items[list->n++] = text;
		break;
	}
	return r;
}

void opt_set_standards(const struct opt *opts, void *into)
{
	for (; opts->name; opts++) {
		int r = opts->standard ? store_value(opts, opts->standard, into, NULL) : 0;

		assert(r == 0);
		(void)r;
	}
}

static int set_flag(const struct opt *opt, const char *text, void *into, struct err *err)
{
	bool *place = (bool *)((char *)into + opt->offset);

	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return err_set(err, ERR_USAGE, "%s is true or false, not '%s'", opt->name, text);
	*place = strcmp(text, "true") == 0;
	return 0;
}

int opt_set(const struct opt *opts, const char *name, const char *text, void *into, struct err *err)
{
	int r;

	for (; opts->name; opts++)
		if (strcmp(opts->name, name) == 0)
			break;
	if (!opts->name)
		return err_set(err, ERR_USAGE, "there is no option %s", name);
	if (opts->kind == OPT_FLAG)
		return set_flag(opts, text, into, err);
	r = store_value(opts, text, into, err);
	return r < 0 ? err_prefix(err, r, "%s", name) : 0;
}

void opt_replace_lists(const struct opt *opts, const void *given, void *into)
{
	for (; opts->name; opts++) {
		const struct opt_list *list =
			(const struct opt_list *)((const char *)given + opts->offset);

		if (opts->kind == OPT_LIST && list->n)
			((struct opt_list *)((char *)into + opts->offset))->n = 0;
	}
}

static bool takes_value(const struct opt *opt)
{
	return opt->kind != OPT_FLAG && opt->kind != OPT_COUNT;
}

static const struct opt *find_letter(const struct opt *opts, char letter)
{
	for (; opts->name; opts++)
		if (opts->letter == letter)
			return opts;
	return NULL;
}

/* By whole name or by a prefix that fits one name only; a hidden one by its whole name. */
static const struct opt *find_name(const struct opt *opts, const char *name, size_t len,
				   struct err *err)
{
	const struct opt *found = NULL;

	for (; opts->name; opts++) {
		if (strncmp(opts->name, name, len) != 0)
			continue;
		if (opts->name[len] == '\0')
			return opts;
		if (opts->is_hidden)
			continue;
		if (found) {
			err_set(err, ERR_USAGE, "--%.*s could be --%s or --%s", (int)len, name,
				found->name, opts->name);
			return NULL;
		}
		found = opts;
	}
	if (!found)
		err_set(err, ERR_USAGE, "unknown option --%.*s", (int)len, name);
	return found;
}

static int value_error(const struct opt *opt, struct err *err)
{
	return err_prefix(err, ERR_USAGE, "--%s", opt->name);
}

/* One "--name[=value]"; returns how many of argv it took. */
static int parse_long(const struct opt_command *command, char **argv, int left, void *into,
		      struct err *err)
{
	const char *name = argv[0] + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct opt *opt = find_name(command->opts, name, len, err);

	if (!opt)
		return ERR_USAGE;
	if (!takes_value(opt)) {
		if (equals)
			return err_set(err, ERR_USAGE, "--%s takes no value", opt->name);
		return store_value(opt, NULL, into, err) < 0 ? ERR_USAGE : 1;
	}
	if (!equals && left < 2)
		return err_set(err, ERR_USAGE, "--%s wants a value: %s", opt->name, opt->arg);
	if (store_value(opt, equals ? equals + 1 : argv[1], into, err) < 0)
		return value_error(opt, err);
	return equals ? 1 : 2;
}

/* One "-abc" or "-p123" or "-p 123"; returns how many of argv it took. */
static int parse_letters(const struct opt_command *command, char **argv, int left, void *into,
			 struct err *err)
{
	for (const char *at = argv[0] + 1; *at; at++) {
		const struct opt *opt = find_letter(command->opts, *at);

		if (!opt)
			return err_set(err, ERR_USAGE, "unknown option -%c", *at);
		if (!takes_value(opt)) {
			(void)store_value(opt, NULL, into, err);
			continue;
		}
		if (!at[1] && left < 2)
			return err_set(err, ERR_USAGE, "-%c wants a value: %s", *at, opt->arg);
		if (store_value(opt, at[1] ? at + 1 : argv[1], into, err) < 0)
			return value_error(opt, err);
		return at[1] ? 1 : 2;
	}
	return 1;
}

static int parse_environment(const struct opt_command *command, void *into, struct err *err)
{
	for (const struct opt *opt = command->opts; opt->name; opt++) {
		const char *text = opt->env ? getenv(opt->env) : NULL;

		if (text && *text && store_value(opt, text, into, err) < 0)
			return err_prefix(err, ERR_USAGE, "environment variable %s", opt->env);
	}
	return 0;
}

static void move_to_end(char **argv, int from, int argc)
{
	char *operand = argv[from];

	memmove(argv + from, argv + from + 1, (size_t)(argc - from - 1) * sizeof(*argv));
	argv[argc - 1] = operand;
}

int opt_parse(const struct opt_command *command, int argc, char **argv, void *into, struct err *err)
{
	int operands = 0, i = 1;

	if (parse_environment(command, into, err) < 0)
		return ERR_USAGE;
	while (i < argc - operands) {
		char *arg = argv[i];
		int taken, left = argc - operands - i;

		if (strcmp(arg, "--") == 0) {
			/* Earlier operands stand at the end; what follows "--" must come after
			 * them. */
			for (int k = i + 1, n = left - 1; n > 0; n--)
				move_to_end(argv, k, argc);
			return i + 1;
		}
		if (strcmp(arg, "--help") == 0 ||
		    (strcmp(arg, "-h") == 0 && !find_letter(command->opts, 'h')))
			return 0;
		if (arg[0] != '-' || !arg[1]) {
			move_to_end(argv, i, argc);
			operands++;
			continue;
		}
		taken = arg[1] == '-' ? parse_long(command, argv + i, left, into, err)
				      : parse_letters(command, argv + i, left, into, err);
		if (taken < 0)
			return taken;
		i += taken;
	}
	return i;
}

#define HELP_COLUMN 30

static void help_wrapped(struct buf *out, const char *text, size_t column, size_t columns)
{
	size_t at = column;

	while (*text) {
		size_t word = strcspn(text, " ");

		if (at > column && at + 1 + word > columns) {
			buf_printf(out, "\n%*s", (int)column, "");
			at = column;
		} else if (at > column) {
			buf_putc(out, ' ');
			at++;
		}
		buf_put(out, text, word);
		at += word;
		text += word;
		text += strspn(text, " ");
	}
	buf_putc(out, '\n');
}

static void help_row(struct buf *out, const struct opt *opt, size_t columns)
{
	char left[64], text[512];
	int len = snprintf(left, sizeof(left), opt->letter ? "  -%c, " : "      ", opt->letter);

	len += snprintf(left + len, sizeof(left) - (size_t)len, "--%s%s%s", opt->name,
			opt->arg ? " " : "", opt->arg ? opt->arg : "");
	/* Two blanks at least before the help. */
	buf_printf(out, len > HELP_COLUMN - 2 ? "%s\n%*s" : "%s%*s", left,
		   len > HELP_COLUMN - 2 ? HELP_COLUMN : HELP_COLUMN - len, "");
	if (opt->standard)
		snprintf(text, sizeof(text), "%s (default %s)", opt->help, opt->standard);
	help_wrapped(out, opt->standard ? text : opt->help, HELP_COLUMN, columns);
}

void opt_help(const struct opt_command *command, size_t columns, struct buf *out)
{
	buf_printf(out, "pyrometer %s: %s\n\nusage: pyrometer %s\n", command->name,
		   command->summary, command->usage);
	if (command->opts->name)
		buf_puts(out, "\noptions:\n");
	for (const struct opt *opt = command->opts; opt->name; opt++) {
		if (opt->heading)
			buf_printf(out, "\n%s:\n", opt->heading);
		if (!opt->is_hidden)
			help_row(out, opt, columns);
	}
	if (command->about)
		buf_printf(out, "\n%s\n", command->about);
}
