/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing very many profiles at once: what a server would have made of them, at the price of packing.
 *
 * The same dictionaries, blocks and roll-ups as of a server's store, by the same code; `pyrometer fsck` adds
 * up every window again and finds nothing.  Cheaper than putting one by one, because stacks are translated
 * once for all profiles, and because nothing is synced before the end: who needs each profile acknowledged
 * puts it into an open store.  For stores filled by a program: imports into a new directory, conversions of
 * a whole store, benches.
 *
 * The directory may hold a store already; it is locked meanwhile, as by a server.  A process that dies leaves
 * what it wrote so far in order.  A machine that dies before store_bulk_close() may leave files that are
 * damaged: begin anew in another directory.
 *
 * Give profiles in the order of time, all series beside each other: windows are summed up once they are over,
 * and a profile from before has them summed up again.  One thread.  Memory: the dictionaries in use, some
 * 20 MB of pages and the profiles that wait.
 */
#ifndef STORE_SQLITE_STORE_BULK_H
#define STORE_SQLITE_STORE_BULK_H

#include "store/sqlite/sqlite_store.h"

struct store_bulk;
struct bulk_series;

int store_bulk_open(const struct store_config *config, struct store_bulk **ret_bulk,
		    struct err *err) nodiscard;
/*
 * A series that profiles come for.  `like` says whose (tenant, labels), of what (columns, period, gauge or
 * flow) and in which tree stacks are told.  That tree and its names are borrowed until close, and may grow.
 */
int store_bulk_series(struct store_bulk *bulk, const struct store_profile *like,
		      struct bulk_series **ret_series, struct err *err) nodiscard;

struct bulk_profile {
	int64_t start_ns, duration_ns, n_samples;
	const uint32_t *nodes; /* of the tree, in any order; more than once: added */
	uint32_t n_nodes;
	const int64_t
		*values[PROFILE_MAX_COLUMNS]; /* by column of `like`, by node; none negative */
};

/* Copied; written with many others, so that an error may be that of an earlier one. */
int store_bulk_put(struct store_bulk *bulk, struct bulk_series *series,
		   const struct bulk_profile *profile, struct err *err) nodiscard;
/* On disk so far, logs included. */
int64_t store_bulk_bytes(struct store_bulk *bulk);
/* Write and sum up the rest, put all on disk, free.  What it says counts: 0 is the promise that all is there. */
int store_bulk_close(struct store_bulk *bulk, struct err *err) nodiscard;

#endif
