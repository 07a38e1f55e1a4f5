/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans of one profile, beside its block: bytes <-> struct.
 *
 * A row of a file of LEVEL_SPANS, in the tables of block files (files.h).  owner, t_ns, part, dict and len_ns are those
 * of the profile's (first) block at the finest level, and
 *
 *	head	hash of data (8 bytes), sum of that block (8), then varints: packing, raw bytes, columns (number and
 *		unit of each), traces (16 bytes each), spans (8 bytes, trace + 1 or 0, total of each column in its
 *		unit), values left out: all that exemplars need
 *	sum	as of a block: hash of key and head
 *	data	zstd (or plain when short): for each span the number of its nodes, their sorted deltas, then one value per
 *		node for each column, in its unit
 *
 * Values are exact, in the unit of their sample type: a column's unit is what divides all of them, mostly the
 * period.  A row without a block of its key and sum is what a crash or a delete left, and means nothing.
 *
 * Decoding trusts nothing, even though the hash was right.
 */
#ifndef STORE_SQLITE_EXEMPLAR_BLOCK_H
#define STORE_SQLITE_EXEMPLAR_BLOCK_H

#include "base/arena.h"
#include "store/sqlite/block.h"

/* A profile's, ready to be written but for the sum of its block. */
struct exemplar_pack {
	struct buf head, data;
	uint32_t n_spans;
	uint64_t n_left_out; /* values */
};

#define EXEMPLAR_SUM_AT 8 /* where head takes the sum */

struct exemplar_source {
	const struct spans *spans;
	const uint32_t *map;	 /* node of the profile -> of the dictionary */
	const uint32_t *columns; /* of the profile -> numbers of the catalogue */
	size_t n_columns;
	uint32_t max_spans; /* past them values are left out */
};

/* Fails only with ERR_LIMIT. */
int exemplar_pack(const struct exemplar_source *source, struct arena *arena,
		  struct exemplar_pack *ret_pack, struct err *err) nodiscard;
void exemplar_pack_done(struct exemplar_pack *pack); /* all-zero is fine */
void exemplar_pack_set_sum(struct exemplar_pack *pack, uint64_t block_sum);

struct exemplar_block {
	uint64_t data_hash, block_sum;
	uint8_t packing;
	uint32_t raw_bytes;
	uint32_t columns[PROFILE_MAX_COLUMNS];
	int64_t units[PROFILE_MAX_COLUMNS];
	size_t n_columns;
	struct span *spans; /* in the arena */
	int64_t *totals;    /* [span * n_columns + column] */
	uint32_t n_spans;
	uint64_t n_left_out;
};

int exemplar_block_read_head(struct exemplar_block *block, const void *head, size_t len,
			     struct arena *arena) nodiscard;

/* One span's nodes and values as a block has them, in the room until it returns.  Not 0 ends the reading. */
typedef int exemplar_values_fn(void *ctx, uint32_t span, const struct block *values);
int exemplar_block_read_data(const struct exemplar_block *block, const void *data, size_t len,
			     struct block_room *room, exemplar_values_fn *visit,
			     void *ctx) nodiscard;

#endif
