/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that know the names of a module: itself, its separate debug information, and what that shares with
 * others.
 *
 *	separate	DIR/.build-id/ab/cdef….debug; the name in .gnu_debuglink beside the module, in .debug/ there,
 *			and in DIR with the module's folder; a checksum or an equal build id must confirm it
 *	shared (dwz)	DIR/.build-id/…, else the path in .gnu_debugaltlink; its build id must be the one asked for
 *
 * Nothing is ever fetched from a network.  Paths come from targets: only regular files are opened, nothing
 * else is touched, and a file counts by its build id.  ELF is read by own bounded readers (elf/elf.h).
 */
#ifndef SYMBOL_SYMFILES_H
#define SYMBOL_SYMFILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

#define FILES_BUILD_ID_CHARS 129 /* 64 bytes in hex and a NUL */
#define FILES_DEBUG_DIRS "/usr/lib/debug"
#define FILES_CHECKSUM_MAX_BYTES (512u << 20) /* larger debug files count by build id only */

struct symfiles_wanted {
	const char *build_id; /* hex, "": none */
	const char *path;     /* of the module, as the target knows it */
	int fd; /* of the module, where somebody has opened it (borrowed); -1: open `path` */
	bool trusts_path;	/* without a build id, too */
	const char *debug_dirs; /* divided by colons */
	/* Folders that are the root for whoever has the module (borrowed); they come before our own root. */
	const int *roots;
	size_t n_roots;
};

struct symfiles {
	int module, debug, alt; /* owned; -1: none */
};

/* -ENOENT when none was found. */
int symfiles_find(const struct symfiles_wanted *wanted, struct symfiles *ret_files) nodiscard;
void symfiles_done(struct symfiles *files);

/* Of an ELF file, in hex; "" when it has none. */
void symfiles_build_id(int fd, char ret_hex[FILES_BUILD_ID_CHARS]);

/*
 * A regular file, without ever opening anything else (a device's open() can act).  No link leads out of `root`, a
 * folder's descriptor; SYMFILES_OWN_ROOT: ours.  -errno.
 */
#define SYMFILES_OWN_ROOT (-1)
int symfiles_open(int root, const char *path) nodiscard;

#endif
