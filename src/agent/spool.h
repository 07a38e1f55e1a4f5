/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records that wait on disk for a server: first in, first out, bounded, surviving the process.
 *
 *	DIR/0000000000000007.spool	segments, oldest first; deleted when all of it was taken
 *	DIR/lock			held by the process that uses the directory
 *
 *	segment = record*	record = "PSP1" · u32 length · u32 crc32 · bytes
 *
 * A torn tail (the machine stopped) or a damaged record loses itself and, where the next record cannot
 * be found, the rest of its segment; both are counted.  Past the ceiling whole segments are dropped,
 * oldest first, and their records counted.  After a restart records of the first segment may come
 * again: whoever gets them knows them by their id.  Nothing is written to a segment of another run.
 * One thread owns a spool.
 */
#ifndef AGENT_SPOOL_H
#define AGENT_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SPOOL_SEGMENT_BYTES ((size_t)1 << 20)
#define SPOOL_RECORD_MAX_BYTES ((size_t)64 << 20)

struct spool;

/* Makes the directory (0700) when missing.  -EBUSY when another process uses it. */
int spool_open(const char *dir, size_t max_bytes, struct spool **ret_spool,
	       struct err *err) nodiscard;
void spool_close(struct spool *spool);

/* Append a record; drops the oldest ones when there is no room.  -ENOSPC and other errors of the disk. */
int spool_put(struct spool *spool, const void *data, size_t len, struct err *err) nodiscard;
/* Append the oldest record to `out`; -ENOENT when there is none.  It stays until spool_pop(). */
int spool_peek(struct spool *spool, struct buf *out) nodiscard;
void spool_pop(struct spool *spool);

struct spool_stats {
	uint64_t records; /* waiting */
	uint64_t bytes;
	uint64_t dropped; /* records, for want of room */
	uint64_t damaged; /* records or tails that could not be read */
};
void spool_stats(const struct spool *spool, struct spool_stats *ret_stats);

#endif
