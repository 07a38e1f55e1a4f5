/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process has mapped, and opening the files behind it.
 *
 * /proc/PID/maps is text that the target shapes: it chooses paths (with spaces, newlines as \012,
 * and " (deleted)" of its own), and how many mappings there are.  So lines are parsed with limits,
 * a line that does not follow the format is counted and skipped, and mappings are kept only in
 * rising order (the kernel's order; a change between two reads of the file can break it).
 *
 * Files are never opened by the path as we would resolve it: that would be a file of ours, not the
 * target's, or a device, a FIFO, a symbolic link out of a container.  maps_open() says how it is
 * done.
 *
 * One thread uses a struct maps.  Reading 500 mappings costs about 300 us, nearly all in the
 * kernel.
 */
#ifndef PROC_MAPS_H
#define PROC_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "proc/memory.h"

#define MAPS_MAX 65536		  /* mappings of one process; the kernel's own default is 65530 */
#define MAPS_MAX_LINE_BYTES 20480 /* PATH_MAX with every byte as \ooo, and the fields before */
#define MAPS_MAX_TEXT_BYTES (8u << 20)	/* all paths together */
#define MAPS_MAX_FILE_BYTES (1ll << 30) /* a mapped file larger than this is not opened */

enum { MAPPING_READ = 1, MAPPING_WRITE = 2, MAPPING_EXEC = 4, MAPPING_SHARED = 8 };

struct mapping {
	raddr_t start, end; /* start < end */
	uint64_t offset;    /* in the file */
	uint64_t inode;	    /* 0: no file */
	uint32_t dev_major, dev_minor;
	uint8_t perms;	  /* MAPPING_* */
	bool is_deleted;  /* the file has no name any more; the suffix is taken off the path */
	const char *path; /* "" when anonymous, "[heap]" and the like; any bytes but NUL; lives in
			     maps */
};

struct maps {
	struct mapping *items; /* rising, without overlap */
	size_t n, cap;
	size_t skipped; /* lines left out: malformed, out of order or past a limit */
	struct arena text;
	struct buf line; /* the unfinished line between two feeds */
	bool is_line_too_long;
};

void maps_init(struct maps *maps);
void maps_done(struct maps *maps); /* all-zero is fine */

/*
 * Replace the contents by what /proc/PID/maps says now.  -ESRCH when the process has ended, -EACCES
 * or -EPERM without the right to read it (see rights.h), ERR_GONE for a process without memory (a
 * zombie, a kernel thread).
 */
int maps_read(struct maps *maps, pid_t pid, struct err *err) nodiscard;

/* The parser behind it: text in any portions, then the end.  For tests, fuzzing and snapshots. */
void maps_reset(struct maps *maps);
void maps_feed(struct maps *maps, const char *text, size_t len);
void maps_finish(struct maps *maps);

/* The mapping that holds `addr`, or NULL. */
const struct mapping *maps_find(const struct maps *maps, raddr_t addr) nodiscard;

/* Is it backed by a file that can be opened (not anonymous, not [vdso], not a device's memory)? */
bool mapping_is_file(const struct mapping *mapping) nodiscard;
/* Part of the same file as `other`? */
bool mapping_is_same_file(const struct mapping *mapping, const struct mapping *other) nodiscard;

/*
 * Open the file behind a mapping of `pid` for reading; returns the descriptor.
 *
 * First /proc/PID/map_files/START-END, which is the very file even when it was deleted or replaced
 * (needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN); else the path inside the target's own root
 * (openat2 with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS), which must then have the device and
 * inode that maps named; else, for the main executable, /proc/PID/exe.  Only regular files of at
 * most MAPS_MAX_FILE_BYTES; nothing that is opened can block or become our terminal.  -ENOENT when
 * no way leads to that file, -ESRCH when the process ended, ERR_UNSUPPORTED for another kind of
 * file.
 */
int maps_open(pid_t pid, const struct mapping *mapping, struct err *err) nodiscard;

/*
 * The same file as far as it is mapped and not writable, copied from the process's memory into one of our own, each byte
 * at its offset: for a file that maps_open() has no way to (deleted, and map_files is not for us).  Charged to the
 * memory reader's budget.  -ENOENT when nothing of it is mapped so, ERR_LIMIT past MAPS_MAX_COPY_BYTES, or as
 * memory_read().
 */
#define MAPS_MAX_COPY_BYTES (128u << 20)
int maps_copy(struct memory *memory, const struct maps *maps, const struct mapping *mapping,
	      struct err *err) nodiscard;

/*
 * Open any regular file by a path that the target named (a source file), inside the target's root,
 * of at most `max_bytes`.  A relative path is taken from the target's working directory
 * and does not lead out of it.
 */
int maps_open_path(pid_t pid, const char *path, int64_t max_bytes, struct err *err) nodiscard;

#endif
