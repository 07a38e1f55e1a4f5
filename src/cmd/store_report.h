/* SPDX-License-Identifier: Apache-2.0 */
/* What backup and restore print. */
#ifndef CMD_STORE_REPORT_H
#define CMD_STORE_REPORT_H

#include "store/sqlite/store_backup.h"

backup_say_fn store_report_say;
/* "backed up DIR as of TIME: 12 files, 3.4 MB in OUT"; returns the exit code. */
int store_report_end(const char *done, const struct backup_request *request,
		     const struct backup_report *report);

#endif
