/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/selftest_programs.h"
#include "cmd/selftest_run.h"

#define PAUSING_HZ 1000
#define NONBLOCKING_HZ 5000
#define DISTANCE_MORE 0.01 /* than an honest sampler's: what the clock of the programs may be off */
#define DISTANCE_MISSED 0.05 /* share of ticks missed above which they came when there was time */
#define DROPPED_MOST 0.001
#define DROPPED_FEW 3

struct options {
	int64_t duration_ns;
	const char *python;
};

#define AT(field) offsetof(struct options, field)
static const struct opt selftest_opts[] = {
	{0, "seconds", OPT_DURATION, AT(duration_ns), "N",
	 "how long to record, all programs together", NS_PER_S, 3600.0 * NS_PER_S},
	{0, "python", OPT_STR, AT(python), "PATH",
	 "the interpreter to test on; python3 by default"},
	{0, NULL, OPT_FLAG, 0, NULL, NULL},
};
#undef AT

static const struct opt_command selftest_options = {
	.name = "selftest",
	.summary = "measure on this machine whether what the profiler shows is true",
	.usage = "selftest [--seconds N] [--python PATH]",
	.about = "Runs programs that know which stacks, lines and times are true, and profiles "
		 "them.\n"
		 "A stack is impossible when the program never makes such calls; a line is wrong "
		 "when\n"
		 "the program never stands there; the distance is the share of the time that was "
		 "given\n"
		 "to the wrong function, beside the most that an honest sampler of so few samples "
		 "has.\n"
		 "Exit code 0: all is as it should be, 1: it is not, else why it could not be "
		 "tested.",
	.opts = selftest_opts,
};

struct program {
	const char *name, *text;
	bool is_nonblocking;
};

static const struct program programs[] = {
	{"flat", selftest_flat, false},
	{"nested", selftest_nested, false},
	{"leaf", selftest_leaf, false},
	{"twins", selftest_twins, false},
	{"generators", selftest_generators, false},
	{"exceptions", selftest_exceptions, false},
	{"recursion", selftest_recursion, false},
	{"reuse", selftest_reuse, false},
	{"calls", selftest_calls, false},
	{"callbacks", selftest_callbacks, false},
	{"twins", selftest_twins, true},
	{"reuse", selftest_reuse, true},
};

/* ---- the table ---- */

static void print_row(const struct program *program, const struct selftest_result *result)
{
	const struct capture_stats *stats = &result->stats;
	uint64_t all = result->samples + stats->dropped, due = stats->ticks + stats->missed_ticks;
	char distance[32] = "-", floor[32] = "";

	if (result->has_distance) {
		snprintf(distance, sizeof(distance), "%.4f", result->distance);
		snprintf(floor, sizeof(floor), "%.4f", result->floor);
	}
	printf("%-11s %-11s %8" PRIu64 " %10" PRIu64 " %11" PRIu64 " %7.2f%% %7.1f%% %8s %7s\n",
	       program->name, program->is_nonblocking ? "nonblocking" : "pausing", result->samples,
	       result->impossible, result->wrong_lines,
	       all ? 100.0 * (double)stats->dropped / (double)all : 0,
	       due ? 100.0 * (double)stats->missed_ticks / (double)due : 0, distance, floor);
	if (*result->example)
		printf("    %s\n", result->example);
	fflush(stdout);
}

/* ---- what is wrong ---- */

struct sums {
	uint64_t samples, impossible, wrong_lines, dropped, paused, missed, ticks;
	int64_t cpu_ns, time_ns, pause_median_ns, pause_p99_ns, pause_max_ns;
	unsigned n_far, n_unjudged;
};

static bool is_starved(const struct capture_stats *stats)
{
	return (double)stats->missed_ticks > DISTANCE_MISSED * (double)stats->ticks;
}

static void add(struct sums *sums, const struct program *program,
		const struct selftest_result *result)
{
	const struct capture_stats *stats = &result->stats;
	bool is_far = result->has_distance && result->distance > result->floor + DISTANCE_MORE;

	sums->samples += result->samples;
	sums->impossible += result->impossible;
	/* Without pausing, a line may be that of a moment before. */
	sums->wrong_lines += program->is_nonblocking ? 0 : result->wrong_lines;
	if (program->is_nonblocking) /* what it drops, and so its times, are what they are */
		return;
	sums->dropped += stats->dropped;
	sums->paused += stats->paused;
	sums->ticks += stats->ticks;
	sums->missed += stats->missed_ticks;
	sums->cpu_ns += stats->reader_cpu_ns;
	sums->time_ns += stats->time_ns;
	sums->pause_median_ns = max_of(sums->pause_median_ns, stats->pause_median_ns);
	sums->pause_p99_ns = max_of(sums->pause_p99_ns, stats->pause_p99_ns);
	sums->pause_max_ns = max_of(sums->pause_max_ns, stats->pause_max_ns);
	sums->n_unjudged += result->has_distance && is_starved(stats);
	sums->n_far += is_far && !is_starved(stats);
}

static double us(int64_t ns)
{
	return (double)ns / (double)NS_PER_US;
}

static void print_sums(const struct sums *sums)
{
	printf("\npauses: median %.0f us, 99 %% below %.0f us, longest %.0f us "
	       "(each of the worst program)\n",
	       us(sums->pause_median_ns), us(sums->pause_p99_ns), us(sums->pause_max_ns));
	printf("cost: %.1f %% of one CPU for the reader at %d Hz\n",
	       sums->time_ns ? 100.0 * (double)sums->cpu_ns / (double)sums->time_ns : 0,
	       PAUSING_HZ);
	if (!sums->paused)
		printf("nothing was paused: somebody else traces the programs\n");
	if (sums->n_unjudged)
		printf("times of %u programs are not judged: this machine missed more than 1 in 20 "
		       "ticks\n",
		       sums->n_unjudged);
	printf("not tested here: other versions than this one, and processes of other users\n");
}

static bool is_good(const struct sums *sums)
{
	bool is_dropping = sums->dropped > DROPPED_FEW &&
			   (double)sums->dropped > DROPPED_MOST * (double)sums->samples;

	if (!sums->samples)
		printf("FAILED: no samples came\n");
	if (sums->impossible)
		printf("FAILED: %" PRIu64 " impossible stacks\n", sums->impossible);
	if (sums->wrong_lines)
		printf("FAILED: %" PRIu64 " wrong lines\n", sums->wrong_lines);
	if (is_dropping)
		printf("FAILED: %" PRIu64 " samples dropped, more than 0.1 %%\n", sums->dropped);
	if (sums->n_far)
		printf("FAILED: times of %u programs are far from the truth\n", sums->n_far);
	return sums->samples && !sums->impossible && !sums->wrong_lines && !is_dropping &&
	       !sums->n_far;
}

/* ---- the command ---- */

static int test(const struct options *options, struct sums *sums, struct err *err)
{
	double seconds = (double)options->duration_ns / (double)NS_PER_S / array_len(programs);

	for (size_t i = 0; i < array_len(programs); i++) {
		const struct program *program = &programs[i];
		struct selftest_case which = {
			.python = options->python,
			.program = program->name,
			.text = program->text,
			.seconds = seconds,
			.rate_hz = program->is_nonblocking ? NONBLOCKING_HZ : PAUSING_HZ,
			.is_nonblocking = program->is_nonblocking,
		};
		struct selftest_result result;
		int r = selftest_run(&which, &result, err);

		if (r < 0)
			return r;
		if (i == 0)
			printf("%s (%s)\n\n%-11s %-11s %8s %10s %11s %8s %8s %8s %7s\n",
			       result.runtime, options->python, "program", "mode", "samples",
			       "impossible", "wrong lines", "dropped", "missed", "distance",
			       "honest");
		print_row(program, &result);
		add(sums, program, &result);
	}
	return 0;
}

static int selftest_main(int argc, char **argv)
{
	struct options options = {.duration_ns = 24 * NS_PER_S, .python = "python3"};
	int first = command_parse(&command_selftest, argc, argv, &options);
	struct sums sums = {0};
	struct err err = {0};

	if (first <= 0)
		return first == 0 ? EXIT_CODE_OK : EXIT_CODE_USAGE;
	if (first < argc) {
		log_error("selftest takes no '%s' (see pyrometer selftest --help)", argv[first]);
		return EXIT_CODE_USAGE;
	}
	if (test(&options, &sums, &err) < 0)
		return command_fail(&err);
	print_sums(&sums);
	if (!is_good(&sums))
		return EXIT_CODE_FAILED;
	printf("ok: %" PRIu64 " samples, none impossible, no line wrong\n", sums.samples);
	return EXIT_CODE_OK;
}

const struct command command_selftest = {&selftest_options, selftest_main};
