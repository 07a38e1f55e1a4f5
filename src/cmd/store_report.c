/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/store_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/command.h"

void store_report_say(void *ctx, const char *text)
{
	(void)ctx;
	log_warn("%s", text);
}

int store_report_end(const char *done, const struct backup_request *request,
		     const struct backup_report *report)
{
	time_t moment = report->moment_ns / NS_PER_S;
	struct tm parts;
	char when[32];

	gmtime_r(&moment, &parts);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &parts);
	printf("%s %s as of %s: %" PRIu64 " files, %.1f MB in %s", done, request->from, when,
	       report->files, (double)report->bytes / 1e6, request->to);
	if (report->linked)
		printf(", %" PRIu64 " of them unchanged since %s", report->linked, request->since);
	if (report->pause_ns)
		printf("; the server waited %.1f ms", (double)report->pause_ns / 1e6);
	printf("\n");
	if (report->damaged)
		log_error("%" PRIu64 " files are damaged or missing: see above", report->damaged);
	return report->damaged ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}
