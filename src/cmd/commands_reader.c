/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "cmd/command.h"

/* Of pyrometer-reader: what needs neither network nor store. */
const struct command *const commands[] = {
	&command_record, &command_dump, &command_top, &command_convert, &command_doctor, NULL,
};
