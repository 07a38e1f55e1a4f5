/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks that were found damaged: each is left out of answers, which say so, and counted once.
 *
 * They stay where they are, so that their time goes on being missing and not empty; windows that would be
 * made of them keep their marks.  `pyrometer fsck --repair` replaces them by tombstones.
 */
#ifndef STORE_SQLITE_QUARANTINE_H
#define STORE_SQLITE_QUARANTINE_H

#include <pthread.h>

#include "base/map.h"
#include "store/sqlite/block.h"

#define QUARANTINE_MAX 100000 /* remembered; further ones are not counted */

/* One that was found.  len_ns 0: part of the file cannot be read at all. */
struct damaged_block {
	uint32_t file, owner;
	int64_t t_ns, len_ns;
};

struct quarantine {
	pthread_mutex_t lock; /* leaf */
	struct map64 known;
	struct damaged_block list[STORE_MAX_DAMAGE]; /* the first of them */
	size_t n;
};

void quarantine_init(struct quarantine *quarantine);
void quarantine_done(struct quarantine *quarantine);
/* Any thread.  `key` NULL: part of the file cannot be read at all. */
void quarantine_note(struct quarantine *quarantine, uint32_t file, const struct block_key *key);
/* Copy the list, at most STORE_MAX_DAMAGE; returns how many. */
size_t quarantine_list(struct quarantine *quarantine, struct damaged_block *out);
uint64_t quarantine_count(struct quarantine *quarantine);

#endif
