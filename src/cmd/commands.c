/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "cmd/command.h"

/* In the order of the overview. */
const struct command *const commands[] = {
	&command_record,      &command_dump,
	&command_top,	      &command_convert,
	&command_serve,	      &command_token,
	&command_fsck,	      &command_backup,
	&command_restore,     &command_import,
	&command_doctor,      &command_selftest,
	&command_completions, NULL,
};
