/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small things that clients keep with us, beside the store: settings, single profiles.  Each is one file:
 *
 *	DIR/kept/TENANT/DRAWER/NAME
 *
 *   1. A write is whole or not at all (a new file, synced, then renamed over the old one), and on disk when it returns.
 *   2. Names are [A-Za-z0-9._-], at most KEEP_NAME_MAX bytes, and do not begin with a dot; tenants are written so that they
 *	cannot leave their folder.
 *   3. A file ends in a sum of what is before it; what does not agree is ERR_CORRUPT.  Files of versions before have none.
 *   4. A drawer is bounded by its owner: count and bytes are asked for before something is put in.
 *
 * Calls of one drawer follow each other: keep_lock() around reading and writing what was read.  Any thread may call.
 */
#ifndef SERVER_KEEP_H
#define SERVER_KEEP_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define KEEP_NAME_MAX 160
#define KEEP_SUM_BYTES 16

struct keep;

struct keep_place {
	const char *tenant, *drawer;
};

/* `dir` NULL: nothing can be kept, every call is ERR_UNSUPPORTED.  Nothing is made before the first write. */
struct keep *keep_new(const char *dir) nodiscard;
void keep_free(struct keep *keep);
void keep_lock(struct keep *keep);
void keep_unlock(struct keep *keep);

bool keep_name_is_good(const char *name);

/* Appends to `out`, whose ceiling bounds it; -ENOENT when there is no such thing. */
int keep_read(struct keep *keep, const struct keep_place *place, const char *name, struct buf *out,
	      struct err *err) nodiscard;
int keep_write(struct keep *keep, const struct keep_place *place, const char *name,
	       const void *data, size_t len, struct err *err) nodiscard;
/* What is not there is removed already. */
int keep_remove(struct keep *keep, const struct keep_place *place, const char *name,
		struct err *err) nodiscard;

/*
 * Look at everything below DIR/kept; a line for each file that is damaged.  With `repair` these go to DIR/aside.  A
 * server may run meanwhile.
 */
struct keep_check {
	const char *dir;
	bool repair;
	void (*say)(void *ctx, const char *text);
	void *ctx;
	uint64_t files, damaged, repaired; /* counted */
};
int keep_read_file(const char *path, struct buf *out,
		   struct err *err) nodiscard; /* one, by its path */
int keep_check(struct keep_check *check, struct err *err) nodiscard;

struct keep_entry {
	const char *name;
	uint64_t bytes; /* on disk, with its sum */
};
/* Sorted by name, in the arena. */
int keep_list(struct keep *keep, const struct keep_place *place, struct arena *arena,
	      struct keep_entry **ret_entries, size_t *ret_n, struct err *err) nodiscard;

#endif
