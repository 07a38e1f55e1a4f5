/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/caller.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/opt.h"

/* Only root believes the environment: for everybody else it could only lie. */
static uint32_t sudo_id(const char *variable, uint32_t otherwise)
{
	const char *text = geteuid() == 0 ? getenv(variable) : NULL;
	int64_t value;

	if (!text || opt_parse_int(text, 0, UINT32_MAX - 1, &value, NULL) < 0)
		return otherwise;
	return (uint32_t)value;
}

uid_t caller_uid(void)
{
	return sudo_id("SUDO_UID", getuid());
}

gid_t caller_gid(void)
{
	return sudo_id("SUDO_GID", getgid());
}
