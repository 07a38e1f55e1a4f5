/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stretch of made-up target memory behind the memory reader's interface, and the objects of a made-up CPython
 * in it: for tests and fuzzing of what no honest interpreter does.
 */
#ifndef TESTS_UNIT_PYTHON_FAKE_MEMORY_H
#define TESTS_UNIT_PYTHON_FAKE_MEMORY_H

#include "proc/memory.h"
#include "python/python_private.h"

#define FAKE_BASE 0x10000000ull
#define FAKE_BYTES (4u << 20)
#define FAKE_PID 77
#define FAKE_COPY 1

struct fake_memory {
	struct memory memory;
	const struct layout *layout;
	uint8_t *bytes; /* FAKE_BYTES at FAKE_BASE; all else is not mapped */
	raddr_t next;	/* where the next object goes */
	raddr_t code_type;
	/* Called before each read, to change memory under the reader; may be NULL. */
	void (*before_read)(struct fake_memory *fake, uint32_t n_reads);
	uint32_t n_reads;
	/* Called before each span of a read, likewise. */
	void (*before_span)(struct fake_memory *fake, const struct mem_span *span);
};

void fake_init(struct fake_memory *fake, const struct layout *layout);
void fake_done(struct fake_memory *fake);

raddr_t fake_alloc(struct fake_memory *fake, size_t len); /* zeroed, 16-aligned */
void fake_put(struct fake_memory *fake, raddr_t addr, const void *bytes, size_t len);
void fake_put64(struct fake_memory *fake, raddr_t addr, uint64_t value);
void fake_put32(struct fake_memory *fake, raddr_t addr, uint32_t value);
void fake_put8(struct fake_memory *fake, raddr_t addr, uint8_t value);

/* Objects. */
raddr_t fake_ascii(struct fake_memory *fake, const char *text);
raddr_t fake_bytes(struct fake_memory *fake, const void *bytes, size_t len);
/* Code of 8 units, all on its first line; where threads run copies of the bytecode it has one for FAKE_COPY. */
raddr_t fake_code(struct fake_memory *fake, const char *name, const char *file,
		  uint32_t first_line);

/* One interpreter with one thread; its stack is set by what follows. */
struct fake_process {
	raddr_t base_frame; /* 3.15+ */
	raddr_t runtime, interp, gil, thread, cframe, root_cframe, stack, stack_end;
	raddr_t gil_lock, semaphore; /* 2.7: interpreter_lock, and what it points to */
};

void fake_process(struct fake_memory *fake, struct fake_process *process);
/* What a search would have found. */
struct runtime fake_runtime(const struct fake_memory *fake, const struct fake_process *process);
void fake_release_gil(struct fake_memory *fake, const struct fake_process *process);
/* A frame at `addr` (0: the next free place on the data stack). */
raddr_t fake_frame(struct fake_memory *fake, struct fake_process *process, raddr_t addr,
		   raddr_t code, raddr_t previous, uint8_t owner);
/* Make it the innermost frame; `top` of the data stack behind it. */
void fake_current(struct fake_memory *fake, const struct fake_process *process, raddr_t frame);
/* The usual chain: base shim (3.12+), then a frame for each code, the last innermost. */
raddr_t fake_stack(struct fake_memory *fake, struct fake_process *process, const raddr_t *codes,
		   size_t n);

#endif
