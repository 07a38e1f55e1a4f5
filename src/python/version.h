/* SPDX-License-Identifier: Apache-2.0 */
/* Which Python it is, where no symbol says so.  For files of this folder only. */
#ifndef PYTHON_VERSION_H
#define PYTHON_VERSION_H

#include <stddef.h>
#include <stdint.h>

#include "proc/maps.h"
#include "proc/memory.h"

#define VERSION_TEXT_MAX 32
#define VERSION_NO_MICRO UINT8_MAX

struct version {
	uint16_t minor;		     /* 0x030b for 3.11; 0: not known */
	uint8_t micro;		     /* 2 of 3.11.2; VERSION_NO_MICRO: not known */
	char text[VERSION_TEXT_MAX]; /* "3.11.2", "3.13.0rc1", or "3.11" */
};

/* PY_VERSION_HEX as its parts. */
struct version version_from_hex(uint64_t hex);
/* "python3.11", "libpython3.10.so.1.0": what a file's name says. */
struct version version_from_path(const char *path);
/*
 * The first "3.11.2 (" in bytes: how Py_GetVersion() begins, whose buffer every running interpreter has filled.
 * Returns minor 0 when there is none.
 */
struct version version_from_bytes(const uint8_t *bytes, size_t len);
/* Looks in [start, end) of the target for it, in order. */
struct version version_from_memory(struct memory *memory, raddr_t start, raddr_t end);

#endif
