/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SQLite VFS that forgets what was not synced, and that can fail.
 *
 * All goes through to the system's VFS, and beside it the shim keeps of every file what the last sync of
 * it made durable.  A snapshot is what a power cut at this moment could leave: of each file the durable
 * content, with a random choice of the sectors that were written since (torn and out of order), and of
 * files or lengths that were never synced either state.  Snapshots are taken before every sync, the
 * moment with the most to lose, and written out as directories afterwards.
 */
#ifndef TESTS_UNIT_STORE_FAULTY_VFS_H
#define TESTS_UNIT_STORE_FAULTY_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAULTY_VFS_NAME "faulty"

struct faulty_vfs;

struct faulty_vfs *faulty_vfs_new(uint64_t seed);
void faulty_vfs_free(struct faulty_vfs *vfs);

/* From now on: take a snapshot before every sync; `note` says what to remember with it. */
typedef size_t faulty_note_fn(void *ctx);
void faulty_vfs_watch(struct faulty_vfs *vfs, faulty_note_fn *note, void *ctx);
size_t faulty_vfs_snapshots(const struct faulty_vfs *vfs);
/* Write snapshot i below `to` instead of `from`; returns what was noted with it. */
size_t faulty_vfs_write(const struct faulty_vfs *vfs, size_t i, const char *from, const char *to);

/* The sync that is `after` from now (1: the next) and all later ones fail; 0: none. */
void faulty_vfs_fail_syncs(struct faulty_vfs *vfs, int after);
/* Every write fails as on a full disk, or not any more. */
void faulty_vfs_set_full(struct faulty_vfs *vfs, bool is_full);

#endif
