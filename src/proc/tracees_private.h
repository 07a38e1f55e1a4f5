/* SPDX-License-Identifier: Apache-2.0 */
/* The threads that a pauser knows, on its leash or not, found by tid.  The states are explained in pause.c. */
#ifndef PROC_TRACEES_PRIVATE_H
#define PROC_TRACEES_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/map.h"
#include "proc/thread.h"

enum tracee_state {
	TRACEE_FREE, /* not traced by us: its open files are kept, no more */
	TRACEE_RUNNING,
	TRACEE_CALLED,
	TRACEE_HELD,
	TRACEE_LISTENING,
	TRACEE_DYING,
};

struct tracee {
	struct thread thread; /* pid, tid and the files of /proc that are kept open */
	enum tracee_state state;
	bool is_leaving;   /* to be detached at its next stop */
	int64_t paused_ns; /* when it was last asked for */
	size_t place;	   /* in items */
};

struct tracees {
	struct tracee **items;
	size_t n, cap;
	struct map64 index; /* tid -> place */
};

void tracees_done(struct tracees *tracees); /* all-zero is an empty table: no init */
struct tracee *tracees_find(const struct tracees *tracees, pid_t tid) nodiscard;
/* Takes over the descriptors of `thread`; the tid must not be there.  Lives until tracees_drop(). */
struct tracee *tracees_add(struct tracees *tracees, const struct thread *thread);
void tracees_drop(struct tracees *tracees, struct tracee *tracee); /* NULL is fine */

#endif
