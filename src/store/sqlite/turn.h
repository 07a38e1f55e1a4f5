/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns: how another process sees all files of a running store as of one moment.
 *
 * The writer does all that it writes in turns.  Who wants the store to stand still for a moment (backup,
 * fsck) takes the turn instead, begins a read transaction in every file, which takes milliseconds, and
 * gives it back; what it reads after that is the state of that moment, however long it reads.
 *
 * Two locks on bytes of DIR/lock (of the open file, so that a process that dies gives them back): the
 * gate is passed on the way to the turn, so that a busy writer cannot keep others out.  A holder that is
 * stopped or very slow holds nobody up for ever: the writer goes on without its turn after
 * TURN_PATIENCE_NS, and who froze the store throws away what it got when that took more than half of it.
 */
#ifndef STORE_SQLITE_TURN_H
#define STORE_SQLITE_TURN_H

#include <stdint.h>

#include "base/err.h"

#define TURN_PATIENCE_NS (2 * 1000000000ll)

/* The writer's: when its turn comes, or after TURN_PATIENCE_NS.  `fd`: of DIR/lock. */
void turn_take(int fd);
void turn_end(int fd);

/* Wait for the writer's turn to end, and hold it up until turn_end(). */
int turn_freeze(int fd, struct err *err) nodiscard;

#endif
