/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a thread was doing, from what the kernel and the interpreter say of it.
 */
#ifndef SAMPLE_STATE_H
#define SAMPLE_STATE_H

#include "proc/thread.h"
#include "profile/profile.h"

/*
 * `holds_gil`: it held the GIL when it was read.  `waits_for_gil`: it sleeps on a futex that is a GIL's.
 * Waiting is told apart by the system call: select and its kin wait for I/O even when it is for a
 * timeout, since nobody can know which of the two it will be.
 */
enum thread_state state_of(enum thread_doing doing, bool holds_gil, bool waits_for_gil);

#endif
