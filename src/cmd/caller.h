/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The person who called us: with sudo not root, but the user that sudo was called by.  What is made
 * for that person (files, programs that we start) belongs to and runs as them.
 */
#ifndef CMD_CALLER_H
#define CMD_CALLER_H

#include <stdbool.h>
#include <sys/types.h>

/* Our real user and group, or those of SUDO_UID and SUDO_GID when root runs us through sudo. */
uid_t caller_uid(void);
gid_t caller_gid(void);

#endif
