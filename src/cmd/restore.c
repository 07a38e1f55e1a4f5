/* SPDX-License-Identifier: Apache-2.0 */
/* pyrometer restore: a data directory out of a backup. */
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/store_report.h"
#include "store/sqlite/store_backup.h"

static const struct opt opts[] = {{0}};

static const struct opt_command options = {
	.name = "restore",
	.summary = "make a server's data directory out of a backup",
	.usage = "restore BACKUP DIR",
	.about = "DIR is new or empty; give it to `pyrometer serve --data DIR` afterwards. All "
		 "files are "
		 "compared\n"
		 "with what was backed up. Exit code 1: some are damaged; each is named, and "
		 "`pyrometer fsck DIR --repair`\n"
		 "saves what can be saved of them.\n\n"
		 "example:\n"
		 "  pyrometer restore /backup/monday /var/lib/pyrometer-restored\n",
	.opts = opts,
	.operand = "FILE",
};

static int run(int argc, char **argv)
{
	struct backup_request request = {.say = store_report_say};
	struct backup_report report;
	struct err err;
	char unused; /* no option has a place */
	int r = command_parse(&command_restore, argc, argv, &unused);

	if (r <= 0)
		return r < 0 ? EXIT_CODE_USAGE : EXIT_CODE_OK;
	if (argc - r != 2) {
		log_error("restore needs a backup and a new directory (see pyrometer restore "
			  "--help)");
		return EXIT_CODE_USAGE;
	}
	request.from = argv[r];
	request.to = argv[r + 1];
	if (sqlite_store_restore(&request, &report, &err) < 0)
		return command_fail(&err);
	return store_report_end("restored", &request, &report);
}

const struct command command_restore = {.options = &options, .run = run};
