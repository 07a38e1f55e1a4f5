/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory reader: another process's memory, wherever it comes from.
 *
 * One interface, several implementations: a live process (process_vm_readv), a recorded snapshot
 * (unit tests, fuzzing, bug reports) and later core files.  `python` and `unwind` know nothing else
 * of a target's memory.  Everything read is hostile: it can be forged, and it can change between
 * two reads.  A reader therefore carries a budget that its user sets per sample; a read past it
 * fails with ERR_LIMIT and reads nothing.
 *
 * One thread uses a reader.  A live read costs 3-9 us a call whatever its spans, and 0.6 us per
 * further page: few calls with many spans are what makes sampling cheap.
 */
#ifndef PROC_MEMORY_H
#define PROC_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* An address in a target; never a pointer of ours. */
typedef uint64_t raddr_t;

#define MEMORY_MAX_SPANS 512 /* of one vectored read (the kernel allows 1024 iovecs) */
#define MEMORY_MAX_SPAN_BYTES (1u << 20)

struct mem_span {
	raddr_t addr;
	void *into;
	size_t len;
	bool ok; /* out: all `len` bytes were read */
};

struct memory;

struct memory_ops {
	/*
	 * Read the spans in order and set `ok` of each.  Returns how many were read whole; a span
	 * that is not mapped costs only itself.  -ESRCH when the process is gone, -EPERM without
	 * the right.
	 */
	int (*readv)(struct memory *memory, struct mem_span *spans, size_t n);
	void (*free)(struct memory *memory);
};

struct memory_budget {
	uint32_t calls;
	uint64_t bytes;
};

struct memory {
	const struct memory_ops *ops;
	struct memory_budget left; /* counts down; memory_budget_set() before each unit of work */
	struct memory_budget used; /* since the reader was made, for the profiler's own cost */
};

void memory_budget_set(struct memory *memory, uint32_t calls, uint64_t bytes);

/* As ops->readv, with the budget charged; ERR_LIMIT when it does not suffice (nothing is read). */
int memory_readv(struct memory *memory, struct mem_span *spans, size_t n) nodiscard;
/* One span, whole: 0, -EFAULT when it is not mapped, or as memory_readv(). */
int memory_read(struct memory *memory, raddr_t addr, void *into, size_t len) nodiscard;
int memory_read_u64(struct memory *memory, raddr_t addr, uint64_t *ret_value) nodiscard;

void memory_free(struct memory *memory); /* NULL is fine */

/* A live process; needs the right to ptrace it.  Reads fail with -ESRCH once it has ended. */
struct memory *memory_live_new(pid_t pid) nodiscard;

/*
 * A recording: what a wrapped reader returned, by address, for tests without the interpreter.
 * memory_recorder_new() passes reads through to `inner` (borrowed) and remembers every span;
 * memory_recorder_write() stores them, memory_snapshot_open() plays them back (bytes that were
 * never read are not mapped).  The format is documented in proc/snapshot.c; it is parsed as
 * hostile.
 */
struct memory *memory_recorder_new(struct memory *inner) nodiscard;
int memory_recorder_write(struct memory *recorder, int fd, struct err *err) nodiscard;
struct memory *memory_snapshot_new(const void *data, size_t len, struct err *err) nodiscard;

#endif
