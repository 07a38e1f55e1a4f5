/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of forged_python share: a made-up Python before it is real memory, and the lies it can tell. */
#ifndef TESTS_TARGETS_FORGED_H
#define TESTS_TARGETS_FORGED_H

#include "base/compiler.h"
#include "fake_memory.h"

#define PAGE 4096ull
#define NOWHERE 0x7000000000ull /* nothing is mapped there */

struct forge {
	struct fake_memory fake;
	struct fake_process process;
	raddr_t codes[3];
	raddr_t leaf;
	uint8_t block[DEBUG_OFFSETS_BYTES]; /* 3.13 */
	void (*after)(struct forge *forge); /* once it is real memory */
};

struct lie {
	const char *name; /* NULL: the end of the table */
	void (*tell)(struct forge *forge);
};

extern const struct lie
	forged_objects[]; /* forged_objects.c: frames, code, strings, lists, offsets */
extern const struct lie
	forged_processes[]; /* forged_processes.c: memory that changes, what /proc shows */

/* What Py_GetVersion() would say; argv, to be used again and written over. */
extern unsigned long Py_Version;
extern char **forged_argv;

#endif
