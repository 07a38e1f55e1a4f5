/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/exemplar_block.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "codec/zstd.h"
#include "profile/hash.h"
#include "store/sqlite/accum.h"

enum { PACKED_PLAIN, PACKED_ZSTD };

#define PLAIN_BELOW_BYTES 96
#define LOOK_BACK_TRACES 64
#define MAX_RAW_BYTES ((size_t)64 << 20) /* SPANS_MAX_VALUES of twenty bytes, rounded up */

/* ---- writing ---- */

static int by_place(const void *a, const void *b)
{
	const struct span_value *x = a, *y = b;

	if (x->span != y->span)
		return x->span < y->span ? -1 : 1;
	return (x->node > y->node) - (x->node < y->node);
}

/* Values of the spans that there is room for, at nodes of the dictionary. */
static size_t take_values(const struct exemplar_source *source, struct span_value *values,
			  uint64_t *left_out)
{
	size_t n = 0;

	for (size_t i = 0; i < source->spans->n_values; i++) {
		values[n] = source->spans->values[i];
		values[n].node = source->map[values[n].node];
		if (values[n].span < source->max_spans)
			n++;
		else
			++*left_out;
	}
	qsort(values, n, sizeof(*values), by_place);
	return n;
}

static int64_t common_divisor(int64_t a, int64_t b)
{
	while (b) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

struct writing {
	const struct exemplar_source *source;
	int64_t units[PROFILE_MAX_COLUMNS];
	struct buf raw, table; /* data; spans of the head */
	struct trace_id *traces;
	uint32_t n_traces, n_spans;
	int64_t *dense; /* of the span at hand: [column * nodes + node] */
	uint32_t *nodes;
};

static void writing_done(struct writing *writing)
{
	buf_done(&writing->raw);
	buf_done(&writing->table);
}

/* Index + 1.  Spans of one trace are mostly neighbours: a trace that is not found is written once more. */
static uint32_t place_trace(struct writing *writing, const struct trace_id *trace)
{
	if (trace_id_is_none(trace))
		return 0;
	for (uint32_t i = writing->n_traces, back = 0; i-- > 0 && back < LOOK_BACK_TRACES; back++)
		if (trace_id_equal(&writing->traces[i], trace))
			return i + 1;
	writing->traces[writing->n_traces] = *trace;
	return ++writing->n_traces;
}

static void write_span_head(struct writing *writing, const struct span *span, uint32_t n_nodes)
{
	struct buf *out = &writing->table;

	for (int i = 0; i < SPAN_ID_BYTES; i++)
		buf_putc(out, (char)(span->id.v >> 8 * i));
	buf_put_varint(out, place_trace(writing, &span->trace));
	for (size_t c = 0; c < writing->source->n_columns; c++) {
		int64_t total = 0;

		for (uint32_t i = 0; i < n_nodes; i++)
			total = sum_of(total, writing->dense[c * n_nodes + i]);
		buf_put_varint(out, (uint64_t)total);
	}
}

/* `values`: one span's, sorted by node. */
static void write_span(struct writing *writing, const struct span_value *values, size_t n)
{
	size_t n_columns = writing->source->n_columns;
	uint32_t n_nodes = 0, last = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		if (!i || values[i].node != values[i - 1].node)
			writing->nodes[n_nodes++] = values[i].node;
	memset(writing->dense, 0, n_nodes * n_columns * sizeof(*writing->dense));
	for (size_t i = 0; i < n; i++) {
		int64_t *into;

		at += i && values[i].node != values[i - 1].node;
		into = &writing->dense[values[i].column * n_nodes + at];
		*into = sum_of(*into, values[i].value / writing->units[values[i].column]);
	}
	buf_put_varint(&writing->raw, n_nodes);
	for (uint32_t i = 0; i < n_nodes; i++) {
		buf_put_varint(&writing->raw, writing->nodes[i] - last);
		last = writing->nodes[i];
	}
	for (size_t i = 0; i < n_nodes * n_columns; i++)
		buf_put_varint(&writing->raw, (uint64_t)writing->dense[i]);
	write_span_head(writing, &writing->source->spans->items[values->span], n_nodes);
	writing->n_spans++;
}

static void write_spans(struct writing *writing, const struct span_value *values, size_t n,
			struct arena *arena)
{
	size_t most = 0;

	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && values[end].span == values[i].span; end++)
			;
		most = max_of(most, end - i);
	}
	writing->nodes = arena_array(arena, most + 1, sizeof(*writing->nodes));
	writing->dense = arena_array(arena, (most + 1) * writing->source->n_columns,
				     sizeof(*writing->dense));
	writing->traces =
		arena_array(arena, writing->source->spans->n + 1, sizeof(*writing->traces));
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && values[end].span == values[i].span; end++)
			;
		write_span(writing, &values[i], end - i);
	}
}

static void write_head(const struct writing *writing, uint8_t packing, struct exemplar_pack *pack)
{
	uint64_t data_hash = hash_stable(pack->data.data ? pack->data.data : "", pack->data.len);
	struct buf *head = &pack->head;

	for (int i = 0; i < 8; i++)
		buf_putc(head, (char)(data_hash >> 8 * i));
	for (int i = 0; i < 8; i++)
		buf_putc(head, 0); /* exemplar_pack_set_sum() */
	buf_putc(head, (char)packing);
	buf_put_varint(head, writing->raw.len);
	buf_put_varint(head, writing->source->n_columns);
	for (size_t c = 0; c < writing->source->n_columns; c++) {
		buf_put_varint(head, writing->source->columns[c]);
		buf_put_varint(head, (uint64_t)writing->units[c]);
	}
	buf_put_varint(head, writing->n_traces);
	buf_put(head, writing->traces, writing->n_traces * sizeof(*writing->traces));
	buf_put_varint(head, writing->n_spans);
	buf_put(head, writing->table.data, writing->table.len);
	buf_put_varint(head, pack->n_left_out);
}

static int write_pack(struct writing *writing, struct exemplar_pack *pack, struct err *err)
{
	uint8_t packing = writing->raw.len < PLAIN_BELOW_BYTES ? PACKED_PLAIN : PACKED_ZSTD;
	int r = 0;

	if (packing == PACKED_PLAIN)
		buf_put(&pack->data, writing->raw.data, writing->raw.len);
	else
		r = zstd_compress(writing->raw.data, writing->raw.len, ZSTD_DEFAULT_LEVEL,
				  &pack->data, err);
	if (r == 0)
		write_head(writing, packing, pack);
	if (r == 0 && (writing->raw.overflow || writing->table.overflow || pack->head.overflow ||
		       pack->data.overflow))
		return err_set(err, ERR_LIMIT, "the spans of a profile are too large");
	return r;
}

int exemplar_pack(const struct exemplar_source *source, struct arena *arena,
		  struct exemplar_pack *ret_pack, struct err *err)
{
	struct exemplar_pack pack = {.n_left_out = source->spans->n_left_out};
	cleanup(writing_done) struct writing writing = {.source = source};
	struct span_value *values =
		arena_array(arena, source->spans->n_values + 1, sizeof(*values));
	size_t n = take_values(source, values, &pack.n_left_out);
	int r;

	for (size_t i = 0; i < n; i++)
		writing.units[values[i].column] =
			common_divisor(writing.units[values[i].column], values[i].value);
	for (size_t c = 0; c < source->n_columns; c++)
		writing.units[c] = max_of(writing.units[c], (int64_t)1);
	buf_init(&writing.raw, MAX_RAW_BYTES);
	buf_init(&writing.table, MAX_RAW_BYTES);
	buf_init(&pack.head, MAX_RAW_BYTES);
	buf_init(&pack.data, MAX_RAW_BYTES);
	write_spans(&writing, values, n, arena);
	pack.n_spans = writing.n_spans;
	r = write_pack(&writing, &pack, err);
	if (r < 0)
		exemplar_pack_done(&pack);
	else
		*ret_pack = pack;
	return r;
}

void exemplar_pack_done(struct exemplar_pack *pack)
{
	buf_done(&pack->head);
	buf_done(&pack->data);
	*pack = (struct exemplar_pack){0};
}

void exemplar_pack_set_sum(struct exemplar_pack *pack, uint64_t block_sum)
{
	for (int i = 0; i < 8; i++)
		pack->head.data[EXEMPLAR_SUM_AT + i] = (char)(block_sum >> 8 * i);
}

/* ---- reading ---- */

static void read_columns(struct cursor *in, struct exemplar_block *block)
{
	uint64_t n = cursor_varint(in);

	in->bad |= n > PROFILE_MAX_COLUMNS;
	for (uint64_t c = 0; c < n && !in->bad; c++) {
		block->columns[c] = (uint32_t)cursor_varint(in);
		block->units[c] = (int64_t)cursor_varint(in);
		in->bad |= block->units[c] < 1;
	}
	block->n_columns = in->bad ? 0 : (size_t)n;
}

static void read_span(struct cursor *in, struct exemplar_block *block, uint32_t at,
		      const uint8_t *traces, uint64_t n_traces)
{
	struct span *span = &block->spans[at];
	uint64_t trace;

	span->id.v = cursor_le64(in);
	trace = cursor_varint(in);
	if (trace > n_traces)
		in->bad = true;
	else if (trace)
		memcpy(span->trace.bytes, traces + (trace - 1) * TRACE_ID_BYTES, TRACE_ID_BYTES);
	for (size_t c = 0; c < block->n_columns; c++)
		block->totals[at * block->n_columns + c] = (int64_t)cursor_varint(in);
}

int exemplar_block_read_head(struct exemplar_block *block, const void *head, size_t len,
			     struct arena *arena)
{
	struct cursor in = cursor_over(head, len);
	uint64_t n_traces, n_spans, raw_bytes;
	const uint8_t *traces = NULL;

	*block = (struct exemplar_block){.data_hash = cursor_le64(&in)};
	block->block_sum = cursor_le64(&in);
	block->packing = cursor_u8(&in);
	raw_bytes = cursor_varint(&in);
	read_columns(&in, block);
	n_traces = cursor_varint(&in);
	if (n_traces <= SPANS_MAX)
		traces = cursor_bytes(&in, n_traces * TRACE_ID_BYTES);
	n_spans = cursor_varint(&in);
	if (in.bad || n_traces > SPANS_MAX || n_spans > SPANS_MAX || raw_bytes > MAX_RAW_BYTES)
		return ERR_CORRUPT;
	block->raw_bytes = (uint32_t)raw_bytes;
	block->n_spans = (uint32_t)n_spans;
	block->spans = arena_array(arena, n_spans + 1, sizeof(*block->spans));
	block->totals = arena_array(arena, n_spans * block->n_columns + 1, sizeof(*block->totals));
	for (uint32_t i = 0; i < block->n_spans && !in.bad; i++)
		read_span(&in, block, i, traces, n_traces);
	block->n_left_out = cursor_varint(&in);
	return in.bad ? ERR_CORRUPT : 0;
}

static int unpack(const struct exemplar_block *block, const void *data, size_t len,
		  struct block_room *room, struct cursor *ret_raw)
{
	int r;

	if (hash_stable(data, len) != block->data_hash || block->packing > PACKED_ZSTD)
		return ERR_CORRUPT;
	if (block->packing == PACKED_PLAIN) {
		*ret_raw = cursor_over(data, len);
		return len == block->raw_bytes ? 0 : ERR_CORRUPT;
	}
	r = block_room_unpack(room, data, len, block->raw_bytes);
	if (r == 0)
		*ret_raw = cursor_over(room->raw.data, room->raw.len);
	return r;
}

static int64_t in_unit(uint64_t value, int64_t unit)
{
	int64_t product;

	return value > INT64_MAX || __builtin_mul_overflow((int64_t)value, unit, &product)
		       ? INT64_MAX
		       : product;
}

static int read_values(const struct exemplar_block *block, struct cursor *in,
		       struct block_room *room, struct block *ret_values)
{
	uint64_t n = cursor_varint(in), node = 0;

	if (in->bad || n > cursor_left(in) || n * (1 + block->n_columns) > cursor_left(in))
		return ERR_CORRUPT;
	room->nodes = vec_grow(room->nodes, &room->nodes_cap, n + 1, sizeof(*room->nodes));
	room->values = vec_grow(room->values, &room->values_cap, n * block->n_columns + 1,
				sizeof(*room->values));
	for (uint64_t i = 0; i < n; i++) {
		uint64_t delta = cursor_varint(in);

		node += delta;
		if (delta >= TREE_MAX_NODES || node >= TREE_MAX_NODES || (i && !delta))
			return ERR_CORRUPT;
		room->nodes[i] = (uint32_t)node;
	}
	for (size_t c = 0; c < block->n_columns; c++)
		for (uint64_t i = 0; i < n; i++)
			room->values[c * n + i] = in_unit(cursor_varint(in), block->units[c]);
	ret_values->n_nodes = (uint32_t)n;
	ret_values->nodes = room->nodes;
	for (size_t c = 0; c < block->n_columns; c++)
		ret_values->values[c] = room->values + c * n;
	return in->bad ? ERR_CORRUPT : 0;
}

int exemplar_block_read_data(const struct exemplar_block *block, const void *data, size_t len,
			     struct block_room *room, exemplar_values_fn *visit, void *ctx)
{
	struct block values = {.n_columns = block->n_columns};
	struct cursor in;
	int r = unpack(block, data, len, room, &in);

	memcpy(values.columns, block->columns, sizeof(values.columns));
	for (uint32_t span = 0; span < block->n_spans && r == 0; span++) {
		r = read_values(block, &in, room, &values);
		if (r == 0)
			r = visit(ctx, span, &values);
	}
	return r < 0 ? r : cursor_left(&in) && r == 0 ? ERR_CORRUPT : r;
}
