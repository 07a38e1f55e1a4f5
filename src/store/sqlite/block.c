/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/block.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "codec/zstd.h"
#include "profile/hash.h"
#include "store/sqlite/streams.h"

/* PACKED_ZSTD: of blocks in files of format 1. */
enum { PACKED_PLAIN, PACKED_ZSTD, PACKED_STREAMS };

#define PLAIN_BELOW_NODES 8 /* fewer gain nothing */
/* More stretches than these are joined over their shortest gaps: a window's head stays small. */
#define COVER_MAX_STRETCHES 4096

void block_room_init(struct block_room *room)
{
	*room = (struct block_room){0};
	buf_init(&room->raw, BLOCK_MAX_BYTES);
}

void block_room_done(struct block_room *room)
{
	zstd_decoder_free(room->decoder);
	zstd_encoder_free(room->encoder);
	buf_done(&room->raw);
	free(room->nodes);
	free(room->values);
	*room = (struct block_room){0};
}

int block_room_unpack(struct block_room *room, const void *data, size_t len, size_t raw_bytes)
{
	char *into;
	int r;

	buf_reset(&room->raw);
	into = buf_room(&room->raw, raw_bytes);
	if (!into)
		return ERR_CORRUPT;
	if (!room->decoder)
		room->decoder = zstd_decoder_new();
	r = zstd_decode(room->decoder, data, len, into, raw_bytes);
	if (r == 0)
		buf_grew(&room->raw, raw_bytes);
	return r;
}

static void write_raw(const struct block *block, struct buf *raw)
{
	uint32_t last = 0;

	for (uint32_t i = 0; i < block->n_nodes; i++) {
		buf_put_varint(raw, block->nodes[i] - last);
		last = block->nodes[i];
	}
	for (size_t c = 0; c < block->n_columns; c++)
		for (uint32_t i = 0; i < block->n_nodes; i++)
			buf_put_varint(raw, (uint64_t)block->values[c][i]);
}

static void write_head(const struct block *block, uint8_t packing, size_t raw_bytes,
		       uint64_t data_hash, struct cover *cover, struct buf *head)
{
	int64_t at = block->key.t_ns;

	for (int i = 0; i < 8; i++)
		buf_putc(head, (char)(data_hash >> 8 * i));
	buf_putc(head, (char)packing);
	buf_put_varint(head, raw_bytes);
	buf_put_varint(head, block->n_nodes);
	buf_put_varint(head, (uint64_t)block->n_profiles);
	buf_put_varint(head, (uint64_t)block->n_samples);
	buf_put_varint(head, (uint64_t)block->covered_ns);
	buf_put_varint(head, block->n_columns);
	for (size_t c = 0; c < block->n_columns; c++) {
		buf_put_varint(head, block->columns[c]);
		buf_put_varint(head, (uint64_t)block->totals[c]);
	}
	cover_unite(cover);
	if (cover->n > COVER_MAX_STRETCHES)
		cover_close_gaps(cover, block->key.len_ns / COVER_MAX_STRETCHES);
	buf_put_varint(head, cover->n);
	for (size_t i = 0; i < cover->n; i++) {
		buf_put_varint(head, (uint64_t)(cover->items[i].from_ns - at));
		buf_put_varint(head,
			       (uint64_t)(cover->items[i].until_ns - cover->items[i].from_ns));
		at = cover->items[i].until_ns;
	}
	exemplar_id_write(&block->id, head);
	if (block->track)
		track_write(block->track, block->key.t_ns, block->n_columns, head);
}

static int write_streams(const struct block *block, struct block_room *room, struct buf *data,
			 size_t *ret_raw_bytes, struct err *err)
{
	struct streams streams = {
		.n_runs = 1 + block->n_columns, .n = block->n_nodes, .is_quick = block->is_quick};
	cleanup_free uint64_t *deltas = xcalloc(block->n_nodes + 1u, sizeof(*deltas));
	uint32_t last = 0;

	for (uint32_t i = 0; i < block->n_nodes; i++) {
		deltas[i] = block->nodes[i] - last;
		last = block->nodes[i];
	}
	streams.runs[0] = deltas;
	for (size_t c = 0; c < block->n_columns; c++)
		streams.runs[1 + c] = (const uint64_t *)block->values[c];
	return streams_write(&streams, room, data, ret_raw_bytes, err);
}

int block_write(const struct block *block, struct cover *cover, struct block_room *room,
		struct buf *head, struct buf *data, struct err *err)
{
	bool is_plain = block->n_nodes < PLAIN_BELOW_NODES;
	size_t raw_bytes = 0;
	int r = 0;

	if (is_plain) {
		write_raw(block, data);
		raw_bytes = data->len;
	} else {
		r = write_streams(block, room, data, &raw_bytes, err);
	}
	if (r < 0)
		return r;
	write_head(block, is_plain ? PACKED_PLAIN : PACKED_STREAMS, raw_bytes,
		   hash_stable(data->data, data->len), cover, head);
	if (data->overflow || head->overflow)
		return err_set(err, ERR_LIMIT, "a block of %u stacks and %zu columns is too large",
			       block->n_nodes, block->n_columns);
	return 0;
}

uint64_t block_sum(const struct block_key *key, const void *head, size_t head_len)
{
	const uint64_t all[] = {
		(uint64_t)key->owner, (uint64_t)key->t_ns,   (uint64_t)key->part,
		(uint64_t)key->dict,  (uint64_t)key->len_ns, hash_stable(head, head_len),
	};

	return hash_stable(all, sizeof(all));
}

static void read_cover(struct cursor *in, int64_t at, const struct store_range *range,
		       struct cover *cover)
{
	uint64_t n = cursor_varint(in);

	for (uint64_t i = 0; i < n && !in->bad; i++) {
		int64_t from = (int64_t)((uint64_t)at + cursor_varint(in));
		int64_t until = (int64_t)((uint64_t)from + cursor_varint(in));

		if (from < at || until < from) {
			in->bad = true;
			return;
		}
		cover_add(cover, max_of(from, range->from_ns), min_of(until, range->until_ns));
		at = until;
	}
}

int block_read_head(struct block *block, const void *head, size_t len,
		    const struct store_range *range, struct cover *cover)
{
	struct cursor in = cursor_over(head, len);
	uint64_t n_columns, n_nodes, raw_bytes;

	block->data_hash = cursor_le64(&in);
	block->packing = cursor_u8(&in);
	raw_bytes = cursor_varint(&in);
	n_nodes = cursor_varint(&in);
	block->n_profiles = (int64_t)cursor_varint(&in);
	block->n_samples = (int64_t)cursor_varint(&in);
	block->covered_ns = (int64_t)cursor_varint(&in);
	n_columns = cursor_varint(&in);
	if (in.bad || n_columns > PROFILE_MAX_COLUMNS || n_nodes > TREE_MAX_NODES ||
	    raw_bytes > BLOCK_MAX_BYTES || raw_bytes < n_nodes * (1 + n_columns))
		return ERR_CORRUPT;
	block->n_columns = (size_t)n_columns;
	block->n_nodes = (uint32_t)n_nodes;
	block->raw_bytes = (uint32_t)raw_bytes;
	for (size_t c = 0; c < block->n_columns; c++) {
		block->columns[c] = (uint32_t)cursor_varint(&in);
		block->totals[c] = (int64_t)cursor_varint(&in);
	}
	if (range) {
		read_cover(&in, block->key.t_ns, range, cover);
		block->track_head = in;
		block->id = exemplar_id_read(&in);
	}
	return in.bad ? ERR_CORRUPT : 0;
}

/* ---- nodes and values ---- */

/* Sums of deltas: ever larger, and numbers of nodes. */
static bool add_deltas(const uint64_t *deltas, uint32_t n, uint32_t *nodes)
{
	uint64_t node = 0;

	for (uint32_t i = 0; i < n; i++) {
		node += deltas[i];
		if (deltas[i] >= TREE_MAX_NODES || node >= TREE_MAX_NODES || (i && !deltas[i]))
			return false;
		nodes[i] = (uint32_t)node;
	}
	return true;
}

/* Small numbers are mostly one byte. */
static hot_inline uint64_t next(struct cursor *in)
{
	if (in->at < in->end && *in->at < 0x80)
		return *in->at++;
	return cursor_list_varint(in);
}

static int read_varints(const struct block *block, const void *data, size_t len,
			struct block_room *room, uint64_t *out)
{
	struct cursor in = cursor_over(data, len);
	size_t n = (size_t)block->n_nodes * (1 + block->n_columns);
	int r = 0;

	if (block->packing == PACKED_ZSTD) {
		r = block_room_unpack(room, data, len, block->raw_bytes);
		in = cursor_over(room->raw.data, room->raw.len);
	} else if (len != block->raw_bytes) {
		r = ERR_CORRUPT;
	}
	for (size_t i = 0; i < n && r == 0; i++)
		out[i] = next(&in);
	return r == 0 && (in.bad || cursor_left(&in)) ? ERR_CORRUPT : r;
}

static int read_numbers(const struct block *block, const void *data, size_t len,
			struct block_room *room, uint64_t *out)
{
	const struct streams_shape shape = {1 + block->n_columns, block->n_nodes, block->raw_bytes};

	if (block->packing == PACKED_STREAMS)
		return streams_read(data, len, &shape, room, out);
	if (block->packing != PACKED_PLAIN && block->packing != PACKED_ZSTD)
		return ERR_CORRUPT;
	return read_varints(block, data, len, room, out);
}

int block_read_data(struct block *block, const void *data, size_t len, struct block_room *room)
{
	uint32_t n = block->n_nodes;
	int r = hash_stable(data, len) == block->data_hash ? 0 : ERR_CORRUPT;

	if (r < 0)
		return r;
	room->nodes = vec_grow(room->nodes, &room->nodes_cap, n + 1, sizeof(*room->nodes));
	room->values = vec_grow(room->values, &room->values_cap, n * (1 + block->n_columns) + 1,
				sizeof(*room->values));
	r = read_numbers(block, data, len, room, (uint64_t *)room->values);
	if (r < 0)
		return r;
	block->nodes = room->nodes;
	for (size_t c = 0; c < block->n_columns; c++)
		block->values[c] = room->values + (1 + c) * n;
	return add_deltas((const uint64_t *)room->values, n, room->nodes) ? 0 : ERR_CORRUPT;
}
