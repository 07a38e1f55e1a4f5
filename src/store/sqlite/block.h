/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block: values of one series (or family of series) in one stretch of time; bytes <-> struct.
 *
 * In a block file it is a row of
 *
 *	owner, t_ns	whose it is and where it starts; `part` tells blocks of equal start apart
 *	dict, len_ns	the dictionary that its nodes belong to, and how long it is
 *	head		hash of data (8 bytes), then varints: packing, raw bytes, nodes, profiles,
 *			samples, covered ns, columns (number and total of each), stretches covered;
 *			all that a timeline needs; at the finest level the profile's name (exemplar_id.h),
 *			in windows of series their profiles' totals (track.h)
 *	sum		64-bit hash of key and head: a damaged row is found before it is used
 *	data		nodes as sorted deltas, one value per node for each column: streams.h; in files of
 *			format 1, and where there is little of it, varints of the same
 *
 * Decoding trusts nothing, even though the hash was right: every count is compared with its limit.
 */
#ifndef STORE_SQLITE_BLOCK_H
#define STORE_SQLITE_BLOCK_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "profile/profile.h"
#include "store/cover.h"
#include "store/sqlite/exemplar_id.h"
#include "store/sqlite/track.h"

#define BLOCK_MAX_BYTES ((size_t)512 << 20) /* unpacked: 64 columns of a million stacks */

struct block_key {
	int64_t owner, t_ns, part, dict, len_ns;
};

struct block {
	struct block_key key;
	int64_t n_profiles, n_samples, covered_ns;
	struct exemplar_id id; /* decoding: borrowed from the head, read when a cover is */
	uint32_t columns[PROFILE_MAX_COLUMNS]; /* numbers of the catalogue */
	int64_t totals[PROFILE_MAX_COLUMNS];
	size_t n_columns;
	uint32_t n_nodes;
	bool is_quick;		  /* encoding: while somebody waits; some 3 % larger */
	struct track *track;	  /* encoding a window: sorted by it; NULL: none */
	struct cursor track_head; /* decoding a window: borrowed from the head, for track_open() */
	/* Encoding: the caller's.  Decoding: of the struct, from block_read_data(). */
	uint32_t *nodes;
	int64_t *values[PROFILE_MAX_COLUMNS];
	/* Of the encoded form. */
	uint64_t data_hash;
	uint8_t packing;
	uint32_t raw_bytes;
};

struct zstd_decoder;

struct zstd_encoder;

/* Memory for decoding and encoding, kept from block to block. */
struct block_room {
	struct zstd_decoder *decoder; /* NULL until the first packed block */
	struct zstd_encoder *encoder;
	struct buf raw;
	uint32_t *nodes;
	size_t nodes_cap;
	int64_t *values;
	size_t values_cap;
};

void block_room_init(struct block_room *room);
void block_room_done(struct block_room *room); /* all-zero is fine */
/* What was packed, exactly `raw_bytes`, into room->raw. */
int block_room_unpack(struct block_room *room, const void *data, size_t len,
		      size_t raw_bytes) nodiscard;

/* Append head and data; cover is united by it.  Fails only with ERR_LIMIT. */
int block_write(const struct block *block, struct cover *cover, struct block_room *room,
		struct buf *head, struct buf *data, struct err *err) nodiscard;
uint64_t block_sum(const struct block_key *key, const void *head, size_t head_len) nodiscard;

/*
 * `block->key` is set by the caller.  Stretches covered are added to `cover` where they lie within
 * `range` (NULL: not wanted).
 */
int block_read_head(struct block *block, const void *head, size_t len,
		    const struct store_range *range, struct cover *cover) nodiscard;
/* Nodes and values, in the room until its next use.  ERR_CORRUPT. */
int block_read_data(struct block *block, const void *data, size_t len,
		    struct block_room *room) nodiscard;

#endif
