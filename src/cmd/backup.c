/* SPDX-License-Identifier: Apache-2.0 */
/* pyrometer backup: a copy of a store as it is at one moment, while its server runs. */
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/store_report.h"
#include "store/sqlite/store_backup.h"

struct backup_opts {
	const char *since;
};

static const struct opt opts[] = {
	{.name = "since",
	 .kind = OPT_STR,
	 .offset = offsetof(struct backup_opts, since),
	 .arg = "BACKUP",
	 .help = "an earlier backup of the same data: files that have not changed are linked from "
		 "there, not copied again (both on one file system)"},
	{0},
};

static const struct opt_command options = {
	.name = "backup",
	.summary = "copy a server's profiles as they are at one moment, while it runs",
	.usage = "backup DIR OUT [--since BACKUP]",
	.about =
		"DIR is the server's data directory, OUT a new directory. All that was "
		"acknowledged "
		"before the\n"
		"moment is in it; the server goes on, and waits a few milliseconds once. OUT gets "
		"its "
		"name when it is\n"
		"whole. Exit code 1: it is whole, but for files that were damaged already; each is "
		"named.\n\n"
		"examples:\n"
		"  pyrometer backup /var/lib/pyrometer /backup/monday\n"
		"  pyrometer backup /var/lib/pyrometer /backup/tuesday --since /backup/monday\n"
		"  pyrometer restore /backup/tuesday /var/lib/pyrometer-restored\n",
	.opts = opts,
	.operand = "FILE",
};

static int run(int argc, char **argv)
{
	struct backup_opts given = {0};
	struct backup_request request = {.say = store_report_say};
	struct backup_report report;
	struct err err;
	int r = command_parse(&command_backup, argc, argv, &given);

	if (r <= 0)
		return r < 0 ? EXIT_CODE_USAGE : EXIT_CODE_OK;
	if (argc - r != 2) {
		log_error("backup needs the data directory and a new directory to write "
			  "(see pyrometer backup --help)");
		return EXIT_CODE_USAGE;
	}
	request.from = argv[r];
	request.to = argv[r + 1];
	request.since = given.since;
	if (sqlite_store_backup(&request, &report, &err) < 0)
		return command_fail(&err);
	return store_report_end("backed up", &request, &report);
}

const struct command command_backup = {.options = &options, .run = run};
