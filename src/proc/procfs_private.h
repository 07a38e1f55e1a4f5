/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, reading and picking apart the small text files of /proc, for the files of this folder.
 */
#ifndef PROC_PROCFS_PRIVATE_H
#define PROC_PROCFS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"

/* stat and status fit with room to spare; a comm cannot make them longer. */
#define PROCFS_SMALL_BYTES 4096

/* Open /proc/PID/NAME, or with tid > 0 /proc/PID/task/TID/NAME; -ESRCH when there is no such one.
 */
int procfs_open(pid_t pid, pid_t tid, const char *name, int flags) nodiscard;

/*
 * Read such a file from its start into dst, with a NUL behind; what does not fit is cut.  Returns
 * the bytes without the NUL.  A file that answers "no such process" gives -ESRCH.
 */
ssize_t procfs_read(pid_t pid, pid_t tid, const char *name, char *dst, size_t cap) nodiscard;
/* The same from a descriptor that is open already. */
ssize_t procfs_pread(int fd, char *dst, size_t cap) nodiscard;

/*
 * Take a number off the front of *at, after blanks; false when there is none or it does not fit 64
 * bits.  Moves *at behind it.
 */
bool procfs_take_u64(const char **at, int base, uint64_t *ret_value);
/* As above for a number with an optional minus sign. */
bool procfs_take_i64(const char **at, int64_t *ret_value);

/* Where the value of "NAME:\t…" begins in a text such as status, or NULL. */
const char *procfs_field(const char *text, const char *name);

/* The text of stat behind "PID (comm) ", where the state letter stands; NULL when malformed. */
const char *procfs_stat_rest(const char *stat);

#endif
