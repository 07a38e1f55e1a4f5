/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The length of a head (two bytes), the head and the data of a row of a block file: once as a block, once as the spans
 * of a profile.  The hash at the beginning of the head is made right, as who forges a row would do.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "profile/hash.h"
#include "store/sqlite/exemplar_block.h"

#define T0 1763800000000000000
#define WINDOW_NS 60000000000

static void check_nodes(const struct block *block)
{
	for (uint32_t i = 1; i < block->n_nodes; i++)
		if (block->nodes[i] <= block->nodes[i - 1])
			abort();
}

static void read_track(const struct block *block)
{
	struct track_reader reader;
	size_t n = 0;

	if (!track_open(&reader, block->track_head, T0, block->n_columns))
		return;
	while (track_next(&reader))
		if (++n > TRACK_MAX_ENTRIES)
			abort();
}

static void read_block(const uint8_t *head, size_t head_len, const uint8_t *data, size_t len)
{
	const struct store_range range = {T0, T0 + WINDOW_NS};
	struct block block = {.key = {1, T0, 0, 1, WINDOW_NS}};
	struct block_room room;
	struct cover cover = {0};

	block_room_init(&room);
	if (block_read_head(&block, head, head_len, &range, &cover) == 0) {
		if (block.n_columns > PROFILE_MAX_COLUMNS || block.raw_bytes > BLOCK_MAX_BYTES)
			abort();
		for (size_t i = 0; i < cover.n; i++)
			if (cover.items[i].from_ns < range.from_ns ||
			    cover.items[i].until_ns > range.until_ns)
				abort();
		read_track(&block);
		if (block_read_data(&block, data, len, &room) == 0)
			check_nodes(&block);
	}
	cover_done(&cover);
	block_room_done(&room);
}

static int visit(void *ctx, uint32_t span, const struct block *values)
{
	const struct exemplar_block *block = ctx;

	if (span >= block->n_spans)
		abort();
	check_nodes(values);
	return 0;
}

static void read_spans(const uint8_t *head, size_t head_len, const uint8_t *data, size_t len)
{
	struct exemplar_block block = {0};
	struct block_room room;
	struct arena arena;

	arena_init(&arena);
	block_room_init(&room);
	if (exemplar_block_read_head(&block, head, head_len, &arena) == 0)
		(void)!exemplar_block_read_data(&block, data, len, &room, visit, &block);
	block_room_done(&room);
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t head_len = size < 2 ? 0 : (size_t)data[0] | (size_t)data[1] << 8, len;
	uint8_t head[1 << 16];
	uint64_t hash;

	if (size < 2 || head_len > size - 2)
		return 0;
	memcpy(head, data + 2, head_len);
	data += 2 + head_len;
	len = size - 2 - head_len;
	hash = hash_stable(data, len);
	for (size_t i = 0; i < min_of(head_len, sizeof(hash)); i++)
		head[i] = (uint8_t)(hash >> 8 * i);
	read_block(head, head_len, data, len);
	read_spans(head, head_len, data, len);
	return 0;
}
