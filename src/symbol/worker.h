/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that reads ELF and DWARF, and the one that starts it.
 *
 *	front ──control──▶ nursery ──fork──▶ worker ◀──protocol.h──▶ front
 *
 * The nursery is forked once, early, while its parent has one thread; it loads libdw and gives up all rights.
 * Workers are forked from it, one at a time: each begins with the same clean memory, whatever the one before died
 * of.  A worker has no files, no network and no system calls but those for memory, descriptors that it was given
 * and its socket; its memory is limited, and its time by whoever asked (symbol.h, 1).
 *
 *	control: one byte and a descriptor: end the worker, if any, and start one on that socket
 *		 one byte alone: end the worker
 */
#ifndef SYMBOL_WORKER_H
#define SYMBOL_WORKER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

#define WORKER_DATA_BYTES (2ull << 30) /* of its own; files are mapped beside it */

struct nursery {
	pid_t pid;   /* 0: none */
	int control; /* our end */
};

/* Forks; returns 1 when lines and inlined functions can be had, 0 when not. */
int nursery_start(struct nursery *nursery, bool without_dwarf, struct err *err) nodiscard;
/* Ends it and its worker. */
void nursery_stop(struct nursery *nursery);
/* Start a new worker; `ret_fd` is our end of its socket.  The one before is ended. */
int nursery_new_worker(struct nursery *nursery, int *ret_fd) nodiscard;
void nursery_end_worker(struct nursery *nursery);

struct dwarf_library;
/* The worker's life: answer until the connection ends. `library` may be NULL. */
void worker_run(int fd, const struct dwarf_library *library);

/* Give up everything but memory and descriptors; best effort, as kernels differ. */
void worker_lock_down(void);

#endif
