/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/user_groups.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

int user_groups_take(uid_t uid, gid_t gid)
{
	const struct passwd *user = getpwuid(uid);
	int r = user ? initgroups(user->pw_name, gid) : setgroups(0, NULL);

	return r < 0 ? -errno : 0;
}
