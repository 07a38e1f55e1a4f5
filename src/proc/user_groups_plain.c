/* SPDX-License-Identifier: Apache-2.0 */
/* For the static program: the user's first group alone, which is less than the user has, never more. */
#include <errno.h>
#include <grp.h>

#include "proc/user_groups.h"

int user_groups_take(uid_t uid, gid_t gid)
{
	(void)uid;
	return setgroups(1, &gid) < 0 ? -errno : 0;
}
