/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers of a block, packed: runs of `n` numbers each (the nodes' deltas, then each column) <-> bytes.
 *
 * Weights in microseconds are noise in their lower bits, which no compressor should look at.  So a number is a
 * symbol, which says between which two powers of two it lies and, one to three bits finer, where; and the bits
 * below, kept as they are.  Symbols are few, skewed and of one byte: zstd's Huffman coder comes close to what they
 * hold.  A run whose numbers repeat (counts, allocations of one size) goes to zstd as varints instead; a column
 * of multiples is divided first.  Against varints of all and one zstd frame: 12 to 20 % less, packed no slower.
 *
 *	varint		bytes of the bits at the end
 *	mode		0: runs are not compressed, 1: in one zstd frame, 2: in one each, behind its length
 *	per run		form: 0 varints, 1-3 symbols with so many finer bits, + 0x80: divided;
 *			the divisor (varint) where it is, the bytes of the run (varint) where they are varints
 *	runs		symbols of columns are turned round (255 - symbol), to lie apart from those of nodes
 *	bits		of all runs, lowest first
 *
 * One frame is quicker, one for each run smaller from a hundred numbers on.
 */
#ifndef STORE_SQLITE_STREAMS_H
#define STORE_SQLITE_STREAMS_H

#include "store/sqlite/block.h"

#define STREAMS_MAX (1 + PROFILE_MAX_COLUMNS)

struct streams {
	const uint64_t *runs[STREAMS_MAX]; /* the first: of nodes */
	size_t n_runs;
	uint32_t n;
	bool is_quick; /* one frame */
};

/* Append.  *ret_raw_bytes: what reading takes.  ERR_LIMIT. */
int streams_write(const struct streams *streams, struct block_room *room, struct buf *out,
		  size_t *ret_raw_bytes, struct err *err) nodiscard;

struct streams_shape {
	size_t n_runs;
	uint32_t n;
	size_t raw_bytes;
};

/* Into n_runs * n numbers.  Trusts nothing: ERR_CORRUPT. */
int streams_read(const void *data, size_t len, const struct streams_shape *shape,
		 struct block_room *room, uint64_t *out) nodiscard;

#endif
