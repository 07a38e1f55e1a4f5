/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/opt.h"

struct args {
	bool idle, threads;
	const char *output;
	int64_t pid, duration_ns, size;
	double rate;
	int format;
	int64_t locals;
	int64_t parent;
	bool secret;
	struct opt_list labels;
};

static const char *const format_names[] = {"svg", "raw", NULL};

static const struct opt opts[] = {
	{'i', "idle", OPT_FLAG, offsetof(struct args, idle), .help = "keep idle threads"},
	{'t', "threads", OPT_FLAG, offsetof(struct args, threads), .help = "show threads"},
	{'o', "output", OPT_STR, offsetof(struct args, output), "FILE", "write here"},
	{'p', "pid", OPT_INT, offsetof(struct args, pid), "PID", "process", 1, 4194304},
	{'d', "duration", OPT_DURATION, offsetof(struct args, duration_ns), "TIME", "how long", 1,
	 1e18, .zero = "unlimited"},
	{0, "size", OPT_BYTES, offsetof(struct args, size), "BYTES", "how much"},
	{'r', "rate", OPT_DOUBLE, offsetof(struct args, rate), "HZ", "samples a second", 1, 10000},
	{'f', "format", OPT_CHOICE, offsetof(struct args, format), "FORMAT", "what", 0, 0,
	 format_names},
	{'l', "locals", OPT_COUNT, offsetof(struct args, locals), .help = "more of them"},
	{'P', "parent", OPT_PID, offsetof(struct args, parent), "PID", "its parent"},
	{0, "thready", OPT_FLAG, offsetof(struct args, secret), .help = "secret",
	 .is_hidden = true},
	{0, "label", OPT_LIST, offsetof(struct args, labels), "K=V", "label",
	 .env = "TEST_OPT_LABEL"},
	{0},
};

static const struct opt_command command = {"record", "sample a process", "record [-p PID]", NULL,
					   opts};

/* Splits at spaces; the words live in `store`. */
static int parse(const char *line, struct args *args, char *store, char **argv, struct err *err)
{
	int argc = 0;

	memset(args, 0, sizeof(*args));
	snprintf(store, 256, "%s", line);
	for (char *word = store; *word && argc < 31;) {
		argv[argc++] = word;
		word += strcspn(word, " ");
		if (*word)
			*word++ = '\0';
	}
	argv[argc] = NULL;
	return opt_parse(&command, argc, argv, args, err);
}

static void options_land_in_the_struct(void **state)
{
	char store[256], *argv[32];
	struct args args;
	struct err err;

	(void)state;
	assert_int_equal(parse("record -it -p12 --duration 1.5s --rate=99.5 -f raw --size 2KiB "
			       "--label a=b --label c=d -o out",
			       &args, store, argv, &err),
			 16);
	assert_true(args.idle && args.threads);
	assert_int_equal(args.pid, 12);
	assert_int_equal(args.duration_ns, 1500000000);
	assert_true(args.rate > 99.4 && args.rate < 99.6);
	assert_int_equal(args.format, 1);
	assert_int_equal(args.size, 2048);
	assert_int_equal(args.labels.n, 2);
	assert_string_equal(args.labels.items[1], "c=d");
	assert_string_equal(args.output, "out");
}

static void operands_keep_their_order_and_dashes_end_the_options(void **state)
{
	char store[256], *argv[32];
	struct args args;
	int first;

	(void)state;
	first = parse("record in.pyro -i second", &args, store, argv, NULL);
	assert_int_equal(first, 2);
	assert_string_equal(argv[2], "in.pyro");
	assert_string_equal(argv[3], "second");
	assert_true(args.idle);
	first = parse("record -i -- python3 -t app.py", &args, store, argv, NULL);
	assert_int_equal(first, 3);
	assert_string_equal(argv[3], "python3");
	assert_string_equal(argv[4], "-t");
	assert_string_equal(argv[5], "app.py");
	assert_false(args.threads);
}

static void letters_add_up_where_they_are_counted(void **state)
{
	char store[256], *argv[32];
	struct args args;

	(void)state;
	assert_true(parse("record -ll -i --locals", &args, store, argv, NULL) > 0);
	assert_int_equal(args.locals, 3);
	assert_true(args.idle);
}

static void process_ids_may_be_hexadecimal(void **state)
{
	static const struct {
		const char *line;
		int64_t pid; /* 0: refused */
	} cases[] = {
		{"record -P 4711", 4711},
		{"record -P 0x1267", 4711},
		{"record --parent=0XAbC", 2748},
		{"record -P 0x7fffffff", INT32_MAX},
		{"record -P 0x80000000", 0},
		{"record -P 0x", 0},
		{"record -P 0x0", 0},
		{"record -P 0", 0},
		{"record -P 0x-1", 0},
		{"record -P 0xfffffffffffffffffffff", 0},
		{"record -P 12cd", 0},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		char store[256], *argv[32];
		struct args args;
		int r = parse(cases[i].line, &args, store, argv, NULL);

		assert_int_equal(args.parent, cases[i].pid);
		assert_true(cases[i].pid ? r > 0 : r == ERR_USAGE);
	}
}

static void a_word_may_stand_for_no_limit(void **state)
{
	char store[256], *argv[32];
	struct args args;

	(void)state;
	assert_true(parse("record -d 5 -d unlimited", &args, store, argv, NULL) > 0);
	assert_int_equal(args.duration_ns, 0);
}

static void hidden_options_are_taken_by_their_whole_name(void **state)
{
	char store[256], *argv[32];
	struct args args;
	struct buf out;

	(void)state;
	assert_true(parse("record --thr", &args, store, argv, NULL) > 0);
	assert_true(args.threads && !args.secret);
	assert_true(parse("record --thready", &args, store, argv, NULL) > 0);
	assert_true(args.secret && !args.threads);
	buf_init(&out, 1 << 16);
	opt_help(&command, 80, &out);
	assert_null(strstr(out.data, "thready"));
	buf_done(&out);
}

static void names_may_be_shortened_while_unique(void **state)
{
	char store[256], *argv[32];
	struct args args;
	struct err err;

	(void)state;
	assert_true(parse("record --th --out x", &args, store, argv, &err) > 0);
	assert_true(args.threads);
	assert_string_equal(args.output, "x");
}

static void wrong_arguments_say_what_is_wrong(void **state)
{
	static const struct {
		const char *line, *text;
	} cases[] = {
		{"record --nonsense", "unknown option --nonsense"},
		{"record -x", "unknown option -x"},
		{"record --pid", "--pid wants a value: PID"},
		{"record -p", "-p wants a value: PID"},
		{"record -p abc", "--pid: 'abc' is not a whole number"},
		{"record -p 0", "--pid: 0 is outside 1..4194304"},
		{"record -p -1", "--pid: -1 is outside 1..4194304"},
		{"record -p 99999999999999999999",
		 "--pid: 99999999999999999999 is outside 1..4194304"},
		{"record -p 0x10", "--pid: '0x10' is not a whole number"},
		{"record -p +12", "--pid: '+12' is not a whole number"},
		{"record --idle=1", "--idle takes no value"},
		{"record -r 0", "--rate: 0 is outside 1..10000"},
		{"record -r nan", "--rate: 'nan' is not a number"},
		{"record -d 1q", "--duration: '1q' is not a duration (such as 10, 1.5s, 200ms, 2m "
				 "or 7d): unknown unit 'q'"},
		{"record -d 0", "--duration: 0 is outside the allowed range"},
		{"record -f pdf", "--format: 'pdf' is none of: svg, raw"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		char store[256], *argv[32];
		struct args args;
		struct err err = {0};

		assert_int_equal(parse(cases[i].line, &args, store, argv, &err), ERR_USAGE);
		assert_string_equal(err.text, cases[i].text);
	}
}

static void help_is_asked_for_by_return_value_and_lists_every_option(void **state)
{
	char store[256], *argv[32];
	struct args args;
	struct buf out;

	(void)state;
	assert_int_equal(parse("record --help", &args, store, argv, NULL), 0);
	assert_int_equal(parse("record -h", &args, store, argv, NULL), 0);
	buf_init(&out, 1 << 16);
	opt_help(&command, 80, &out);
	for (const struct opt *opt = opts; opt->name; opt++)
		if (!opt->is_hidden)
			assert_non_null(strstr(out.data, opt->name));
	buf_done(&out);
}

static void environment_gives_defaults(void **state)
{
	char store[256], *argv[32];
	struct args args;

	(void)state;
	setenv("TEST_OPT_LABEL", "from=env", 1);
	assert_true(parse("record --label x=y", &args, store, argv, NULL) > 0);
	unsetenv("TEST_OPT_LABEL");
	assert_int_equal(args.labels.n, 2);
	assert_string_equal(args.labels.items[0], "from=env");
}

static void options_are_set_by_name_as_a_file_would(void **state)
{
	static const struct {
		const char *name, *text, *error;
	} bad[] = {
		{"ide", "true", "there is no option ide"}, /* no prefixes */
		{"idle", "yes", "true or false"},	   {"pid", "0", "pid"},
		{"duration", "soon", "duration"},	   {"format", "png", "format"},
	};
	struct args args = {.threads = true};
	struct err err;

	(void)state;
	assert_int_equal(opt_set(opts, "idle", "true", &args, &err), 0);
	assert_int_equal(opt_set(opts, "threads", "false", &args, &err), 0);
	assert_int_equal(opt_set(opts, "size", "2MiB", &args, &err), 0);
	assert_int_equal(opt_set(opts, "label", "a", &args, &err), 0);
	assert_int_equal(opt_set(opts, "label", "b", &args, &err), 0);
	assert_true(args.idle && !args.threads);
	assert_int_equal(args.size, 2 << 20);
	assert_int_equal(args.labels.n, 2);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(opt_set(opts, bad[i].name, bad[i].text, &args, &err), ERR_USAGE);
		assert_non_null(strstr(err.text, bad[i].error));
	}
}

static void a_list_that_is_given_replaces_the_one_before(void **state)
{
	struct args file = {.labels = {{"a", "b"}, 2}, .size = 7}, line = {0};

	(void)state;
	opt_replace_lists(opts, &line, &file);
	assert_int_equal(file.labels.n, 2);
	line.labels.n = 1;
	opt_replace_lists(opts, &line, &file);
	assert_int_equal(file.labels.n, 0);
	assert_int_equal(file.size, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_land_in_the_struct),
		cmocka_unit_test(operands_keep_their_order_and_dashes_end_the_options),
		cmocka_unit_test(letters_add_up_where_they_are_counted),
		cmocka_unit_test(process_ids_may_be_hexadecimal),
		cmocka_unit_test(a_word_may_stand_for_no_limit),
		cmocka_unit_test(hidden_options_are_taken_by_their_whole_name),
		cmocka_unit_test(names_may_be_shortened_while_unique),
		cmocka_unit_test(wrong_arguments_say_what_is_wrong),
		cmocka_unit_test(help_is_asked_for_by_return_value_and_lists_every_option),
		cmocka_unit_test(environment_gives_defaults),
		cmocka_unit_test(options_are_set_by_name_as_a_file_would),
		cmocka_unit_test(a_list_that_is_given_replaces_the_one_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
