/* SPDX-License-Identifier: Apache-2.0 */
/* pyrometer fsck: is a store whole, and what can be done if it is not. */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "cmd/command.h"
#include "server/keep.h"
#include "store/sqlite/store_fsck.h"

struct fsck_opts {
	bool repair;
};

static const struct opt opts[] = {
	{.name = "repair",
	 .kind = OPT_FLAG,
	 .offset = offsetof(struct fsck_opts, repair),
	 .help = "set aside what is damaged, and nothing else; the server must be stopped"},
	{0},
};

static const struct opt_command options = {
	.name = "fsck",
	.summary = "check a server's profiles on disk: sums, names, roll-ups; repair them",
	.usage = "fsck DIR [--repair]",
	.about = "Every page and block of the data directory is read and compared with what must "
		 "follow from others.\n"
		 "A server may run on it: it is looked at as of one moment. One line per "
		 "problem.\n\n"
		 "With --repair, blocks that can be made again from finer ones will be, by the "
		 "server; of "
		 "files with\n"
		 "damaged pages all whole blocks are saved; what is lost is said by queries. "
		 "Damaged files "
		 "and blocks\n"
		 "go to DIR/aside.\n\n"
		 "Exit code 0: nothing is damaged, or all of it was repaired. 1: something is "
		 "damaged.\n\n"
		 "examples:\n"
		 "  pyrometer fsck /var/lib/pyrometer\n"
		 "  pyrometer fsck --repair /var/lib/pyrometer\n",
	.opts = opts,
	.operand = "FILE",
};

static void say(void *ctx, const char *text)
{
	(void)ctx;
	printf("%s\n", text);
}

static int finish(const char *dir, const struct fsck_report *report)
{
	printf("%s: %" PRIu64 " files, %" PRIu64 " blocks and %" PRIu64 " windows looked at%s: ",
	       dir, report->files, report->blocks, report->windows,
	       report->is_running ? " (a server runs on it)" : "");
	if (!report->problems)
		printf("all is well");
	else if (report->repaired == report->problems)
		printf("%" PRIu64 " problems, repaired", report->problems);
	else
		printf("%" PRIu64 " problems, %" PRIu64 " repaired", report->problems,
		       report->repaired);
	if (report->tombstones)
		printf("; %" PRIu64 " blocks are set aside", report->tombstones);
	printf("\n");
	return report->problems > report->repaired ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

/* What clients keep beside the store counts as its files do. */
static int check_kept(const struct fsck_request *request, struct fsck_report *report,
		      struct err *err)
{
	struct keep_check check = {.dir = request->dir, .repair = request->repair, .say = say};
	int r = keep_check(&check, err);

	report->files += check.files;
	report->problems += check.damaged;
	report->repaired += check.repaired;
	return r;
}

static int run(int argc, char **argv)
{
	struct fsck_opts given = {0};
	struct fsck_request request = {.say = say};
	struct fsck_report report;
	struct err err;
	int r = command_parse(&command_fsck, argc, argv, &given);

	if (r <= 0)
		return r < 0 ? EXIT_CODE_USAGE : EXIT_CODE_OK;
	if (argc - r != 1) {
		log_error("fsck needs the data directory (see pyrometer fsck --help)");
		return EXIT_CODE_USAGE;
	}
	request.dir = argv[r];
	request.repair = given.repair;
	if (sqlite_store_fsck(&request, &report, &err) < 0 ||
	    check_kept(&request, &report, &err) < 0)
		return command_fail(&err);
	return finish(argv[r], &report);
}

const struct command command_fsck = {.options = &options, .run = run};
