/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which windows are not what their finer blocks add up to (invariant 6 of sqlite_store.h).
 *
 * This is the picture in memory; the marks on disk lie in the block file whose commit made a window
 * dirty, and are read back when the store opens.  A window that is dirty at one level is dirty at all
 * coarser ones.  The caller serialises access (the store's lock).
 */
#ifndef STORE_SQLITE_DIRTY_H
#define STORE_SQLITE_DIRTY_H

#include "base/map.h"
#include "store/sqlite/level.h"

struct dirty_window {
	uint32_t owner;
	int64_t t_ns;
};

struct dirty {
	struct map64 marks; /* level, owner, window -> second of the last touch + 1 */
	struct dirty_window *queue[LEVEL_COUNT]; /* what is marked, oldest first, perhaps stale */
	size_t n[LEVEL_COUNT], cap[LEVEL_COUNT];
};

void dirty_done(struct dirty *dirty); /* all-zero is empty */
/* Every window of levels `level`.. that overlaps [from, until). */
void dirty_mark(struct dirty *dirty, uint32_t owner, int level, struct store_range range,
		uint32_t now_s);
bool dirty_is(const struct dirty *dirty, uint32_t owner, int level, int64_t t_ns);
void dirty_clear(struct dirty *dirty, uint32_t owner, int level, int64_t t_ns);

struct dirty_due {
	int64_t closed_before_ns; /* windows that end by then */
	uint32_t quiet_since_s;	  /* and were not touched after */
	bool (*is_ready)(void *ctx, int level, const struct dirty_window *window);
	void *ctx;
};

/* Up to `max` windows of the level that are due; they stay marked. */
size_t dirty_take(struct dirty *dirty, int level, const struct dirty_due *due,
		  struct dirty_window *out, size_t max);
/* Put back what dirty_take() gave and could not be done. */
void dirty_return(struct dirty *dirty, int level, const struct dirty_window *window);

#endif
