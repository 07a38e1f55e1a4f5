/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "format/collapsed.h"
#include "format/perf_script.h"

struct read {
	struct names *names;
	struct profile profile;
	struct buf text; /* as collapsed stacks, of column */
};

static int read_text(struct read *read, const char *text, const struct perf_script_opts *opts,
		     struct err *err)
{
	const struct perf_script_opts none = {0};

	memset(read, 0, sizeof(*read));
	read->names = names_new();
	profile_init(&read->profile, read->names);
	buf_init(&read->text, 1 << 20);
	return perf_script_read_with(text, strlen(text), &format_limits_local, opts ? opts : &none,
				     &read->profile, err);
}

static const char *collapse(struct read *read, size_t column)
{
	struct format_output output = {.profile = &read->profile, .column = column};

	buf_reset(&read->text);
	assert_int_equal(collapsed_write(&output, &read->text, NULL), 0);
	return read->text.data;
}

static void done(struct read *read)
{
	buf_done(&read->text);
	profile_done(&read->profile);
	names_free(read->names);
}

static const char two_samples[] =
	"# ========\n"
	"# captured on    : Mon Nov 23 01:00:00 2026\n"
	"#\n"
	"\n"
	"node  4711/4712 [002] 94564.109216:     250000 cpu-clock:u: \n"
	"\t    7f12a0001a40 JS:*render /srv/app.js:14:9+0x60 (/tmp/perf-4711.map)\n"
	"\t    55d0c0a1b2c3 uv__run_timers+0x43 (/usr/bin/node)\n"
	"\t    55d0c0a1b000 [unknown] (/usr/lib/libuv.so.1)\n"
	"\n"
	"V8 WorkerThread  4713 94564.359216:     250000 cpu-clock:u: \n"
	"\tffffffff81a00126 entry_SYSCALL_64_after_hwframe+0x6e ([kernel.kallsyms])\n"
	"\t    7f12a0002a40 py::work:/srv/app.py+0x10 (/tmp/perf-4711.map)\n"
	"\n";

static void perf_script_reads_stacks_with_threads_and_time(void **state)
{
	struct read read;
	struct err err = {0};

	(void)state;
	assert_int_equal(read_text(&read, two_samples, NULL, &err), 0);
	assert_int_equal(profile_find_column(&read.profile, "samples", "count", NULL), 0);
	assert_int_equal(profile_find_column(&read.profile, "cpu", "nanoseconds", NULL), 1);
	assert_string_equal(
		collapse(&read, 1),
		"process 4711;thread 4712: node;[libuv.so.1] (/usr/lib/libuv.so.1);uv__run_timers "
		"(/usr/bin/node);render (/srv/app.js) 250000\n"
		"thread 4713: V8 WorkerThread;work (/srv/app.py);"
		"entry_SYSCALL_64_after_hwframe_[k] 250000\n");
	assert_int_equal(profile_sum(&read.profile, 0), 2);
	assert_int_equal(read.profile.n_samples, 2);
	assert_int_equal(read.profile.duration_ns, 250000000);
	done(&read);
}

static void perf_script_keeps_events_apart(void **state)
{
	struct read read;

	(void)state;
	assert_int_equal(read_text(&read,
				   "a 1 [0] 1.5:  7 cycles:u:\n\t 10 f+0x1 (/bin/a)\n\n"
				   "a 1 [0] 1.6:  3 cycles:u:\n\t 10 f+0x2 (/bin/a)\n\n"
				   "a 1 [0] 1.7: sched:sched_switch: prev_comm=a prev_pid=1\n\t 20 "
				   "g (/bin/a)\n\n",
				   NULL, NULL),
			 0);
	assert_string_equal(collapse(&read, 1), "thread 1: a;f (/bin/a) 10\n");
	assert_string_equal(collapse(&read, 2), "thread 1: a;g (/bin/a) 1\n");
	assert_int_equal(profile_sum(&read.profile, 0), 3);
	done(&read);
}

static void perf_script_takes_lines_and_inlined_frames(void **state)
{
	struct read read;

	(void)state;
	assert_int_equal(read_text(&read,
				   "a b 12 1.5: cycles:\n"
				   "\t 10 std::max<int>(int, int)+0x1 (inlined)\n"
				   "  algo.h:7\n"
				   "\t 10 operator()(int) const+0x1f (/lib/x (deleted))\n"
				   "  main.cc:31\n",
				   NULL, NULL),
			 0);
	assert_string_equal(collapse(&read, 0),
			    "thread 12: a b;operator()(int) const (main.cc:31);std::max<int>(int, "
			    "int) (algo.h:7) 1\n");
	done(&read);
}

/* What stands without a name is asked for with its process. */
static const char *find(void *ctx, int64_t pid, uint64_t address)
{
	assert_int_equal(pid, 4711);
	*(uint64_t *)ctx = address;
	return "found";
}

static void perf_script_asks_for_names_that_perf_had_not(void **state)
{
	uint64_t asked = 0;
	struct perf_script_opts opts = {find, &asked};
	struct read read;

	(void)state;
	assert_int_equal(read_text(&read, two_samples, &opts, NULL), 0);
	assert_int_equal(asked, 0x55d0c0a1b000);
	assert_non_null(strstr(collapse(&read, 0), ";found (/usr/lib/libuv.so.1);"));
	done(&read);
}

static void perf_script_refuses_what_is_none(void **state)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"hello\n",
		"main;foo 12\n",
		"a 99999999999999999999 [0] 1.5: 1 cycles:\n",
		"a 1 [0] 1.:\n",
	};
	struct err err = {0};
	struct read read;

	(void)state;
	for (size_t i = 0; i < array_len(texts); i++) {
		int r = read_text(&read, texts[i], NULL, &err);

		if (i < 4)
			assert_int_equal(r, ERR_CORRUPT);
		done(&read);
	}
}

static void perf_script_bounds_samples(void **state)
{
	struct format_limits limits = format_limits_server;
	struct err err = {0};
	struct read read;

	(void)state;
	assert_int_equal(read_text(&read, two_samples, NULL, NULL), 0);
	limits.max_samples = 1;
	assert_int_equal(
		perf_script_read(two_samples, strlen(two_samples), &limits, &read.profile, &err),
		ERR_LIMIT);
	done(&read);
}

static void perf_script_is_told_from_other_texts(void **state)
{
	(void)state;
	assert_string_equal(format_sniff(two_samples, strlen(two_samples))->name, "perf");
	assert_string_equal(format_sniff("main;foo 12\n", 12)->name, "raw");
	assert_string_equal(format_sniff("a 1 2 3 4\n", 10)->name, "raw");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(perf_script_reads_stacks_with_threads_and_time),
		cmocka_unit_test(perf_script_keeps_events_apart),
		cmocka_unit_test(perf_script_takes_lines_and_inlined_frames),
		cmocka_unit_test(perf_script_asks_for_names_that_perf_had_not),
		cmocka_unit_test(perf_script_refuses_what_is_none),
		cmocka_unit_test(perf_script_bounds_samples),
		cmocka_unit_test(perf_script_is_told_from_other_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
