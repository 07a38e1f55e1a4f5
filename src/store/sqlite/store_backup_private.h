/* SPDX-License-Identifier: Apache-2.0 */
/* What store_backup.c and store_restore.c share: the manifest (manifest.c) and copying with hashes (copy.c). */
#ifndef STORE_SQLITE_STORE_BACKUP_PRIVATE_H
#define STORE_SQLITE_STORE_BACKUP_PRIVATE_H

#include <stddef.h>
#include <sys/stat.h>

#include "store/sqlite/store_backup.h"

/*
 * What others keep in the store's directory, each file written whole or not at all: single files and settings of
 * clients (server/keep.h), tokens (server/token.h).
 */
#define BACKUP_BESIDE "kept", "tokens"

/* ---- manifest.c ---- */

#define MANIFEST_NAME "MANIFEST"

/* One file of a backup, and what of the store it was made from (0: it had a log, so it never counts). */
struct manifest_file {
	char *name; /* below the backup */
	uint64_t hash, bytes;
	uint64_t source_inode, source_bytes;
	int64_t source_changed_ns;
	bool is_damaged;
};

struct manifest {
	int64_t moment_ns;
	struct manifest_file *files; /* sorted by name once it was read */
	size_t n, cap;
};

void manifest_done(struct manifest *manifest);
struct manifest_file *manifest_add(struct manifest *manifest, const char *name);
struct manifest_file *manifest_find(const struct manifest *manifest, const char *name);
/* Onto the disk, below `dir`. */
int manifest_write(const struct manifest *manifest, const char *dir, struct err *err) nodiscard;
/* ERR_CORRUPT when it is missing, cut short or changed; names lead nowhere else. */
int manifest_read(struct manifest *manifest, const char *dir, struct err *err) nodiscard;
/* The same of its bytes. */
int manifest_read_text(struct manifest *manifest, const void *text, size_t len) nodiscard;

/* ---- copy.c: whole files, onto the disk; ENOSPC and the like come back as they are ---- */

struct copied {
	uint64_t hash, bytes;
};

/* The file as it is; `to` is new. */
int copy_file(const char *from, const char *to, struct copied *ret_copied,
	      struct err *err) nodiscard;
/* Hash and length of a file, which is synced. */
int copy_measure(const char *path, struct copied *ret_copied, struct err *err) nodiscard;
/* The directories that lead to `path` below `root`. */
int copy_make_dirs(const char *root, const char *path, struct err *err) nodiscard;
int copy_sync_dir(const char *path, struct err *err) nodiscard;
/* All directories below, too. */
int copy_sync_tree(const char *root, struct err *err) nodiscard;
/* A tree of ours, with all that is in it. */
int copy_remove_tree(const char *root, struct err *err) nodiscard;
/* dir/name; free() it */
char *copy_path(const char *dir, const char *name) nodiscard;

#endif
