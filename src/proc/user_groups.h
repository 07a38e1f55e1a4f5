/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The groups that a user is in.  Two implementations: user_groups.c asks the machine's directory, whatever that is;
 * user_groups_plain.c, in the static program, takes none, since asking would load the libraries of a foreign root.
 */
#ifndef PROC_USER_GROUPS_H
#define PROC_USER_GROUPS_H

#include <sys/types.h>

#include "base/compiler.h"

/* Take the groups of this user, `gid` among them, in the place of our own; -errno. */
int user_groups_take(uid_t uid, gid_t gid) nodiscard;

#endif
